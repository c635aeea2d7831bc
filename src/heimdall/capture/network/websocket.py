"""WebSockets to receivers: to an address that was checked, without redirects, and with an end to every message and silence."""

from __future__ import annotations

import asyncio
import ssl

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.network.access import Access, connect, redirect_fault, tls, tls_fault
from heimdall.capture.network.address import Address

_MOST_MESSAGE = 1 << 20
"""In bytes. A receiver's configuration is the longest message, with a few hundred thousand."""
_QUEUE = 256
_CLOSE_S = 1.0


async def open_socket(address: Address, path: str, access: Access) -> ClientConnection:
    """Raises CaptureError where no WebSocket is opened."""
    raw = await connect(address, access)
    try:
        return await open_websocket(
            f"{'wss' if address.secure else 'ws'}://{address.authority}{path}",
            sock=raw,
            ssl=tls() if address.secure else None,
            compression=None,
            proxy=None,
            max_size=_MOST_MESSAGE,
            max_queue=_QUEUE,
            open_timeout=access.connect_s,
            ping_interval=None,
            close_timeout=_CLOSE_S,
            user_agent_header=access.user_agent,
        )
    except BaseException as error:
        raw.close()
        raise _handshake_fault(error, address, access) from None


async def close_socket(socket: ClientConnection) -> None:
    """Give the slot back in order, within a second; in any case the connection is gone then."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            await socket.close()
    except (TimeoutError, OSError, WebSocketException):
        pass
    finally:
        socket.transport.abort()


async def send(socket: ClientConnection, text: str) -> None:
    try:
        await socket.send(text)
    except ConnectionClosed as error:
        raise _closed(error) from None


async def receive(socket: ClientConnection, access: Access) -> bytes:
    """The next message. Raises CaptureError where none comes in time, or the connection ends."""
    try:
        async with asyncio.timeout(access.silence_s):
            message = await socket.recv()
    except TimeoutError:
        raise CaptureError(Fault.SILENT, f"it has sent nothing for {access.silence_s:g} s") from None
    except ConnectionClosed as error:
        raise _closed(error) from None
    return message.encode() if isinstance(message, str) else message


def _handshake_fault(error: BaseException, address: Address, access: Access) -> BaseException:
    answered = _answer(error)
    if answered is not None and "Location" in answered.response.headers:
        return redirect_fault(answered.response.headers["Location"])
    if isinstance(error, ssl.SSLError):
        return tls_fault(address, error)
    if isinstance(error, TimeoutError):
        return CaptureError(Fault.UNREACHABLE, f"it does not answer within {access.connect_s:g} s")
    if isinstance(error, OSError):
        return CaptureError(Fault.DROPPED, f"it breaks off the connection ({error.strerror or error})")
    if isinstance(error, InvalidHandshake | WebSocketException | ValueError):
        return CaptureError(
            Fault.NO_RECEIVER, f"{address.authority} answers, but gives no stream: it is not a receiver"
        )
    return error


def _answer(error: BaseException | None) -> InvalidStatus | None:
    """What the server answered: the library complains of a redirect it cannot follow in several ways, on top of it."""
    while error is not None and not isinstance(error, InvalidStatus):
        error = error.__cause__ or error.__context__
    return error


def _closed(error: ConnectionClosed) -> CaptureError:
    if error.sent is not None and error.sent.code == 1009:
        return CaptureError(Fault.NO_RECEIVER, "it sends messages longer than any receiver's")
    if error.rcvd is not None:
        return CaptureError(Fault.KICKED, "it has ended the connection: its operator or its limits threw us out")
    return CaptureError(Fault.DROPPED, "the connection broke")
