"""Recordings much wider than their channel, cut down to what is looked at: the channel and some of the noise beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heimdall.decimation import FLAT, decimated
from heimdall.evidence.iq.alignment import rate_of, samples_of
from heimdall.evidence.iq.carrier import furthest_offset_hz
from heimdall.observation import Reception

_KEPT = 4.0
"""Channel widths that are kept: enough noise beside the channel that half of it may be taken by neighbours."""
_LEAST_SAMPLES = 1 << 10
"""What is left of the shortest recording: fewer save nothing. Recordings of one rate keep one, whatever their lengths."""


def narrowed(receptions: Sequence[Reception], bandwidth_hz: float, frequency_hz: float) -> list[Reception]:
    """The receptions, all with samples, at a whole part of a rate of several channel widths; the first sample stays.

    Carriers that are off as oscillators can be stay inside.
    """
    least_hz = max(
        _KEPT * bandwidth_hz,
        (bandwidth_hz + 2 * furthest_offset_hz(frequency_hz)) / FLAT,
        *(_LEAST_SAMPLES * rate_of(each) / len(samples_of(each)) for each in receptions),
    )
    return [_narrowed(reception, int(rate_of(reception) / least_hz)) for reception in receptions]


def _narrowed(reception: Reception, factor: int) -> Reception:
    if factor < 2:
        return reception
    samples = decimated(samples_of(reception), factor)
    return replace(reception, samples=samples, sample_rate_hz=rate_of(reception) / factor)
