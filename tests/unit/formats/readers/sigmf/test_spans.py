"""Recordings that no collection sorts: receivers that recorded several times give a session for each time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.read import read_observations
from heimdall.formats.readers.sigmf.session import read_recordings
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation, Receiver, Reception

Files = dict[str, bytes]
Take = Callable[..., Files]
START = datetime(2025, 1, 1, 12, 30, 15, tzinfo=UTC)


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """A function that makes the recordings of some receivers, 2 s long, so many seconds after the start."""

    def make(names: Sequence[str], late_s: float, frequency_hz: float = 145.5e6, tag: str = "") -> Files:
        rng = np.random.default_rng(int(late_s * 10))
        receptions = []
        for name in names:
            samples = (rng.normal(size=16_000) + 1j * rng.normal(size=16_000)).astype(np.complex64) * np.float32(0.1)
            receiver = Receiver(name, 47.0 + ord(name[0]) / 1000, 8.0, 300.0, 1e-7)
            receptions.append(
                Reception(receiver, samples=samples, sample_rate_hz=8000.0, start_s=0.01 * len(receptions))
            )
        begin = START + timedelta(seconds=late_s)
        folder = tmp_path / f"{late_s}{tag}"
        write_sigmf(Observation(f"t{late_s:g}{tag}", frequency_hz, 4000.0, tuple(receptions), begin), folder)
        return {path.name: path.read_bytes() for path in folder.iterdir() if "collection" not in path.name}

    return make


def _flaws(observation: Observation) -> dict[str, str | None]:
    return {each.receiver.name: each.flaw for each in observation.receptions}


def test_takes_hours_apart_are_sessions_of_their_own(take: Take) -> None:
    """The one that recorded a third time alone is said in a note."""
    files = take("abc", 0) | take("abc", 10_800) | take("a", 50_000)
    first, second = read_recordings("night", files, Limits())
    assert (first.id, second.id) == ("night-20250101T123015Z", "night-20250101T153015Z")
    assert _flaws(first) == _flaws(second) == dict.fromkeys("abc")
    assert (first.time_utc, second.time_utc) == (START, START + timedelta(hours=3))
    assert [note for note in second.notes if "t50000" in note] == [
        "t50000-00-a is not used: recorded at another time, 2025-01-02T02:23:35Z: no other receiver recorded then"
    ]


def test_takes_under_other_names_are_known_by_their_place(take: Take) -> None:
    """Recordings that do not say their receiver are called as their files are."""
    files = take("abc", 0) | take("abc", 100)
    for name in [name for name in files if name.endswith("-meta")]:
        document = json.loads(files[name])
        del document["global"]["heimdall:receiver"]
        files[name] = json.dumps(document).encode()
    sessions = read_recordings("night", files, Limits())
    assert [list(_flaws(each).values()) for each in sessions] == [[None] * 3] * 2


def test_takes_at_several_frequencies_are_not_joined(take: Take) -> None:
    """A scanner moves on at once: two sessions, each at its frequency."""
    files = take("abc", 0) | take("abc", 2.1, 446e6)
    sessions = read_recordings("scan", files, Limits())
    assert [each.frequency_hz for each in sessions] == [145.5e6, 446e6]
    assert [_flaws(each) for each in sessions] == [dict.fromkeys("abc")] * 2


def test_parts_of_one_recording_are_joined(take: Take) -> None:
    (observation,) = read_recordings("x", take("abc", 0) | take("a", 2.0), Limits())
    assert _flaws(observation) == dict.fromkeys("abc")
    assert [len(np.asarray(each.samples)) for each in observation.receptions] == [32_000, 16_000, 16_000]
    assert any("they are one recording" in note for note in observation.notes)


def test_a_recording_without_a_time_is_flagged_where_others_repeat(take: Take) -> None:
    files = take("abc", 0) | take("abc", 100) | take("d", 0, tag="x")
    name = next(name for name in files if name.startswith("t0x") and name.endswith("-meta"))
    document = json.loads(files[name])
    del document["captures"][0]["core:datetime"]
    files[name] = json.dumps(document).encode()
    first, second = read_recordings("x", files, Limits())
    assert "no start time" in str({**_flaws(first), **_flaws(second)}["d"])


def test_an_empty_recording_among_takes_holds_no_samples(take: Take) -> None:
    """Its time is known, and not what is missing."""
    files = take("abcd", 0) | take("abc", 10_800)
    (name,) = [name for name in files if name.endswith("d.sigmf-data")]
    document = json.loads(files[name.replace("-data", "-meta")])
    document["global"].pop("core:sha512", None)
    document["annotations"] = []
    files |= {name: b"", name.replace("-data", "-meta"): json.dumps(document).encode()}
    first, _ = read_recordings("night", files, Limits())
    assert _flaws(first) == {**dict.fromkeys("abc"), "d": "it holds no samples"}


def test_a_receiver_of_another_time_alone_is_one_session_as_before(take: Take) -> None:
    (observation,) = read_recordings("x", take("ab", 0) | take("c", 500), Limits())
    assert observation.id == "x"
    assert list(_flaws(observation)) == ["a", "b", "c"]


def test_a_folder_on_the_disk_gives_them_too(take: Take, tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    for name, content in (take("abc", 0) | take("abc", 100)).items():
        (folder / name).write_bytes(content)
    assert [each.id for each in read_observations(folder)] == ["night-20250101T123015Z", "night-20250101T123155Z"]
