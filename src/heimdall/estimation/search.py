"""The search: a blurred map, its best cells looked at again, and the best local maxima tracked through a zoom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from heimdall.arrays import Array, ArrayNamespace, array_namespace, device_of, picked
from heimdall.estimation.likelihood.arrival_times import arrival_log_likelihood, link_distance_m
from heimdall.estimation.likelihood.power import LevelDensity, level_density
from heimdall.estimation.likelihood.single_precision import ArrivalDensity, arrival_density
from heimdall.estimation.model import PropagationModel
from heimdall.estimation.prior import prior_density
from heimdall.estimation.reach import search_radius_m
from heimdall.evidence.batch import EvidenceBatch
from heimdall.geometry import columns, on_near_side

if TYPE_CHECKING:
    from jaxtyping import Bool

_MAP_CELLS = 64
_RINGS, _BEARINGS = 4, 240
"""Of the map beyond the square, in the drawn-in plane."""
_DRAWN_IN = 0.25
"""Width of the ring, in half widths, that all places beyond the half width are drawn in to."""
_PROMISING = 64
"""Cells of the map that are looked at again, in `_PARTS` x `_PARTS` parts."""
_PARTS = 3
_PEAKS = 5
_ZOOM_CELLS = 9
_ZOOM_STEPS = 8
_ZOOM_FACTOR = 0.3
_TELLING_STEPS = 3
_BEHIND = 20.0
"""After so many steps a maximum so far below the best in the log density is given up."""
BLUR_OF_CELL = 0.35
"""How far the likelihood is blurred to stand for a cell, in widths of the cell."""
_LEAST_CELL_M = 0.05
_LOWEST = -1e30
_AHEAD = 1e5
"""More than log densities of promising places differ by, and little enough for single precision to keep their order."""

LogDensity = Callable[[Array, Array], Array]
"""Places (B, G, 2) and the blur in m, of each scene (B,) or of each place (B, G), to the log posterior density (B, G)."""


class LogDensityAbove(Protocol):
    """A `LogDensity`, also of places (B, G) above the height at which the transmitter is looked for."""

    def __call__(self, place_BG2: Array, blur_m: Array, above_m: Array | float = 0.0) -> Array: ...


def log_posterior(batch: EvidenceBatch, model: PropagationModel, *, single: bool = True) -> LogDensityAbove:
    """The log posterior density, up to a constant, as a function of places and blur.

    For numpy in single precision where it is enough (`single_precision`), which is within 1e-3 of the reference near the
    peak; `single=False` is the reference, which torch always takes.
    """
    return _log_density(batch, model, prior_density(batch, model), single=single)


@dataclass(frozen=True, eq=False)
class ModelledScenes:
    """Scenes that share a propagation model, with the log posterior density that follows."""

    batch: EvidenceBatch
    model: PropagationModel
    density: LogDensityAbove

    @classmethod
    def of(cls, batch: EvidenceBatch, model: PropagationModel) -> ModelledScenes:
        return cls(batch, model, log_posterior(batch, model))

    def select(self, index: Sequence[int]) -> ModelledScenes:
        """Some of the scenes, in the order of the index."""
        if list(index) == list(range(len(self.batch))):
            return self
        return ModelledScenes.of(self.batch.select(np.array(index)), self.model)

    def mode(self) -> tuple[Array, Array]:
        """The place (B, 2) of the highest density within reach of the signal, and its log density (B,)."""
        return find_mode(self.batch, self.density, search_radius_m(self.batch, self.model))


def log_likelihood(batch: EvidenceBatch, model: PropagationModel) -> LogDensityAbove:
    """The log-likelihood of the measurements: `log_posterior` without the prior."""
    return _log_density(batch, model, None)


def _log_density(
    batch: EvidenceBatch, model: PropagationModel, prior: Callable[[Array], Array] | None, *, single: bool = True
) -> LogDensityAbove:
    xp = array_namespace(batch.arrival_s)
    arrivals, levels = arrivals_of(batch, model, single=single), levels_of(batch, model, single=single)
    curvature = columns(batch.curvature_per_m)

    def density(place_BG2: Array, blur_m: Array, above_m: Array | float = 0.0) -> Array:
        on_earth_BG = on_near_side(place_BG2[..., 0], place_BG2[..., 1], curvature)
        # Off the earth distances mean nothing.
        place_BG2 = xp.where(on_earth_BG[..., None], place_BG2, xp.zeros_like(place_BG2))
        distance_BGN = link_distance_m(place_BG2, batch, model, above_m)
        total = arrivals(distance_BGN, blur_m) + levels(place_BG2, distance_BGN)
        total = total if prior is None else total + prior(place_BG2)
        return xp.where(on_earth_BG, total, _LOWEST * xp.ones_like(total))

    return density


def arrivals_of(batch: EvidenceBatch, model: PropagationModel, *, single: bool = True) -> ArrivalDensity:
    """The log-likelihood of the arrival times, for numpy in single precision where it is enough."""
    fast = arrival_density(batch, model) if single and array_namespace(batch.arrival_s) is np else None
    return fast or partial(_arrivals, batch, model)


def levels_of(batch: EvidenceBatch, model: PropagationModel, *, single: bool = True) -> LevelDensity:
    """The log-likelihood of the powers, for numpy in single precision."""
    fast = single and array_namespace(batch.arrival_s) is np
    return level_density(batch, model, np.float32 if fast else None)


def _arrivals(batch: EvidenceBatch, model: PropagationModel, distance_BGN: Array, blur_m: Array) -> Array:
    return arrival_log_likelihood(distance_BGN, batch, model, blur_m)


def square_grid(center_B2: Array, half_width_m_B: Array, cells: int) -> Array:
    """(B, cells^2, 2) cell centres of a square, north in the slow axis, west and south first."""
    xp = array_namespace(center_B2)
    device = device_of(center_B2)
    unit = (2 * xp.arange(cells, dtype=center_B2.dtype, device=device) + 1) / cells - 1
    north, east = xp.meshgrid(unit, unit, indexing="ij")
    offset_G2 = xp.stack([xp.reshape(east, (-1,)), xp.reshape(north, (-1,))], axis=-1)
    return center_B2[:, None] + half_width_m_B[:, None, None] * offset_G2


def find_mode(batch: EvidenceBatch, density: LogDensity, radius_m_B: Array | None = None) -> tuple[Array, Array]:
    """The place (B, 2) of the highest posterior density within `radius_m_B`, and its log density (B,).

    A 64 x 64 map of the square of `half_width_m`, blurred to its cell so that no ridge slips between two centres, and rings
    from there to the radius; the best cells looked at again in parts; the five best local maxima each followed through
    shrinking grids, without blur at the end. Following the mass instead loses 10 to 15 % in the median. Without a radius
    the square is searched alone.
    """
    xp = array_namespace(batch.arrival_s)
    plane = _DrawnIn(xp, batch.half_width_m, batch.half_width_m * math.sqrt(2) if radius_m_B is None else radius_m_B)
    cells = _square_map(xp, batch, plane, density)

    def drawn(place_BG2: Array, blur_m: Array) -> Array:
        return density(plane.outwards(place_BG2), blur_m)

    if radius_m_B is not None:
        cells = cells.beside(_ring_map(xp, plane, drawn))
    start_BK2, size_BK = _starts(xp, cells, drawn)
    place_BK2, value_BK = _climb(xp, start_BK2, size_BK, drawn)
    best_B1 = xp.argmax(value_BK, axis=-1)[:, None]
    best_B2 = picked(plane.outwards(place_BK2), best_B1)[:, 0]
    return best_B2, picked(value_BK, best_B1)[:, 0]


class _DrawnIn:
    """The plane with all that lies beyond the half width h drawn in to a ring: r becomes h (1 + k (1 - h / r)).

    From afar a network of size b tells a bearing apart by b times its change, and a distance by the bend of the wave front, b^2
    / (2 r), alone. Cells of one size in the drawn-in plane differ by about as much for the receivers, near and far.
    """

    def __init__(self, xp: ArrayNamespace, half_width_m_B: Array, radius_m_B: Array) -> None:
        self.xp, self.half_m_B = xp, half_width_m_B
        self.limit_m_B = self._inwards(radius_m_B, half_width_m_B)

    def _inwards(self, radius_m: Array, half_m: Array) -> Array:
        xp = self.xp
        drawn_m = half_m * (1 + _DRAWN_IN * (1 - half_m / xp.maximum(radius_m, half_m)))
        return xp.where(radius_m > half_m, drawn_m, radius_m)

    def inwards(self, place_BG2: Array) -> Array:
        radius_BG = self._radius(place_BG2)
        return place_BG2 * (self._inwards(radius_BG, self.half_m_B[:, None]) / radius_BG)[..., None]

    def outwards(self, drawn_BG2: Array) -> Array:
        """The inverse; what lies beyond the limit is put on it."""
        xp, half_B1 = self.xp, self.half_m_B[:, None]
        drawn_BG = self._radius(drawn_BG2)
        held_BG = xp.minimum(drawn_BG, self.limit_m_B[:, None])
        beyond_BG = xp.clip(held_BG / half_B1 - 1, 0.0, None)
        radius_BG = xp.where(beyond_BG > 0, half_B1 / (1 - beyond_BG / _DRAWN_IN), held_BG)
        return drawn_BG2 * (radius_BG / drawn_BG)[..., None]

    def _radius(self, place_BG2: Array) -> Array:
        return self.xp.sqrt(self.xp.sum(place_BG2**2, axis=-1) + 1e-12)


@dataclass(frozen=True, eq=False)
class _Map:
    """Cells of a map in the drawn-in plane: where, how large, how dense, and whether none of its neighbours is denser."""

    place_BG2: Array
    size_BG: Array
    value_BG: Array
    peak_BG: Array

    def beside(self, other: _Map) -> _Map:
        xp = array_namespace(self.value_BG)
        return _Map(*(xp.concat([getattr(self, f.name), getattr(other, f.name)], axis=1) for f in fields(_Map)))

    def take(self, index_BK: Array) -> _Map:
        return _Map(*(picked(getattr(self, field.name), index_BK) for field in fields(_Map)))


def _starts(xp: ArrayNamespace, cells: _Map, density: LogDensity) -> tuple[Array, Array]:
    """Where to climb from (B, K, 2), and the size (B, K) of the part of a cell that each stands for.

    On the slope of a ridge a blurred peak is no maximum of the map: other cells than those are looked at again, too.
    """
    promising = cells.take(_best(xp, cells.value_BG, cells.peak_BG, _PROMISING))
    place_BC2, value_BC = _best_around(xp, promising.place_BG2, promising.size_BG / 2, _PARTS, density)
    peaks_BK = _best(xp, value_BC, _stands_out(xp, place_BC2, value_BC, promising.size_BG), _PEAKS)
    return picked(place_BC2, peaks_BK), picked(promising.size_BG, peaks_BK) / _PARTS


def _square_map(xp: ArrayNamespace, batch: EvidenceBatch, plane: _DrawnIn, density: LogDensity) -> _Map:
    """Cells of one size around the receivers."""
    place_BG2 = square_grid(xp.zeros_like(batch.position_enu_m[:, 0, :2]), batch.half_width_m, _MAP_CELLS)
    size_B = 2 * batch.half_width_m / _MAP_CELLS
    value_BG = density(place_BG2, BLUR_OF_CELL * size_B)
    value_BYX = xp.reshape(value_BG, (-1, _MAP_CELLS, _MAP_CELLS))
    peak_BYX = value_BYX >= _highest_near(xp, _with_rim(xp, _with_rim(xp, value_BYX, 1), 2))
    size_BG = xp.zeros_like(value_BG) + size_B[:, None]
    return _Map(plane.inwards(place_BG2), size_BG, value_BG, xp.reshape(peak_BYX, value_BG.shape))


def _ring_map(xp: ArrayNamespace, plane: _DrawnIn, density: LogDensity) -> _Map:
    """Cells beyond the circle in the square, to the limit; blurred to their width: ridges run outwards."""
    half_B1 = plane.half_m_B[:, None]
    where = {"dtype": half_B1.dtype, "device": device_of(half_B1)}
    length_B1 = (plane.limit_m_B[:, None] - half_B1) / _RINGS
    radius_BR = half_B1 + length_B1 * (xp.arange(_RINGS, **where) + 0.5)
    angle_A = xp.arange(_BEARINGS, **where) * (2 * math.pi / _BEARINGS)
    unit_A2 = xp.stack([xp.cos(angle_A), xp.sin(angle_A)], axis=-1)
    place_BG2 = xp.reshape(radius_BR[:, :, None, None] * unit_A2, (radius_BR.shape[0], -1, 2))
    width_BG = xp.sqrt(xp.sum(place_BG2**2, axis=-1)) * (2 * math.pi / _BEARINGS)
    size_BG = xp.maximum(width_BG, 0 * width_BG + length_B1)
    value_BG = density(place_BG2, BLUR_OF_CELL * width_BG)
    value_BRA = xp.reshape(value_BG, (-1, _RINGS, _BEARINGS))
    around_BRA = xp.concat([value_BRA[..., -1:], value_BRA, value_BRA[..., :1]], axis=-1)
    peak_BRA = value_BRA >= _highest_near(xp, _with_rim(xp, around_BRA, 1))
    return _Map(place_BG2, size_BG, value_BG, xp.reshape(peak_BRA, value_BG.shape))


def _best(xp: ArrayNamespace, value_BG: Array, preferred_BG: Array, count: int) -> Array:
    """(B, count) indices of the highest values, the preferred ones before all others."""
    return xp.argsort(-xp.where(preferred_BG, value_BG + _AHEAD, value_BG), axis=-1, stable=True)[:, :count]


def _stands_out(xp: ArrayNamespace, place_BC2: Array, value_BC: Array, size_BC: Array) -> Bool[Array, "B C"]:
    """Whether none of these places within a cell's size east and north is better."""
    apart_BCC = xp.max(xp.abs(place_BC2[:, :, None] - place_BC2[:, None]), axis=-1)
    better_BCC = value_BC[:, None] > value_BC[:, :, None]
    return ~xp.any((apart_BCC <= size_BC[..., None]) & better_BCC, axis=-1)


def _with_rim(xp: ArrayNamespace, value_BYX: Array, axis: int) -> Array:
    """With one more row or column at both ends, lower than all others."""
    edge = xp.full_like(value_BYX[:, :1] if axis == 1 else value_BYX[:, :, :1], _LOWEST)
    return xp.concat([edge, value_BYX, edge], axis=axis)


def _highest_near(xp: ArrayNamespace, padded: Array) -> Array:
    """The highest of each cell and its eight neighbours, of a map with one more row and column at each end."""
    rows, columns = padded.shape[1] - 2, padded.shape[2] - 2
    tall = xp.maximum(xp.maximum(padded[:, :rows], padded[:, 1:-1]), padded[:, 2:])
    return xp.maximum(xp.maximum(tall[..., :columns], tall[..., 1:-1]), tall[..., 2:])


def _climb(xp: ArrayNamespace, place_BK2: Array, size_BK: Array, density: LogDensity) -> tuple[Array, Array]:
    """Follow K maxima at once through shrinking grids, each its own; the last ones are not blurred."""
    half_BK = 1.5 * size_BK
    for step in range(_ZOOM_STEPS - 1):
        place_BK2, value_BK = _best_around(xp, place_BK2, half_BK, _ZOOM_CELLS, density)
        half_BK = xp.clip(half_BK * _ZOOM_FACTOR, _ZOOM_CELLS * _LEAST_CELL_M, None)
        if step + 1 == _TELLING_STEPS:
            place_BK2, half_BK = _leaders(xp, place_BK2, half_BK, value_BK)
    return _best_around(xp, place_BK2, half_BK, _ZOOM_CELLS, density, blur_of_cell=0.0)


def _leaders(xp: ArrayNamespace, place_BK2: Array, half_BK: Array, value_BK: Array) -> tuple[Array, Array]:
    """Those that may still be the best: not far below it, and not on another's way; as many as any scene has."""
    best_B1 = xp.max(value_BK, axis=-1)[:, None]
    leads_BK = (value_BK > best_B1 - _BEHIND) & _stands_out(xp, place_BK2, value_BK, half_BK)
    most = int(xp.max(xp.sum(xp.astype(leads_BK, xp.int64), axis=-1)))
    index_BK = _best(xp, value_BK, leads_BK, most)
    return picked(place_BK2, index_BK), picked(half_BK, index_BK)


def _best_around(
    xp: ArrayNamespace,
    place_BK2: Array,
    half_BK: Array,
    cells: int,
    density: LogDensity,
    blur_of_cell: float = BLUR_OF_CELL,
) -> tuple[Array, Array]:
    """The densest cell of a square of cells around each of K places (B, K, 2), and its log density (B, K)."""
    scenes, places = place_BK2.shape[:2]
    flat_m = xp.reshape(half_BK, (-1,))
    grid_BKG2 = xp.reshape(square_grid(xp.reshape(place_BK2, (-1, 2)), flat_m, cells), (scenes, places, -1, 2))
    blur_BKG = xp.zeros_like(grid_BKG2[..., 0]) + (blur_of_cell * 2 / cells) * half_BK[..., None]
    place_BG2 = xp.reshape(grid_BKG2, (scenes, -1, 2))
    value_BG = density(place_BG2, xp.reshape(blur_BKG, (scenes, -1)))
    best_BK = xp.argmax(xp.reshape(value_BG, (scenes, places, -1)), axis=-1)
    index_BK = best_BK + cells**2 * xp.arange(places, device=device_of(best_BK))
    return picked(place_BG2, index_BK), picked(value_BG, index_BK)
