"""Receivers of a rehearsal recorded into sessions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sigmf import sigmffile

from heimdall.capture.faults import Fault
from heimdall.capture.interface import Gives
from heimdall.capture.recording.parts import Stage
from heimdall.capture.recording.record import record
from heimdall.errors import InputError
from heimdall.formats.readers.read import read_observations
from heimdall.geometry import geodesic_distance_m
from heimdall.locating.pipeline import locate
from heimdall.rehearsal.troubles import PASSWORD, Trouble

from .scene import until

Rehearse = Callable[..., Any]


def _read(folder: Path) -> Any:
    (observation,) = read_observations(folder)
    return observation


def test_what_is_recorded_is_located_where_the_transmitter_was(rehearse: Rehearse, tmp_path: Path) -> None:
    """Six receivers, one full and one without GPS, and a dongle: the truth in the region, every receiver's part or reason."""
    troubles = {"R02": Trouble.BUSY, "R03": Trouble.NO_GPS}
    recorded = rehearse(6, 1, troubles, speed=4.0).record(tmp_path / "session", 10)
    observation = _read(recorded.folder)
    (located,) = locate([observation])
    error_m = geodesic_distance_m(50.0, 9.0, located.fix.latitude_deg, located.fix.longitude_deg)
    assert located.fix.region_95.contains(50.0, 9.0)
    assert error_m < 3e3
    by_name = {reception.receiver.name: reception for reception in observation.receptions}
    assert set(by_name) == {f"R{number:02d}" for number in range(1, 8)}
    assert by_name["R02"].flaw == "all its 4 slots are taken"
    assert by_name["R03"].receiver.clock_sigma_s is None
    assert by_name["R07"].receiver.clock_sigma_s is None
    assert 20e-9 < by_name["R01"].receiver.clock_sigma_s < 200e-9


def test_the_session_is_sigmf_as_its_library_reads_it(rehearse: Rehearse, tmp_path: Path) -> None:
    recorded = rehearse(2).record(tmp_path / "session", 4)
    for meta in sorted(recorded.folder.glob("*.sigmf-meta")):
        recording = sigmffile.fromfile(str(meta))
        recording.validate()
        assert recording.sample_count >= 4 * 11_900
    assert sigmffile.fromfile(str(recorded.collection)).verify_stream_hashes() is None


def test_stamps_give_the_true_rate_and_all_recordings_share_their_span(rehearse: Rehearse, tmp_path: Path) -> None:
    rehearsal = rehearse(3)
    observation = _read(rehearsal.record(tmp_path / "session", 8).folder)
    for reception, site in zip(
        sorted(observation.receptions, key=lambda each: each.receiver.name), rehearsal.stage.sites, strict=True
    ):
        true_hz = round(12_000 * (1 + 20e-6 * site.rate_error) * 4) / 4
        assert reception.sample_rate_hz == pytest.approx(true_hz, rel=2e-9)
    starts = [reception.start_s for reception in observation.receptions]
    assert np.ptp(starts) < 4.0, "all begin within a third of a second of the computer's clock"


REFUSALS = [
    (Trouble.BUSY, Fault.BUSY, "all its 4 slots are taken"),
    (Trouble.OFFLINE, Fault.BUSY, "taken it offline"),
    (Trouble.PASSWORD, Fault.BUSY, "it wants a password: give it"),
    (Trouble.TIME_LIMIT, Fault.TIME_LIMIT, "has used its 60 minutes of today"),
    (Trouble.REDIRECT, Fault.REDIRECT, "http://kiwisdr.example.com:8073, which is not followed"),
    (Trouble.PAGE, Fault.NO_RECEIVER, "not a KiwiSDR's"),
    (Trouble.SILENT, Fault.SILENT, "sent nothing for 4 s"),
    (Trouble.NOWHERE, Fault.PLACE, "at 0, 0"),
]


@pytest.mark.parametrize(("trouble", "fault", "sentence"), REFUSALS, ids=[str(each[0]) for each in REFUSALS])
def test_each_refusal_has_its_sentence_and_the_others_go_on(
    rehearse: Rehearse, tmp_path: Path, trouble: Trouble, fault: Fault, sentence: str
) -> None:
    recorded = rehearse(2, troubles={"R01": trouble}).record(tmp_path / "session", 2)
    refused, whole = recorded.parts
    assert (refused.stage, refused.fault) == (Stage.FAILED, fault)
    assert sentence in str(refused.reason)
    assert whole.stage is Stage.DONE
    assert whole.samples >= 2 * 11_900
    told = json.loads(recorded.collection.read_text())["collection"]["heimdall:receivers"]
    assert sentence in told[0]["reason"]


def test_a_wrong_password_and_the_right_one(rehearse: Rehearse, tmp_path: Path) -> None:
    rehearsal = rehearse(1, troubles={"R01": Trouble.PASSWORD})
    wrong = rehearsal.only_part(tmp_path / "wrong", 1, password="guess & more")
    assert (wrong.fault, wrong.samples) == (Fault.PASSWORD, 0)
    assert rehearsal.only_part(tmp_path / "right", 1, password=PASSWORD).stage is Stage.DONE


def test_a_gap_in_the_stream_splits_the_recording_there(rehearse: Rehearse, tmp_path: Path) -> None:
    recorded = rehearse(2, troubles={"R01": Trouble.GAP}).record(tmp_path / "session", 12)
    assert recorded.parts[0].notes == ["samples were lost 1 time; the longest part is used"]
    meta = json.loads(next(recorded.folder.glob("*R01.sigmf-meta")).read_text())
    first, second = (capture["core:datetime"] for capture in meta["captures"])
    split = meta["captures"][1]["core:sample_start"]
    between_s = float(second[17:29]) - float(first[17:29])
    lost_s = between_s % 60 - split / meta["global"]["core:sample_rate"]
    assert lost_s == pytest.approx(40 * 512 / 12_000, abs=1e-4)


def test_a_broken_connection_is_made_again_and_what_came_before_is_kept(rehearse: Rehearse, tmp_path: Path) -> None:
    part = rehearse(1, troubles={"R01": Trouble.DROP}).only_part(tmp_path / "session", 14)
    assert part.stage is Stage.DONE
    assert any("tried again: the connection broke" in note for note in part.notes)


def test_who_is_thrown_out_does_not_come_back_and_keeps_what_it_has(rehearse: Rehearse, tmp_path: Path) -> None:
    recorded = rehearse(2, troubles={"R01": Trouble.KICK}).record(tmp_path / "session", 12)
    kicked = recorded.parts[0]
    assert (kicked.stage, kicked.fault) == (Stage.FAILED, Fault.KICKED)
    assert kicked.seconds > 6
    used = {reception.receiver.name: reception for reception in _read(recorded.folder).receptions}
    assert used["R01"].flaw is None


def test_gps_that_is_lost_in_mid_recording_costs_exactness_and_is_told(rehearse: Rehearse, tmp_path: Path) -> None:
    recorded = rehearse(2, troubles={"R01": Trouble.GPS_LOST}).record(tmp_path / "session", 26)
    assert any("GPS was lost" in note for note in recorded.parts[0].notes)
    sigma_s = {each.receiver.name: each.receiver.clock_sigma_s for each in _read(recorded.folder).receptions}
    assert sigma_s["R01"] > 2 * sigma_s["R02"]


def test_a_rate_that_drifts_costs_the_time_and_is_told(rehearse: Rehearse, tmp_path: Path) -> None:
    recorded = rehearse(2, troubles={"R01": Trouble.DRIFT}).record(tmp_path / "session", 20)
    assert any("its time is not used" in note for note in recorded.parts[0].notes)
    drifting = next(each for each in _read(recorded.folder).receptions if each.receiver.name == "R01")
    assert drifting.receiver.clock_sigma_s is None


def test_a_slow_receiver_does_not_keep_the_others_from_starting_with_it(rehearse: Rehearse, tmp_path: Path) -> None:
    recorded = rehearse(2, troubles={"R01": Trouble.SLOW}, speed=2.0).record(tmp_path / "session", 2)
    assert [part.stage for part in recorded.parts] == [Stage.DONE, Stage.DONE]
    starts = [each.start_s for each in _read(recorded.folder).receptions]
    assert np.ptp(starts) < 1.0


def test_the_place_that_the_operator_gives_goes_before_what_the_receiver_says(
    rehearse: Rehearse, tmp_path: Path
) -> None:
    from heimdall.observation import Place

    part = rehearse(1, troubles={"R01": Trouble.NOWHERE}).only_part(tmp_path / "s", 1, place=Place(1.0, 2.0, 3.0))
    assert part.stage is Stage.DONE
    assert part.place == Place(1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (Trouble.BUSY, "another program has it"),
        (Trouble.PAGE, "not as rtl_tcp does"),
        (Trouble.SILENT, "too little for 4 s"),
    ],
)
def test_each_refusal_of_rtl_tcp_has_its_sentence(
    rehearse: Rehearse, tmp_path: Path, trouble: Trouble, sentence: str
) -> None:
    assert sentence in str(rehearse(0, 1, {"R01": trouble}).only_part(tmp_path / "session", 1).reason)


def test_a_dongle_gives_the_channel_and_no_time(rehearse: Rehearse, tmp_path: Path) -> None:
    recorded = rehearse(0, 2, speed=2.0).record(tmp_path / "session", 3)
    assert [part.gives for part in recorded.parts] == [Gives.IQ, Gives.IQ]
    for reception in _read(recorded.folder).receptions:
        assert reception.sample_rate_hz == 12_000.0
        assert reception.receiver.clock_sigma_s is None
        power = np.abs(np.fft.fft(reception.samples)) ** 2
        frequency_hz = np.fft.fftfreq(len(power), 1 / 12_000)
        inside, outside = np.abs(frequency_hz) < 1_900, (np.abs(frequency_hz) > 2_500) & (np.abs(frequency_hz) < 4_500)
        assert 10 * np.log10(power[inside].mean() / power[outside].mean()) > 15


def test_a_channel_that_a_receiver_cannot_give_is_said(rehearse: Rehearse, tmp_path: Path) -> None:
    part = rehearse(1, bandwidth_hz=50_000.0).only_part(tmp_path / "session", 1)
    assert part.fault is Fault.TUNING


def test_a_frequency_that_a_receiver_does_not_receive_is_said(rehearse: Rehearse, tmp_path: Path) -> None:
    part = rehearse(1, frequency_hz=145e6).only_part(tmp_path / "session", 1)
    assert part.fault is Fault.TUNING
    assert "it receives 0 to 30 MHz, not 145 MHz" in str(part.reason)


def test_one_slot_of_a_receiver_is_taken_at_a_time(rehearse: Rehearse, tmp_path: Path) -> None:
    rehearsal = rehearse(1)

    async def twice(targets: Any, _: object) -> Any:
        import asyncio

        return await asyncio.gather(
            *(record(targets, rehearsal.tuning, 2, tmp_path / name, rehearsal.access) for name in ("a", "b"))
        )

    parts = [each.parts[0] for each in rehearsal.run(twice)]
    assert sorted(part.stage.value for part in parts) == ["done", "failed"]
    assert {part.fault for part in parts} == {None, Fault.IN_USE}


def test_a_full_disk_keeps_what_was_received(
    rehearse: Rehearse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = os.write, [0]

    def until_full(descriptor: int, data: Any) -> int:
        if len(data) == 2048 and (written := count()) > 100:
            raise OSError(28, "No space left on device") if written else AssertionError
        return write(descriptor, data)

    def count() -> int:
        written[0] += 1
        return written[0]

    monkeypatch.setattr("heimdall.formats.writers.sigmf_growing.os.write", until_full)
    part = rehearse(1).only_part(tmp_path / "session", 30)
    assert (part.fault, part.samples) == (Fault.DISK, 100 * 512)
    assert "what was received before is kept" in str(part.reason)


KILLED = """
import asyncio, sys
sys.path.insert(0, {here!r})
from scene import ACCESS, make_stage, target_of
from heimdall.capture.interface import Tuning
from heimdall.capture.recording.record import record
from heimdall.rehearsal.servers import network
from heimdall.rehearsal.pace import Pace
from pathlib import Path

async def main():
    stage = make_stage(2)
    async with network(stage, 2, Pace(5)) as played:
        tuning = Tuning(stage.frequency_hz, stage.bandwidth_hz)
        await record([target_of(each) for each in played], tuning, 3000, Path(sys.argv[1]), ACCESS)

asyncio.run(main())
"""


def test_kill_9_loses_nothing_that_was_received(rehearse: Rehearse, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    script = KILLED.format(here=str(Path(__file__).parent))
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)])
    try:
        _until_recorded(folder, 20 * 12_000 * 4)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    on_disk = {path.name[:-11]: path.stat().st_size // 4 for path in folder.glob("*.sigmf-data")}
    observation = _read(folder)
    assert sorted(len(each.samples) for each in observation.receptions) == sorted(on_disk.values())
    assert all(each.receiver.clock_sigma_s for each in observation.receptions)


def _until_recorded(folder: Path, size: int) -> None:
    until(lambda: len([path for path in folder.glob("*.sigmf-data") if path.stat().st_size > size]) == 2, 60)


def test_a_call_that_cannot_be_right_is_refused_before_anything_is_made(rehearse: Rehearse, tmp_path: Path) -> None:
    rehearsal = rehearse(1)
    for seconds in (0, -1, 1e9, float("nan")):
        with pytest.raises(InputError, match="seconds"):
            rehearsal.record(tmp_path / "session", seconds)
    assert not (tmp_path / "session").exists()
