"""A folder for each receiver is one session; folders of whole sessions stay sessions of their own."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation, Receiver, Reception

Kiwi = Callable[[Path, str], None]
WAV = "SDRSharp_20240510_123456Z_145500000Hz_IQ.wav"


@pytest.fixture
def kiwi(kiwi_wav: Any) -> Kiwi:
    """A function that writes the recording of a station, with its position, into a folder."""

    def write(folder: Path, station: str, frequency_hz: int = 77_500, late_s: int = 0) -> None:
        rng = np.random.default_rng(ord(station[0]))
        samples = (rng.normal(0, 900, 40 * 512) + 1j * rng.normal(0, 900, 40 * 512)).astype(np.complex64)
        stamps_ns = np.round((370_358.5 + late_s) * 1e9 + np.arange(40) * 512e9 / 12001.1).astype(np.int64)
        folder.mkdir(parents=True, exist_ok=True)
        minute = 52 + late_s // 60
        (folder / f"20200813T06{minute}20Z_{frequency_hz}_{station}_iq.wav").write_bytes(kiwi_wav(samples, stamps_ns))
        (folder / f"{station}.txt").write_text(f"[46.5{ord(station[0])}, 8.51234]")

    return write


def _wav(seed: int) -> bytes:
    data = np.random.default_rng(seed).integers(-9000, 9000, 4000).astype("<i2").tobytes()
    head = b"WAVEfmt \x10\0\0\0\1\0\2\0\x80\xbb\0\0\0\xee\2\0\4\0\x10\0data" + len(data).to_bytes(4, "little")
    return b"RIFF" + (len(head) + len(data)).to_bytes(4, "little") + head + data


def _sigmf(folder: Path, names: str, begin: datetime = datetime(2025, 1, 1, tzinfo=UTC)) -> None:
    receptions = tuple(
        Reception(
            Receiver(name, 47.0 + ord(name) / 1000, 8.0, 300.0, 1e-7),
            samples=np.random.default_rng(ord(name))
            .normal(size=(16_000, 2))
            .astype(np.float32)
            .view(np.complex64)[:, 0],
            sample_rate_hz=8000.0,
        )
        for name in names
    )
    write_sigmf(Observation(f"s-{names}", 145.5e6, 4000.0, receptions, begin), folder)


def _own_folder(session: Path, parent: Path, rename: bool = False) -> None:
    """Each recording of a session into a folder of its own."""
    for meta in session.glob("*.sigmf-meta"):
        document = json.loads(meta.read_bytes())
        folder = parent / document["global"]["heimdall:receiver"]
        folder.mkdir(parents=True)
        if rename:
            del document["global"]["heimdall:receiver"]
        stem = "rec" if rename else meta.stem
        (folder / f"{stem}.sigmf-meta").write_text(json.dumps(document))
        (folder / f"{stem}.sigmf-data").write_bytes(meta.with_suffix(".sigmf-data").read_bytes())


def _heard(path: Path) -> list[tuple[str, dict[str, str | None]]]:
    return [(each.id, {one.receiver.name: one.flaw for one in each.receptions}) for each in read_observations(path)]


@pytest.mark.parametrize("inside", ["", "week/"])
def test_a_folder_for_each_kiwisdr_is_one_session(kiwi: Kiwi, tmp_path: Path, inside: str) -> None:
    """With each position beside its recording; the parent names the session."""
    for station in "abc":
        kiwi(tmp_path / "night" / inside / f"from-{station}", station)
    (tmp_path / "night" / inside / "from-b" / "transmitter.txt").write_text("[50.0155, 9.0108]")
    (observation,) = read_observations(tmp_path / "night")
    assert observation.id == (inside.strip("/") or "night")
    assert [each.flaw for each in observation.receptions] == [None, None, None]
    assert observation.receptions[1].receiver.latitude_deg == 46.598
    assert observation.truth is not None
    assert not any("gives a position" in note for note in observation.notes)


def test_folders_of_whole_sessions_stay_apart(kiwi: Kiwi, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        for station in "ab":
            kiwi(tmp_path / folder, station)
    assert _heard(tmp_path) == [(name, {"a": None, "b": None}) for name in ("one", "two")]


def test_neighbours_of_other_frequencies_are_other_sessions(kiwi: Any, tmp_path: Path) -> None:
    for station, frequency_hz in (("a", 77_500), ("b", 77_500), ("c", 60_000), ("d", 60_000)):
        kiwi(tmp_path / station, station, frequency_hz)
    assert sorted(observation.frequency_hz for observation in read_observations(tmp_path)) == [60_000, 77_500]


def test_neighbours_of_other_times_are_other_sessions(kiwi: Any, tmp_path: Path) -> None:
    for station, late_s in (("a", 0), ("b", 0), ("c", 240), ("d", 240)):
        kiwi(tmp_path / station, station, late_s=late_s)
    assert [list(flaws) for _, flaws in _heard(tmp_path)] == [["a", "b"], ["c", "d"]]


def test_one_receiver_in_several_folders_is_still_one(kiwi: Any, tmp_path: Path) -> None:
    for index in (0, 1):
        kiwi(tmp_path / f"day-{index}", "a", late_s=60 * index)
    with pytest.raises(InputError, match="at least 2"):
        read_observations(tmp_path)


@pytest.mark.parametrize("name", [WAV, "rtl_20240510_123456Z_145500000Hz.wav"])
@pytest.mark.parametrize("place", ["own", "parent", "recording"])
def test_a_folder_for_each_wav_names_its_receiver(tmp_path: Path, name: str, place: str) -> None:
    """Its position has the folder's name, there or above, or the name of the recording, there."""
    for index, who in enumerate(("alice", "bob", "carol")):
        (tmp_path / who).mkdir()
        (tmp_path / who / name).write_bytes(_wav(index))
        text = {
            "own": tmp_path / who / f"{who}.txt",
            "parent": tmp_path / f"{who}.txt",
            "recording": tmp_path / who / f"{name[:-4]}.txt",
        }
        text[place].write_text(f"[{46.1234 + index}, 8.51234]")
    (observation,) = read_observations(tmp_path)
    placed = [(each.receiver.name, each.receiver.latitude_deg, each.flaw) for each in observation.receptions]
    assert placed == [("alice", 46.1234, None), ("bob", 47.1234, None), ("carol", 48.1234, None)]
    assert not any("gives a position" in note for note in observation.notes)


@pytest.mark.parametrize("rename", [False, True])
def test_a_folder_for_each_sigmf_recording_is_one_session(tmp_path: Path, rename: bool) -> None:
    """Also where all recordings are called alike: then they are known by their folders."""
    _sigmf(tmp_path / "packed", "abc")
    _own_folder(tmp_path / "packed", tmp_path / "night", rename)
    assert _heard(tmp_path / "night") == [("night", {"a": None, "b": None, "c": None})]


def test_sigmf_folders_of_whole_sessions_stay_apart_from_own_folders(tmp_path: Path) -> None:
    _sigmf(tmp_path / "all" / "whole", "xyz")
    (tmp_path / "all" / "whole" / "s-xyz.sigmf-collection").unlink()
    _sigmf(tmp_path / "packed", "ab")
    _own_folder(tmp_path / "packed", tmp_path / "all")
    assert _heard(tmp_path / "all") == [
        ("all", {"a": None, "b": None}),
        ("whole", {"x": None, "y": None, "z": None}),
    ]


def test_recordings_of_one_name_in_an_archive_are_known_by_their_folders(
    iq_session: Observation, tmp_path: Path
) -> None:
    write_sigmf(replace(iq_session, id="n"), tmp_path / "s")
    _own_folder(tmp_path / "s", tmp_path / "o", rename=True)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in (tmp_path / "o").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "o"))
    assert [list(flaws.values()) for _, flaws in _heard(tmp_path / "x.zip")] == [[None] * 3]
