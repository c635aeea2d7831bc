"""The law of a clock from its readings: offset, drift, and what bends them, no more than the readings ask for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import MAD_TO_SIGMA

Values = NDArray[np.float64]

_MOST_DEGREE = 3
_ROUNDS = 4
_OUTLIER_SIGMAS = 4.0
_FEWEST = 3
_READINGS_A_BEND = 6
_BENDS_AFTER_S = 1.0
"""Crystals follow their temperature, which takes seconds: within less a clock's rate is constant."""
_WANDER = 1e-8
"""Of a crystal's frequency within seconds, as part of it: some times what data sheets of TCXOs give for one second."""
_MOST_CORRELATION = 0.9
_SPREAD = 1.2
"""Readings are middles of segments: the span that they stand for reaches a little further."""


@dataclass(frozen=True, eq=False)
class ClockFit:
    """How late a clock's record is at a time of the hub's, in s."""

    coefficients: Values
    """Of the powers of (time - middle_s) / half_s, the lowest first."""
    middle_s: float
    half_s: float
    covariance: Values
    """Of the coefficients, in s^2."""
    residual_s: float
    """Root mean square of what the law leaves of the readings."""
    readings: int

    def __call__(self, time_s: Values) -> Values:
        return np.asarray(self._powers(time_s) @ self.coefficients)

    def sigma_s(self, time_s: Values) -> float:
        """Largest standard deviation of the law at these times; beyond the readings oscillators may wander, too."""
        powers = self._powers(time_s)
        variance = np.einsum("ki,ij,kj->k", powers, self.covariance, powers)
        return float(np.sqrt(np.max(variance + (_WANDER * self.beyond_s(time_s)) ** 2)))

    def beyond_s(self, time_s: Values) -> Values:
        """How far times lie beyond what the readings stand for."""
        return np.clip(np.abs(time_s - self.middle_s) - self.half_s * _SPREAD, 0, None)

    def _powers(self, time_s: Values) -> Values:
        """Beyond the readings the law goes on straight, as it leaves them: bends are no forecast."""
        scaled = (time_s - self.middle_s) / self.half_s
        inside = np.clip(scaled, -_SPREAD, _SPREAD)
        powers = np.vander(inside, len(self.coefficients), increasing=True)
        slopes = np.zeros_like(powers)
        slopes[:, 1:] = powers[:, :-1] * np.arange(1, powers.shape[1])
        return np.asarray(powers + (scaled - inside)[:, None] * slopes)


def fit_clock(time_s_K: Values, late_s_K: Values, sigma_s_K: Values) -> ClockFit | None:
    """Weighted least squares of the degree, 1 to 3, that the Bayesian information criterion takes; None for too few readings.

    Readings beyond 4 standard deviations of their scatter are left out. What the readings scatter beyond their own
    standard deviations widens that of the law.
    """
    if len(time_s_K) < _FEWEST:
        return None
    middle_s, half_s = float(np.mean(time_s_K)), max(0.5 * float(np.ptp(time_s_K)), 1e-9)
    scaled = (time_s_K - middle_s) / half_s
    most = min(_MOST_DEGREE, len(scaled) // _READINGS_A_BEND + 1, math.floor(half_s / _BENDS_AFTER_S) + 1)
    tried = [_fit(scaled, late_s_K, sigma_s_K, degree) for degree in range(1, most + 1)]
    _, coefficients, covariance, residual_s, used = min(tried, key=lambda each: each[0])
    return ClockFit(coefficients, middle_s, half_s, covariance, residual_s, used)


def _fit(scaled: Values, late: Values, sigma: Values, degree: int) -> tuple[float, Values, Values, float, int]:
    """Criterion, coefficients and their covariance, residual, and how many readings were used."""
    powers = np.vander(scaled, degree + 1, increasing=True)
    used = np.ones(len(late), dtype=bool)
    for _ in range(_ROUNDS):
        weight = 1 / sigma[used]
        coefficients = np.linalg.lstsq(powers[used] * weight[:, None], late[used] * weight, rcond=None)[0]
        miss = late - powers @ coefficients
        scatter = max(MAD_TO_SIGMA * float(np.median(np.abs(miss[used]))), float(np.median(sigma)))
        kept = np.abs(miss) <= _OUTLIER_SIGMAS * scatter
        if kept.sum() < degree + 2 or np.array_equal(kept, used):
            break
        used = kept
    count, free = int(used.sum()), int(used.sum()) - degree - 1
    chi = float(np.sum((miss[used] / sigma[used]) ** 2))
    excess = max(1.0, chi / max(free, 1)) * _independence(miss[used] / sigma[used])
    normal = (powers[used] / sigma[used, None]).T @ (powers[used] / sigma[used, None])
    criterion = len(late) * math.log(max(chi / count, 1e-12)) + (degree + 1) * math.log(len(late))
    residual_s = float(np.sqrt(np.mean(miss[used] ** 2)))
    covariance: Values = np.asarray(np.linalg.inv(normal) * excess, dtype=float)
    return criterion, np.asarray(coefficients, dtype=float), covariance, residual_s, count


def _independence(miss: Values) -> float:
    """How many residuals in a row stand for one: (1 + r) / (1 - r) of a first-order autoregression, never less than 1.

    Residuals of a fitted line show too little of r, to first order by (2 + 4 r) / n: that is added.
    """
    total = float(miss @ miss)
    if total <= 0:
        return 1.0
    shown = float(miss[1:] @ miss[:-1]) / total
    correlation = min(shown + (2 + 4 * shown) / len(miss), _MOST_CORRELATION)
    return max(1.0, (1 + correlation) / (1 - correlation))
