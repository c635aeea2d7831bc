"""The log-likelihood of arrival times at any place, with the emission time profiled out. That of powers: `power.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heimdall.arrays import Array, ArrayNamespace, array_namespace
from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood.sky_wave import Explained, echo_variance_s2, explain, sky_log_likelihood
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch
from heimdall.geometry import columns, ground_distance_m, surface_up_m

if TYPE_CHECKING:
    from jaxtyping import Float, Int

EMISSION_CANDIDATES = 4
"""Receivers, the most precise ones, whose own times are tried as the emission time."""
EMISSION_ROUNDS = 2
"""How often the best of them is improved."""
LEAST_WEIGHT = 0.05
"""A link taken for blocked still tells this much about the emission time."""
ERFCX_CONSTANT = 2.9110
"""Of the approximation of the scaled error function (Ren and MacKenzie 2007)."""


@dataclass(frozen=True, eq=False)
class _Arrivals:
    """Arrival times against the way from each of G places to N receivers, for B scenes."""

    residual_BGN: Array
    """Arrival time less travel time, in s: the emission time and the errors are in it."""
    sigma_s: Float[Array, " B #G N"]
    """Standard deviations of the errors."""
    weight_B1N: Array
    """1 for receivers in use, else 0."""


@dataclass(frozen=True, eq=False)
class _Emission:
    """An emission time at each of G places, and what follows from it."""

    time_BG: Array
    """In s."""
    log_density_BG: Array
    """Of all arrival times."""
    clear_BGN: Array
    """How surely each link is in line of sight."""

    def or_better(self, other: _Emission) -> _Emission:
        """Place by place that with the higher log density."""
        xp = array_namespace(self.time_BG)
        wins_BG = other.log_density_BG > self.log_density_BG
        return _Emission(
            xp.where(wins_BG, other.time_BG, self.time_BG),
            xp.where(wins_BG, other.log_density_BG, self.log_density_BG),
            xp.where(wins_BG[..., None], other.clear_BGN, self.clear_BGN),
        )

    def log_likelihood(self, arrivals: _Arrivals) -> Float[Array, "B G"]:
        """The log density less half the log information about the time: a profile in place of an integral."""
        xp = array_namespace(self.time_BG)
        weight_BGN = (self.clear_BGN + LEAST_WEIGHT) * arrivals.weight_B1N
        information_BG = xp.sum(weight_BGN / arrivals.sigma_s**2, axis=-1)
        return self.log_density_BG - 0.5 * xp.log(xp.clip(information_BG, 1e-30, None))


@dataclass(frozen=True, eq=False)
class DirectLinks:
    """The links from each of G places to N receivers, direct or along the ground, for B scenes."""

    late_s: Float[Array, "B G N"]
    sigma_s: Float[Array, " B #G N"]
    """Standard deviations in line of sight."""
    clear_BGN: Array
    """How surely each link is in line of sight."""


def link_distance_m(
    place_BG2: Array, batch: EvidenceBatch, model: PropagationModel, above_m: Float[Array, " B #G"] | float = 0.0
) -> Float[Array, "B G N"]:
    """Path length from G places to each receiver; places lie on the earth so far above the transmitter's height."""
    xp = array_namespace(place_BG2)
    east_BG, north_BG = place_BG2[..., 0], place_BG2[..., 1]
    curvature = columns(batch.curvature_per_m)
    up_BG = surface_up_m(east_BG, north_BG, curvature, batch.transmitter_height_m[:, None] + above_m)
    # Places in the last axis of memory: rows of a few receivers would be slow to go over.
    place = [axis[:, None] for axis in (east_BG, north_BG, up_BG)]
    receiver = [batch.position_enu_m[:, :, axis, None] for axis in range(3)]
    if model.along_ground:
        return xp.matrix_transpose(ground_distance_m(place, receiver, [each[..., None] for each in curvature]))
    square_BNG = sum(((a - b) ** 2 for a, b in zip(place, receiver, strict=True)), 1e-6)
    return xp.matrix_transpose(xp.sqrt(square_BNG))


def arrival_log_likelihood(
    distance_BGN: Array,
    batch: EvidenceBatch,
    model: PropagationModel,
    blur_m: Float[Array, "B ..."] | None = None,
) -> Float[Array, "B G"]:
    """Log-likelihood of the arrival times, with the emission time at its most likely value.

    max over t0 of sum_i log[(1-q) N(r_i; 0, S_i^2) + q EMG(r_i; S_i, lambda) + floor] - 1/2 log(information of t0), with
    r_i = t_i - d_i n/c - t0. The last term makes a profile of what should be an integral. `blur_m`, of each scene or each
    place, widens every link by what a grid cell of that size cannot tell apart. 0 where fewer than two receivers have an arrival.
    """
    xp = array_namespace(distance_BGN)
    if not bool(xp.any(batch.has_arrival)):  # power alone: nothing to search for
        return xp.zeros_like(distance_BGN[..., 0])
    arrivals = _arrivals(distance_BGN, batch, model, blur_m)
    value_BG = _path_log_likelihood(distance_BGN, arrivals, batch, model)
    has_two_B1 = xp.sum(arrivals.weight_B1N, axis=-1) > 1.5
    return xp.where(has_two_B1, value_BG, xp.zeros_like(value_BG))


def _path_log_likelihood(
    distance_BGN: Array, arrivals: _Arrivals, batch: EvidenceBatch, model: PropagationModel
) -> Float[Array, "B G"]:
    """Log-likelihood by the paths that the model knows: direct or along the ground, by the ionosphere, or either."""
    law = model.sky_wave
    if law is None:
        return _emission_time(arrivals, batch, model).log_likelihood(arrivals)
    sky_BG = sky_log_likelihood(distance_BGN, arrivals.sigma_s**2, batch, model)
    if law.ground_probability == 0:
        return sky_BG
    ground_BG = _emission_time(arrivals, batch, model).log_likelihood(arrivals)
    xp = array_namespace(distance_BGN)
    return xp.logaddexp(ground_BG + math.log(law.ground_probability), sky_BG + math.log(1 - law.ground_probability))


def arrival_residual_s(place_BG2: Array, batch: EvidenceBatch, model: PropagationModel) -> Float[Array, "B G N"]:
    """How late each arrival is at each place, the emission time taken at its most likely value.

    By the most likely mode of each link where waves come by the ionosphere.
    """
    return explained(place_BG2, batch, model).late_s


def explained(place_BG2: Array, batch: EvidenceBatch, model: PropagationModel) -> Explained:
    """The most likely account of the arrival times at G places: how late each is, and by which mode it came."""
    xp = array_namespace(place_BG2)
    distance_BGN = link_distance_m(place_BG2, batch, model)
    arrivals = _arrivals(distance_BGN, batch, model)
    law = model.sky_wave
    if law is not None and law.ground_probability == 0:
        return explain(distance_BGN, arrivals.sigma_s**2, batch, model)
    emission = _emission_time(arrivals, batch, model)
    late_s = arrivals.residual_BGN - emission.time_BG[..., None]
    by_ground = Explained(late_s, xp.zeros_like(late_s), xp.zeros_like(late_s))
    if law is None:
        return by_ground
    odds_BG = emission.log_likelihood(arrivals) + math.log(law.ground_probability / (1 - law.ground_probability))
    by_sky = explain(distance_BGN, arrivals.sigma_s**2, batch, model)
    wins = (odds_BG > sky_log_likelihood(distance_BGN, arrivals.sigma_s**2, batch, model))[..., None]
    mode, hops = (
        xp.where(wins, zero, xp.astype(sky, late_s.dtype))
        for zero, sky in ((by_ground.mode, by_sky.mode), (by_ground.hops, by_sky.hops))
    )
    return Explained(xp.where(wins, late_s, by_sky.late_s), mode, hops)


def path_sigma_s(place_BG2: Array, batch: EvidenceBatch, model: PropagationModel) -> Float[Array, "B G N"]:
    """Standard deviation of an arrival in line of sight from each place: `link_sigma_s`, and what grows with the way."""
    return _arrivals(link_distance_m(place_BG2, batch, model), batch, model).sigma_s


def direct_links(place_BG2: Array, batch: EvidenceBatch, model: PropagationModel) -> DirectLinks:
    """What the arrival times say of each link at G places, as if none came by the ionosphere."""
    arrivals = _arrivals(link_distance_m(place_BG2, batch, model), batch, model)
    emission = _emission_time(arrivals, batch, model)
    return DirectLinks(arrivals.residual_BGN - emission.time_BG[..., None], arrivals.sigma_s, emission.clear_BGN)


def link_sigma_s(batch: EvidenceBatch, model: PropagationModel) -> Float[Array, "B N"]:
    """Standard deviation of an arrival in line of sight: clock, noise, and multipath."""
    xp = array_namespace(batch.arrival_s)
    echo_B1 = echo_sigma_s(batch.bandwidth_hz, model)[:, None]
    return xp.sqrt(batch.clock_sigma_s**2 + batch.arrival_sigma_s**2 + echo_B1**2)


def precision_order(batch: EvidenceBatch, model: PropagationModel) -> Int[Array, "B N"]:
    """The receivers' indices, the one with the most precise arrival time first, those without any last."""
    xp = array_namespace(batch.arrival_s)
    sigma_BN = xp.where(batch.has_arrival, link_sigma_s(batch, model), xp.ones_like(batch.arrival_s))
    return xp.argsort(sigma_BN, axis=-1, stable=True)


def echo_sigma_s(bandwidth_hz: Array, model: PropagationModel) -> Float[Array, " B"]:
    """Standard deviation of what echoes do to the arrival of a signal of that bandwidth.

    1 / (1/sigma + bandwidth/cycles): an echo moves the peak of a narrow signal's correlation by its gain times its delay,
    and that of a wide one only where both are in one peak.
    """
    return 1 / (1 / model.multipath_sigma_s + bandwidth_hz / model.multipath_cycles)


def _arrivals(
    distance_BGN: Array, batch: EvidenceBatch, model: PropagationModel, blur_m: Float[Array, "B ..."] | None = None
) -> _Arrivals:
    xp = array_namespace(distance_BGN)
    slowness = model.refractive_index / SPEED_OF_LIGHT_M_S
    weight_B1N = xp.astype(batch.has_arrival, distance_BGN.dtype)[:, None]
    residual_BGN = (batch.arrival_s[:, None] - distance_BGN * slowness) * weight_B1N
    variance_BGN = link_sigma_s(batch, model)[:, None] ** 2
    if model.ground_sigma_s_m:
        variance_BGN = variance_BGN + (distance_BGN * model.ground_sigma_s_m) ** 2
    if model.hop_echo is not None:
        variance_BGN = variance_BGN + echo_variance_s2(xp, distance_BGN, batch.bandwidth_hz, model.hop_echo)
    if blur_m is not None:
        variance_BGN = variance_BGN + (xp.reshape(blur_m, (blur_m.shape[0], -1, 1)) * slowness) ** 2
    return _Arrivals(residual_BGN, xp.sqrt(variance_BGN), weight_B1N)


def _emission_time(arrivals: _Arrivals, batch: EvidenceBatch, model: PropagationModel) -> _Emission:
    """The best of the most precise receivers' own times, then improved by reweighting."""
    residual_BGN, weight_B1N = arrivals.residual_BGN, arrivals.weight_B1N
    xp = array_namespace(residual_BGN)
    terms = _LinkTerms(xp, arrivals.sigma_s, model, batch.half_width_m[:, None, None])

    def at(time_BG: Array) -> _Emission:
        log_density_BGN, clear_BGN = terms.log_density(residual_BGN - time_BG[..., None])
        return _Emission(time_BG, xp.sum(log_density_BGN * weight_B1N, axis=-1), clear_BGN)

    best = _best_of_own_times(arrivals, precision_order(batch, model), at)
    precision_BGN = weight_B1N / arrivals.sigma_s**2
    for _ in range(EMISSION_ROUNDS):
        trust_BGN = best.clear_BGN * precision_BGN + 1e-6
        best = best.or_better(at(xp.sum(trust_BGN * residual_BGN, axis=-1) / xp.sum(trust_BGN, axis=-1)))
    return best


def _best_of_own_times(arrivals: _Arrivals, order_BN: Array, at: Callable[[Array], _Emission]) -> _Emission:
    """The best of the emission times that the first receivers in the order have by themselves."""
    residual_BGN = arrivals.residual_BGN
    xp = array_namespace(residual_BGN)
    best: _Emission | None = None
    for rank in range(min(EMISSION_CANDIDATES, order_BN.shape[1])):
        index = xp.broadcast_to(order_BN[:, rank][:, None, None], (*residual_BGN.shape[:2], 1))
        usable_B1 = xp.take_along_axis(arrivals.weight_B1N[:, 0], order_BN[:, rank][:, None], axis=-1) > 0
        own = at(xp.take_along_axis(residual_BGN, index, axis=-1)[..., 0])
        never_BG = -1e9 * xp.ones_like(own.log_density_BG)
        own = replace(own, log_density_BG=xp.where(usable_B1, own.log_density_BG, never_BG))
        best = own if best is None else best.or_better(own)
    assert best is not None
    return best


class _LinkTerms:
    """The density of a lateness, line of sight, blocked, astray or simply wrong, for links of the given standard deviations.

    Summed before the logarithm is taken. This is the innermost loop of everything; what does not depend on the emission time is
    computed once.
    """

    def __init__(self, xp: ArrayNamespace, sigma_s: Array, model: PropagationModel, half_width_m: Array) -> None:
        self.xp, self.model = xp, model
        self.wrong = model.fault_density_per_s(half_width_m)
        self.inverse_sigma = 1 / sigma_s
        self.ratio = sigma_s / model.excess_delay_s
        clear_probability = 1 - model.blocked_probability - model.stray_probability
        self.clear_scale = clear_probability / math.sqrt(2 * math.pi) * self.inverse_sigma

    def log_density(self, late_s: Array) -> tuple[Array, Array]:
        """The log density per second, and the probability that the link is in line of sight."""
        xp, model = self.xp, self.model
        scaled = late_s * self.inverse_sigma
        bell = xp.exp(-0.5 * scaled * scaled)
        clear = self.clear_scale * bell
        total = clear + self.wrong + self._blocked(late_s, scaled, bell)
        if model.stray_probability:
            total = total + self._stray(late_s)
        return xp.log(total), clear / total

    def _stray(self, late_s: Array) -> Array:
        """A Cauchy density: off to either side, and rarely by a lot."""
        width_s = self.model.stray_width_s
        peak = self.model.stray_probability / (math.pi * width_s)
        return peak / (1 + (late_s * (1 / width_s)) ** 2)

    def _blocked(self, late_s: Array, scaled: Array, bell: Array) -> Array:
        """A normal plus an exponential: the exponentially modified Gaussian, by the scaled error function.

        q/(2m) exp(-x^2/2s^2) erfcx(z) with z = (s/m - x/s)/sqrt(2), and erfcx(z) = 2 exp(z^2) - erfcx(-z) below zero.
        """
        xp, mean_s = self.xp, self.model.excess_delay_s
        z = (self.ratio - scaled) * math.sqrt(0.5)
        mirrored = bell * _erfcx(xp, xp.abs(z))
        decay = xp.exp(xp.clip(0.5 * self.ratio * self.ratio - late_s / mean_s, None, 0.0))
        return 0.5 * self.model.blocked_probability / mean_s * xp.where(z >= 0, mirrored, 2 * decay - mirrored)


def _erfcx(xp: ArrayNamespace, z: Array) -> Array:
    """exp(z^2) erfc(z) for z >= 0, within 0.4 %; the exact one costs ten times as much."""
    root = math.sqrt(math.pi) * z
    return ERFCX_CONSTANT / ((ERFCX_CONSTANT - 1) * root + xp.sqrt(root * root + ERFCX_CONSTANT**2))
