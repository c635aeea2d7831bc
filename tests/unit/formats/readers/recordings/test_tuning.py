"""Frequencies that differ by a rounding or by what hardware can set are one, and samples are moved to it exactly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.recordings.tuning import Tuning, common_frequency_hz, tuned_to
from heimdall.formats.readers.sigmf.session import read_collection
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.observation import Observation

RATE_HZ = 16_000.0


def _tone(offset_hz: float, count: int) -> np.ndarray[tuple[int], np.dtype[np.complex64]]:
    return np.exp(2j * np.pi * offset_hz / RATE_HZ * np.arange(count)).astype(np.complex64)


def _at(iq_session: Observation, folder: Path, frequencies_hz: list[float]) -> Observation:
    write_sigmf(iq_session, folder / "s")
    files = {path.name: path.read_bytes() for path in (folder / "s").iterdir()}
    for name, frequency_hz in zip(sorted(n for n in files if n.endswith("-meta")), frequencies_hz, strict=True):
        document = json.loads(files[name])
        document["captures"][0]["core:frequency"] = frequency_hz
        files[name] = json.dumps(document).encode()
    return read_collection("night.sigmf-collection", files, Limits())


@pytest.mark.parametrize("count", [5000, (1 << 20) + 7])
def test_samples_are_as_if_taken_around_the_common_frequency(count: int) -> None:
    """A carrier 100 Hz above 1000.5 Hz lies 100.5 Hz above 1000 Hz, in its phase, too."""
    moved = tuned_to(1000.0, _tone(100.0, count), Tuning(1000.5, RATE_HZ))
    np.testing.assert_allclose(moved, _tone(100.5, count), atol=1e-5)


@pytest.mark.parametrize(("other_hz", "noted"), [(145.5e6 * (1 + 2e-16), False), (145.5e6 - 3.2, True)])
def test_a_frequency_that_is_almost_the_others_is_theirs(
    iq_session: Observation, tmp_path: Path, other_hz: float, noted: bool
) -> None:
    observation = _at(iq_session, tmp_path, [other_hz, 145.5e6, 145.5e6])
    assert observation.frequency_hz == 145.5e6
    assert [each.flaw for each in observation.receptions] == [None, None, None]
    assert any("shifted to 145500000 Hz" in note for note in observation.notes) == noted
    heard, before = observation.receptions[0].samples, iq_session.receptions[0].samples
    assert heard is not None
    assert before is not None
    turned = before * _tone(other_hz - 145.5e6, len(before))
    np.testing.assert_allclose(heard, turned, atol=1e-5)


def test_another_channel_is_another_frequency(iq_session: Observation, tmp_path: Path) -> None:
    flaws = [each.flaw for each in _at(iq_session, tmp_path, [145.5e6, 145.5101e6, 145.5e6]).receptions]
    assert flaws[1] == "it listened at 145510100 Hz: 145500000 Hz is outside the 16000 Hz that it recorded"
    assert flaws[::2] == [None, None]


def test_those_that_almost_agree_outvote_those_that_agree() -> None:
    """Three drivers that state their real tuning are more than two that state another channel."""
    frequencies_hz = [7e6, 7e6, 145.5e6, 145.5e6 - 1.5, 145.5e6 + 0.8]
    assert common_frequency_hz([Tuning(each, RATE_HZ) for each in frequencies_hz]) == 145.5e6
