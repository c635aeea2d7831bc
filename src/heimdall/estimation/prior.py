"""Where transmitters are to be expected before anything was heard: said aloud, because a network would learn it silently."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from heimdall.arrays import Array, ArrayNamespace, array_namespace, device_of
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

_LEAST_WIDTH = 0.05
_FLAT_TO = 0.8
"""The density around the receivers has fallen to half at this many half widths, 1.6 times as far out as the furthest receiver."""

_FALL = 3.5
"""Of the density with the distance, far out: docs/explanation/search-area.md says what steeper and flatter ones do."""

_PEAK = _FALL * math.sin(2 * math.pi / _FALL) / (2 * math.pi**2)
"""Of a density over the plane that falls off as 1 / (1 + r^3.5)."""


def log_prior(place_BG2: Array, batch: EvidenceBatch, model: PropagationModel) -> Float[Array, "B G"]:
    """Log density per square metre of a transmitter at each place.

    With `inside_probability` a normal with the receivers' own mean and the covariance of a random convex combination of them
    (weights uniform on the simplex: covariance / (N + 1), N at most the model's). Otherwise proportional to 1 / (1 + (r/s)^3.5)
    at r from their mean: flat near them, and of those further than R, far out, a share that falls as R^-1.5. It never ends:
    what is heard may have come from further than anybody expects.
    """
    return prior_density(batch, model)(place_BG2)


def prior_density(batch: EvidenceBatch, model: PropagationModel) -> Callable[[Array], Array]:
    """`log_prior` of one batch, with what does not depend on the place computed once."""
    xp = array_namespace(batch.position_enu_m)
    mean_B2, covariance_B22 = _convex_combination(xp, batch, model.combined_receivers)
    east_B1, both_B1, north_B1 = (covariance_B22[:, i, j][:, None] for i, j in ((0, 0), (0, 1), (1, 1)))
    determinant_B1 = east_B1 * north_B1 - both_B1**2
    scale_B1 = scale_m(batch, model)[:, None]
    inside_B1 = math.log(model.inside_probability / (2 * math.pi)) - 0.5 * xp.log(determinant_B1)
    outside_B1 = math.log((1 - model.inside_probability) * _PEAK) - 2 * xp.log(scale_B1)

    def density(place_BG2: Array) -> Array:
        east_BG, north_BG = place_BG2[..., 0] - mean_B2[:, :1], place_BG2[..., 1] - mean_B2[:, 1:]
        east2_BG, north2_BG = east_BG * east_BG, north_BG * north_BG
        square_BG = (north_B1 * east2_BG - 2 * both_B1 * east_BG * north_BG + east_B1 * north2_BG) / determinant_B1
        distance_BG = xp.sqrt(east2_BG + north2_BG) / scale_B1
        # The sum of the two parts, neither of which is 0: the outer one falls by a power of the distance alone.
        inside_BG = xp.exp(inside_B1 - outside_B1 - 0.5 * square_BG)
        return outside_B1 + xp.log(inside_BG + falling_off(distance_BG))

    return density


def scale_m(batch: EvidenceBatch, model: PropagationModel) -> Float[Array, " B"]:
    """Where the density around the receivers has fallen to half."""
    xp = array_namespace(batch.half_width_m)
    return xp.clip(_FLAT_TO * batch.half_width_m, model.least_scale_m, None)


def falling_off(distance: Array) -> Array:
    """The density around the receivers against that among them, at a distance from their mean in units of the scale."""
    xp = array_namespace(distance)
    return 1 / (1 + distance * distance * distance * xp.sqrt(distance))


def _convex_combination(xp: ArrayNamespace, batch: EvidenceBatch, combined: int) -> tuple[Array, Array]:
    """Mean and covariance of a place drawn as a uniformly weighted mixture of at most `combined` receivers."""
    weight_BN1 = xp.astype(batch.present, batch.position_enu_m.dtype)[..., None]
    count_B = xp.sum(weight_BN1, axis=(1, 2))
    horizontal_BN2 = batch.position_enu_m[..., :2]
    mean_B2 = xp.sum(horizontal_BN2 * weight_BN1, axis=1) / count_B[:, None]
    offset_BN2 = (horizontal_BN2 - mean_B2[:, None]) * weight_BN1
    divisor_B = count_B * (xp.clip(count_B, None, combined) + 1)
    covariance_B22 = xp.matmul(xp.matrix_transpose(offset_BN2), offset_BN2) / divisor_B[:, None, None]
    # A network on a line says nothing across it: leave room for a twentieth of the area there.
    missing_B = xp.clip((_LEAST_WIDTH * batch.half_width_m) ** 2 - _least_eigenvalue(xp, covariance_B22), 0.0, None)
    identity = xp.eye(2, dtype=covariance_B22.dtype, device=device_of(covariance_B22))
    return mean_B2, covariance_B22 + missing_B[:, None, None] * identity


def _least_eigenvalue(xp: ArrayNamespace, matrix_B22: Array) -> Array:
    half_trace = 0.5 * (matrix_B22[:, 0, 0] + matrix_B22[:, 1, 1])
    half_difference = 0.5 * (matrix_B22[:, 0, 0] - matrix_B22[:, 1, 1])
    return half_trace - xp.sqrt(half_difference**2 + matrix_B22[:, 0, 1] ** 2)
