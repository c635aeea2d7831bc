"""Recordings that others make: published by HTTP, or put into a folder."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heimdall.capture.faults import Fault
from heimdall.capture.interface import Target, Tuning
from heimdall.capture.network.address import parse_address
from heimdall.capture.recording.parts import Recorded, Stage
from heimdall.capture.recording.record import record
from heimdall.capture.watching.inbox import Inbox
from heimdall.formats.readers.read import read_observations

from .scene import ACCESS

Rehearse = Callable[..., Any]


async def _publish(folder: Path) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        path = folder / asked.lstrip("/")
        body = path.read_bytes() if path.is_file() else b""
        status = "200 OK" if body else "404 Not Found"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


@pytest.fixture
def session(rehearse: Rehearse, tmp_path: Path) -> Path:
    return Path(rehearse(2).record(tmp_path / "remote", 3).folder)


def _record(folder: Path, output: Path, tuning: Tuning) -> Recorded:
    async def run() -> Recorded:
        async with await _publish(folder) as server:
            port = server.sockets[0].getsockname()[1]
            metas = sorted(folder.glob("*.sigmf-meta"))
            targets = [Target(m.name[:-11], parse_address(f"sigmf+http://127.0.0.1:{port}/{m.name}")) for m in metas]
            return await record(targets, tuning, 60, output, ACCESS)

    return asyncio.run(run())


def test_a_published_recording_comes_as_it_was_made(session: Path, tmp_path: Path) -> None:
    recorded = _record(session, tmp_path / "copy", Tuning(77_500.0, 5_000.0))
    assert [part.stage for part in recorded.parts] == [Stage.DONE, Stage.DONE], recorded.parts
    (theirs,), (ours,) = read_observations(session), read_observations(recorded.folder)
    # In ours the first receiver is the one whose samples came first; its name there is that of its file.
    by_name = {each.receiver.name: each for each in ours.receptions}
    for number, one in enumerate(theirs.receptions):
        other = by_name[f"remote-{number:02d}-{one.receiver.name}"]
        assert bytes(one.samples.tobytes()) == other.samples.tobytes()
        assert other.receiver.clock_sigma_s == one.receiver.clock_sigma_s
        assert other.sample_rate_hz == one.sample_rate_hz
    begin_s = [each.time_utc.timestamp() + min(one.start_s for one in each.receptions) for each in (theirs, ours)]
    assert begin_s[0] == pytest.approx(begin_s[1], abs=2e-6)


def test_a_recording_of_another_frequency_is_refused(session: Path, tmp_path: Path) -> None:
    recorded = _record(session, tmp_path / "copy", Tuning(60_000.0, 5_000.0))
    assert {part.fault for part in recorded.parts} == {Fault.TUNING}


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    (remote / "a.sigmf-meta").write_text("<html>")
    (remote / "b.sigmf-meta").write_text('{"global": {}}')
    recorded = _record(remote, tmp_path / "copy", Tuning(60_000.0, 5_000.0))
    assert {part.fault for part in recorded.parts} == {Fault.NO_RECEIVER}


def test_what_another_recorder_puts_into_a_folder_is_located_once(session: Path, tmp_path: Path) -> None:
    filled, output = tmp_path / "filled", tmp_path / "output"
    filled.mkdir()
    shown: list[list[str]] = []

    async def locate(folder: Path) -> dict[str, Any]:
        shown.append(sorted(path.name for path in folder.iterdir()))
        return {"fixes": []}

    async def lines(most: int) -> list[dict[str, Any]]:
        found = []
        async for line in Inbox(filled, output, locate, settle_s=0.2, most=most).run():
            found.append(line)
            shutil.copytree(session, filled / "second", dirs_exist_ok=True)
        return found

    for path in session.iterdir():
        shutil.copy(path, filled / path.name)
    first, second = asyncio.run(asyncio.wait_for(lines(2), 30))
    assert (first["session"], second["session"]) == (".", "second")
    assert shown[0] == shown[1] == sorted(path.name for path in session.iterdir())
    (filled / "R01.txt").write_text("[48.0, 7.0]")
    shutil.copy(next(session.glob("*.sigmf-data")), filled / "third_iq.wav")
    (third,) = asyncio.run(asyncio.wait_for(lines(1), 30))
    assert third["files"] == ["third_iq.wav"]
    assert shown[2] == ["R01.txt", "third_iq.wav"]
    assert len([json.loads(line) for line in (output / "fixes.jsonl").read_text().splitlines()]) == 3
