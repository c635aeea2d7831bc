"""The log-likelihood of received powers at any place: by a power law with shadowing that belongs to places, or by a radio map."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from heimdall.arrays import Array, ArrayNamespace, array_namespace, device_of
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.iq.from_recordings import DEFAULT_LEVEL_SIGMA_DB
from heimdall.evidence.radio_map import Mapped

if TYPE_CHECKING:
    from jaxtyping import Float

_DECIBEL = 10 / math.log(10)

LevelDensity = Callable[[Array, Array], Array]
"""Places (B, G, 2) and their distances to the receivers (B, G, N) to the log-likelihood of the powers (B, G)."""


def level_log_likelihood(
    place_BG2: Array, distance_BGN: Array, batch: EvidenceBatch, model: PropagationModel
) -> Float[Array, "B G"]:
    """Log-likelihood of the received powers: by the radio map of the site where there is one, else by the power law."""
    return level_density(batch, model)(place_BG2, distance_BGN)


def level_density(batch: EvidenceBatch, model: PropagationModel, dtype: Any = None) -> LevelDensity:
    """`level_log_likelihood` of one batch, with what does not depend on the place computed once.

    A power law may be evaluated in another precision than the batch has: single is within 1e-4 of it.
    """
    xp, mapped = array_namespace(batch.level_db), batch.mapped
    if not bool(xp.any(batch.has_level)):  # arrival times alone
        return lambda _, distance_BGN: xp.zeros_like(distance_BGN[..., 0])
    if mapped is not None:
        return lambda place_BG2, distance_BGN: mapped_log_likelihood(place_BG2, distance_BGN, batch, mapped)
    law = _PowerLaw(batch, model, dtype or batch.level_db.dtype)
    return lambda _, distance_BGN: law.log_likelihood(distance_BGN)


def mapped_log_likelihood(
    place_BG2: Array, distance_BGN: Array, batch: EvidenceBatch, mapped: Mapped
) -> Float[Array, "B G"]:
    """Log-likelihood with the transmit power integrated out: normal around the map's mean, and so common to all receivers.

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


def power_law_log_likelihood(distance_BGN: Array, batch: EvidenceBatch, model: PropagationModel) -> Float[Array, "B G"]:
    """Log-likelihood of the received powers, with transmit power and path-loss exponent integrated out.

    level_i = P - 10 n log10(d_i) + e_i: P flat, n normal, e normal with the shadowing, the calibration and the loss of
    blocked links; a mixture over the shadowing's standard deviation. Shadowing belongs to places: a share of its variance is
    correlated between receivers by exp(-distance / length) (Gudmundson 1991). A receiver that heard nothing says that its
    level is below `level_db`. 0 where fewer than two receivers have a level.
    """
    return _PowerLaw(batch, model, batch.level_db.dtype).log_likelihood(distance_BGN)


class _PowerLaw:
    """Receivers' covariances, factored once: only distances change from place to place.

    For each of S shadowings a generalised regression on log distance with a prior on its slope, integrated in closed form.
    """

    def __init__(self, batch: EvidenceBatch, model: PropagationModel, dtype: Any) -> None:
        xp = array_namespace(batch.level_db)
        self.xp, self.model, self.dtype = xp, model, dtype
        weight_BN = xp.astype(batch.has_level, batch.level_db.dtype)
        self.enough_B1 = (xp.sum(weight_BN, axis=-1) > 1.5)[:, None]
        self.level_db_BN1 = xp.astype(batch.level_db, dtype)[..., None]
        self.silent_BN = batch.silent if batch.silent is not None and bool(xp.any(batch.silent)) else None
        exact = _regression(xp, batch, model, weight_BN)
        self.regression = _Regression(*(xp.astype(getattr(exact, f.name), dtype) for f in fields(_Regression)))

    def log_likelihood(self, distance_BGN: Array) -> Array:
        xp, model = self.xp, self.model
        # Places in the last axis: rows of a few receivers would be slow to go over.
        far_BNG = xp.clip(xp.astype(xp.matrix_transpose(distance_BGN), self.dtype), model.min_distance_m, None)
        value_SBG = self._by_shadowing(_DECIBEL * xp.log(far_BNG))
        most_BG = xp.max(value_SBG, axis=0)
        total_BG = most_BG + xp.log(xp.sum(xp.exp(value_SBG - most_BG), axis=0))
        return xp.where(self.enough_B1, xp.astype(total_BG, distance_BGN.dtype), xp.zeros_like(distance_BGN[..., 0]))

    def _by_shadowing(self, decades_BNG: Array) -> Array:
        xp, law, prior_information = self.xp, self.regression, 1 / self.model.exponent_sigma**2
        # What all receivers have in common does not count, and would cost digits.
        apart_BNG = decades_BNG - decades_BNG[:, :1]
        information = xp.sum(xp.matmul(law.precision_SBNN, apart_BNG) * apart_BNG, axis=-2)
        # With levels y and decades x: x.y of the levels by the mean exponent, and the part of y.y that depends on the place.
        along = xp.matmul(law.weighed_SB1N, apart_BNG)[..., 0, :]
        slope = along + self.model.exponent_mean * information
        square = self.model.exponent_mean * (along + slope)
        information = information + prior_information
        value = law.norm_SB1 - 0.5 * (square - slope**2 / information) - 0.5 * xp.log(information / prior_information)
        if self.silent_BN is None:
            return value
        return value + self._silence(decades_BNG, slope / information, information, self.silent_BN)

    def _silence(self, decades_BNG: Array, slope: Array, information: Array, silent_BN: Array) -> Float[Array, "S B G"]:
        """Log probability that those who heard nothing had less than their limits, predicted by what the others heard.

        One of `deaf_probability` would have heard nothing anyway.
        """
        xp, law, deaf = self.xp, self.regression, self.model.deaf_probability
        mean_decades = xp.matmul(law.mean_SB1N, decades_BNG)
        mean_db = xp.matmul(law.mean_SB1N, self.level_db_BN1)
        # Of the receivers that are silent in any scene alone.
        silent = xp.nonzero(xp.any(silent_BN, axis=0))[0]
        away = decades_BNG[:, silent] - mean_decades
        above_db = self.level_db_BN1[:, silent] - mean_db + (self.model.exponent_mean - slope[..., None, :]) * away
        variance = law.variance_SBN1[..., silent, :] + away**2 / information[..., None, :]
        below = _normal_probability(xp, above_db / xp.sqrt(variance))
        return xp.sum(xp.log(deaf + (1 - deaf) * below) * silent_BN[:, silent, None], axis=-2)


@dataclass(frozen=True, eq=False)
class _Regression:
    """Levels on log distances by each of S shadowings."""

    precision_SBNN: Array
    """Of the levels, with what they have in common taken out."""
    weighed_SB1N: Array
    """That times the levels."""
    norm_SB1: Array
    mean_SB1N: Array
    """Weights of the receivers in the mean."""
    variance_SBN1: Array
    """Of a level against that mean where the slope is known."""


def _regression(xp: ArrayNamespace, batch: EvidenceBatch, model: PropagationModel, weight_BN: Array) -> _Regression:
    shadowing_S2 = xp.asarray(model.shadowing_db, dtype=weight_BN.dtype, device=device_of(weight_BN))
    share_S11, variance_S11 = shadowing_S2[:, :1, None], shadowing_S2[:, 1:, None] ** 2
    own_BN = batch.level_sigma_db**2 + model.blocked_loss_sigma_db**2
    factor_SBNN = xp.linalg.cholesky(_covariance(xp, batch, model, weight_BN, variance_S11, own_BN))
    # Whitened levels are W (y - P); leaving out their part along W 1 integrates over the transmit power P.
    white_SBNN = xp.linalg.inv(factor_SBNN) * weight_BN[:, None]
    along_SBN = xp.sum(white_SBNN, axis=-1)
    power_information_SB1 = xp.clip(xp.sum(along_SBN**2, axis=-1), 1e-12, None)[..., None]
    mean_SB1N = xp.matmul(along_SBN[..., None, :], white_SBNN) / power_information_SB1[..., None]
    across_SBNN = white_SBNN - along_SBN[..., None] * mean_SB1N
    white_level_SBN1 = xp.matmul(across_SBNN, batch.level_db[..., None])
    log_factor_SB1 = xp.sum(xp.log(xp.linalg.diagonal(factor_SBNN)), axis=-1)[..., None]
    norm_SB1 = xp.log(share_S11) - log_factor_SB1 - 0.5 * xp.log(power_information_SB1)
    return _Regression(
        precision_SBNN=xp.matmul(xp.matrix_transpose(across_SBNN), across_SBNN),
        weighed_SB1N=xp.matmul(xp.matrix_transpose(white_level_SBN1), across_SBNN),
        norm_SB1=norm_SB1 - 0.5 * xp.sum(white_level_SBN1**2, axis=-2),
        mean_SB1N=mean_SB1N,
        variance_SBN1=(variance_S11 + own_BN + 1 / power_information_SB1)[..., None],
    )


def _covariance(
    xp: ArrayNamespace,
    batch: EvidenceBatch,
    model: PropagationModel,
    weight_BN: Array,
    variance_S11: Array,
    own_BN: Array,
) -> Float[Array, "S B N N"]:
    """Covariance of the levels; the identity for receivers without one."""
    apart_BNN = xp.sqrt(
        xp.sum((batch.position_enu_m[:, :, None, :2] - batch.position_enu_m[:, None, :, :2]) ** 2, axis=-1)
    )
    length_B11 = (model.shadowing_length * batch.half_width_m)[:, None, None]
    common_S111 = model.shadowing_common * variance_S11[..., None]
    identity = xp.eye(weight_BN.shape[1], dtype=own_BN.dtype, device=device_of(own_BN))
    alone_SBN = own_BN + variance_S11 * (1 - model.shadowing_common)
    used_BNN = weight_BN[:, :, None] * weight_BN[:, None]
    full_SBNN = common_S111 * xp.exp(-apart_BNN / length_B11) + alone_SBN[..., None] * identity
    return full_SBNN * used_BNN + (1 - weight_BN)[..., None] * identity


def _normal_probability(xp: ArrayNamespace, value: Array) -> Array:
    """The standard normal distribution function within 0.0002 (Bowling et al. 2009); the standard has no error function."""
    bounded = xp.clip(value, -8.0, 8.0)
    # In single precision a cube by `**` takes a hundred times as long as two products.
    return 1 / (1 + xp.exp(-bounded * (1.5976 + 0.07056 * bounded * bounded)))
