"""The log-likelihood of any place: arrival times with the emission time profiled out, and power in closed form."""

from __future__ import annotations

import math

import array_api_compat

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.radio_map import Mapped
from heimdall.geometry import Array, surface_up_m

_EMISSION_CANDIDATES = 4
_EMISSION_ROUNDS = 2
_LEAST_WEIGHT = 0.05
"""A link taken for blocked still tells this much about the emission time."""
_REN = 2.9110


def link_distance_m(place_BG2: Array, batch: EvidenceBatch, model: PropagationModel) -> Array:
    """(B, G, N) path length from G places to each receiver; places lie on the earth at the transmitter's height."""
    xp = array_api_compat.array_namespace(place_BG2)
    east_BG, north_BG = place_BG2[..., 0], place_BG2[..., 1]
    curvature = (batch.curvature_per_m[:, :1], batch.curvature_per_m[:, 1:])
    up_BG = surface_up_m(east_BG, north_BG, curvature, batch.transmitter_height_m[:, None])
    receiver = batch.position_enu_m[:, None]
    square = (
        (east_BG[..., None] - receiver[..., 0]) ** 2
        + (north_BG[..., None] - receiver[..., 1]) ** 2
        + (up_BG[..., None] - receiver[..., 2]) ** 2
    )
    chord_BGN = xp.sqrt(square + 1e-6)
    if not model.along_ground:
        return chord_BGN
    half_curvature = 0.25 * xp.sum(batch.curvature_per_m, axis=1)[:, None, None]
    return chord_BGN * (1 + (chord_BGN * half_curvature) ** 2 / 6)


def arrival_log_likelihood(
    distance_BGN: Array, batch: EvidenceBatch, model: PropagationModel, blur_m_B: Array | None = None
) -> Array:
    """(B, G) log-likelihood of the arrival times, with the emission time at its most likely value.

    max over t0 of sum_i log[(1-q) N(r_i; 0, S_i^2) + q EMG(r_i; S_i, lambda) + floor] - 1/2 log(information of t0), with
    r_i = t_i - d_i n/c - t0. The last term makes a profile of what should be an integral. `blur_m_B`, (B,) or (B, G),
    widens every link by what a grid cell of that size cannot tell apart. 0 where fewer than two receivers have an arrival.
    """
    xp = array_api_compat.array_namespace(distance_BGN)
    if not bool(xp.any(batch.has_arrival)):  # power alone: nothing to search for
        return xp.zeros_like(distance_BGN[..., 0])
    residual_BGN, sigma_BGN, weight_B1N = _arrival_terms(xp, distance_BGN, batch, model, blur_m_B)
    _, value_BG, clear_BGN = _emission_time(xp, residual_BGN, sigma_BGN, weight_B1N, batch, model)
    information_BG = xp.sum((clear_BGN + _LEAST_WEIGHT) * weight_B1N / sigma_BGN**2, axis=-1)
    has_two_B1 = xp.sum(weight_B1N, axis=-1) > 1.5
    scale = -0.5 * xp.log(xp.clip(information_BG, 1e-30, None))
    return xp.where(has_two_B1, value_BG + scale, xp.zeros_like(value_BG))


def arrival_residual_s(place_BG2: Array, batch: EvidenceBatch, model: PropagationModel) -> Array:
    """(B, G, N) how late each arrival is at each place, the emission time taken at its most likely value."""
    xp = array_api_compat.array_namespace(place_BG2)
    distance_BGN = link_distance_m(place_BG2, batch, model)
    residual_BGN, sigma_BGN, weight_B1N = _arrival_terms(xp, distance_BGN, batch, model, None)
    emission_BG, _, _ = _emission_time(xp, residual_BGN, sigma_BGN, weight_B1N, batch, model)
    return residual_BGN - emission_BG[..., None]


def link_sigma_s(batch: EvidenceBatch, model: PropagationModel) -> Array:
    """(B, N) standard deviation of an arrival in clear sight: clock, noise, and multipath."""
    xp = array_api_compat.array_namespace(batch.arrival_s)
    echo_B1 = echo_sigma_s(batch.bandwidth_hz, model)[:, None]
    return xp.sqrt(batch.clock_sigma_s**2 + batch.arrival_sigma_s**2 + echo_B1**2)


def echo_sigma_s(bandwidth_hz: Array, model: PropagationModel) -> Array:
    """(B,) standard deviation of what echoes do to the arrival of a signal of that bandwidth.

    1 / (1/sigma + bandwidth/cycles): an echo moves the peak of a narrow signal's correlation by its gain times its delay,
    and that of a wide one only where both are in one peak.
    """
    return 1 / (1 / model.multipath_sigma_s + bandwidth_hz / model.multipath_cycles)


def _arrival_terms(
    xp: Array, distance_BGN: Array, batch: EvidenceBatch, model: PropagationModel, blur_m_B: Array | None
) -> tuple[Array, Array, Array]:
    """Residuals before the emission time is taken off, their standard deviations, and 1 for receivers in use."""
    slowness = model.refractive_index / SPEED_OF_LIGHT_M_S
    weight_B1N = xp.astype(batch.has_arrival, distance_BGN.dtype)[:, None]
    residual_BGN = (batch.arrival_s[:, None] - distance_BGN * slowness) * weight_B1N
    variance_BGN = link_sigma_s(batch, model)[:, None] ** 2
    if blur_m_B is not None:
        variance_BGN = variance_BGN + (xp.reshape(blur_m_B, (blur_m_B.shape[0], -1, 1)) * slowness) ** 2
    return residual_BGN, xp.sqrt(variance_BGN), weight_B1N


def _emission_time(
    xp: Array, residual_BGN: Array, sigma_BGN: Array, weight_B1N: Array, batch: EvidenceBatch, model: PropagationModel
) -> tuple[Array, Array, Array]:
    """The emission time, its log-likelihood, and how surely each link is clear then.

    The best of the most precise receivers' own times, then improved by reweighting.
    """
    terms = _LinkTerms(xp, sigma_BGN, model)

    def value(emission_BG: Array) -> tuple[Array, Array, Array]:
        log_density_BGN, clear_BGN = terms.log_density(residual_BGN - emission_BG[..., None])
        return emission_BG, xp.sum(log_density_BGN * weight_B1N, axis=-1), clear_BGN

    order_BN = xp.argsort(
        xp.where(batch.has_arrival, link_sigma_s(batch, model), xp.ones_like(batch.arrival_s)), axis=-1
    )
    best: tuple[Array, Array, Array] | None = None
    for rank in range(min(_EMISSION_CANDIDATES, order_BN.shape[1])):
        index = xp.broadcast_to(order_BN[:, rank][:, None, None], (*residual_BGN.shape[:2], 1))
        usable_B1 = xp.take_along_axis(weight_B1N[:, 0], order_BN[:, rank][:, None], axis=-1) > 0
        emission_BG, value_BG, clear_BGN = value(xp.take_along_axis(residual_BGN, index, axis=-1)[..., 0])
        candidate = (emission_BG, xp.where(usable_B1, value_BG, -1e9 * xp.ones_like(value_BG)), clear_BGN)
        best = candidate if best is None else _better(xp, best, candidate)
    assert best is not None
    precision_BGN = weight_B1N / sigma_BGN**2
    for _ in range(_EMISSION_ROUNDS):
        trust_BGN = best[2] * precision_BGN + 1e-6
        best = _better(xp, best, value(xp.sum(trust_BGN * residual_BGN, axis=-1) / xp.sum(trust_BGN, axis=-1)))
    return best


def _better(xp: Array, best: tuple[Array, Array, Array], new: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    """Place by place the emission time with the higher log-likelihood, with what belongs to it."""
    wins = new[1] > best[1]
    return xp.where(wins, new[0], best[0]), xp.where(wins, new[1], best[1]), xp.where(wins[..., None], new[2], best[2])


class _LinkTerms:
    """The density of a lateness, clear sight, blocked, astray or simply wrong, for links of the given standard deviations.

    Summed before the logarithm is taken: `outlier_density_per_s` keeps the sum from vanishing. This is the innermost loop of
    everything; what does not depend on the emission time is computed once.
    """

    def __init__(self, xp: Array, sigma_s: Array, model: PropagationModel) -> None:
        self.xp, self.model = xp, model
        self.inverse_sigma = 1 / sigma_s
        self.ratio = sigma_s / model.excess_delay_s
        clear_probability = 1 - model.blocked_probability - model.stray_probability
        self.clear_scale = clear_probability / math.sqrt(2 * math.pi) * self.inverse_sigma

    def log_density(self, late_s: Array) -> tuple[Array, Array]:
        """The log density per second, and the probability that the link is in clear sight."""
        xp, model = self.xp, self.model
        scaled = late_s * self.inverse_sigma
        bell = xp.exp(-0.5 * scaled * scaled)
        clear = self.clear_scale * bell
        total = clear + model.outlier_density_per_s + self._blocked(late_s, scaled, bell)
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


def _erfcx(xp: Array, z: Array) -> Array:
    """exp(z^2) erfc(z) for z >= 0, within 0.4 % (Ren and MacKenzie 2007); the exact one costs ten times as much."""
    root = math.sqrt(math.pi) * z
    return _REN / ((_REN - 1) * root + xp.sqrt(root * root + _REN**2))


def level_log_likelihood(place_BG2: Array, distance_BGN: Array, batch: EvidenceBatch, model: PropagationModel) -> Array:
    """(B, G) log-likelihood of the received powers: by the radio map of the site where there is one, else by the power law."""
    xp = array_api_compat.array_namespace(distance_BGN)
    if not bool(xp.any(batch.has_level)):  # arrival times alone
        return xp.zeros_like(distance_BGN[..., 0])
    if batch.mapped is None:
        return power_law_log_likelihood(distance_BGN, batch, model)
    return mapped_log_likelihood(place_BG2, distance_BGN, batch, batch.mapped)


def mapped_log_likelihood(place_BG2: Array, distance_BGN: Array, batch: EvidenceBatch, mapped: Mapped) -> Array:
    """(B, G) with the transmit power integrated out: normal around the map's mean, and so common to all receivers.

    The levels are normal with covariance diag(sigma_i^2) + power_sigma^2 1 1^T (Sherman and Morrison's inverse).
    """
    xp = array_api_compat.array_namespace(place_BG2)
    excess_BGN, sigma_BGN = mapped.excess_db(place_BG2, distance_BGN, batch.level_db)
    precision_BGN = xp.astype(batch.has_level, distance_BGN.dtype)[:, None] / sigma_BGN**2
    total_BG = xp.sum(precision_BGN, axis=-1) + 1 / mapped.radio_map.power_sigma_db**2
    common_BG = xp.sum(precision_BGN * excess_BGN, axis=-1)
    square_BG = xp.sum(precision_BGN * excess_BGN**2, axis=-1) - common_BG**2 / total_BG
    log_sigma_BGN = xp.where(batch.has_level[:, None], xp.log(sigma_BGN), xp.zeros_like(sigma_BGN))
    return -0.5 * square_BG - xp.sum(log_sigma_BGN, axis=-1) - 0.5 * xp.log(total_BG)


def power_law_log_likelihood(distance_BGN: Array, batch: EvidenceBatch, model: PropagationModel) -> Array:
    """(B, G) log-likelihood of the received powers, with transmit power and path-loss exponent integrated out.

    level_i = P - 10 n log10(d_i) + e_i: P flat, n normal, e_i normal with the shadowing, the calibration and the loss of
    blocked links; a mixture over the shadowing's standard deviation. 0 where fewer than two receivers have a level.
    """
    xp = array_api_compat.array_namespace(distance_BGN)
    weight_B1N = xp.astype(batch.has_level, distance_BGN.dtype)[:, None]
    decades_BGN = (10 / math.log(10)) * xp.log(xp.clip(distance_BGN, model.min_distance_m, None))
    corrected_BGN = (batch.level_db[:, None] + model.exponent_mean * decades_BGN) * weight_B1N
    terms = [
        _level_term(xp, corrected_BGN, decades_BGN, weight_B1N, batch.level_sigma_db, sigma, model)
        for sigma in model.shadowing_sigma_db
    ]
    total_BG = terms[0]
    for term in terms[1:]:
        total_BG = xp.logaddexp(total_BG, term)
    return xp.where(xp.sum(weight_B1N, axis=-1) > 1.5, total_BG, xp.zeros_like(total_BG))


def _level_term(
    xp: Array,
    corrected_BGN: Array,
    decades_BGN: Array,
    weight_B1N: Array,
    level_sigma_db_BN: Array,
    shadowing_db: float,
    model: PropagationModel,
) -> Array:
    """One shadowing's share: a regression on log distance with a prior on its slope, integrated in closed form."""
    variance_B1N = (shadowing_db**2 + model.blocked_loss_sigma_db**2 + level_sigma_db_BN**2)[:, None]
    precision_B1N = weight_B1N / variance_B1N
    total = xp.clip(xp.sum(precision_B1N, axis=-1), 1e-12, None)
    corrected = corrected_BGN - (xp.sum(precision_B1N * corrected_BGN, axis=-1) / total)[..., None]
    decades = decades_BGN - (xp.sum(precision_B1N * decades_BGN, axis=-1) / total)[..., None]
    yy = xp.sum(precision_B1N * corrected**2, axis=-1)
    xx = xp.sum(precision_B1N * decades**2, axis=-1)
    xy = xp.sum(precision_B1N * corrected * decades, axis=-1)
    slope_information = xx + 1 / model.exponent_sigma**2
    # The second term is what integrating over the transmit power leaves: it weighs the shadowings against each other.
    norm = -0.5 * xp.sum(weight_B1N * xp.log(variance_B1N), axis=-1) - 0.5 * xp.log(total)
    return norm - 0.5 * (yy - xy**2 / slope_information) - 0.5 * xp.log(slope_information * model.exponent_sigma**2)
