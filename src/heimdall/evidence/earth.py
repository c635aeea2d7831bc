"""A probability spread over the whole earth, in cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.constants import EARTH_MEAN_RADIUS_M
from heimdall.geometry import LocalFrame, great_circle_rad

_PARTS = 3
"""Parts along each side of a cell that is subdivided."""


@dataclass(frozen=True, eq=False)
class EarthCells:
    """Cells on the whole earth, (G,) each: where, how wide, and the log of their probability up to a constant."""

    latitude_deg: NDArray[np.float64]
    longitude_deg: NDArray[np.float64]
    size_m: NDArray[np.float64]
    log_mass: NDArray[np.float64]

    @property
    def probability(self) -> NDArray[np.float64]:
        mass = np.exp(self.log_mass - self.log_mass.max())
        return np.asarray(mass / mass.sum())

    def away_m(self, latitude_deg: float, longitude_deg: float) -> NDArray[np.float64]:
        """How far the cells are from a place, along the ground."""
        away = great_circle_rad(latitude_deg, longitude_deg, self.latitude_deg, self.longitude_deg)
        return EARTH_MEAN_RADIUS_M * away

    def middle(self) -> LocalFrame:
        """The frame at the mean of all places by their probability."""
        north, east = np.radians(self.latitude_deg), np.radians(self.longitude_deg)
        unit = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
        x, y, z = unit @ self.probability
        return LocalFrame(math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x)))

    def without(self, index: NDArray[np.intp]) -> EarthCells:
        return EarthCells(*(np.delete(each, index) for each in self._columns))

    def concatenated(self, other: EarthCells) -> EarthCells:
        return EarthCells(*(np.concatenate(both) for both in zip(self._columns, other._columns, strict=True)))

    def subdivided(
        self, index: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Latitude and longitude in degrees and width in m of the parts of some cells."""
        size_m = np.repeat(self.size_m[index] / _PARTS, _PARTS**2)
        step = np.arange(_PARTS) - (_PARTS - 1) / 2
        north, east = (np.tile(each.ravel(), len(index)) * size_m for each in np.meshgrid(step, step, indexing="ij"))
        latitude, longitude = (np.repeat(each[index], _PARTS**2) for each in (self.latitude_deg, self.longitude_deg))
        parallel_m = EARTH_MEAN_RADIUS_M * np.cos(np.radians(latitude))
        latitude = np.clip(latitude + np.degrees(north / EARTH_MEAN_RADIUS_M), -90.0, 90.0)
        return latitude, longitude + np.degrees(east / np.maximum(parallel_m, size_m)), size_m

    @property
    def _columns(self) -> tuple[NDArray[np.float64], ...]:
        return self.latitude_deg, self.longitude_deg, self.size_m, self.log_mass


def even_cells(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude in degrees and width in m of cells of equal area, on a golden-angle spiral from pole to pole."""
    turn = np.arange(count) + 0.5
    latitude = np.degrees(np.arcsin(1 - 2 * turn / count))
    longitude = np.asarray((turn * 180 * (3 - math.sqrt(5))) % 360 - 180, dtype=np.float64)
    return latitude, longitude, np.full_like(latitude, EARTH_MEAN_RADIUS_M * math.sqrt(4 * math.pi / count))
