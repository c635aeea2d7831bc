"""Coarse search of the whole earth, for stations beyond the tangent plane of the receivers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import EARTH_MEAN_RADIUS_M
from heimdall.estimation.likelihood.arrival_times import arrival_log_likelihood
from heimdall.estimation.model import PropagationModel, model_of
from heimdall.estimation.prior import falling_off, scale_m
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.region import GridPosterior
from heimdall.estimation.search import BLUR_OF_CELL
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected
from heimdall.evidence.earth import EarthCells, even_cells
from heimdall.evidence.redescribe import recentred
from heimdall.geometry import LocalFrame, great_circle_rad, ground_distance_m

_FEWEST_TIMES = 3
_COARSE_CELLS = 6000
"""Cells of equal area in the first pass, about 290 km wide."""
_REFINEMENTS = 2
"""Times that the most probable cells are subdivided."""
_MOST_REFINED = 400
"""At most this many cells are subdivided each time."""
_REFINE_WITHIN = 14.0
"""Cells whose log probability is within this of the best cell's are subdivided."""
_NEAR_THE_EDGE = 0.6
"""Part of the search's radius beyond which an answer may be cut off."""
_NEARLY_ALL = 0.9
_ELSEWHERE = 0.1
"""With more probability than this beyond a region, it cannot be one of 95 %."""
_MARGIN_M = 100e3
"""Cells closer to a region than this count as part of it: they are coarse."""


@dataclass(frozen=True)
class Elsewhere:
    """The probability that the transmitter is far beyond the regions, and the likeliest place there."""

    probability: float
    latitude_deg: float
    longitude_deg: float


def recentred_on_transmitter(collected: Collected) -> Collected:
    """The observation with what its arrival times say of the whole earth, where its band carries that far.

    A frame shows the near half of the earth, the search a part of that. Where nearly all of the probability is outside, or near
    the edge, the frame is recentred on its mean.
    """
    model = model_of(collected)
    if not model.on_other_continents or int(np.sum(collected.evidence.has_arrival)) < _FEWEST_TIMES:
        return collected
    earth = _probability(collected, model)
    if np.sum(earth.probability[_is_far(earth.latitude_deg, earth.longitude_deg, collected, model)]) > _NEARLY_ALL:
        collected = recentred(collected, earth.middle())
    return replace(collected, earth=earth)


def recentred_on_place(collected: Collected, latitude_deg: float, longitude_deg: float) -> Collected:
    """The observation in a frame that shows the place: its own, or one with its origin there."""
    model = model_of(collected)
    if not model.along_ground or not _is_far(np.array(latitude_deg), np.array(longitude_deg), collected, model):
        return collected
    return recentred(collected, LocalFrame(latitude_deg, longitude_deg))


def _is_far(
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    collected: Collected,
    model: PropagationModel,
) -> NDArray[np.bool_]:
    """Whether places are outside the search in the observation's frame, or near its edge."""
    frame, reach_m = collected.frame, float(search_radius_m(collected.evidence, model)[0])
    away = great_circle_rad(frame.latitude_deg, frame.longitude_deg, latitude_deg, longitude_deg)
    return np.asarray(away > math.asin(_NEAR_THE_EDGE * min(reach_m / EARTH_MEAN_RADIUS_M, 1.0)))


def elsewhere(collected: Collected, model: PropagationModel, posterior: GridPosterior, mass: float) -> Elsewhere | None:
    """What lies beyond the search, and in a recentred frame what is plainly outside the region of that mass, too; None where that
    is improbable."""
    earth, frame = collected.earth, collected.frame
    if earth is None:
        return None
    place_G3 = frame.to_enu(earth.latitude_deg, earth.longitude_deg, np.zeros_like(earth.latitude_deg))
    reached = earth.away_m(frame.latitude_deg, frame.longitude_deg) < EARTH_MEAN_RADIUS_M * math.pi / 2
    reached &= np.hypot(place_G3[:, 0], place_G3[:, 1]) < float(search_radius_m(collected.evidence, model)[0])
    if collected.recentred:
        reached &= posterior.is_near(place_G3[:, :2], _MARGIN_M + earth.size_m, mass)
    beyond = ~reached
    probability = float(earth.probability[beyond].sum())
    if probability <= _ELSEWHERE:
        return None
    best = int(np.argmax(np.where(beyond, earth.log_mass, -np.inf)))
    return Elsewhere(probability, float(earth.latitude_deg[best]), float(earth.longitude_deg[best]))


def _probability(collected: Collected, model: PropagationModel) -> EarthCells:
    earth = _evaluated(collected, model, *even_cells(_COARSE_CELLS))
    for _ in range(_REFINEMENTS):
        order = np.argsort(-earth.log_mass)[:_MOST_REFINED]
        best = order[earth.log_mass[order] > earth.log_mass[order[0]] - _REFINE_WITHIN]
        earth = earth.without(best).concatenated(_evaluated(collected, model, *earth.subdivided(best)))
    return earth


def _evaluated(
    collected: Collected,
    model: PropagationModel,
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    size_m: NDArray[np.float64],
) -> EarthCells:
    batch = collected.evidence
    place_G3 = collected.frame.to_enu(latitude_deg, longitude_deg, np.zeros_like(latitude_deg))
    value_G = arrival_log_likelihood(_distances_m(place_G3, batch), batch, model, BLUR_OF_CELL * size_m[None])[0]
    cells = EarthCells(latitude_deg, longitude_deg, size_m, value_G + 2 * np.log(size_m))
    middle = collected.receivers_frame
    scale = max(float(scale_m(batch, model)[0]), model.common_range_m)
    before_G = falling_off(cells.away_m(middle.latitude_deg, middle.longitude_deg) / scale)
    return replace(cells, log_mass=cells.log_mass + np.log(before_G))


def _distances_m(place_G3: NDArray[np.float64], batch: EvidenceBatch) -> NDArray[np.float64]:
    """(1, G, N) along the ground, of one scene, from places anywhere on the earth."""
    place = [place_G3[None, :, None, axis] for axis in range(3)]
    receiver = [np.asarray(batch.position_enu_m)[:, None, :, axis] for axis in range(3)]
    curvature = np.moveaxis(np.asarray(batch.curvature_per_m), -1, 0)[:, :, None, None]
    return np.asarray(ground_distance_m(place, receiver, list(curvature)))
