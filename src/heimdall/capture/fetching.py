"""Small documents by HTTP: no redirect is followed, no more is read than was allowed, and nothing takes longer."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import h11

from heimdall.capture.access import Access, connect, redirect_fault, tls, tls_fault
from heimdall.capture.address import Address
from heimdall.capture.faults import CaptureError, Fault

STATUS_BYTES = 1 << 16
"""More than any receiver says of itself."""
_PIECE = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What came back; never a redirect."""

    status: int
    body: bytes
    truncated: bool = False
    """There was more than was allowed."""


async def fetch(address: Address, path: str, access: Access, most_bytes: int = STATUS_BYTES) -> Answer:
    """GET a path of a receiver. Raises CaptureError where nothing answers in time, TLS fails, or it is sent elsewhere."""
    sock = await connect(address, access)
    try:
        async with asyncio.timeout(access.connect_s):
            return await _ask(sock, address, path, access, most_bytes)
    except TimeoutError:
        raise CaptureError(
            Fault.UNREACHABLE, f"{address.authority} connects, but does not answer within {access.connect_s:g} s"
        ) from None
    except ssl.SSLError as error:
        raise tls_fault(address, error) from None
    except OSError as error:
        raise CaptureError(
            Fault.UNREACHABLE, f"{address.authority} breaks off the connection ({error.strerror or error})"
        ) from None
    except h11.RemoteProtocolError:
        raise CaptureError(
            Fault.NO_RECEIVER, f"{address.authority} answers, but not by HTTP: it is no receiver"
        ) from None
    finally:
        sock.close()


async def _ask(sock: object, address: Address, path: str, access: Access, most_bytes: int) -> Answer:
    context = tls() if address.secure else None
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=context, server_hostname=address.host if context else None
    )
    try:
        talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=STATUS_BYTES)
        headers = [
            ("Host", address.authority),
            ("User-Agent", access.user_agent),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        writer.write(talk.send(h11.Request(method="GET", target=path or "/", headers=headers)) or b"")
        writer.write(talk.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        return await _answer(reader, talk, most_bytes)
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, talk: h11.Connection, most_bytes: int) -> Answer:
    status, body = 0, bytearray()
    while True:
        event = talk.next_event()
        if event is h11.NEED_DATA:
            talk.receive_data(await reader.read(_PIECE))
        elif isinstance(event, h11.Response):
            status = event.status_code
            location = next((value for name, value in event.headers if name == b"location"), None)
            if 300 <= status < 400 and location is not None:
                raise redirect_fault(location.decode("latin-1"))
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > most_bytes:
                return Answer(status, bytes(body[:most_bytes]), truncated=True)
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return Answer(status, bytes(body))
