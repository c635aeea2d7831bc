"""Recordings much wider than their channel, cut down to what is looked at: the channel and some of the noise beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heimdall.decimation import FLAT, decimated
from heimdall.evidence.iq.carrier import furthest_offset_hz
from heimdall.observation import Reception

_KEPT = 4.0
"""Channel widths that are kept: enough noise beside the channel that half of it may be taken by neighbours."""
_LEAST_SAMPLES = 1 << 12
"""A shorter recording saves nothing."""


def narrowed(receptions: Sequence[Reception], bandwidth_hz: float, frequency_hz: float) -> list[Reception]:
    """The receptions, those with samples at a rate of several channel widths at a whole part of it; the first sample stays.

    Carriers that are off as oscillators can be stay inside.
    """
    least_hz = max(_KEPT * bandwidth_hz, (bandwidth_hz + 2 * furthest_offset_hz(frequency_hz)) / FLAT)
    return [_narrowed(reception, least_hz) for reception in receptions]


def _narrowed(reception: Reception, least_hz: float) -> Reception:
    samples, rate_hz = reception.samples, reception.sample_rate_hz
    assert samples is not None
    assert rate_hz is not None
    factor = min(int(rate_hz / least_hz), len(samples) // _LEAST_SAMPLES)
    if factor < 2:
        return reception
    return replace(reception, samples=decimated(samples, factor), sample_rate_hz=rate_hz / factor)
