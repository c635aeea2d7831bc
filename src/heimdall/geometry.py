"""WGS84 positions and the local east-north-up frame that a network of receivers lives in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymap3d
from geographiclib.geodesic import Geodesic
from numpy.typing import NDArray

Array = Any
"""A numpy array or a torch tensor: what the array API standard calls an array."""

_WGS84 = pymap3d.Ellipsoid.from_name("wgs84")


@dataclass(frozen=True)
class LocalFrame:
    """A tangent frame: metres east, north and up from an origin on the ellipsoid (height 0)."""

    latitude_deg: float
    longitude_deg: float

    @classmethod
    def around(cls, latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]) -> LocalFrame:
        """The frame at the middle of the given places, right across the date line and at the poles."""
        ecef = np.stack(pymap3d.geodetic2ecef(latitude_deg, longitude_deg, np.zeros_like(latitude_deg)), axis=-1)
        latitude, longitude, _ = pymap3d.ecef2geodetic(*ecef.mean(axis=0))
        return cls(float(np.squeeze(latitude)), float(np.squeeze(longitude)))

    @property
    def curvature_per_m(self) -> tuple[float, float]:
        """Curvature of the ellipsoid at the origin towards east (prime vertical) and north (meridian)."""
        east, north = principal_curvature_per_m(np.sin(np.radians(self.latitude_deg)) ** 2)
        return float(east), float(north)

    def to_enu(
        self, latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64], height_m: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Geodetic positions, each of shape (...,), as east, north, up in m, shape (..., 3)."""
        enu = pymap3d.geodetic2enu(latitude_deg, longitude_deg, height_m, self.latitude_deg, self.longitude_deg, 0.0)
        return np.stack([np.asarray(axis, dtype=float) for axis in enu], axis=-1)

    def to_geodetic(
        self, position_enu_m: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The inverse of `to_enu`: latitude and longitude in degrees, height in m, each of shape (...,)."""
        east, north, up = np.moveaxis(np.asarray(position_enu_m, dtype=float), -1, 0)
        latitude, longitude, height = pymap3d.enu2geodetic(east, north, up, self.latitude_deg, self.longitude_deg, 0.0)
        return np.asarray(latitude), np.asarray(longitude), np.asarray(height)


def principal_curvature_per_m(sin_squared_latitude: Array) -> tuple[Array, Array]:
    """Curvature of the ellipsoid towards east (prime vertical) and north (meridian), for numbers and arrays."""
    eccentricity_squared = 1 - (_WGS84.semiminor_axis / _WGS84.semimajor_axis) ** 2
    root = (1 - eccentricity_squared * sin_squared_latitude) ** 0.5
    prime_vertical_m = _WGS84.semimajor_axis / root
    meridian_m = prime_vertical_m * (1 - eccentricity_squared) / root**2
    return 1 / prime_vertical_m, 1 / meridian_m


def surface_up_m(east_m: Array, north_m: Array, curvature_per_m: tuple[Array, Array], height_m: Array) -> Array:
    """Up coordinate of the place at `height_m` above the ellipsoid, seen from a local frame.

    Euler's formula with the next term of a sphere: within 25 m of the ellipsoid at 500 km, which moves a distance by
    less than 2 m. A curvature of (0, 0) gives the plane. For numpy and torch, any broadcastable shapes.
    """
    sagitta = 0.5 * (curvature_per_m[0] * east_m**2 + curvature_per_m[1] * north_m**2)
    mean_curvature = 0.5 * (curvature_per_m[0] + curvature_per_m[1])
    return height_m - sagitta * (1 + 0.25 * mean_curvature**2 * (east_m**2 + north_m**2))


def great_circle_rad(
    latitude_deg: float,
    longitude_deg: float,
    latitudes_deg: NDArray[np.float64],
    longitudes_deg: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Angle at the middle of a sphere between a place and others (haversine), good for small angles too."""
    north, others = np.radians(latitude_deg), np.radians(latitudes_deg)
    half = np.sin((others - north) / 2) ** 2
    half = half + np.cos(north) * np.cos(others) * np.sin(np.radians(longitudes_deg - longitude_deg) / 2) ** 2
    return np.asarray(2 * np.arcsin(np.sqrt(np.minimum(half, 1.0))))


def geodesic_distance_m(
    latitude_a_deg: float, longitude_a_deg: float, latitude_b_deg: float, longitude_b_deg: float
) -> float:
    """Length of the geodesic between two places (Karney 2013), in m."""
    inverse = Geodesic.WGS84.Inverse(latitude_a_deg, longitude_a_deg, latitude_b_deg, longitude_b_deg)
    return float(inverse["s12"])
