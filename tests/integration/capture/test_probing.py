"""The state of receivers, honest ones and others."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from heimdall.capture.drivers import driver_of
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Gives, Target, Tuning
from heimdall.capture.network.access import Access
from heimdall.capture.network.address import parse_address
from heimdall.capture.probing import Probed, probe_many
from heimdall.rehearsal.kiwi_server import KiwiServer
from heimdall.rehearsal.troubles import Trouble

from .scene import ACCESS, make_stage

Rehearse = Callable[..., Any]
TUNING = Tuning(77_500.0, 5_000.0)


def _probe(rehearsal: Any) -> list[Probed]:
    async def work(targets: list[Target], _: object) -> list[Probed]:
        return await probe_many(targets, rehearsal.access)

    return list(rehearsal.run(work))


def test_a_receiver_says_where_it_is_who_listens_and_what_its_gps_sees(rehearse: Rehearse) -> None:
    (probed,) = _probe(rehearse(1))
    status = probed.status
    assert status is not None
    assert (status.gives, status.users, status.slots, status.gps_satellites) == (Gives.IQ_WITH_GPS_TIME, 0, 4, 9)
    assert status.place is not None
    assert (status.place.latitude_deg, status.place.longitude_deg) == (48.012347, 7.031283)
    assert (status.tdoa_name, status.snr_db, status.antenna, status.band_hz) == ("R01", 25.0, "simulated", (0.0, 30e6))
    assert probed.problem is None


def test_without_gps_it_is_said_what_its_recordings_are_worth(rehearse: Rehearse) -> None:
    (probed,) = _probe(rehearse(1, troubles={"R01": Trouble.NO_GPS}))
    assert probed.status is not None
    assert probed.status.gives is Gives.IQ
    assert "its GPS has no fix" in probed.status.notes[0]


def test_a_hundred_receivers_are_asked_at_once_and_each_answers(rehearse: Rehearse) -> None:
    probed = _probe(rehearse(100, troubles={"R50": Trouble.PAGE}))
    assert [each.problem is None for each in probed].count(True) == 99
    assert probed[49].fault is Fault.NO_RECEIVER


def test_a_plain_web_address_turns_out_to_be_a_receiver(rehearse: Rehearse) -> None:
    async def work(targets: list[Target], _: object) -> list[Probed]:
        plain = Target("new", parse_address(f"127.0.0.1:{targets[0].address.port}"))
        return await probe_many([plain], ACCESS)

    (probed,) = rehearse(1).run(work)
    assert probed.target.address.kind == "kiwi"


def test_nothing_is_asked_where_nobody_allowed_it(rehearse: Rehearse) -> None:
    async def work(targets: list[Target], _: object) -> list[Probed]:
        return await probe_many(targets, Access())

    (probed,) = rehearse(1).run(work)
    assert probed.fault is Fault.PRIVATE


@contextlib.asynccontextmanager
async def _websocket(handler: Callable[[ServerConnection], Awaitable[None]], page: Any = None) -> AsyncIterator[Target]:
    async with serve(handler, "127.0.0.1", 0, process_request=page, compression=None, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Target("evil", parse_address(f"kiwi://127.0.0.1:{port}"))


def _open(handler: Callable[[ServerConnection], Awaitable[None]], page: Any = None) -> CaptureError:
    async def run() -> None:
        async with (
            _websocket(handler, page) as target,
            driver_of(target.address).open(target, TUNING, ACCESS) as stream,
        ):
            async for _ in stream:
                pass

    with pytest.raises(CaptureError) as refused:
        asyncio.run(run())
    return refused.value


async def _nothing(_socket: ServerConnection) -> None:
    return None


def test_a_frame_of_two_gigabytes_is_refused_by_its_announcement() -> None:
    async def announce(socket: ServerConnection) -> None:
        socket.transport.write(bytes([0x82, 127]) + struct.pack(">Q", 2 << 30) + b"SND" * 100)
        await socket.wait_closed()

    refused = _open(announce)
    assert refused.fault is Fault.NO_RECEIVER
    assert "longer than any" in str(refused)


def test_a_stream_that_only_talks_is_given_up() -> None:
    async def talk(socket: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            while True:
                await socket.send(b"MSG client_public_ip=1.2.3.4")
                await asyncio.sleep(0.2)

    assert _open(talk).fault is Fault.SILENT


@pytest.mark.parametrize("frame", [b"SND", b"SND\0\0\0\0\0", b"SND" + b"\0" * 60, b"SND\x08" + b"\xff" * 10])
def test_frames_that_no_receiver_sends_are_refused(frame: bytes) -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.send(frame)
        await socket.wait_closed()

    assert _open(send).fault is Fault.NO_RECEIVER


@pytest.mark.parametrize("rate", ["0", "nan", "1e12", "-12000"])
def test_a_sample_rate_that_none_has_is_refused(rate: str) -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.send(f"MSG sample_rate={rate}".encode())
        await socket.wait_closed()

    assert _open(send).fault is Fault.NO_RECEIVER


@pytest.mark.parametrize("location", ["http://10.0.0.1/", "ws://127.0.0.1:1/", "http://169.254.169.254/latest/"])
def test_a_stream_that_is_sent_elsewhere_does_not_go_there(location: str) -> None:
    async def page(_connection: ServerConnection, _request: Request) -> Response:
        return Response(302, "Found", Headers([("Location", location), ("Content-Length", "0")]))

    refused = _open(_nothing, page)
    assert refused.fault is Fault.REDIRECT
    assert "not followed" in str(refused)


def test_a_page_where_a_stream_is_expected_is_no_receiver() -> None:
    async def page(_connection: ServerConnection, _request: Request) -> Response:
        return Response(200, "OK", Headers([("Content-Length", "2")]), b"hi")

    assert _open(_nothing, page).fault is Fault.NO_RECEIVER


def test_the_operator_of_a_receiver_sees_who_listens() -> None:
    agents: list[str] = []

    class Curious(KiwiServer):
        async def _page(self, connection: ServerConnection, request: Request) -> Response | None:
            agents.append(request.headers["User-Agent"])
            return await super()._page(connection, request)

    async def run() -> None:
        stage = make_stage(1)
        async with Curious(stage, stage.sites[0]).running() as server:
            target = Target("a", parse_address(f"kiwi://127.0.0.1:{server.port}"))
            driver = driver_of(target.address)
            await driver.probe(target, ACCESS)
            async with driver.open(target, TUNING, ACCESS):
                pass

    asyncio.run(run())
    assert len(agents) == 2
    assert all(agent.startswith("Heimdall/") and "ops@example.org" in agent for agent in agents)


def test_what_a_receiver_says_of_itself_does_no_harm_to_a_terminal() -> None:
    async def page(_connection: ServerConnection, _request: Request) -> Response:
        body = b"sdr_hw=KiwiSDR\nname=\x1b[2J\x07evil\nusers=0\nusers_max=4\n"
        return Response(200, "OK", Headers([("Content-Length", str(len(body)))]), body)

    async def run() -> Probed:
        async with _websocket(_nothing, page) as target:
            return (await probe_many([target], ACCESS))[0]

    status = asyncio.run(run()).status
    assert status is not None
    assert status.title == " [2J evil"
