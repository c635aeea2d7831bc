"""Recordings that are one and the same under two names: a file that was copied, or uploaded twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heimdall.observation import Reception

_HEAD = 64
"""Samples compared first: noise differs at once."""


def copied(receptions: Sequence[Reception]) -> dict[int, str]:
    """Why a recording, by its number, cannot be used: another one has its very samples, and noise never repeats.

    Which of the two places is the right one nobody can tell, so that both are named. All receptions have samples.
    """
    found: dict[int, str] = {}
    for index, reception in enumerate(receptions):
        for other in range(index):
            if _are_one(reception.samples, receptions[other].samples):
                found[index], found[other] = (
                    f"its samples are those of {receptions[each].receiver.name}: one of the two is a copy of the other"
                    for each in (other, index)
                )
    return found


def _are_one(samples: NDArray[np.complex64] | None, others: NDArray[np.complex64] | None) -> bool:
    """As far as both go; a recording of one value only says nothing."""
    if samples is None or others is None:
        return False
    count = min(len(samples), len(others))
    head = min(count, _HEAD)
    if head < _HEAD or not np.array_equal(samples[:head], others[:head]):
        return False
    return bool(np.array_equal(samples[:count], others[:count]) and np.any(samples[:count] != samples[0]))
