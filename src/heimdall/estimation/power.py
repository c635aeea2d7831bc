"""The log-likelihood of received powers at any place: by a power law with shadowing that belongs to places, or by a radio map."""

from __future__ import annotations

import math
from collections.abc import Callable

from heimdall.arrays import array_namespace, device_of
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.radio_map import Mapped
from heimdall.evidence.recording import DEFAULT_LEVEL_SIGMA_DB
from heimdall.geometry import Array

_DECIBEL = 10 / math.log(10)

LevelDensity = Callable[[Array, Array], Array]
"""Places (B, G, 2) and their distances to the receivers (B, G, N) to the log-likelihood of the powers (B, G)."""


def level_log_likelihood(place_BG2: Array, distance_BGN: Array, batch: EvidenceBatch, model: PropagationModel) -> Array:
    """(B, G) log-likelihood of the received powers: by the radio map of the site where there is one, else by the power law."""
    return level_density(batch, model)(place_BG2, distance_BGN)


def level_density(batch: EvidenceBatch, model: PropagationModel) -> LevelDensity:
    """`level_log_likelihood` of one batch, with what does not depend on the place computed once."""
    xp, mapped = array_namespace(batch.level_db), batch.mapped
    if not bool(xp.any(batch.has_level)):  # arrival times alone
        return lambda _, distance_BGN: xp.zeros_like(distance_BGN[..., 0])
    if mapped is not None:
        return lambda place_BG2, distance_BGN: mapped_log_likelihood(place_BG2, distance_BGN, batch, mapped)
    law = _PowerLaw(batch, model)
    return lambda _, distance_BGN: law.log_likelihood(distance_BGN)


def mapped_log_likelihood(place_BG2: Array, distance_BGN: Array, batch: EvidenceBatch, mapped: Mapped) -> Array:
    """(B, G) with the transmit power integrated out: normal around the map's mean, and so common to all receivers.

    The levels are normal with covariance diag(sigma_i^2) + power_sigma^2 1 1^T (Sherman and Morrison's inverse). What a level
    is less certain by than usual widens the map's own uncertainty: the usual was in the survey.
    """
    xp = array_namespace(place_BG2)
    excess_BGN, map_sigma_BGN = mapped.excess_db(place_BG2, distance_BGN, batch.level_db)
    unusual_BN = xp.clip(batch.level_sigma_db**2 - DEFAULT_LEVEL_SIGMA_DB**2, 0.0, None)
    variance_BGN = map_sigma_BGN**2 + unusual_BN[:, None]
    precision_BGN = xp.astype(batch.has_level, distance_BGN.dtype)[:, None] / variance_BGN
    total_BG = xp.sum(precision_BGN, axis=-1) + 1 / mapped.radio_map.power_sigma_db**2
    common_BG = xp.sum(precision_BGN * excess_BGN, axis=-1)
    square_BG = xp.sum(precision_BGN * excess_BGN**2, axis=-1) - common_BG**2 / total_BG
    log_variance_BGN = xp.where(batch.has_level[:, None], xp.log(variance_BGN), xp.zeros_like(variance_BGN))
    return -0.5 * square_BG - 0.5 * xp.sum(log_variance_BGN, axis=-1) - 0.5 * xp.log(total_BG)


def power_law_log_likelihood(distance_BGN: Array, batch: EvidenceBatch, model: PropagationModel) -> Array:
    """(B, G) log-likelihood of the received powers, with transmit power and path-loss exponent integrated out.

    level_i = P - 10 n log10(d_i) + e_i: P flat, n normal, e normal with the shadowing, the calibration and the loss of
    blocked links; a mixture over the shadowing's standard deviation. Shadowing belongs to places: a share of its variance is
    correlated between receivers by exp(-distance / length) (Gudmundson 1991). A receiver that heard nothing says that its
    level is below `level_db`. 0 where fewer than two receivers have a level.
    """
    return _PowerLaw(batch, model).log_likelihood(distance_BGN)


class _PowerLaw:
    """Receivers' covariances, factored once: only distances change from place to place."""

    def __init__(self, batch: EvidenceBatch, model: PropagationModel) -> None:
        xp = array_namespace(batch.level_db)
        self.xp, self.model, self.batch = xp, model, batch
        self.weight_BN = xp.astype(batch.has_level, batch.level_db.dtype)
        self.terms = [
            _LevelTerm(xp, batch, model, self.weight_BN, sigma_db, share) for share, sigma_db in model.shadowing_db
        ]
        silent_BN = batch.silent
        self.silent_BN = silent_BN if silent_BN is not None and bool(xp.any(silent_BN)) else None

    def log_likelihood(self, distance_BGN: Array) -> Array:
        xp, model = self.xp, self.model
        decades_BGN = _DECIBEL * xp.log(xp.clip(distance_BGN, model.min_distance_m, None))
        corrected_BGN = self.batch.level_db[:, None] + model.exponent_mean * decades_BGN
        total_BG: Array = None
        for term in self.terms:
            value_BG = term.log_likelihood(corrected_BGN, decades_BGN, self.silent_BN)
            total_BG = value_BG if total_BG is None else xp.logaddexp(total_BG, value_BG)
        return xp.where(xp.sum(self.weight_BN, axis=-1)[:, None] > 1.5, total_BG, xp.zeros_like(total_BG))


class _LevelTerm:
    """One shadowing's share: a generalised regression on log distance with a prior on its slope, integrated in closed form."""

    def __init__(
        self, xp: Array, batch: EvidenceBatch, model: PropagationModel, weight_BN: Array, sigma_db: float, share: float
    ) -> None:
        self.xp, self.model = xp, model
        own_BN = batch.level_sigma_db**2 + model.blocked_loss_sigma_db**2
        self.variance_BN = sigma_db**2 + own_BN
        factor_BNN = xp.linalg.cholesky(_covariance(xp, batch, model, weight_BN, sigma_db, own_BN))
        # Whitened levels are W (y - P); leaving out their part along W 1 integrates over the transmit power P.
        white_BNN = xp.linalg.inv(factor_BNN) * weight_BN[:, None]
        along_BN = xp.sum(white_BNN, axis=-1)
        self.power_information_B1 = xp.clip(xp.sum(along_BN**2, axis=-1), 1e-12, None)[:, None]
        self.mean_BN = xp.sum(along_BN[..., None] * white_BNN, axis=1) / self.power_information_B1
        self.across_BNN = xp.matrix_transpose(white_BNN - along_BN[..., None] * self.mean_BN[:, None])
        log_factor_B = xp.sum(xp.log(xp.linalg.diagonal(factor_BNN)), axis=-1)
        self.norm_B1 = math.log(share) - log_factor_B[:, None] - 0.5 * xp.log(self.power_information_B1)

    def log_likelihood(self, corrected_BGN: Array, decades_BGN: Array, silent_BN: Array | None) -> Array:
        xp, prior_information = self.xp, 1 / self.model.exponent_sigma**2
        y, x = xp.matmul(corrected_BGN, self.across_BNN), xp.matmul(decades_BGN, self.across_BNN)
        yy, xy, xx = (xp.sum(product, axis=-1) for product in (y * y, x * y, x * x))
        information = xx + prior_information
        value = self.norm_B1 - 0.5 * (yy - xy**2 / information) - 0.5 * xp.log(information / prior_information)
        if silent_BN is None:
            return value
        return value + self._silence(corrected_BGN, decades_BGN, xy / information, information, silent_BN)

    def _silence(
        self, corrected_BGN: Array, decades_BGN: Array, slope_BG: Array, information_BG: Array, silent_BN: Array
    ) -> Array:
        """(B, G) that those who heard nothing had less than their limits, predicted by what the others heard.

        One of `deaf_probability` would have heard nothing anyway.
        """
        xp, deaf = self.xp, self.model.deaf_probability
        mean_B1N = self.mean_BN[:, None]
        away_BGN = decades_BGN - xp.sum(mean_B1N * decades_BGN, axis=-1)[..., None]
        expected_BGN = xp.sum(mean_B1N * corrected_BGN, axis=-1)[..., None] + slope_BG[..., None] * away_BGN
        variance_BGN = self.variance_BN[:, None] + 1 / self.power_information_B1[..., None]
        variance_BGN = variance_BGN + away_BGN**2 / information_BG[..., None]
        below_BGN = _normal_probability(xp, (corrected_BGN - expected_BGN) / xp.sqrt(variance_BGN))
        return xp.sum(xp.log(deaf + (1 - deaf) * below_BGN) * silent_BN[:, None], axis=-1)


def _covariance(
    xp: Array, batch: EvidenceBatch, model: PropagationModel, weight_BN: Array, sigma_db: float, own_BN: Array
) -> Array:
    """(B, N, N) of the levels; the identity for receivers without one."""
    apart_BNN = xp.sqrt(
        xp.sum((batch.position_enu_m[:, :, None, :2] - batch.position_enu_m[:, None, :, :2]) ** 2, axis=-1)
    )
    length_B11 = (model.shadowing_length * batch.half_width_m)[:, None, None]
    common = model.shadowing_common * sigma_db**2
    identity = xp.eye(weight_BN.shape[1], dtype=own_BN.dtype, device=device_of(own_BN))
    alone_BN = own_BN + sigma_db**2 - common
    used_BNN = weight_BN[:, :, None] * weight_BN[:, None]
    full_BNN = common * xp.exp(-apart_BNN / length_B11) + alone_BN[..., None] * identity
    return full_BNN * used_BNN + (1 - weight_BN)[..., None] * identity


def _normal_probability(xp: Array, value: Array) -> Array:
    """The standard normal distribution function within 0.0002 (Bowling et al. 2009); the standard has no error function."""
    bounded = xp.clip(value, -8.0, 8.0)
    return 1 / (1 + xp.exp(-(1.5976 * bounded + 0.07056 * bounded**3)))
