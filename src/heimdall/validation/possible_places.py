"""What cannot be right about where something stands, and how it was meant to be written where that is plain."""

from __future__ import annotations

import math

from heimdall.observation import Receiver

_HEIGHT_RANGE_M = (-1000.0, 100_000.0)
_WIDEST_GRID_M = 2.01e7
"""No map grid counts further: half way round the equator."""
_ONCE_MORE_ROUND_DEG = 540.0
"""A longitude and a whole turn."""


def has_place(receiver: Receiver) -> bool:
    """Whether its place can be right."""
    return place_flaw(receiver) is None


def place_flaw(receiver: Receiver) -> str | None:
    """What cannot be right about a receiver's place; None: nothing."""
    if flaw := position_flaw(receiver.latitude_deg, receiver.longitude_deg):
        return flaw
    if not is_height(receiver.height_m):
        return f"its height of {receiver.height_m:.6g} m cannot be right"
    return None


def is_height(height_m: float) -> bool:
    """Whether something may stand or fly there, in m above the ellipsoid."""
    return _HEIGHT_RANGE_M[0] <= height_m <= _HEIGHT_RANGE_M[1]


def position_flaw(latitude: float, longitude: float) -> str | None:
    """What cannot be right about degrees of whatever stands there; None: nothing."""
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return "its position is not known"
    if latitude == 0 and longitude == 0:
        return "its position is (0, 0), which means none"
    if abs(latitude) > 90 or abs(longitude) > 180:
        return f"its position ({latitude:.6g}, {longitude:.6g}) is not on the globe{_as_meant(latitude, longitude)}"
    return None


def _as_meant(latitude: float, longitude: float) -> str:
    """How to write such a position, where it is plain what was meant."""
    if abs(latitude) <= 90 and abs(longitude) <= _ONCE_MORE_ROUND_DEG:
        return f": longitudes go from -180 to 180, write {(longitude + 180) % 360 - 180:.9g}"
    if abs(latitude) <= 180 and abs(longitude) <= 90:
        return ": are latitude and longitude swapped?"
    north_deg, east_deg = _from_nmea(latitude, 90), _from_nmea(longitude, 180)
    if abs(latitude) > 90 and north_deg is not None and east_deg is not None:
        return f": if it is in degrees and minutes (ddmm.mm), write {north_deg:.9g}, {east_deg:.9g}"
    if max(abs(latitude), abs(longitude)) > _WIDEST_GRID_M and abs(latitude) <= 90e7 and abs(longitude) <= 180e7:
        return f": if it is in ten-millionths of a degree, write {latitude / 1e7:.9g}, {longitude / 1e7:.9g}"
    return ": degrees are expected, not metres of a map grid or degrees without their decimal point"


def _from_nmea(value: float, most_deg: float) -> float | None:
    """Degrees from 100 times whole degrees plus minutes; None where it cannot be that."""
    degrees, minutes = divmod(abs(value), 100)
    return math.copysign(degrees + minutes / 60, value) if minutes < 60 and degrees < most_deg else None
