"""Samples are replaced in one step: whatever is killed, the session is read, with the old samples or the new ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.formats.readers.read import read_observations
from heimdall.formats.readers.sigmf.accounts import RECEIVERS_KEY
from heimdall.formats.readers.sigmf.collection import about_session
from heimdall.formats.writers import sigmf_replace
from heimdall.formats.writers.sigmf_growing import GrowingSession
from heimdall.formats.writers.sigmf_replace import replace_recordings
from heimdall.observation import Observation, Receiver

_RATE_HZ = 12e3


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Two receivers without clocks, and one that gave nothing."""
    folder = tmp_path / "recordings" / "session"
    growing = GrowingSession(folder, "session", 145e6, 8e3)
    rng = np.random.default_rng(1)
    for name, latitude_deg in (("A", 50.123456), ("B", 50.234567)):
        recording = growing.recording(Receiver(name, latitude_deg, 9.123456, 100.0), "ci16_le")
        samples = rng.integers(-9000, 9000, 2 * 6000, dtype=np.int16).tobytes()
        recording.append(samples, 6000, sample_rate_hz=_RATE_HZ, frequency_hz=145e6, host_utc_ns=1_790_000_000 * 10**9)
        recording.save()
        recording.close()
    growing.save([{"name": "A", "notes": ["on a mast"]}, {"name": "B"}, {"name": "C", "reason": "it was busy"}])
    return folder


def _read(session: Path) -> Observation:
    (observation,) = read_observations(session)
    return observation


def _timed(observation: Observation) -> Observation:
    receptions = [
        each
        if each.samples is None
        else replace(each, receiver=replace(each.receiver, clock_sigma_s=1e-7), samples=each.samples[5:], start_s=0.25)
        for each in observation.receptions
    ]
    return replace(observation, time_utc=datetime(2026, 9, 21, tzinfo=UTC), receptions=tuple(receptions))


def test_it_has_the_clocks_and_everything_else_that_it_had(session: Path) -> None:
    before = _read(session)
    replace_recordings(session, _timed(before), "Feldberg", {"A": "clock from Feldberg"})
    after = _read(session)
    assert [each.receiver.clock_sigma_s for each in after.receptions] == [1e-7, 1e-7, None]
    assert [each.receiver.name for each in after.receptions] == ["A", "B", "C"]
    assert after.receptions[2].flaw == "it was busy"
    assert (after.id, after.frequency_hz, after.bandwidth_hz) == (before.id, before.frequency_hz, before.bandwidth_hz)
    for old, new in zip(before.receptions[:2], after.receptions, strict=False):
        assert old.samples is not None
        assert new.samples is not None
        np.testing.assert_allclose(new.samples, old.samples[5:], atol=1e-7)
    about = about_session(session)
    assert about["heimdall:clocks_from"] == "Feldberg"
    assert about[RECEIVERS_KEY][0]["notes"] == ["on a mast", "clock from Feldberg"]
    assert len(list(session.iterdir())) == 5, "the samples of before take no room"
    assert [path.name for path in session.parent.iterdir()] == ["session"]


@pytest.mark.parametrize("step", ["_moved_in", "replace_text"])
def test_a_kill_leaves_the_old_samples_or_the_new_ones(
    session: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = _read(session)
    real = getattr(sigmf_replace, step)

    def killed(*arguments: object) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(sigmf_replace, step, killed)
    with pytest.raises(KeyboardInterrupt):
        replace_recordings(session, _timed(before), "Feldberg", {})
    sigma_s = [each.receiver.clock_sigma_s for each in _read(session).receptions]
    assert sigma_s == ([None, None, None] if step == "_moved_in" else [1e-7, 1e-7, None])


def test_a_folder_without_a_collection_is_refused(tmp_path: Path, session: Path) -> None:
    with pytest.raises(InputError, match="is not the folder of one SigMF collection"):
        replace_recordings(tmp_path, _read(session), "Feldberg", {})
