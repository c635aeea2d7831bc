"""Of a tree of files every session is read, and what no session is made of is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from heimdall.errors import InputError
from heimdall.formats.readers.measurements import measurements_text
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation


@pytest.fixture
def tree(iq_session: Observation, tmp_path: Path) -> Path:
    """A session with its collection, and a measurement file beside its folder."""
    write_sigmf(iq_session, tmp_path / "all" / "night")
    _measured(iq_session, tmp_path / "all" / "table.jsonl", "day")
    return tmp_path / "all"


def _measured(iq_session: Observation, path: Path, name: str) -> None:
    receptions = tuple(replace(each, samples=None, rssi_dbm=-80.0) for each in iq_session.receptions)
    path.write_text(measurements_text([replace(iq_session, id=name, receptions=receptions)]))


def _said(path: Path) -> tuple[list[str], list[str]]:
    """The sessions' names, and what is said of files that are not read."""
    read = read_observations(path)
    notes = [note for each in read for note in each.notes]
    return [each.id for each in read], [note for note in notes if "not read" in note or "not looked into" in note]


def test_where_all_is_read_nothing_is_said(tree: Path) -> None:
    assert _said(tree) == (["night", "day"], [])


def test_recordings_in_another_folder_than_the_collection_are_a_session(
    iq_session: Observation, tree: Path, tmp_path: Path
) -> None:
    write_sigmf(replace(iq_session, id="late"), tree / "late")
    (tree / "late" / "late.sigmf-collection").unlink()
    assert _said(tree) == (["night", "late", "day"], [])


def test_a_recording_beside_its_collection_is_not_passed_over_in_silence(tree: Path) -> None:
    for suffix in ("meta", "data"):
        source = next((tree / "night").glob(f"*.sigmf-{suffix}"))
        shutil.copy(source, tree / "night" / f"extra.sigmf-{suffix}")
    names, (note,) = _said(tree)
    assert names == ["night", "day"]
    assert "night/extra.sigmf-meta (beside a collection that does not name it" in note


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("older.zip", b"PK\3\4", "unpack older.zip"),
        ("night/more.sigmf-data.gz", b"\x1f\x8b", "unpack night/more.sigmf-data.gz"),
        ("night/a_iq.wav.xz", b"\xfd7", "unpack night/a_iq.wav.xz"),
        ("night/lost.sigmf-data", b"1234", "night/lost.sigmf-data (samples without a .sigmf-meta"),
        ("night/voice.wav", b"RIFF", "night/voice.wav (beside data of another format"),
        ("more.json", b'{"id": 1, "measurements": []}', "more.json (measurements in a folder"),
        ("a/b/c/d/e.jsonl", b"{}", "a/b/c (more than three folders deep"),
    ],
)
def test_what_no_session_is_made_of_is_said(tree: Path, name: str, content: bytes, words: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_bytes(content)
    names, (note,) = _said(tree)
    assert names == ["night", "day"]
    assert words in note


def test_samples_in_a_wav_file_that_metadata_name_are_read(tree: Path) -> None:
    meta = next((tree / "night").glob("*.sigmf-meta"))
    meta.write_text(meta.read_text().replace('"core:datatype"', '"core:description": "voice.wav", "core:datatype"', 1))
    (tree / "night" / "voice.wav").write_bytes(b"RIFF")
    assert _said(tree)[1] == []


def _break_table(tree: Path) -> str:
    (tree / "table.jsonl").write_text("{")
    return "table.jsonl line 1"


def _break_collection(tree: Path) -> str:
    (tree / "night" / "night.sigmf-collection").write_text("{")
    return "night/night.sigmf-collection: its metadata are not JSON"


@pytest.mark.parametrize("damage", [_break_table, _break_collection])
def test_a_session_that_cannot_be_read_costs_no_other(tree: Path, damage: Callable[[Path], str]) -> None:
    """Recordings whose collection is broken are read as those without one."""
    expected = ["night"] if damage is _break_table else ["night", "day"]
    words = damage(tree)
    names, (note,) = _said(tree)
    assert names == expected
    assert f"not read: {words}" in note


def test_where_nothing_can_be_read_the_first_reason_is_told(tree: Path) -> None:
    shutil.rmtree(tree / "night")
    (tree / "table.jsonl").write_text("{")
    (tree / "z.jsonl").write_text("")
    with pytest.raises(InputError, match=r"table\.jsonl line 1"):
        read_observations(tree)


def test_a_log_beside_recordings_does_not_hide_them(tmp_path: Path) -> None:
    """Lines of JSON that are no measurements are named; WAV files beside a measurement file stay that one's business."""
    for station in ("a", "b"):
        (tmp_path / f"20200813T065220Z_77500_{station}_iq.wav").write_bytes(b"RIFF")
    (tmp_path / "log.jsonl").write_text('{"level": "info"}\n')
    (observation,) = read_observations(tmp_path)
    assert [each.receiver.name for each in observation.receptions] == ["a", "b"]
    assert any("not read: log.jsonl line 1" in note for note in observation.notes)
