"""Places as people write them: degrees, degrees and minutes, Maidenhead locator, MGRS, UTM; in and out."""

from __future__ import annotations

import math
import re

import maidenhead
import mgrs
import utm

from heimdall.errors import InputError
from heimdall.formats import coordinates
from heimdall.observation import Place

EXAMPLES = "50.0155, 9.0108, or 50° 0.93′ N 9° 0.65′ E, JO40MA13CR, 32UNA0077340354, 32U 500774 5540354"
_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)"
_DEGREES = re.compile(rf"\s*\[?\s*{_NUMBER}\s*°?\s*[,; ]\s*{_NUMBER}\s*°?\s*(?:[,; ]\s*{_NUMBER})?\s*\]?\s*")
_UTM = re.compile(
    r"\s*(\d{1,2})\s*([C-HJ-NP-X])\s+(\d{6}(?:\.\d+)?)\s*(?:m?E)?\s*,?\s+(\d{1,8}(?:\.\d+)?)\s*(?:m?N)?\s*", re.I
)
_MGRS = re.compile(r"\d{0,2}[A-Z]{3}(?:\d{2}){0,5}", re.IGNORECASE)
_LOCATOR_PAIRS = 4
_ROUNDING_DEG = 2e-5
"""A place at the edge of a band may lie beyond it once its metres are rounded."""
_COARSEST_M = 1000.0
"""A place that is written more coarsely would pass for one that is known."""


def place_text(place: Place) -> str:
    """To the last digit, as `read_place` reads it: a form must not change what nobody edits."""
    known = [place.latitude_deg, place.longitude_deg, *([] if place.height_m is None else [place.height_m])]
    return ", ".join(map(repr, known))


def read_place(text: str, coarsest_m: float = _COARSEST_M) -> Place | None:
    """None for nothing. Raises InputError for what is no place, not on the globe, or a square wider than `coarsest_m`."""
    if not text.strip():
        return None
    place = _from_degrees(text) or _from_utm(text) or _from_mgrs(text, coarsest_m) or _from_other(text, coarsest_m)
    if place is None:
        raise InputError(f"{text.strip()!r} is not a place: write latitude, longitude in degrees, such as {EXAMPLES}")
    if not (abs(place.latitude_deg) <= 90 and abs(place.longitude_deg) <= 180):
        raise InputError(
            f"{text.strip()} is not on the globe: latitude comes first, -90 to 90, then longitude, -180 to 180"
        )
    return place


def notations(latitude_deg: float, longitude_deg: float) -> dict[str, str]:
    """The place in each notation that has one for it, to about a metre; a locator names a square some 400 m wide."""
    found = {
        "degrees": f"{latitude_deg:.5f}, {longitude_deg:.5f}",
        "degrees and minutes": f"{_minutes(latitude_deg, 'NS')} {_minutes(longitude_deg, 'EW')}",
        "Maidenhead": _locator(latitude_deg, longitude_deg),
        "MGRS": _mgrs(latitude_deg, longitude_deg),
    }
    return found | ({"UTM": _utm(latitude_deg, longitude_deg)} if -80 <= latitude_deg < 84 else {})


def _locator(latitude_deg: float, longitude_deg: float) -> str:
    found = maidenhead.to_maiden(min(latitude_deg, 89.9999), (longitude_deg + 180) % 360 - 180, _LOCATOR_PAIRS)
    return found[:4] + found[4:6].lower() + found[6:]


def _minutes(angle_deg: float, sides: str) -> str:
    """Whole thousandths of a minute, carried into the degrees."""
    degrees, thousandths = divmod(round(abs(angle_deg) * 60_000), 60_000)
    return f"{degrees}° {thousandths / 1000:06.3f}′ {sides[0] if angle_deg >= 0 else sides[1]}"


def _mgrs(latitude_deg: float, longitude_deg: float) -> str:
    """Just south of the equator metres round to a northing that its square does not have: a metre more to the south has one."""
    found = str(mgrs.MGRS().toMGRS(latitude_deg, longitude_deg))
    if _from_mgrs(found, _COARSEST_M) is not None:
        return found
    return str(mgrs.MGRS().toMGRS(latitude_deg - _ROUNDING_DEG, longitude_deg))


def _utm(latitude_deg: float, longitude_deg: float) -> str:
    east_m, north_m, zone, band = utm.from_latlon(latitude_deg, longitude_deg)
    return f"{zone}{band} {round(east_m)} {round(north_m)}"


def _from_degrees(text: str) -> Place | None:
    found = _DEGREES.fullmatch(text)
    return found and Place(float(found[1]), float(found[2]), float(found[3]) if found[3] else None)


def _from_utm(text: str) -> Place | None:
    """The letter is the band's; where N or S may have meant a half of the globe, it has to be written otherwise."""
    found = _UTM.fullmatch(text)
    if found is None:
        return None
    zone, band = int(found[1]), found[2].upper()
    try:
        latitude_deg, longitude_deg = map(float, utm.to_latlon(float(found[3]), float(found[4]), zone, band))
        bands = {utm.latitude_to_zone_letter(latitude_deg + rounding) for rounding in (-_ROUNDING_DEG, _ROUNDING_DEG)}
    except (utm.OutOfRangeError, ValueError) as error:
        raise InputError(f"{text.strip()} is not a place in UTM: {error}") from error
    if band not in bands:
        raise InputError(f"{text.strip()} does not lie in band {band}: write zone and latitude band, such as 32U")
    return Place(latitude_deg, longitude_deg)


def _from_mgrs(text: str, coarsest_m: float) -> Place | None:
    written = re.sub(r"\s+", "", text).upper()
    if not _MGRS.fullmatch(written):
        return None
    digits = len(re.search(r"\d*$", written)[0]) // 2  # type: ignore[index]  # it matches always
    _check_fine(text, 10.0 ** (5 - digits), coarsest_m)
    try:
        corner = mgrs.MGRS().toLatLon(written)
    except mgrs.core.MGRSError:
        return None
    return _middle(corner, 10.0 ** (5 - digits))


def _middle(corner: tuple[float, float], width_m: float) -> Place:
    """Middle of a square whose south-western corner is given."""
    latitude_deg, longitude_deg = map(float, corner)
    half_deg = width_m / 2 / 111_320.0
    return Place(latitude_deg + half_deg, longitude_deg + half_deg / max(0.02, math.cos(math.radians(latitude_deg))))


def _from_other(text: str, coarsest_m: float) -> Place | None:
    found = coordinates.read_place(text)
    if found is None:
        return None
    if found.form is not None and "locator" in found.form:
        _check_fine(text, found.sigma_m * math.sqrt(12), coarsest_m)
    return found.place


def _check_fine(text: str, width_m: float, coarsest_m: float) -> None:
    if width_m > coarsest_m:
        raise InputError(f"{text.strip()} names a square {width_m / 1000:.0f} km wide: write more of it, or degrees")
