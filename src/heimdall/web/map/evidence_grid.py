"""The posterior as the map gets it: numbers, which static/map/evidence.js draws anew at every view."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heimdall.estimation.region import GridPosterior

_STEPS = 65535
_LEAST_DEPTH = 1e-3


@dataclass(frozen=True)
class Box:
    """A piece of the map, in degrees."""

    south: float
    west: float
    north: float
    east: float

    def to_bounds(self) -> list[list[float]]:
        """Bounds in Leaflet's order."""
        return [[self.south, self.west], [self.north, self.east]]


def evidence_grid(posterior: GridPosterior) -> dict[str, Any]:
    """The posterior as JSON: the frame, the cells' middles, and how far below the best each cell's log density is.

    That is its square root in units of `step`, unsigned, 16 bit, little-endian, south and west first: fine where places are
    likely, coarse where they are not.
    """
    log_density = posterior.log_density
    depth = np.sqrt(log_density.max() - log_density)
    step = max(float(depth.max()), _LEAST_DEPTH) / _STEPS
    return {
        "latitude_deg": posterior.frame.latitude_deg,
        "longitude_deg": posterior.frame.longitude_deg,
        "height_m": posterior.height_m,
        "east_m": posterior.east_m.round(2).tolist(),
        "north_m": posterior.north_m.round(2).tolist(),
        "step": step,
        "depth": base64.b64encode(np.rint(depth / step).astype("<u2").tobytes()).decode(),
    }


def box_of(points: NDArray[np.float64], margin: float = 1.0) -> Box:
    """Round (n, 2) longitudes and latitudes, `margin` times as wide."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-5) * margin
    west, south = (middle - half).tolist()
    east, north = (middle + half).tolist()
    return Box(max(south, -85.0), west, min(north, 85.0), east)
