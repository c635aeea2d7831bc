"""What it does to times and levels that a receiver's own place is known only so well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.evidence.batch import EvidenceBatch
from heimdall.observation import Reception

_LEVEL_SLOPE_DB = 13.0
"""Decibels by which a level changes with the logarithm of the distance, at a path-loss exponent of 3."""


def with_place_errors(evidence: EvidenceBatch, receptions: Sequence[Reception]) -> EvidenceBatch:
    """The evidence of one scene with the receivers' `position_sigma_m` in its times and levels.

    A place that is off by s along a link moves the arrival by s n/c, and the level by 10 k / ln 10 times s over the link's
    length, for which the receiver's distance from the middle of all stands. Receivers of which nobody says it are exact.
    """
    sigma_m = np.array([each.receiver.position_sigma_m or 0.0 for each in receptions])
    if not np.any(sigma_m):
        return evidence
    distance_m = _distance_from_middle_m(evidence.position_enu_m[0])
    arrival_s = sigma_m * (REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S)
    level_db = _LEVEL_SLOPE_DB * sigma_m / np.maximum(distance_m, np.maximum(sigma_m, 1.0))
    return replace(
        evidence,
        arrival_sigma_s=np.hypot(evidence.arrival_sigma_s, arrival_s),
        level_sigma_db=np.hypot(evidence.level_sigma_db, level_db),
    )


def _distance_from_middle_m(position_N3: NDArray[np.float64]) -> NDArray[np.float64]:
    offset = position_N3[:, :2] - position_N3[:, :2].mean(axis=0)
    return np.asarray(np.hypot(offset[:, 0], offset[:, 1]))
