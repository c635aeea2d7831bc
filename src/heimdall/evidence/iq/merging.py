"""Many segments of one scene as one: what they agree on, and what their scatter says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import MAD_TO_SIGMA
from heimdall.evidence.batch import EvidenceBatch

Values = NDArray[np.float64]
_STEADY_SHARE = 3
"""An arrival time that fewer than one in three segments has is chance."""


def merge_segments(evidence: EvidenceBatch, duration_s: Sequence[float]) -> EvidenceBatch:
    """One scene of several segments of it, which weigh as long as they last.

    Medians over the segments that have the figure: what a silent segment holds in its place says nothing, but of a receiver
    that is silent in most of them, whose level is a limit. The scatter between segments is part of the standard deviation.
    """
    if len(evidence) == 1:
        return evidence
    weight_B1 = np.asarray(duration_s, dtype=float)[:, None]
    present = evidence.present
    reference = int(np.argmax(np.sum(weight_B1 * evidence.has_arrival, axis=0)))
    timed = evidence.has_arrival & evidence.has_arrival[:, [reference]]
    relative = evidence.arrival_s - evidence.arrival_s[:, [reference]]
    arrival, sigma = _arrivals(relative, evidence.arrival_sigma_s, timed * weight_B1)
    leveled, recorded = evidence.has_level * weight_B1, present * weight_B1
    heard = np.sum(leveled, axis=0) > 0.5 * np.sum(recorded, axis=0)
    silent = np.any(present, axis=0) & ~heard
    return replace(
        evidence.select(slice(0, 1)),
        present=np.any(present, axis=0)[None],
        arrival_s=arrival[None],
        arrival_sigma_s=sigma[None],
        has_arrival=_steady(timed, present & present[:, [reference]])[None],
        level_db=_medians(evidence.level_db, np.where(heard, leveled, recorded))[None],
        level_sigma_db=_medians(evidence.level_sigma_db, leveled)[None],
        has_level=heard[None],
        silent=silent[None] if silent.any() else None,
        snr=_medians(evidence.snr, recorded)[None],
    )


def _steady(timed: NDArray[np.bool_], possible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whose arrival time more than one segment has, where more than one could, and a third of those that could."""
    seen, could = np.sum(timed, axis=0), np.sum(possible, axis=0)
    return np.asarray((seen > 0) & (seen >= np.maximum(np.minimum(2, could), could // _STEADY_SHARE)))


def _arrivals(relative_BN: Values, sigma_BN: Values, weight_BN: Values) -> tuple[Values, Values]:
    """(N,) medians and their standard deviations: noise and scatter, over the effective number of segments."""
    middle_N = _medians(relative_BN, weight_BN)
    scatter_N = MAD_TO_SIGMA * _medians(np.abs(relative_BN - middle_N), weight_BN)
    total_N = np.maximum(np.sum(weight_BN, axis=0), 1e-30)
    variance_N = np.sum((weight_BN * sigma_BN) ** 2, axis=0) / total_N**2
    effective_N = total_N**2 / np.maximum(np.sum(weight_BN**2, axis=0), 1e-30)
    sigma_N = np.sqrt(variance_N + scatter_N**2 / np.maximum(effective_N, 1.0))
    return middle_N, np.where(np.any(weight_BN > 0, axis=0), sigma_N, np.max(sigma_BN, axis=0))


def _medians(values_BN: Values, weight_BN: Values) -> Values:
    """Weighted median of each column; 0 where nothing has a weight."""
    return np.array([_median(v[w > 0], w[w > 0]) for v, w in zip(values_BN.T, weight_BN.T, strict=True)])


def _median(values: Values, weights: Values) -> float:
    """Where half of the weight lies on either side; between two values where it is exactly half, as the plain median."""
    if len(values) == 0:
        return 0.0
    order = np.argsort(values, kind="stable")
    values, reached = values[order], np.cumsum(weights[order])
    half = 0.5 * reached[-1]
    low = int(np.searchsorted(reached, half * (1 - 1e-9)))
    high = int(np.searchsorted(reached, half * (1 + 1e-9)))
    return float(0.5 * (values[low] + values[min(high, len(values) - 1)]))
