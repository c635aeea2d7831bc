"""How far below the receivers the ground at a transmitter may lie: what their own heights say of the terrain.

Sites are chosen high. Where each is the highest of ten places of terrain whose heights are normal, the ground elsewhere lies
below the sites' mean by 2.6 times their standard deviation: 1.54 against 0.59 of the terrain's own (the mean and the standard
deviation of the largest of ten normal values). Nobody knows how many places there were to choose from, nor does a handful of
sites tell its own spread well, so the law has a heavy tail: the ground lies deeper than D with probability s / (s + D), s the
median, until it reaches the sea.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heimdall.evidence.batch import EvidenceBatch
from heimdall.geometry import columns, surface_up_m

if TYPE_CHECKING:
    from jaxtyping import Float

Values = NDArray[np.float64]

LEAST_DEPTH_M = 100.0
"""Ground less far below the receivers' mean counts as their own: it differs by as much on any land."""
_DEPTH_PER_SPREAD = 2.6
_LOWEST_GROUND_M = 0.0
"""Above the ellipsoid. The sea lies between 107 m below it and 85 m above; what dry land is lower is found at few places."""


@dataclass(frozen=True, eq=False)
class LowerGround:
    """The law of B scenes' depth below their receivers' mean height."""

    median_m: Float[Values, " B"]
    deepest_m: Float[Values, " B"]
    """More than `LEAST_DEPTH_M`, also where there is no room for lower ground."""
    share: Float[Values, " B"]
    """Probability of lower ground if the transmitter is on the ground; 0 where there is no room."""

    def prior(self, edge_BE: Values) -> Float[Values, "B F"]:
        """Probability of the cells between depths from `LEAST_DEPTH_M` to the deepest; sums to 1."""
        deeper_BE = _deeper(edge_BE, self.median_m[:, None])
        return np.asarray((deeper_BE[:, :-1] - deeper_BE[:, 1:]) / (deeper_BE[:, :1] - deeper_BE[:, -1:]))


def lower_ground(batch: EvidenceBatch) -> LowerGround:
    """What the heights of each scene's receivers suggest; the transmitter's height in `batch` is their mean."""
    median_B = np.hypot(LEAST_DEPTH_M, _DEPTH_PER_SPREAD * receiver_spread_m(batch))
    room_B = np.asarray(batch.transmitter_height_m, dtype=float) - _LOWEST_GROUND_M
    deepest_B = np.where(room_B > LEAST_DEPTH_M, room_B, 2 * LEAST_DEPTH_M)
    least_deeper_B, deepest_deeper_B = _deeper(LEAST_DEPTH_M, median_B), _deeper(deepest_B, median_B)
    share_B = (least_deeper_B - deepest_deeper_B) / (1 - deepest_deeper_B)
    return LowerGround(median_B, deepest_B, np.where(room_B > LEAST_DEPTH_M, share_B, 0.0))


def receiver_spread_m(batch: EvidenceBatch) -> Float[Values, " B"]:
    """Standard deviation of the receivers' heights."""
    east, north, up = (batch.position_enu_m[..., axis] for axis in range(3))
    height_BN = up - surface_up_m(east, north, columns(batch.curvature_per_m), np.zeros_like(east))
    return np.asarray(np.std(height_BN, axis=1, where=batch.present))


def _deeper(depth_m: Values | float, median_m: Values) -> Values:
    """Probability of ground that lies deeper."""
    return np.asarray(median_m / (median_m + depth_m))
