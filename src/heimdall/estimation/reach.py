"""How far a signal goes: as far as its band carries to receivers of these heights, never just to the edge of a map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.arrays import Array, array_namespace
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch

if TYPE_CHECKING:
    from jaxtyping import Float

_HORIZON_M_PER_ROOT_M = 4124.0
"""sqrt(2 * 4/3 * earth's radius): with the 4/3 earth of a standard atmosphere (ITU-R P.834) a station h metres up sees
this times sqrt(h) far."""
_MOUNTAIN_M = 1500.0
_LEAST_HALF_WIDTHS = 2.0
_FURTHEST_M = 5_000_000.0
"""Beyond, a place in the tangent plane of the local frame is no longer a place on the earth."""


def search_radius_m(batch: EvidenceBatch, model: PropagationModel) -> Float[Array, " B"]:
    """Radius around the frame's origin that a transmitter is searched in.

    The furthest receiver plus `range_m` of the model's band, or the radio horizon of a transmitter as high as it is known to
    be; never less than twice the half width.
    """
    xp = array_namespace(batch.position_enu_m)
    weight_BN = xp.astype(batch.present, batch.position_enu_m.dtype)
    horizontal_BN = xp.sqrt(xp.sum(batch.position_enu_m[..., :2] ** 2, axis=-1)) * weight_BN
    horizon_B = _HORIZON_M_PER_ROOT_M * xp.sqrt(xp.clip(batch.transmitter_height_m, 0.0, None))
    radius_B = xp.max(horizontal_BN, axis=-1) + xp.clip(horizon_B, model.range_m, None)
    return xp.clip(xp.maximum(radius_B, _LEAST_HALF_WIDTHS * batch.half_width_m), None, _FURTHEST_M)


def carried_m(height_m: float, model: PropagationModel) -> float:
    """How far a signal of the band goes from a transmitter of that height above sea level: infinitely far where waves follow
    the ground or the sky, else to the radio horizon of a receiver on a mountain."""
    if model.along_ground:
        return math.inf
    horizon_m = _HORIZON_M_PER_ROOT_M * (math.sqrt(max(height_m, 0.0)) + math.sqrt(_MOUNTAIN_M))
    return max(model.range_m, horizon_m)


def furthest_timed(place_m: NDArray[np.float64], batch: EvidenceBatch) -> tuple[int, float]:
    """Which receiver with an arrival time in the first scene stands furthest from a place (east, north), and how far in m."""
    away_m = np.linalg.norm(np.asarray(batch.position_enu_m[0])[:, :2] - place_m, axis=-1)
    away_m = np.where(np.asarray(batch.has_arrival[0]), away_m, -1.0)
    return int(np.argmax(away_m)), float(np.max(away_m))
