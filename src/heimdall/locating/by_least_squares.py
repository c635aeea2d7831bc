"""Robust least squares on arrival times: what is usually shipped, and the baseline that the likelihood is held against."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.integrity.fault_odds import FaultOdds
from heimdall.estimation.likelihood.arrival_times import link_sigma_s
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.region import GridPosterior
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected
from heimdall.geometry import ground_distance_m, surface_up_m
from heimdall.locating import pipeline
from heimdall.locating.by_likelihood import CELLS
from heimdall.locating.located import Located
from heimdall.locating.posterior_fix import Estimate, make_fix
from heimdall.observation import Observation

if TYPE_CHECKING:
    from jaxtyping import Float

METHOD = "least-squares"
Values = NDArray[np.float64]

_LOSS_SIGMAS = 1.5
"""Residuals beyond this many standard deviations count less than their square."""
_LEVEL_SIGMA_DB = 7.0
_WINDOW_SIGMAS = 6.0
_STARTS = ((0.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))
"""Around the middle of the receivers, in standard deviations of their places."""
_DECIBEL = 10 / math.log(10)


@dataclass(frozen=True, eq=False)
class Solution:
    """The best of all starts."""

    place_m: Float[Values, " 2"]
    """East and north in the local frame."""
    covariance_m2: Float[Values, "2 2"]
    """From the curvature at the solution and the residuals that are left."""
    cost: float


def locate_each(observations: Sequence[Observation], *, odds: FaultOdds | None = None) -> Iterator[Located]:
    """Locate one after the other, in the order given; too few receivers give a fix with status `insufficient`."""

    def one_by_one(members: Sequence[Collected], model: PropagationModel) -> list[Located]:
        return [_timed(collected, model) for collected in members]

    return pipeline.locate_each(observations, one_by_one, method=METHOD, odds=odds)


def _timed(collected: Collected, model: PropagationModel) -> Located:
    begun = time.perf_counter()
    located = conclude(collected, solve(collected.evidence, model), model)
    return located.taking((time.perf_counter() - begun) * 1e3)


def solve(batch: EvidenceBatch, model: PropagationModel) -> Solution:
    """The place that the arrival times of one scene (a numpy batch of one) fit best by Huber's loss, from five starts.

    Residuals are weighted by clock, noise and multipath. The emission time is solved for as well. With fewer arrival times
    than unknowns the received powers take their place, by the model's mean exponent.
    """
    problem = _Problem(batch, model)
    tries = [
        scipy.optimize.least_squares(
            problem.residual,
            start,
            jac=problem.jacobian,
            bounds=problem.bounds(),
            loss="huber",
            f_scale=_LOSS_SIGMAS,
            x_scale=problem.scale,
            max_nfev=100,
        )
        for start in problem.starts()
    ]
    best = min(tries, key=lambda each: each.cost)
    return Solution(best.x[:2], _covariance(best.jac, best.cost, problem.half_width_m), float(best.cost))


class _Problem:
    """Residuals of one scene in standard deviations, and their derivatives.

    Unknowns: east, north, and what all measurements have in common, in m or dB.
    """

    def __init__(self, batch: EvidenceBatch, model: PropagationModel) -> None:
        assert len(batch) == 1
        timed, leveled = np.asarray(batch.has_arrival[0]), np.asarray(batch.has_level[0])
        self.by_time = int(timed.sum()) >= 3
        used = timed if self.by_time else leveled
        self.receiver_m = np.asarray(batch.position_enu_m[0], dtype=float)[used]
        self.curvature = [float(each) for each in batch.curvature_per_m[0]]
        self.along_ground = model.along_ground
        self.height_m = float(batch.transmitter_height_m[0])
        self.half_width_m = float(batch.half_width_m[0])
        self.all_receivers_m = np.asarray(batch.position_enu_m[0], dtype=float)[np.asarray(batch.present[0])]
        self.slope_db = _DECIBEL * model.exponent_mean
        self.least_m = model.min_distance_m
        if self.by_time:
            speed_m_s = SPEED_OF_LIGHT_M_S / model.refractive_index
            self.measured = np.asarray(batch.arrival_s[0], dtype=float)[used] * speed_m_s
            self.sigma = np.asarray(link_sigma_s(batch, model)[0], dtype=float)[used] * speed_m_s
        else:
            self.measured = -np.asarray(batch.level_db[0], dtype=float)[used]
            self.sigma = np.hypot(_LEVEL_SIGMA_DB, np.asarray(batch.level_sigma_db[0], dtype=float)[used])
        # A common offset near zero keeps the digits.
        self.measured = self.measured - self.measured.mean() if len(self.measured) else self.measured

    @property
    def scale(self) -> Values:
        spread_m = 0.1 * self.half_width_m
        return np.array([spread_m, spread_m, spread_m if self.by_time else 10.0])

    def bounds(self) -> tuple[Values, Values]:
        """The area searched."""
        furthest = np.array([self.half_width_m, self.half_width_m, np.inf])
        return -furthest, furthest

    def starts(self) -> list[Values]:
        middle, spread = self.all_receivers_m[:, :2].mean(axis=0), self.all_receivers_m[:, :2].std(axis=0)
        # A start on top of a receiver has no direction to go.
        places = [middle + spread * np.array(step) + 1.0 for step in _STARTS]
        limit = 0.99 * self.half_width_m
        return [self._with_offset(np.array([*np.clip(place, -limit, limit), 0.0])) for place in places]

    def _with_offset(self, unknown: Values) -> Values:
        """The common offset that fits the most: the median."""
        if len(self.measured):
            unknown[-1] = np.median(self.measured - self._predicted(self._paths(unknown)[1]))
        return unknown

    def residual(self, unknown: Values) -> Values:
        _, distance = self._paths(unknown)
        return np.asarray((self.measured - self._predicted(distance) - unknown[-1]) / self.sigma)

    def jacobian(self, unknown: Values) -> Values:
        direction, distance = self._paths(unknown)
        gradient = direction[:, :2] + direction[:, 2:] * self._slopes(unknown)
        if not self.by_time:
            gradient = gradient * (self.slope_db / distance * (distance > self.least_m))[:, None]
        return np.asarray(-np.concatenate([gradient, np.ones((len(distance), 1))], axis=1) / self.sigma[:, None])

    def _predicted(self, distance: Values) -> Values:
        return distance if self.by_time else self.slope_db * np.log(np.maximum(distance, self.least_m))

    def _paths(self, unknown: Values) -> tuple[Values, Values]:
        """How the length of each path changes with the place (N, 3), and the length (N,)."""
        place = np.array([unknown[0], unknown[1], self._up_m(unknown)])
        offset = place - self.receiver_m
        chord = np.sqrt(np.sum(offset**2, axis=-1) + 1e-6)
        if not self.along_ground:
            return offset / chord[:, None], chord
        # Of a sphere, which is near enough for a direction to go.
        steeper = 1 / np.sqrt(np.maximum(1 - (0.5 * chord * self.curvature[0]) ** 2, 1e-2))
        return offset * (steeper / chord)[:, None], ground_distance_m(
            list(place), list(self.receiver_m.T), self.curvature
        )

    def _up_m(self, unknown: Values) -> float:
        return float(surface_up_m(unknown[0], unknown[1], self.curvature, self.height_m))

    def _slopes(self, unknown: Values) -> Values:
        """How the up coordinate changes towards east and north."""
        steepness = max(1 + self.curvature[0] * self._up_m(unknown), 1e-2)
        return -np.array([self.curvature[0] * unknown[0], self.curvature[1] * unknown[1]]) / steepness


def _covariance(jacobian: Values, cost: float, half_width_m: float) -> Values:
    """Covariance of the place, the common offset projected out, wider if the residuals are larger than they should be.

    `jacobian` is the one that the loss has reweighted. A direction left open is as wide as the area searched.
    """
    place, common = jacobian[:, :2], jacobian[:, 2:]
    information = place.T @ place - place.T @ common @ common.T @ place / max(float(np.sum(common**2)), 1e-300)
    freedom = len(jacobian) - 3
    excess = max(1.0, 2 * cost / freedom) if freedom > 0 else 1.0
    value, axes = np.linalg.eigh(information)
    return np.asarray(axes * (excess / np.maximum(value, half_width_m**-2)) @ axes.T)


def conclude(collected: Collected, solution: Solution, model: PropagationModel) -> Located:
    """The fix of a solution, with the regions of a normal distribution."""
    posterior = _normal_posterior(collected, solution)
    fix = make_fix(collected, model, Estimate(METHOD, solution.place_m, posterior))
    covariance = np.zeros((3, 3))
    covariance[:2, :2] = solution.covariance_m2
    return Located(replace(fix, covariance_enu_m2=covariance), posterior)


def _normal_posterior(collected: Collected, solution: Solution) -> GridPosterior:
    """A normal on a grid that holds it, no wider than the area searched and no narrower than a metre."""
    evidence = collected.evidence
    variance, axes = np.linalg.eigh(solution.covariance_m2)
    variance = np.clip(variance, 1.0, float(evidence.half_width_m[0]) ** 2)
    reach_m = _WINDOW_SIGMAS * math.sqrt(variance[-1])
    offset_m = reach_m * ((2 * np.arange(CELLS) + 1) / CELLS - 1)
    east, north = np.meshgrid(offset_m, offset_m)
    scaled = np.stack([east, north], axis=-1) @ axes / np.sqrt(variance)
    square = np.sum(scaled**2, axis=-1)
    # Of a very narrow one no cell's middle may lie inside.
    mass = np.exp(-0.5 * (square - square.min()))
    height_m = float(evidence.transmitter_height_m[0])
    east_m, north_m = (solution.place_m[axis] + offset_m for axis in range(2))
    return GridPosterior(collected.frame, height_m, east_m, north_m, mass / mass.sum())
