"""Addresses as people type them, and which of them may be reached."""

import asyncio
import ipaddress
import socket

import pytest

from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.network.access import Access, connect
from heimdall.capture.network.address import Address, parse_address
from heimdall.errors import InputError

LOOPBACK = Access((ipaddress.ip_network("127.0.0.0/8"),), connect_s=2.0)


@pytest.mark.parametrize(
    ("text", "kind", "host", "port", "secure"),
    [
        ("kiwi://example.org", "kiwi", "example.org", 8073, False),
        ("rtl_tcp://192.0.2.7:1234", "rtl_tcp", "192.0.2.7", 1234, False),
        ("example.org:8074", "any", "example.org", 8074, False),
        ("https://example.org/", "any", "example.org", 443, True),
        ("kiwi://[2001:db8::1]:8073", "kiwi", "2001:db8::1", 8073, False),
        ("HTTP://Example.ORG:8073/", "any", "example.org", 8073, False),
    ],
)
def test_an_address_is_taken_apart_and_written_as_it_is_read(
    text: str, kind: str, host: str, port: int, secure: bool
) -> None:
    address = parse_address(text)
    assert (address.kind, address.host, address.port, address.secure) == (kind, host, port, secure)
    assert parse_address(str(address)) == address


def test_what_is_local_keeps_its_path() -> None:
    assert parse_address("soapy:driver=rtlsdr,serial=1") == Address("soapy", path="driver=rtlsdr,serial=1")
    assert str(parse_address("sigmf+https://host/a/?x=1")) == "sigmf+https://host:443/a/?x=1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://host",
        "kiwi://",
        "kiwi://host:0",
        "kiwi://host:99999",
        "http://user:secret@host",
        "soapy:",
        "ho st",
        "a\nb",
    ],
)
def test_what_is_no_address_is_refused_in_one_line_that_shows_one(text: str) -> None:
    with pytest.raises(InputError, match="kiwi://host:8073") as refused:
        parse_address(text)
    assert "secret" not in str(refused.value) or "password" in str(refused.value)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "::", "ff02::1",
    ],
)  # fmt: skip
def test_loopback_and_private_addresses_are_not_reached_in_whatever_clothes(ip: str) -> None:
    assert not Access().allows(ip)


@pytest.mark.parametrize("ip", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_reached(ip: str) -> None:
    assert Access().allows(ip)


def test_a_network_that_was_allowed_is_reached_and_no_other() -> None:
    assert LOOPBACK.allows("127.0.0.1")
    assert LOOPBACK.allows("::ffff:127.0.0.1")
    assert not LOOPBACK.allows("192.168.1.1")


def test_a_name_that_leads_into_a_private_network_is_refused_and_the_network_named() -> None:
    with pytest.raises(CaptureError, match=r"nobody allowed its network, 127\.0\.0\.0/8") as refused:
        asyncio.run(connect(parse_address("kiwi://localhost:9"), Access()))
    assert refused.value.fault is Fault.PRIVATE


def test_a_name_is_resolved_once_and_the_address_that_was_checked_is_connected_to(monkeypatch) -> None:
    """A name server that answers with another address the second time (rebinding) gains nothing: there is no second time."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    answers = iter([[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]])

    async def once() -> socket.socket:
        async def resolve(*_arguments: object, **_options: object) -> object:
            return next(answers)

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        return await connect(Address("kiwi", "rebinding.example", port), LOOPBACK)

    with listener, asyncio.run(once()) as connected:
        assert connected.getpeername() == ("127.0.0.1", port)


def test_of_several_addresses_only_those_allowed_are_tried(monkeypatch) -> None:
    tried = []

    async def run() -> None:
        loop = asyncio.get_running_loop()

        async def resolve(*_arguments: object, **_options: object) -> object:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("10.0.0.1", "127.0.0.1", "192.168.0.1")
            ]

        async def refuse(_socket: object, place: object) -> None:
            tried.append(place)
            raise ConnectionRefusedError

        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        monkeypatch.setattr(loop, "sock_connect", refuse)
        await connect(Address("kiwi", "several.example", 80), LOOPBACK)

    with pytest.raises(CaptureError, match="nothing listens there"):
        asyncio.run(run())
    assert tried == [("127.0.0.1", 80)]


def test_a_name_that_nobody_knows_is_said_so() -> None:
    with pytest.raises(CaptureError, match="its name is not known"):
        asyncio.run(connect(parse_address("kiwi://nowhere.invalid"), Access(connect_s=5)))
