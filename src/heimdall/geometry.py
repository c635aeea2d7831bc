"""WGS84 positions and the local east-north-up frame that a network of receivers lives in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pymap3d
from geographiclib.geodesic import Geodesic
from numpy.typing import NDArray

from heimdall.arrays import Array, array_namespace
from heimdall.constants import EARTH_MEAN_RADIUS_M

_WGS84 = pymap3d.Ellipsoid.from_name("wgs84")
_SECOND_ECCENTRICITY_SQUARED = (_WGS84.semimajor_axis / _WGS84.semiminor_axis) ** 2 - 1
_LEAST_CURVATURE_PER_M = 1e-15
"""What makes a plane a very large sphere."""
_MOST_HALF_SINE_SQUARED = 1 - 1e-3
"""Nearer to the antipode than 400 km the geodesic is not unique and Lambert's formula ends."""


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
    def curvature_per_m(self) -> tuple[float, float, float]:
        """Curvature of the ellipsoid at the origin, see `earth_curvature_per_m`."""
        east, north, twist = earth_curvature_per_m(np.sin(np.radians(self.latitude_deg)))
        return float(east), float(north), float(twist)

    def to_enu(
        self, latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64], height_m: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Geodetic positions, each of shape (...,), as east, north, up in m, shape (..., 3)."""
        enu = pymap3d.geodetic2enu(latitude_deg, longitude_deg, height_m, self.latitude_deg, self.longitude_deg, 0.0)
        return np.stack([np.asarray(axis, dtype=float) for axis in enu], axis=-1)

    def horizontal_m(self, latitude_deg: float, longitude_deg: float, height_m: float) -> NDArray[np.float64]:
        """East and north (2,) of one geodetic position."""
        return self.to_enu(*(np.array(value) for value in (latitude_deg, longitude_deg, height_m)))[:2]

    def to_geodetic(
        self, position_enu_m: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The inverse of `to_enu`: latitude and longitude in degrees, height in m, each of shape (...,)."""
        east, north, up = np.moveaxis(np.asarray(position_enu_m, dtype=float), -1, 0)
        latitude, longitude, height = pymap3d.enu2geodetic(east, north, up, self.latitude_deg, self.longitude_deg, 0.0)
        return np.asarray(latitude), np.asarray(longitude), np.asarray(height)


def earth_curvature_per_m(sin_latitude: Array) -> tuple[Array, Array, Array]:
    """Curvature towards east (prime vertical) and north (meridian), and the twist that leans the ellipsoid to its poles.

    All per m. They are the coefficients of the ellipsoid in the frame, k_e e^2 + k_n n^2 + k_u u^2 + 2 u (1 + t n) = 0, whose
    fourth follows from them (`_quadric`). Where only two are given the earth is a sphere, or a plane where they are 0.
    """
    cos_squared = 1 - sin_latitude**2
    eccentricity_squared = _SECOND_ECCENTRICITY_SQUARED / (1 + _SECOND_ECCENTRICITY_SQUARED)
    east = (1 - eccentricity_squared * sin_latitude**2) ** 0.5 / _WGS84.semimajor_axis
    north = east * (1 + _SECOND_ECCENTRICITY_SQUARED * cos_squared)
    return east, north, _SECOND_ECCENTRICITY_SQUARED * east * sin_latitude * cos_squared**0.5


def _quadric(curvature_per_m: Sequence[Array]) -> tuple[Array, Array, Array, Array]:
    """k_e, k_n, k_u and t of `earth_curvature_per_m`."""
    east, north, *twist = curvature_per_m
    if not twist:
        return east, north, east, 0 * east
    return east, north, (2 + _SECOND_ECCENTRICITY_SQUARED) * east - north, twist[0]


def surface_up_m(east_m: Array, north_m: Array, curvature_per_m: Sequence[Array], height_m: Array) -> Array:
    """Up coordinate of the place at `height_m` above the ellipsoid, seen from a local frame; for numpy and torch.

    Exact on the ellipsoid; at an aircraft's height within a metre up to 1000 km and 10 m up to 3000 km. `curvature_per_m` is
    that of `earth_curvature_per_m`, any broadcastable shapes. Where the frame's plane reaches beyond the globe
    (`on_near_side`) the coordinate is that of its rim.
    """
    xp = array_namespace(east_m)
    k_east, k_north, k_up, twist = (k / (1 + height_m * curvature_per_m[0]) for k in _quadric(curvature_per_m))
    lean = 1 + twist * north_m
    bulge = k_east * east_m**2 + k_north * north_m**2
    return height_m - bulge / (lean + xp.sqrt(xp.clip(lean**2 - k_up * bulge, 0.0, None)))


def on_near_side(east_m: Array, north_m: Array, curvature_per_m: Sequence[Array]) -> Array:
    """Bool: whether there is a place on the earth with these coordinates, on the side that faces the frame's origin."""
    k_east, k_north, k_up, twist = _quadric(curvature_per_m)
    return (1 + twist * north_m) ** 2 > k_up * (k_east * east_m**2 + k_north * north_m**2)


def ground_distance_m(place_m: Sequence[Array], other_m: Sequence[Array], curvature_per_m: Sequence[Array]) -> Array:
    """Length of the geodesic between places given as east, north and up in a local frame; heights do not count.

    Lambert's formula (1942) on the sphere of reduced latitudes, written with the ellipsoid's coefficients in the frame:
    within 10 m up to 6,000 km, 15 m up to 10,000 km, 60 m up to 15,000 km and 0.5 km up to 19,000 km. Nearer to the
    antipode than 400 km it stays at the value there. For numpy and torch, any broadcastable shapes.
    """
    xp = array_namespace(place_m[0])
    k_east, _, k_up, _ = form = _quadric([curvature_per_m[0] + _LEAST_CURVATURE_PER_M, *curvature_per_m[1:]])
    # (a k_e)^2, with a the equator's radius.
    shrink = 1 - (k_up - k_east) / (k_east * (1 + _SECOND_ECCENTRICITY_SQUARED))
    radius_m = xp.sqrt(shrink) / k_east
    place_m, other_m = _on_ground(form, place_m), _on_ground(form, other_m)
    east, north, up = (a - b for a, b in zip(place_m, other_m, strict=True))
    apart = k_east * (east**2 + north**2 + up**2) + _poleward(form, north, up)
    half_sine = xp.sqrt(xp.clip(0.25 * apart * k_east / shrink, 1e-24, _MOST_HALF_SINE_SQUARED))
    half_cosine = xp.sqrt(1 - half_sine**2)
    angle, sine = 2 * xp.asin(half_sine), 2 * half_sine * half_cosine
    center_m = 2 / (k_east * (1 + _SECOND_ECCENTRICITY_SQUARED))
    middle = _poleward(form, place_m[1] + other_m[1], place_m[2] + other_m[2] + center_m)
    bent = (angle - sine) * middle / half_cosine**2 + (angle + sine) * _poleward(form, north, up) / half_sine**2
    flat = 8 * (1 + _WGS84.semiminor_axis / _WGS84.semimajor_axis) * radius_m**2 * k_east
    return radius_m * (angle - bent / flat)


def longest_hop_m(height_m: float) -> float:
    """How far one hop by a layer of that virtual height reaches along the ground, leaving and arriving at the horizon."""
    return 2 * EARTH_MEAN_RADIUS_M * math.acos(EARTH_MEAN_RADIUS_M / (EARTH_MEAN_RADIUS_M + height_m))


def hop_path(distance_m: Array, height_m: Array, hops: Array | int) -> tuple[Array, Array, Array]:
    """Sky wave of so many equal hops by a layer of that virtual height over a spherical earth, any broadcastable shapes.

    Returns the length of the path in m (Breit and Tuve: a wave takes as long as a straight ray to the virtual height and
    back), the secant of the angle of incidence at the layer, and the sine of the elevation at the ground, which is negative
    where the layer is below the horizon and no ray can take the path.
    """
    xp = array_namespace(distance_m)
    radius_m, layer_m = EARTH_MEAN_RADIUS_M, EARTH_MEAN_RADIUS_M + height_m
    angle = distance_m * (0.5 / (hops * radius_m))
    # 1 - cos, without losing the digits of a near place.
    dip = 2 * xp.sin(0.5 * angle) ** 2
    ray_m = xp.sqrt(height_m**2 + 2 * radius_m * layer_m * dip)
    return 2 * hops * ray_m, ray_m / (height_m + radius_m * dip), (height_m - layer_m * dip) / ray_m


def columns(curvature_per_m_BK: Array) -> list[Array]:
    """The coefficients of B frames, each (B, 1), as the functions of this module take them."""
    return [curvature_per_m_BK[:, index : index + 1] for index in range(curvature_per_m_BK.shape[1])]


def _on_ground(form: tuple[Array, ...], place_m: Sequence[Array]) -> tuple[Array, Array, Array]:
    """The place on the ellipsoid below or above a place, within centimetres from an aircraft's height.

    Newton's method along the gradient of half the quadric's value.
    """
    (k_east, k_north, k_up, twist), (east, north, up) = form, place_m
    for _ in range(2):
        value = 0.5 * (k_east * east**2 + k_north * north**2 + k_up * up**2) + up * (1 + twist * north)
        slope = k_east * east, k_north * north + twist * up, k_up * up + 1 + twist * north
        step = value / sum(each**2 for each in slope)
        east, north, up = (axis - step * each for axis, each in zip((east, north, up), slope, strict=True))
    return east, north, up


def _poleward(form: tuple[Array, ...], north_m: Array, up_m: Array) -> Array:
    """Square of a step along the earth's axis, times what makes the ellipsoid differ from a sphere."""
    k_east, k_north, k_up, twist = form
    return (k_north - k_east) * north_m**2 + 2 * twist * north_m * up_m + (k_up - k_east) * up_m**2


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
