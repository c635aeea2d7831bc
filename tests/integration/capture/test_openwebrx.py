"""OpenWebRX gives levels, in the band its operator chose."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from heimdall.capture.faults import Fault
from heimdall.capture.interface import Gives, Target, Tuning
from heimdall.capture.network.address import parse_address
from heimdall.capture.probing import probe_many
from heimdall.capture.recording.parts import Recorded, Stage
from heimdall.capture.recording.record import record
from heimdall.formats.readers.read import read_observations

from .scene import ACCESS

STATUS = {
    "receiver": {"name": "Hill", "gps": {"lat": 47.5123, "lon": 19.0456}, "asl": 210, "location": "Hill"},
    "max_clients": 20,
    "version": "v1.2.61",
    "sdrs": [
        {"name": "stick", "type": "RtlSdrSource", "profiles": [{"center_freq": 145_000_000, "sample_rate": 2_400_000}]}
    ],
}


@contextlib.asynccontextmanager
async def _server(level: float, told: list[Any], backoff: bool = False) -> AsyncIterator[Target]:
    async def page(_connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/ws/":
            return None
        found = request.path == "/status.json"
        body = json.dumps(STATUS).encode() if found else b"no"
        return Response(200 if found else 404, "OK", Headers([("Content-Length", str(len(body)))]), body)

    async def talk(socket: ServerConnection) -> None:
        told.append(await socket.recv())
        await socket.send("CLIENT DE SERVER server=openwebrx version=v1.2.61")
        if backoff:
            await socket.send(json.dumps({"type": "backoff", "reason": "Too many clients"}))
            return
        await socket.send(json.dumps({"type": "config", "value": {"max_clients": 20}}))
        await socket.send(json.dumps({"type": "config", "value": {"center_freq": 145_000_000, "samp_rate": 2_400_000}}))
        told.extend([json.loads(await socket.recv()) for _ in range(3)])
        while True:
            await socket.send(b"\x02" + bytes(100))
            await socket.send(json.dumps({"type": "smeter", "value": level}))
            await asyncio.sleep(0.05)

    async with serve(talk, "127.0.0.1", 0, process_request=page) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Target(f"W{port}", parse_address(f"http://127.0.0.1:{port}"))


def _record(tmp_path: Path, tuning: Tuning, **options: Any) -> tuple[Recorded, list[Any]]:
    told: list[Any] = []

    async def run() -> Recorded:
        async with _server(1e-8, told, **options) as first, _server(1e-7, []) as second:
            return await record([first, second], tuning, 1, tmp_path / "session", ACCESS)

    return asyncio.run(run()), told


def test_its_state_says_where_it_is_and_which_bands_it_has() -> None:
    async def run() -> Any:
        async with _server(1e-8, []) as target:
            return await probe_many([target], ACCESS)

    (probed,) = asyncio.run(run())
    assert probed.target.address.kind == "openwebrx"
    assert probed.status.gives is Gives.LEVEL
    assert (probed.status.place.latitude_deg, probed.status.place.height_m, probed.status.slots) == (47.5123, 210.0, 20)
    assert "143.8 to 146.2 MHz" in probed.status.notes[0]


def test_levels_become_receivers_of_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    recorded, told = _record(tmp_path, Tuning(145.5e6, 12_500.0))
    assert [part.stage for part in recorded.parts] == [Stage.DONE, Stage.DONE]
    assert told[2]["params"]["offset_freq"] == 500_000
    (observation,) = read_observations(recorded.folder)
    assert (observation.frequency_hz, observation.bandwidth_hz) == (145.5e6, 12_500.0)
    assert [each.rssi_dbm for each in observation.receptions] == [pytest.approx(-80.0), pytest.approx(-70.0)]
    assert all(each.rssi_sigma_db == 10.0 for each in observation.receptions)


def test_a_frequency_outside_its_band_is_refused_since_the_band_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    recorded, _ = _record(tmp_path, Tuning(433e6, 12_500.0))
    assert {part.fault for part in recorded.parts} == {Fault.TUNING}
    assert "not ours to change" in str(recorded.parts[0].reason)


def test_it_says_why_it_sends_us_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    recorded, _ = _record(tmp_path, Tuning(145.5e6, 12_500.0), backoff=True)
    assert recorded.parts[0].reason == "it sends us away: Too many clients"
    assert recorded.parts[1].stage is Stage.DONE
