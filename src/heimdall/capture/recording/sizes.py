"""How much a recording takes on a disk, before it is made."""

from __future__ import annotations

from heimdall.capture.drivers.cut import OVERSAMPLING, cut_of
from heimdall.capture.interface import Tuning
from heimdall.capture.network.address import KIWI, OPENWEBRX, RTL_TCP

_KIWI_HZ = 20_250.0
"""The faster of the two rates that KiwiSDRs are set to."""


def samples_per_s(kind: str, tuning: Tuning) -> float:
    """Most samples per second of one receiver of this kind. Raises CaptureError for a channel that is too wide for it."""
    if kind == KIWI:
        return _KIWI_HZ
    if kind == OPENWEBRX:
        return 0.0
    if kind == RTL_TCP:
        cut = cut_of(tuning)
        return cut.rate_hz / cut.factor
    return max(_KIWI_HZ, OVERSAMPLING * tuning.bandwidth_hz)


def bytes_per_s(kind: str, tuning: Tuning) -> float:
    """Most bytes per second of one receiver of this kind."""
    return samples_per_s(kind, tuning) * (4 if kind == KIWI else 8)
