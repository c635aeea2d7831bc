"""Regions that hold the transmitter with a stated probability, from a posterior on a grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from heimdall.fix import Region
from heimdall.geometry import LocalFrame, surface_up_m

Shares = tuple[tuple[float, float], ...]
"""Shares and standard deviations of a mixture of normals."""
_LOG_FLOOR = 8.0
"""Contours are drawn in the logarithm, cut off this far below the threshold."""
_SPREAD_OF_CELL = 0.3
"""Standard deviation, in cells, of what is known only to lie in a cell."""


@dataclass(frozen=True, eq=False)
class GridPosterior:
    """Probability in the cells of a rectangular grid in a local frame; the cells may differ in size.

    `probability` has shape (rows, columns), south and west first, and sums to 1.
    """

    frame: LocalFrame
    height_m: float
    east_m: NDArray[np.float64]
    """(columns,) cell middles."""
    north_m: NDArray[np.float64]
    """(rows,) cell middles."""
    probability: NDArray[np.float64]

    @cached_property
    def density_per_m2(self) -> NDArray[np.float64]:
        return self.probability / (_sizes(self.north_m)[:, None] * _sizes(self.east_m))

    @cached_property
    def log_density(self) -> NDArray[np.float64]:
        """Per square metre; finite where there is nothing, too."""
        return np.log(np.maximum(self.density_per_m2, 1e-300))

    @property
    def reach_m(self) -> float:
        """How far from the frame's origin the grid goes."""
        return float(max(np.max(np.abs(self.east_m)), np.max(np.abs(self.north_m))))

    def blurred(self, shares_m: Shares) -> GridPosterior:
        """Convolved with a mixture of normals: what a systematic error of that size leaves of the posterior."""
        if not shares_m:
            return self
        terms = [
            share * _transfer(self.north_m, sigma_m) @ self.probability @ _transfer(self.east_m, sigma_m).T
            for share, sigma_m in shares_m
        ]
        total = np.sum(terms, axis=0)
        return replace(self, probability=total / total.sum())

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean (2,) in m in the local frame, and covariance (2, 2)."""
        of_east, of_north = self.probability.sum(axis=0), self.probability.sum(axis=1)
        mean = np.array([of_east @ self.east_m, of_north @ self.north_m])
        east_m, north_m = self.east_m - mean[0], self.north_m - mean[1]
        both_m2 = north_m @ self.probability @ east_m
        return mean, np.array([[of_east @ east_m**2, both_m2], [both_m2, of_north @ north_m**2]])

    def spread_m2(self, mass: float, place_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """(2, 2) the second moments about a place of what lies in the region of that mass.

        The far tails of a posterior would make them many times what its regions say. Cutting them off leaves a normal
        distribution less than it has: its share is put back, so that for one these are its own (Tallis 1963, elliptical
        truncation: the share is P(chi2 with 4 degrees < r^2) / P(chi2 with 2 degrees < r^2)).
        """
        inside = np.where(self.log_density >= self.log_threshold(mass), self.probability, 0.0)
        inside /= inside.sum() * _kept_of_normal(mass)
        east_m, north_m = self.east_m - place_m[0], self.north_m - place_m[1]
        # A cell's own width counts where the region is no more than a few cells.
        east_m2 = inside.sum(axis=0) @ (east_m**2 + _sizes(self.east_m) ** 2 / 12)
        north_m2 = inside.sum(axis=1) @ (north_m**2 + _sizes(self.north_m) ** 2 / 12)
        both_m2 = north_m @ inside @ east_m
        return np.array([[east_m2, both_m2], [both_m2, north_m2]])

    def region(self, probability: float, mass: float | None = None) -> Region:
        """The smallest area with the given mass, as polygons. `mass` differs from `probability` where calibration says so."""
        return self.regions({probability: probability if mass is None else mass})[0]

    def regions(self, mass_of: Mapping[float, float]) -> tuple[Region, ...]:
        """A region for each probability with the mass that calibration gives it."""
        outlines = {probability: self._outlines(mass) for probability, mass in mass_of.items()}
        points = [ring for polygons in outlines.values() for rings in polygons for ring in rings]
        # All at once: a conversion of few points takes as long as one of many.
        lonlat = self._to_lonlat(np.concatenate([np.zeros((0, 2)), *points]))
        rings = iter(np.split(lonlat, np.cumsum([len(ring) for ring in points])[:-1]))
        return tuple(
            Region(probability, tuple(tuple(next(rings) for _ in polygon) for polygon in polygons))
            for probability, polygons in outlines.items()
        )

    def is_near(self, place_G2: NDArray[np.float64], margin_m: NDArray[np.float64], mass: float) -> NDArray[np.bool_]:
        """Whether cells of the region with that mass are within so much (G,) east and north of places (G, 2) in the frame."""
        inside = self.log_density >= self.log_threshold(mass)
        count = np.pad(np.cumsum(np.cumsum(inside, axis=0), axis=1), ((1, 0), (1, 0)))
        (west, east), (south, north) = (
            (np.searchsorted(middle_m + half_m, at_m - margin_m), np.searchsorted(middle_m - half_m, at_m + margin_m))
            for middle_m, at_m in zip((self.east_m, self.north_m), place_G2.T, strict=True)
            for half_m in (_sizes(middle_m) / 2,)
        )
        return np.asarray(count[north, east] - count[south, east] - count[north, west] + count[south, west] > 0)

    def _outlines(self, mass: float) -> list[list[NDArray[np.float64]]]:
        """Polygons of rings of places (points, 2) in m around the smallest area with the mass."""
        threshold = self.log_threshold(mass)
        floor = threshold - _LOG_FLOOR
        inside = self.log_density >= threshold
        rows, columns = _span(inside.any(axis=1)), _span(inside.any(axis=0))
        # A rim below the threshold closes every contour inside the picture.
        height = np.pad(np.maximum(self.log_density, floor), 1, constant_values=floor)[rows, columns]
        east_m, north_m = _rimmed(self.east_m)[columns], _rimmed(self.north_m)[rows]
        lines = contour_generator(east_m, north_m, height, fill_type=FillType.OuterOffset)
        return [
            [points[start:stop] for start, stop in itertools.pairwise(offsets)]
            for points, offsets in zip(*lines.filled(threshold, np.inf), strict=True)
        ]

    def log_threshold(self, mass: float) -> float:
        """The log density above which the cells hold the mass, interpolated so that regions grow smoothly."""
        held, log_density = self._ranked
        return min(float(np.interp(mass, held, log_density)), float(log_density[0]) - 1e-3)

    @cached_property
    def _ranked(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The mass held down to the middle of each cell, and the cells' log densities, the densest first."""
        log_density = self.log_density.ravel()
        order = np.argsort(log_density)[::-1]
        held = self.probability.ravel()[order]
        return np.cumsum(held) - 0.5 * held, log_density[order]

    def _to_lonlat(self, place_m: NDArray[np.float64]) -> NDArray[np.float64]:
        latitude, longitude, _ = to_geodetic(self.frame, place_m, self.height_m)
        return np.stack([longitude, latitude], axis=-1)


def _kept_of_normal(mass: float) -> float:
    """The share of its variance that a normal distribution in the plane keeps within the ellipse of that mass."""
    return 1 + (1 - mass) * math.log(1 - mass) / mass if mass < 1 else 1.0


def _sizes(middle_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cell sizes from cell middles, as `np.gradient` has them in several times the time."""
    between = np.diff(middle_m)
    return np.concatenate([between[:1], 0.5 * (between[1:] + between[:-1]), between[-1:]])


def _span(inside: Any) -> slice:
    """The cells of an axis from one before the first that is inside to one after the last, counted with one more at each end."""
    found = np.flatnonzero(inside)
    return slice(int(found[0]), int(found[-1]) + 3)


def _rimmed(middle_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """One more cell at both ends."""
    return np.concatenate([[2 * middle_m[0] - middle_m[1]], middle_m, [2 * middle_m[-1] - middle_m[-2]]])


def _transfer(middle_m: NDArray[np.float64], sigma_m: float) -> NDArray[np.float64]:
    """(to, from) share of a cell's mass that a normal of `sigma_m` carries to each cell along one axis."""
    size = _sizes(middle_m)
    spread = np.hypot(sigma_m, _SPREAD_OF_CELL * size)
    scaled = (middle_m[:, None] - middle_m) / spread
    weight = np.exp(-0.5 * scaled**2) * size[:, None]
    return weight / weight.sum(axis=0)


def to_geodetic(
    frame: LocalFrame, place_m: NDArray[np.float64], height_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Latitude, longitude, height of places (..., 2) that lie on the earth at `height_m`."""
    east, north = place_m[..., 0], place_m[..., 1]
    up = surface_up_m(east, north, frame.curvature_per_m, np.asarray(height_m))
    return frame.to_geodetic(np.stack([east, north, up], axis=-1))
