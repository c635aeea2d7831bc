"""The search: a blurred map, its best cells looked at again, and the best local maxima tracked through a zoom."""

from __future__ import annotations

from collections.abc import Callable

import array_api_compat

from heimdall.estimation.likelihood import arrival_log_likelihood, level_log_likelihood, link_distance_m
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.prior import log_prior
from heimdall.evidence.batch import EvidenceBatch
from heimdall.geometry import Array

_MAP_CELLS = 64
_PROMISING = 64
"""Cells of the map that are looked at again, in `_PARTS` x `_PARTS` parts."""
_PARTS = 3
_PEAKS = 5
_ZOOM_CELLS = 9
_ZOOM_LEVELS = 8
_ZOOM_FACTOR = 0.3
_BLUR_OF_CELL = 0.35
_LEAST_CELL_M = 0.05
_LOWEST = -1e30
_AHEAD = 1e5
"""More than log densities of promising places differ by, and little enough for single precision to keep their order."""

LogDensity = Callable[[Array, Array], Array]
"""Places (B, G, 2) and the blur of each scene (B,) in m, to the log posterior density (B, G)."""


def log_posterior(batch: EvidenceBatch, model: PropagationModel, *, prior: bool = True) -> LogDensity:
    """The log posterior density, up to a constant, as a function of places and blur."""

    def density(place_BG2: Array, blur_m_B: Array) -> Array:
        distance_BGN = link_distance_m(place_BG2, batch, model)
        total = arrival_log_likelihood(distance_BGN, batch, model, blur_m_B)
        total = total + level_log_likelihood(place_BG2, distance_BGN, batch, model)
        return total + log_prior(place_BG2, batch, model) if prior else total

    return density


def square_grid(center_B2: Array, half_width_m_B: Array, cells: int) -> Array:
    """(B, cells^2, 2) cell centres of a square, north in the slow axis, west and south first."""
    xp = array_api_compat.array_namespace(center_B2)
    device = array_api_compat.device(center_B2)
    unit = (2 * xp.arange(cells, dtype=center_B2.dtype, device=device) + 1) / cells - 1
    north, east = xp.meshgrid(unit, unit, indexing="ij")
    offset_G2 = xp.stack([xp.reshape(east, (-1,)), xp.reshape(north, (-1,))], axis=-1)
    return center_B2[:, None] + half_width_m_B[:, None, None] * offset_G2


def find_mode(batch: EvidenceBatch, density: LogDensity) -> tuple[Array, Array]:
    """The place (B, 2) of the highest posterior density in the area searched, and its log density (B,).

    A 64 x 64 map, blurred to its cell so that no ridge slips between two centres; its best cells looked at again in parts;
    the five best local maxima each followed through shrinking grids, without blur at the end. Following the mass instead
    loses 10 to 15 % in the median.
    """
    xp = array_api_compat.array_namespace(batch.arrival_s)
    start_BK2, size_B = _starts(xp, batch, density)
    place_BK2, value_BK = _climb(xp, start_BK2, size_B, density)
    best_B1 = xp.argmax(value_BK, axis=-1)[:, None]
    return _take_places(xp, place_BK2, best_B1)[:, 0], xp.take_along_axis(value_BK, best_B1, axis=-1)[:, 0]


def _starts(xp: Array, batch: EvidenceBatch, density: LogDensity) -> tuple[Array, Array]:
    """Where to climb from (B, K, 2), and the size (B,) of the part of a cell that each stands for.

    On the slope of a ridge a blurred peak is no maximum of the map: other cells than those are looked at again, too.
    """
    center_B2 = xp.zeros_like(batch.position_enu_m[:, 0, :2])
    place_BG2 = square_grid(center_B2, batch.half_width_m, _MAP_CELLS)
    cell_B = 2 * batch.half_width_m / _MAP_CELLS
    value_BG = density(place_BG2, _BLUR_OF_CELL * cell_B)
    promising_BC = _best(xp, value_BG, _is_local_maximum(xp, value_BG), _PROMISING)
    promising_BC2 = _take_places(xp, place_BG2, promising_BC)
    place_BC2, value_BC = _best_around(xp, promising_BC2, cell_B / 2, _PARTS, density)
    peaks_BK = _best(xp, value_BC, _stands_out(xp, place_BC2, value_BC, cell_B), _PEAKS)
    return _take_places(xp, place_BC2, peaks_BK), cell_B / _PARTS


def _best(xp: Array, value_BG: Array, preferred_BG: Array, count: int) -> Array:
    """(B, count) indices of the highest values, the preferred ones before all others."""
    return xp.argsort(xp.where(preferred_BG, value_BG + _AHEAD, value_BG), axis=-1, descending=True)[:, :count]


def _stands_out(xp: Array, place_BC2: Array, value_BC: Array, cell_B: Array) -> Array:
    """(B, C) bool: none of these places within a cell's size east and north is better."""
    apart_BCC = xp.max(xp.abs(place_BC2[:, :, None] - place_BC2[:, None]), axis=-1)
    better_BCC = value_BC[:, None] > value_BC[:, :, None]
    return ~xp.any((apart_BCC <= cell_B[:, None, None]) & better_BCC, axis=-1)


def _is_local_maximum(xp: Array, value_BG: Array) -> Array:
    """(B, G) bool: not below any of the eight neighbours."""
    value_BYX = xp.reshape(value_BG, (-1, _MAP_CELLS, _MAP_CELLS))
    edge_row = xp.full_like(value_BYX[:, :1], _LOWEST)
    tall = xp.concat([edge_row, value_BYX, edge_row], axis=1)
    edge_column = xp.full_like(tall[:, :, :1], _LOWEST)
    padded = xp.concat([edge_column, tall, edge_column], axis=2)
    highest = value_BYX
    for dy in range(3):
        for dx in range(3):
            highest = xp.maximum(highest, padded[:, dy : dy + _MAP_CELLS, dx : dx + _MAP_CELLS])
    return xp.reshape(value_BYX >= highest, value_BG.shape)


def _climb(xp: Array, place_BK2: Array, cell_B: Array, density: LogDensity) -> tuple[Array, Array]:
    """Follow K maxima at once through shrinking grids, each its own; the last ones are not blurred."""
    half_B = 1.5 * cell_B
    for _ in range(_ZOOM_LEVELS - 1):
        place_BK2, _ = _best_around(xp, place_BK2, half_B, _ZOOM_CELLS, density)
        half_B = xp.clip(half_B * _ZOOM_FACTOR, _ZOOM_CELLS * _LEAST_CELL_M, None)
    return _best_around(xp, place_BK2, half_B, _ZOOM_CELLS, density, blur_of_cell=0.0)


def _best_around(
    xp: Array, place_BK2: Array, half_B: Array, cells: int, density: LogDensity, blur_of_cell: float = _BLUR_OF_CELL
) -> tuple[Array, Array]:
    """The densest cell of a square of cells around each of K places (B, K, 2), and its log density (B, K)."""
    grid_BKG2 = place_BK2[:, :, None] + square_grid(xp.zeros_like(place_BK2[:, 0]), half_B, cells)[:, None]
    scenes, places = place_BK2.shape[:2]
    blur_B = blur_of_cell * 2 * half_B / cells
    value_BKG = xp.reshape(density(xp.reshape(grid_BKG2, (scenes, -1, 2)), blur_B), (scenes, places, -1))
    best_BK1 = xp.argmax(value_BKG, axis=-1)[..., None]
    index = xp.broadcast_to(best_BK1[..., None], (scenes, places, 1, 2))
    best_BK2 = xp.take_along_axis(grid_BKG2, index, axis=2)[:, :, 0]
    return best_BK2, xp.take_along_axis(value_BKG, best_BK1, axis=-1)[..., 0]


def _take_places(xp: Array, place_BG2: Array, index_BK: Array) -> Array:
    index = xp.broadcast_to(index_BK[..., None], (*index_BK.shape, 2))
    return xp.take_along_axis(place_BG2, index, axis=1)
