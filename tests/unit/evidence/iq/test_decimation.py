"""Wide recordings cut down to their channel: what is left is what was there, at the same times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heimdall.evidence.iq.decimation import decimated, narrowed
from heimdall.observation import Receiver, Reception


@pytest.mark.parametrize("factor", [2, 3, 7, 40])
@pytest.mark.parametrize("share", [0.0, -0.2, 0.33])
def test_what_the_new_rate_holds_stays_as_it_is(factor: int, share: float) -> None:
    """Tones at a part of the new rate, at the first sample of each row."""
    tone = np.exp(2j * np.pi * share / factor * np.arange(400 * factor + 1)).astype(np.complex64)
    found = decimated(tone, factor)
    assert len(found) == 401
    np.testing.assert_allclose(found[20:-20], tone[::factor][20:-20], atol=2e-4)


@pytest.mark.parametrize("factor", [2, 3, 7, 40])
def test_what_the_new_rate_cannot_hold_is_not_folded_back(factor: int) -> None:
    for share in np.arange(0.66, 0.5 * factor, 0.05):
        tone = np.exp(2j * np.pi * share / factor * np.arange(400 * factor)).astype(np.complex64)
        assert np.max(np.abs(decimated(tone, factor)[20:-20])) < 2e-4


def test_long_recordings_are_cut_down_in_parts_without_a_seam() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=2 * 200_000).astype(np.float32).view(np.complex64)
    whole, part = decimated(samples, 3), decimated(samples[3 * 30_000 :], 3)
    np.testing.assert_allclose(whole[30_000:][20:-20], part[20:-20], atol=1e-5)


def test_a_recording_is_narrowed_to_its_channel_and_what_oscillators_do() -> None:
    reception = Reception(
        Receiver("a", 50.0, 10.0), samples=np.zeros(1 << 20, dtype=np.complex64), sample_rate_hz=2.4e6, start_s=0.25
    )
    assert _rate(reception, 12.5e3, 145e6) == pytest.approx(2.4e6 / 48)
    assert _rate(reception, 12.5e3, 2.4e9) == pytest.approx(2.4e6 / 5)
    assert _rate(reception, 1e6, 145e6) == 2.4e6
    short = replace(reception, samples=np.zeros(4096, dtype=np.complex64))
    assert _rate(short, 12.5e3, 145e6) == 2.4e6
    assert narrowed([reception], 12.5e3, 145e6)[0].start_s == 0.25


def _rate(reception: Reception, bandwidth_hz: float, frequency_hz: float) -> float | None:
    return narrowed([reception], bandwidth_hz, frequency_hz)[0].sample_rate_hz
