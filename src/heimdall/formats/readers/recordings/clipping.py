"""Samples at the end of their scale: what a receiver gives whose gain is too high."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heimdall.arrays import largest

_FULL_SCALE = 0.99
"""The highest code of eight bits is 0.992."""
_MOST_SHARE = 0.01
"""A signal that just reaches the end of the scale stays there for less; a clipped one for much more."""


def clipping_note(name: str, samples: NDArray[np.complex64]) -> tuple[str, ...]:
    """A note where more than a hundredth of the numbers lie at full scale; `samples` were integers and are between -1 and 1."""
    peak = largest(samples)
    if not peak >= _FULL_SCALE:
        return ()
    share = float(np.mean(np.abs(samples.view(np.float32)) >= 0.9999 * peak))
    if share <= _MOST_SHARE:
        return ()
    return (
        f"{100 * share:.0f} % of the samples of {name} are clipped at full scale: its arrival time and its level suffer",
    )
