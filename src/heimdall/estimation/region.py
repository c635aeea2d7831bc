"""Regions that hold the transmitter with a stated probability, from a posterior on a grid."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from heimdall.fix import Region
from heimdall.geometry import LocalFrame, surface_up_m

Shares = tuple[tuple[float, float], ...]
"""Shares and standard deviations of a mixture of normals."""


@dataclass(frozen=True, eq=False)
class GridPosterior:
    """Probability on a square grid in a local frame: (cells, cells), north in the first axis, summing to 1."""

    frame: LocalFrame
    center_m: NDArray[np.float64]
    half_width_m: float
    height_m: float
    probability: NDArray[np.float64]

    @property
    def axis_m(self) -> NDArray[np.float64]:
        """Cell centres along one axis, from the window's middle."""
        cells = self.probability.shape[0]
        return self.half_width_m * ((2 * np.arange(cells) + 1) / cells - 1)

    def blurred(self, shares_m: Shares) -> GridPosterior:
        """Convolved with a mixture of normals: what a systematic error of that size leaves of the posterior."""
        if not shares_m:
            return self
        cell_m = 2 * self.half_width_m / self.probability.shape[0]
        total = sum(
            share * gaussian_filter(self.probability, sigma_m / cell_m, mode="constant") for share, sigma_m in shares_m
        )
        blurred = np.asarray(total)
        return GridPosterior(self.frame, self.center_m, self.half_width_m, self.height_m, blurred / blurred.sum())

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean (2,) in m in the local frame, and covariance (2, 2)."""
        east, north = np.meshgrid(self.axis_m, self.axis_m)
        offset = np.stack([east.ravel(), north.ravel()], axis=-1)
        weight = self.probability.ravel()[:, None]
        mean = np.sum(weight * offset, axis=0)
        centred = offset - mean
        return self.center_m + mean, (weight * centred).T @ centred

    def peak_m(self) -> NDArray[np.float64]:
        """The centre of the most probable cell, (2,) in m."""
        north, east = np.unravel_index(np.argmax(self.probability), self.probability.shape)
        return self.center_m + np.array([self.axis_m[east], self.axis_m[north]])

    def region(self, probability: float, mass: float | None = None) -> Region:
        """The smallest area with the given mass, as polygons. `mass` differs from `probability` where calibration says so."""
        threshold = _density_threshold(self.probability, probability if mass is None else mass)
        # A rim of zeros closes every contour inside the picture.
        cells = np.pad(self.probability, 1)
        step = 2 * self.half_width_m / self.probability.shape[0]
        axis = np.concatenate([[self.axis_m[0] - step], self.axis_m, [self.axis_m[-1] + step]])
        lines = contour_generator(axis, axis, cells, fill_type=FillType.OuterOffset).filled(threshold, np.inf)
        polygons = tuple(
            tuple(self._to_lonlat(points[start:stop]) for start, stop in itertools.pairwise(offsets))
            for points, offsets in zip(*lines, strict=True)
        )
        return Region(probability, polygons)

    def _to_lonlat(self, offset_m: NDArray[np.float64]) -> NDArray[np.float64]:
        latitude, longitude, _ = to_geodetic(self.frame, self.center_m + offset_m, self.height_m)
        return np.stack([longitude, latitude], axis=-1)


def to_geodetic(
    frame: LocalFrame, place_m: NDArray[np.float64], height_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Latitude, longitude, height of places (..., 2) that lie on the earth at `height_m`."""
    east, north = place_m[..., 0], place_m[..., 1]
    up = surface_up_m(east, north, frame.curvature_per_m, np.asarray(height_m))
    return frame.to_geodetic(np.stack([east, north, up], axis=-1))


def _density_threshold(probability: NDArray[np.float64], mass: float) -> float:
    """The density above which the cells hold the mass, interpolated within the last cell so that regions grow smoothly."""
    falling = np.sort(probability.ravel())[::-1]
    held = np.cumsum(falling)
    index = int(np.searchsorted(held, min(mass, held[-1] * (1 - 1e-12))))
    return float(
        max(np.interp(mass, held[max(0, index - 1) : index + 1], falling[max(0, index - 1) : index + 1]), 1e-300)
    )
