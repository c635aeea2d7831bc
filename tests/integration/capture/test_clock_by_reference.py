"""Dongles without a clock: a reference first, then the channel, in one count of samples."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heimdall
from heimdall.capture.drivers import sample_clock
from heimdall.capture.faults import Fault
from heimdall.capture.interface import Target, Tuning
from heimdall.capture.network.address import RTL_TCP, Address
from heimdall.capture.recording.channel_recorder import Dwell
from heimdall.capture.recording.parts import Recorded, Stage
from heimdall.capture.recording.record import record_dwells
from heimdall.capture.recording.reference_transmitter import Reference, folder_beside
from heimdall.capture.watching.squelch import SquelchRule
from heimdall.capture.watching.watch import Plan, Watch
from heimdall.cli.capturing.as_job import ReferenceClocks
from heimdall.errors import InputError
from heimdall.formats import transmitters
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.sigmf_growing import GrowingSession
from heimdall.geometry import LocalFrame, geodesic_distance_m
from heimdall.observation import Place
from heimdall.rehearsal import stage as rehearsed
from heimdall.rehearsal.pace import Pace
from heimdall.rehearsal.servers import network
from heimdall.rehearsal.stage import Site, with_reference
from heimdall.rehearsal.troubles import Trouble
from heimdall.runs.writer import RunWriter

from .scene import ACCESS, target_of

_TRUTH = Place(50.03, 9.02, 200.0)
_EAST_NORTH_KM = ((-9.0, -7.0), (8.0, -9.0), (10.0, 6.0), (-7.0, 10.0))
_PATIENT = replace(ACCESS, connect_s=60.0, silence_s=60.0)


@pytest.fixture
def stage() -> rehearsed.Stage:
    """Four dongles around a transmitter of 80 kHz on 145 MHz, and a station as wide amid them on 98.5 MHz."""
    frame = LocalFrame(50.0, 9.0)
    sites = []
    for number, (east_km, north_km) in enumerate(_EAST_NORTH_KM):
        latitude_deg, longitude_deg, _ = frame.to_geodetic(np.array([1e3 * east_km, 1e3 * north_km, 0.0]))
        place = Place(float(latitude_deg), float(longitude_deg), 150.0)
        sites.append(
            Site(
                name=f"R{number + 1:02d}",
                place=place,
                delay_s=_distance_m(place, _TRUTH) * 1.0003 / 299_792_458.0,
                path_delay_s=np.zeros(1),
                path_gain=np.ones(1, dtype=np.complex128),
                level_db=20.0,
                gain_db=0.0,
                clock_offset_s=0.0,
                rate_error=(-1) ** number * (0.2 + 0.3 * number),
            )
        )
    return with_reference(rehearsed.Stage(145e6, 80e3, _TRUTH, tuple(sites), seed=5), 98.5e6)


def _distance_m(place: Place, other: Place) -> float:
    return geodesic_distance_m(place.latitude_deg, place.longitude_deg, other.latitude_deg, other.longitude_deg)


@pytest.fixture
def pace(monkeypatch: pytest.MonkeyPatch) -> Pace:
    """Slow enough for a busy machine to play four dongles in time, with a computer's clock that goes as slowly."""
    pace = Pace(0.4)
    monkeypatch.setattr(sample_clock, "monotonic", lambda: pace.now_ns() * 1e-9)
    return pace


def _record(
    stage: rehearsed.Stage, pace: Pace, folder: Path, kiwis: int = 0, seconds: float = 2.0
) -> tuple[Recorded, ...]:
    assert stage.reference is not None
    reference = Tuning(stage.reference.frequency_hz, stage.reference.channel_hz)
    dwells = [
        Dwell(reference, 4.0, folder / "reference"),
        Dwell(Tuning(stage.frequency_hz, stage.bandwidth_hz), seconds, folder / "session"),
    ]

    async def recorded() -> tuple[Recorded, ...]:
        async with network(stage, kiwis, pace) as played:
            return await record_dwells([target_of(each) for each in played], dwells, _PATIENT)

    return asyncio.run(recorded())


def test_dongles_locate_by_a_reference_recorded_before(stage: rehearsed.Stage, pace: Pace, tmp_path: Path) -> None:
    reference, session = _record(stage, pace, tmp_path)
    assert [part.reason for part in (*reference.parts, *session.parts)] == [None] * 8
    assert stage.reference is not None
    listed = tmp_path / "transmitters.json"
    transmitters.save(listed, [stage.reference])
    located = subprocess.run(
        [
            *(sys.executable, "-m", "heimdall", "locate", str(session.folder), "--json"),
            *("--reference-session", str(reference.folder)),
            *("--truth", f"{_TRUTH.latitude_deg},{_TRUTH.longitude_deg}"),
        ],
        env=os.environ | {"HEIMDALL_TRANSMITTERS": str(listed)},
        capture_output=True,
        text=True,
        check=True,
    )
    (fix,) = json.loads(located.stdout)["fixes"]
    assert fix["status"] == "ok"
    assert fix["truth"]["inside_95"]
    assert fix["truth"]["error_m"] < 100
    assert all(each["used"] for each in fix["receivers"])


def test_a_watch_puts_the_clocks_into_a_signal_that_it_waited_for(
    stage: rehearsed.Stage, pace: Pace, tmp_path: Path
) -> None:
    """The reference comes after the signal, which may be over by then. Doing it twice does no harm."""
    assert stage.reference is not None
    listed = tmp_path / "transmitters.json"
    transmitters.save(listed, [stage.reference])
    clocks, run = ReferenceClocks(Reference(stage.reference, 4.0), listed), RunWriter(tmp_path)
    keyed = replace(stage, keying_s=(8.0, 30.0), began_s=pace.now_ns() * 1e-9 + 4.0)
    plan = Plan(
        *(Tuning(145e6, 80e3), 3.0, tmp_path / "recordings"),
        squelch=SquelchRule(least_s=0.2),
        most=1,
        reference=clocks.reference,
    )

    async def finish(session: Path) -> dict[str, Any]:
        before = shutil.copytree(folder_beside(session), tmp_path / "before")
        await clocks.put_into(session, run)
        shutil.copytree(before, folder_beside(session))
        await clocks.put_into(session, run)
        return {}

    async def watched() -> Path:
        async with network(keyed, 0, pace) as played:
            (line,) = [line async for line in Watch(list(map(target_of, played)), plan, _PATIENT, finish).run()]
        return plan.folder / line["session"]

    session = asyncio.run(watched())
    assert run.read_json("warnings.json") is None
    (fix,) = heimdall.locate(session)
    assert fix.status is heimdall.Status.OK
    assert fix.region_95 is not None
    assert fix.region_95.contains(_TRUTH.latitude_deg, _TRUTH.longitude_deg)
    assert fix.latitude_deg is not None
    assert fix.longitude_deg is not None
    assert _distance_m(_TRUTH, Place(fix.latitude_deg, fix.longitude_deg)) < 200
    assert list((plan.folder / "references").iterdir()) == []


def test_who_loses_samples_on_the_way_has_no_clock(stage: rehearsed.Stage, pace: Pace, tmp_path: Path) -> None:
    """Its samples before and after the gap would be stamped a second wrong, and nobody could tell."""
    troubled = rehearsed.with_troubles(stage, {"R02": Trouble.GAP, "R03": Trouble.DROP})
    reference, session = _record(troubled, pace, tmp_path, seconds=7.0)
    faults = {part.name: part.fault for part in session.parts}
    assert faults == {"R01": None, "R02": Fault.CLOCK, "R03": Fault.DROPPED, "R04": None}
    assert "some were lost" in str(session.parts[1].reason)
    (observation,) = read_observations(session.folder)
    heard = {each.receiver.name for each in observation.receptions if each.samples is not None}
    assert heard == {"R01", "R03", "R04"}
    assert reference.parts[0].stage is Stage.DONE


def test_a_kiwisdr_cannot_be_retuned_and_says_so(stage: rehearsed.Stage, pace: Pace, tmp_path: Path) -> None:
    long_wave = replace(stage, frequency_hz=77_500.0, bandwidth_hz=2000.0, sites=stage.sites[:3])
    assert long_wave.reference is not None
    near = long_wave.reference.model_copy(update={"frequency_hz": 162_000.0, "bandwidth_hz": 5000.0})
    _, session = _record(replace(long_wave, reference=near), pace, tmp_path, kiwis=1)
    assert session.parts[0].fault is Fault.TUNING
    assert "cannot be retuned" in str(session.parts[0].reason)
    assert [part.stage for part in session.parts[1:]] == [Stage.DONE, Stage.DONE]


def test_a_session_that_is_there_already_leaves_no_reference_behind(tmp_path: Path) -> None:
    there, reference = tmp_path / "session", tmp_path / "reference"
    GrowingSession(there, "session", 145e6, 80e3).save([])
    target = Target("R01", Address(RTL_TCP, "127.0.0.1", 1), place=_TRUTH)
    dwells = [Dwell(Tuning(98.5e6, 90e3), 1.0, reference), Dwell(Tuning(145e6, 80e3), 1.0, there)]
    with pytest.raises(InputError, match="already there"):
        asyncio.run(record_dwells([target], dwells, ACCESS))
    assert list(reference.iterdir()) == []
