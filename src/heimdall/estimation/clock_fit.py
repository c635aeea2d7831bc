"""The law of a clock from its readings: offset, drift, and what bends them, no more than the readings ask for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_MOST_DEGREE = 3
_ROUNDS = 4
_OUTLIER_SIGMAS = 4.0
_FEWEST = 3


@dataclass(frozen=True, eq=False)
class ClockFit:
    """How late a clock's record is at a time of the hub's, in s."""

    coefficients: Values
    """Of the powers of (time - middle_s) / half_s, the lowest first."""
    middle_s: float
    half_s: float
    sigma_s: float
    """Of the law within the readings' span."""
    residual_s: float
    """Root mean square of what the law leaves of the readings."""
    readings: int

    def __call__(self, time_s: Values) -> Values:
        powers = np.vander((time_s - self.middle_s) / self.half_s, len(self.coefficients), increasing=True)
        return np.asarray(powers @ self.coefficients)


def fit_clock(time_s_K: Values, late_s_K: Values, sigma_s_K: Values) -> ClockFit | None:
    """Weighted least squares of the degree, 1 to 3, that the Bayesian information criterion takes; None for too few readings.

    Readings beyond 4 standard deviations of their scatter are left out. What the readings scatter beyond their own
    standard deviations widens that of the law.
    """
    if len(time_s_K) < _FEWEST:
        return None
    middle_s, half_s = float(np.mean(time_s_K)), max(0.5 * float(np.ptp(time_s_K)), 1e-9)
    scaled = (time_s_K - middle_s) / half_s
    tried = [
        _fit(scaled, late_s_K, sigma_s_K, degree) for degree in range(1, min(_MOST_DEGREE, len(scaled) - 2) + 1)
    ]
    _, coefficients, sigma_s, residual_s, used = min(tried, key=lambda each: each[0])
    return ClockFit(coefficients, middle_s, half_s, sigma_s, residual_s, used)


def _fit(scaled: Values, late: Values, sigma: Values, degree: int) -> tuple[float, Values, float, float, int]:
    """Criterion, coefficients, standard deviation, residual, and how many readings were used."""
    powers = np.vander(scaled, degree + 1, increasing=True)
    used = np.ones(len(late), dtype=bool)
    for _ in range(_ROUNDS):
        weight = 1 / sigma[used]
        coefficients = np.linalg.lstsq(powers[used] * weight[:, None], late[used] * weight, rcond=None)[0]
        miss = late - powers @ coefficients
        scatter = max(1.4826 * float(np.median(np.abs(miss[used]))), float(np.median(sigma)))
        kept = np.abs(miss) <= _OUTLIER_SIGMAS * scatter
        if kept.sum() < degree + 2 or np.array_equal(kept, used):
            break
        used = kept
    count, free = int(used.sum()), int(used.sum()) - degree - 1
    chi = float(np.sum((miss[used] / sigma[used]) ** 2))
    excess = max(1.0, chi / max(free, 1))
    normal = (powers[used] / sigma[used, None]).T @ (powers[used] / sigma[used, None])
    variance = np.einsum("ki,ij,kj->k", powers, np.linalg.inv(normal), powers) * excess
    criterion = count * math.log(max(chi / count, 1e-12)) + (degree + 1) * math.log(count) - count * math.log(count / len(late))
    residual_s = float(np.sqrt(np.mean(miss[used] ** 2)))
    return criterion, coefficients, float(np.sqrt(np.max(variance))), residual_s, count
