"""Polygons of longitude and latitude cut where the numbers of a map end: at 180 degrees (RFC 7946, 3.1.9) and at a pole."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
"""(n, 2) longitude and latitude in degrees, closed."""


def cut(polygon: tuple[Ring, ...]) -> list[tuple[Ring, ...]]:
    """The polygon, outer ring first, as polygons that keep to -180 to 180 degrees; unchanged where it does already.

    A ring around a pole, whose longitude goes all the way round, is led along the meridian of 180 degrees to the pole.
    """
    if all(np.all(np.abs(np.diff(ring[:, 0])) <= 180) and np.all(np.abs(ring[:, 0]) <= 180) for ring in polygon):
        return [polygon]
    rings = [_unrolled(ring) for ring in polygon]
    outer = rings[0]
    middle_deg = (outer[:, 0].min() + outer[:, 0].max()) / 2
    rings = [outer, *(_next_to(ring, middle_deg) for ring in rings[1:])]
    first = math.floor((outer[:, 0].min() + 180) / 360)
    last = math.ceil((outer[:, 0].max() + 180) / 360)
    pieces = []
    for turn in range(first, last):
        west_deg = 360 * turn - 180
        strip = [_within(ring, west_deg, west_deg + 360) - [360.0 * turn, 0.0] for ring in rings]
        if len(strip[0]) > 3:
            pieces.append(tuple(ring for ring in strip if len(ring) > 3))
    return pieces


def _unrolled(ring: Ring) -> Ring:
    """The ring with longitudes that never jump, closed over the pole where they do not come back."""
    longitude = np.degrees(np.unwrap(np.radians(ring[:, 0])))
    open_ring = np.stack([longitude, ring[:, 1]], axis=-1)
    if abs(longitude[-1] - longitude[0]) < 180:
        return open_ring
    start = int(np.argmin(np.abs((longitude[:-1] + 180) % 360)))
    turn = math.copysign(360.0, longitude[-1] - longitude[0])
    body = np.concatenate([open_ring[start:-1], open_ring[: start + 1] + np.array([turn, 0.0])])
    pole = math.copysign(90.0, float(np.mean(ring[:, 1])))
    corners = np.array([[body[-1, 0], pole], [body[0, 0], pole]])
    return np.concatenate([body, corners, body[:1]])


def _next_to(ring: Ring, middle_deg: float) -> Ring:
    turns = round((middle_deg - float(ring[:, 0].mean())) / 360)
    return np.asarray(ring + np.array([360.0 * turns, 0.0]))


def _within(ring: Ring, west_deg: float, east_deg: float) -> Ring:
    """The part between two meridians (Sutherland and Hodgman 1974)."""
    return _beside(_beside(ring, west_deg, 1.0), east_deg, -1.0)


def _beside(ring: Ring, meridian_deg: float, side: float) -> Ring:
    """What lies east of a meridian (`side` 1) or west of it (-1)."""
    if len(ring) == 0:
        return ring
    inside = side * (ring[:, 0] - meridian_deg) >= 0
    kept: list[Ring] = []
    for a, b, a_in, b_in in zip(ring[:-1], ring[1:], inside[:-1], inside[1:], strict=True):
        if a_in:
            kept.append(a)
        if a_in != b_in:
            share = (meridian_deg - a[0]) / (b[0] - a[0])
            kept.append(np.array([meridian_deg, a[1] + share * (b[1] - a[1])]))
    return np.array([*kept, kept[0]]) if kept else np.empty((0, 2))
