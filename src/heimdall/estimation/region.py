"""Regions that hold the transmitter with a stated probability, from a posterior on a grid."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

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

    @property
    def density_per_m2(self) -> NDArray[np.float64]:
        return self.probability / (_sizes(self.north_m)[:, None] * _sizes(self.east_m))

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
        east, north = np.meshgrid(self.east_m, self.north_m)
        place = np.stack([east.ravel(), north.ravel()], axis=-1)
        weight = self.probability.ravel()[:, None]
        mean = np.sum(weight * place, axis=0)
        return mean, (weight * (place - mean)).T @ (place - mean)

    def spread_m2(self, mass: float, place_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """(2, 2) the second moments about a place of what lies in the region of that mass.

        The far tails of a posterior would make them many times what its regions say. Cutting them off leaves a normal
        distribution less than it has: its share is put back, so that for one these are its own (Tallis 1963, elliptical
        truncation: the share is P(chi2 with 4 degrees < r^2) / P(chi2 with 2 degrees < r^2)).
        """
        inside = np.where(self._log_density() >= self.log_threshold(mass), self.probability, 0.0)
        east, north = np.meshgrid(self.east_m - place_m[0], self.north_m - place_m[1])
        offset = np.stack([east.ravel(), north.ravel()], axis=-1)
        weight = inside.ravel()[:, None] / inside.sum()
        # A cell's own width counts where the region is no more than a few cells.
        cell = np.stack(np.meshgrid(_sizes(self.east_m) ** 2 / 12, _sizes(self.north_m) ** 2 / 12), axis=-1)
        within = np.sum(weight * cell.reshape(-1, 2), axis=0)
        return ((weight * offset).T @ offset + np.diag(within)) / _kept_of_normal(mass)

    def region(self, probability: float, mass: float | None = None) -> Region:
        """The smallest area with the given mass, as polygons. `mass` differs from `probability` where calibration says so."""
        threshold = self.log_threshold(probability if mass is None else mass)
        floor = threshold - _LOG_FLOOR
        # A rim below the threshold closes every contour inside the picture.
        height = np.pad(np.maximum(self._log_density(), floor), 1, constant_values=floor)
        lines = contour_generator(_rimmed(self.east_m), _rimmed(self.north_m), height, fill_type=FillType.OuterOffset)
        polygons = tuple(
            tuple(self._to_lonlat(points[start:stop]) for start, stop in itertools.pairwise(offsets))
            for points, offsets in zip(*lines.filled(threshold, np.inf), strict=True)
        )
        return Region(probability, polygons)

    def log_threshold(self, mass: float) -> float:
        """The log density above which the cells hold the mass, interpolated so that regions grow smoothly."""
        log_density = self._log_density().ravel()
        order = np.argsort(log_density)[::-1]
        held = self.probability.ravel()[order]
        middle = np.cumsum(held) - 0.5 * held
        return min(float(np.interp(mass, middle, log_density[order])), float(log_density[order[0]]) - 1e-3)

    def _log_density(self) -> NDArray[np.float64]:
        return np.log(np.maximum(self.density_per_m2, 1e-300))

    def _to_lonlat(self, place_m: NDArray[np.float64]) -> NDArray[np.float64]:
        latitude, longitude, _ = to_geodetic(self.frame, place_m, self.height_m)
        return np.stack([longitude, latitude], axis=-1)


def _kept_of_normal(mass: float) -> float:
    """The share of its variance that a normal distribution in the plane keeps within the ellipse of that mass."""
    return 1 + (1 - mass) * math.log(1 - mass) / mass if mass < 1 else 1.0


def _sizes(middle_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cell sizes from cell middles."""
    return np.gradient(middle_m)


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
