"""Which networks may be reached, and how: names are resolved once, checked, and the checked address is connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from heimdall import __version__
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.network.address import Address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Access:
    """How receivers are reached. Public addresses always may be; loopback and private ones only where a network is listed."""

    networks: tuple[Network, ...] = ()
    contact: str = ""
    """How the operators of receivers reach whoever records: an address for mail or a page."""
    connect_s: float = 10.0
    """Longest time for a connection or an answer."""
    silence_s: float = 15.0
    """A stream that sends nothing for so long has ended."""

    @property
    def user_agent(self) -> str:
        return f"Heimdall/{__version__} (radio location; {self.contact or 'no contact given'})"

    def allows(self, address: str) -> bool:
        """Whether an IP address may be connected to."""
        found = _embedded(ipaddress.ip_address(address.partition("%")[0]))
        if any(found in network for network in self.networks if network.version == found.version):
            return True
        return found.is_global and not found.is_multicast


def _embedded(found: _Ip) -> _Ip:
    """The IPv4 address that an IPv6 address stands for, by mapping, 6to4 or NAT64: it is what would be reached."""
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found in _NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
    return found.ipv4_mapped or found.sixtofour or found


async def connect(address: Address, access: Access) -> socket.socket:
    """A connected socket: the name is resolved once and every address is checked before it is tried, in turn.

    Raises CaptureError where none may be reached or none answers.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(access.connect_s):
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise _unreachable(address, "its name is not resolved in time") from None
    except OSError as error:
        raise _unreachable(address, f"its name is not known ({error.strerror or error})") from None
    allowed = [each for each in found if access.allows(str(each[4][0]))]
    if not allowed:
        where = found[0][4][0] if found else address.host
        raise CaptureError(
            Fault.PRIVATE,
            f"{where} is a loopback or private address, and nobody allowed its network, {network_of(str(where))}",
        )
    return await _first_to_answer(address, allowed, access)


def network_of(ip: str) -> str:
    """The smallest usual network round a private address, to be offered as an example."""
    found = ipaddress.ip_address(ip.partition("%")[0])
    if found.is_loopback:
        return "127.0.0.0/8" if found.version == 4 else "::1/128"
    return str(ipaddress.ip_network(f"{found}/{24 if found.version == 4 else 64}", strict=False))


async def _first_to_answer(address: Address, found: Sequence[Any], access: Access) -> socket.socket:
    why = "nothing answers"
    for family, kind, protocol, _, place in found:
        tried = socket.socket(family, kind, protocol)
        tried.setblocking(False)
        try:
            async with asyncio.timeout(access.connect_s):
                await asyncio.get_running_loop().sock_connect(tried, place)
            return tried
        except (OSError, TimeoutError) as error:
            tried.close()
            why = _why(error, access)
        except BaseException:
            tried.close()
            raise
    raise _unreachable(address, why)


def _why(error: OSError | TimeoutError, access: Access) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there: check host and port"
    if isinstance(error, TimeoutError):
        return f"no answer within {access.connect_s:g} s"
    return error.strerror or str(error)


def _unreachable(address: Address, why: str) -> CaptureError:
    return CaptureError(Fault.UNREACHABLE, f"{address.authority} cannot be reached: {why}")


@cache
def tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def tls_fault(address: Address, error: ssl.SSLError) -> CaptureError:
    """The sentence for a failed handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate is not accepted ({error.verify_message})"
    else:
        why = f"it does not speak TLS ({error.reason or error})"
    return CaptureError(Fault.TLS, f"{address.authority}: {why}; where it has no TLS write http:// or kiwi://")


def redirect_fault(location: str) -> CaptureError:
    """No redirect is followed: requests go only where the operator said."""
    parts = urlsplit(location)
    where = f"{parts.scheme}://{parts.netloc}" if parts.netloc else location
    return CaptureError(
        Fault.REDIRECT, f"it sends visitors to {where[:200]}, which is not followed: add that address if you trust it"
    )
