"""Documents by HTTP from servers that mean harm, or are none."""

import asyncio
import ipaddress
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.network.access import Access
from heimdall.capture.network.address import Address
from heimdall.capture.network.fetching import Answer, fetch

ACCESS = Access((ipaddress.ip_network("127.0.0.0/8"),), contact="ops@example.org", connect_s=1.0)


def _ask(
    answer: bytes, *, endless: bool = False, secure: bool = False, heard: Callable[[bytes], None] = bytes
) -> Answer:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard(await reader.read(65536))
            writer.write(answer)
            while endless:
                writer.write(b"x" * 65536)
                await writer.drain()
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort() if endless else writer.close()

    async def run() -> Answer:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await fetch(
                Address("kiwi", "127.0.0.1", server.sockets[0].getsockname()[1], secure), "/status", ACCESS
            )

    return asyncio.run(run())


def test_a_page_is_read_and_the_request_says_who_asks() -> None:
    requests: list[bytes] = []
    answer = _ask(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na=1", heard=requests.append)
    assert answer == Answer(200, b"a=1")
    assert b"User-Agent: Heimdall/" in requests[0]
    assert b"ops@example.org" in requests[0]


def test_of_a_page_without_an_end_no_more_is_read_than_was_allowed() -> None:
    answer = _ask(b"HTTP/1.1 200 OK\r\n\r\n", endless=True)
    assert answer.truncated
    assert len(answer.body) == 1 << 16


@pytest.mark.parametrize("location", ["http://10.0.0.1/admin", "//169.254.169.254/latest", "/elsewhere"])
def test_no_redirect_is_followed_and_the_sentence_says_where_it_led(location: str) -> None:
    with pytest.raises(CaptureError, match="not followed") as refused:
        _ask(b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n")
    assert refused.value.fault is Fault.REDIRECT


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 40, b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 99999],
)
def test_what_does_not_speak_http_is_no_receiver(answer: bytes) -> None:
    with pytest.raises(CaptureError) as refused:
        _ask(answer)
    assert refused.value.fault is Fault.NO_RECEIVER


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    async def run() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read()
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            await fetch(Address("kiwi", "127.0.0.1", server.sockets[0].getsockname()[1]), "/", ACCESS)

    with pytest.raises(CaptureError, match="does not answer within 1 s"):
        asyncio.run(run())


def test_tls_where_there_is_none_says_what_to_write() -> None:
    with pytest.raises(CaptureError, match="write http:// or kiwi://") as refused:
        _ask(b"HTTP/1.1 400 Bad Request\r\n\r\n", secure=True)
    assert refused.value.fault is Fault.TLS


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt"), "-subj", "/CN=127.0.0.1"]
    subprocess.run([openssl, *made, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")

    async def run() -> None:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with server:
            await fetch(Address("kiwi", "127.0.0.1", server.sockets[0].getsockname()[1], True), "/status", ACCESS)

    with pytest.raises(CaptureError, match="its certificate is not accepted") as refused:
        asyncio.run(run())
    assert refused.value.fault is Fault.TLS
