"""Small documents by HTTP: no redirect is followed, no more is read than was allowed, and nothing takes longer."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11

from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.network.access import Access, connect, redirect_fault, tls, tls_fault
from heimdall.capture.network.address import Address

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
    async with _faults(address, access, access.connect_s), _asked(address, path, access) as (reader, talk):
        status, body = 0, bytearray()
        async for event in _events(reader, talk):
            if isinstance(event, h11.Response):
                status = event.status_code
            else:
                body += event.data
                if len(body) > most_bytes:
                    return Answer(status, bytes(body[:most_bytes]), truncated=True)
        return Answer(status, bytes(body))


async def pieces(address: Address, path: str, access: Access) -> AsyncIterator[bytes]:
    """The body of a large document, as it comes. Raises CaptureError as `fetch` does, and where there is none."""
    async with _faults(address, access, None), _asked(address, path, access) as (reader, talk):
        async for event in _events(reader, talk, access.silence_s):
            if not isinstance(event, h11.Response):
                yield bytes(event.data)
            elif event.status_code != 200:
                raise CaptureError(Fault.NO_RECEIVER, f"there is nothing at {path} (HTTP status {event.status_code})")


@contextlib.asynccontextmanager
async def _faults(address: Address, access: Access, most_s: float | None) -> AsyncIterator[None]:
    """What goes wrong as a sentence."""
    try:
        async with asyncio.timeout(most_s):
            yield
    except TimeoutError:
        wait_s = most_s or access.silence_s
        raise CaptureError(
            Fault.UNREACHABLE, f"{address.authority} connects, but does not answer within {wait_s:g} s"
        ) from None
    except ssl.SSLError as error:
        raise tls_fault(address, error) from None
    except OSError as error:
        raise CaptureError(
            Fault.UNREACHABLE, f"{address.authority} breaks off the connection ({error.strerror or error})"
        ) from None
    except h11.RemoteProtocolError:
        raise CaptureError(
            Fault.NO_RECEIVER, f"{address.authority} answers, but not by HTTP: it is not a receiver"
        ) from None


@contextlib.asynccontextmanager
async def _asked(
    address: Address, path: str, access: Access
) -> AsyncIterator[tuple[asyncio.StreamReader, h11.Connection]]:
    """A connection on which the request has been sent."""
    context = tls() if address.secure else None
    reader, writer = await asyncio.open_connection(
        sock=await connect(address, access), ssl=context, server_hostname=address.host if context else None
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
        yield reader, talk
    finally:
        writer.transport.abort()


async def _events(
    reader: asyncio.StreamReader, talk: h11.Connection, silence_s: float | None = None
) -> AsyncIterator[h11.Response | h11.Data]:
    """The answer and its body. A redirect is an error."""
    while True:
        event = talk.next_event()
        if event is h11.NEED_DATA:
            async with asyncio.timeout(silence_s):
                talk.receive_data(await reader.read(_PIECE))
        elif isinstance(event, h11.Response):
            location = next((value for name, value in event.headers if name == b"location"), None)
            if 300 <= event.status_code < 400 and location is not None:
                raise redirect_fault(location.decode("latin-1"))
            yield event
        elif isinstance(event, h11.Data):
            yield event
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return
