"""Directions in which the evidence leaves the distance open: there a region ends where the prior does, and the advice says so."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.model import PropagationModel
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.region import GridPosterior
from heimdall.estimation.search import log_likelihood
from heimdall.evidence.collect import Collected
from heimdall.formats.wording import length_text

_BEARINGS = 36
_RADII = 6
_WORSE = 1.92
"""Half the 95 % quantile of chi square with one degree of freedom: a distance whose log-likelihood is less than this below
the best is not refused."""
_LEAST_OUTSIDE = 0.1
"""Probability beyond the receivers in directions left open, below which nothing is said."""
_NEAR_SHARE = 0.05
_SURE = 0.95
_POINTS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


@dataclass(frozen=True)
class OpenDirection:
    """A bearing from the receivers' middle, and how far away the transmitter is at least if it is there: 95 % of what lies
    there is further."""

    bearing_deg: float
    least_m: float
    probability: float
    """That it is there."""

    @property
    def words(self) -> str:
        """Where the transmitter is, or may be."""
        point = f"to the {_POINTS[round(self.bearing_deg / 45) % len(_POINTS)]} ({self.bearing_deg % 360:.0f} degrees)"
        if self.probability >= _SURE:
            return f"is {point}, at least {length_text(self.least_m)} away, perhaps far beyond the regions"
        return f"may be far beyond the regions, {point}; if so, it is at least {length_text(self.least_m)} away"


def open_direction(collected: Collected, posterior: GridPosterior, model: PropagationModel) -> OpenDirection | None:
    """The direction in which what was heard is as likely from as far as a signal can come; None where it bounds them all.

    The likelihood at the end of the search, the prior left out, is held against the best along all bearings.
    """
    middle_m, extent_m = _receivers(collected)
    east, north = np.meshgrid(posterior.east_m - middle_m[0], posterior.north_m - middle_m[1])
    distance_m = np.hypot(east, north)
    outside = posterior.probability * (distance_m > extent_m)
    if outside.sum() < _LEAST_OUTSIDE or not np.any(open_B := _open_bearings(collected, middle_m, extent_m, model)):
        return None
    bearing = np.arctan2(east, north)
    sector = np.round(bearing / (2 * math.pi) * _BEARINGS).astype(int) % _BEARINGS
    weight = outside * open_B[sector]
    if weight.sum() < _LEAST_OUTSIDE:
        return None
    towards = math.atan2(float(np.sum(weight * np.sin(bearing))), float(np.sum(weight * np.cos(bearing))))
    order = np.argsort(distance_m, axis=None)
    held = np.cumsum(weight.ravel()[order])
    nearest = order[int(np.searchsorted(held, _NEAR_SHARE * held[-1]))]
    return OpenDirection(math.degrees(towards) % 360, float(distance_m.ravel()[nearest]), float(weight.sum()))


def _receivers(collected: Collected) -> tuple[NDArray[np.float64], float]:
    """Their middle (2,), and the distance of the furthest from it, in m."""
    place_N2 = collected.evidence.position_enu_m[0, :, :2]
    middle_m = place_N2.mean(axis=0)
    return middle_m, float(np.max(np.linalg.norm(place_N2 - middle_m, axis=-1)))


def _open_bearings(
    collected: Collected, middle_m: NDArray[np.float64], extent_m: float, model: PropagationModel
) -> NDArray[np.bool_]:
    """(bearings,) where the furthest place is not refused by the likelihood."""
    batch = collected.evidence
    furthest_m = 0.95 * float(search_radius_m(batch, model)[0]) - float(np.linalg.norm(middle_m))
    nearest_m = min(max(0.1 * extent_m, 1.0), furthest_m / 2)
    radius_R = np.geomspace(nearest_m, furthest_m, _RADII)
    angle_B = np.arange(_BEARINGS) * (2 * math.pi / _BEARINGS)
    unit_B2 = np.stack([np.sin(angle_B), np.cos(angle_B)], axis=-1)
    place_RB2 = middle_m + radius_R[:, None, None] * unit_B2
    blur_RB = np.broadcast_to((math.pi / _BEARINGS * radius_R)[:, None], place_RB2.shape[:2])
    value = log_likelihood(batch, model)(place_RB2.reshape(1, -1, 2), blur_RB.reshape(1, -1))
    value_RB = value.reshape(_RADII, _BEARINGS)
    return np.asarray(value_RB[-1] > value_RB.max() - _WORSE)
