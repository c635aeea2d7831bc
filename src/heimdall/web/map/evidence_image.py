"""The posterior as a picture that lies on a map: transparent where nothing speaks for a place."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from heimdall.estimation.region import GridPosterior
from heimdall.fix import Region

_PIXELS = 360
_DEPTH = 8.0
"""What is less likely than the peak by this much in the logarithm is not drawn."""
_OPACITY = 0.62
_COLOR = (0x2F, 0x6F, 0xB3)
_CLOSE_UP = 2.5
"""Half width of the close-up, in half widths of the 95 % region."""
_WORTH = 0.4
"""A close-up is drawn where it is less than this part of the whole."""


@dataclass(frozen=True)
class Box:
    """A piece of the map, in degrees."""

    south: float
    west: float
    north: float
    east: float

    def to_bounds(self) -> list[list[float]]:
        """As Leaflet has it."""
        return [[self.south, self.west], [self.north, self.east]]


@dataclass(frozen=True)
class Overlay:
    """A PNG as a data address, and where it lies."""

    address: str
    box: Box


def overlays(posterior: GridPosterior, region_95: Region | None) -> list[Overlay]:
    """The whole posterior, and the surroundings of the region finely where the whole shows them coarsely."""
    whole = _whole(posterior)
    close = _close_up(region_95, whole) if region_95 is not None and region_95.polygons else None
    drawn = [_overlay(posterior, whole, hole=close)]
    return drawn if close is None else [*drawn, _overlay(posterior, close)]


def box_of(points: NDArray[np.float64], margin: float = 1.0) -> Box:
    """Round (n, 2) longitudes and latitudes, `margin` times as wide."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-5) * margin
    west, south = (middle - half).tolist()
    east, north = (middle + half).tolist()
    return Box(max(south, -85.0), west, min(north, 85.0), east)


def _whole(posterior: GridPosterior) -> Box:
    east, north = posterior.east_m, posterior.north_m
    corners = np.array([[x, y, 0.0] for x in (east[0], east[-1]) for y in (north[0], north[-1])])
    latitude, longitude, _ = posterior.frame.to_geodetic(corners)
    return box_of(np.stack([longitude, latitude], axis=-1))


def _close_up(region: Region, whole: Box) -> Box | None:
    box = box_of(np.concatenate([polygon[0] for polygon in region.polygons]), _CLOSE_UP)
    return box if box.east - box.west < _WORTH * (whole.east - whole.west) else None


def _overlay(posterior: GridPosterior, box: Box, hole: Box | None = None) -> Overlay:
    latitude, longitude = _pixels(box)
    up = np.full(latitude.shape, posterior.height_m)
    place_m = posterior.frame.to_enu(latitude, longitude, up)[..., :2]
    log_density = np.log(np.maximum(posterior.density_per_m2, 1e-300))
    at = RegularGridInterpolator(
        (posterior.north_m, posterior.east_m), log_density, bounds_error=False, fill_value=-1e9
    )
    below_peak = at(place_m[..., ::-1]) - float(log_density.max())
    strength = np.clip(1 + below_peak / _DEPTH, 0.0, 1.0) ** 1.5
    if hole is not None:
        inside = (latitude > hole.south) & (latitude < hole.north) & (longitude > hole.west) & (longitude < hole.east)
        strength[inside] = 0.0
    return Overlay(_png(strength), box)


def _pixels(box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude of the pixels, north first, even in the Mercator projection that maps use."""
    low, high = (math.asinh(math.tan(math.radians(edge))) for edge in (box.south, box.north))
    steps = (np.arange(_PIXELS) + 0.5) / _PIXELS
    latitude = np.degrees(np.arctan(np.sinh(high + (low - high) * steps)))
    longitude = box.west + (box.east - box.west) * steps
    columns, rows = np.meshgrid(longitude, latitude)
    return rows, columns


def _png(strength: NDArray[np.float64]) -> str:
    picture = np.empty((*strength.shape, 4), np.uint8)
    picture[..., :3] = _COLOR
    picture[..., 3] = np.round(255 * _OPACITY * strength)
    stream = io.BytesIO()
    imsave(stream, picture, format="png")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
