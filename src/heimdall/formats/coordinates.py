"""Positions as people write them: what place a text means, and how exactly it says so."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from heimdall.formats.text import as_utf_8
from heimdall.observation import Place

_DEGREE_M = 111_320.0
"""Length of a degree of the equator; a degree of latitude is at most 0.3 % longer."""
COARSE_M = 50.0
"""A place given less exactly than this is worth a word."""
_LEAST_ROUNDING_M = 1.0
_UNIFORM = 1 / math.sqrt(12)
"""Standard deviation of a value that is rounded to steps of 1."""

_NUMBER = r"[-+]?\d{1,6}(?:\.\d*)?"
_BRACKET = re.compile(rf"\[\s*({_NUMBER})\s*,\s*({_NUMBER})\s*(?:,\s*({_NUMBER})\s*)?\]")
_GEOJSON = re.compile(rf"['\"]coordinates['\"]\s*:\s*{_BRACKET.pattern}")
_SIGN = r"\s*(?:[°º'′:]|[NSEWO]\b)"
# Whole degrees that another number follows are those of a place with minutes.
_LABELLED = re.compile(
    r"\b(lat|lon|lng|long|latitude|longitude)\b['\"]?\s*[:=]?\s*['\"]?"
    rf"([-+]?\d{{1,6}}\.\d*(?![\d.]*{_SIGN})|[-+]?\d{{1,3}},\d+(?!\d*{_SIGN})|[-+]?\d{{1,6}}(?!\d|[.,]\d|[ \t]+\d|{_SIGN}))",
    re.IGNORECASE,
)
_WRITTEN = (
    (re.compile("[\u2212\u2013\u2012\u2010\u2011](?=\\d)"), "-"),
    (re.compile(r"(?<=\d)\s*deg(?:rees?)?\b\.?", re.IGNORECASE), "°"),
    (re.compile(r"(?<=\d)\s*min(?:utes?)?\b\.?", re.IGNORECASE), "′"),
    (re.compile(r"(?<=\d)\s*sec(?:onds?)?\b\.?", re.IGNORECASE), "″"),
    (re.compile(r"\b([NS])o[ru]th\b|\b([EW])[ae]st\b", re.IGNORECASE), r"\1\2"),
    (re.compile(r"(?<![\d.,])(\d{1,7}),(\d+)(?=\s*[°º]?\s*[NSEWnsew](?![A-Za-z]))"), r"\1.\2"),
    (re.compile(r"(?<=[°º′'’])(\s*\d{1,2}),(\d+)(?=\s*[′'’″\"”])"), r"\1.\2"),
    (re.compile(r"(?<![\d.])(\d{1,3}\.\d{1,2}\.\d{1,2}),(\d+)(?=\s*[NSEWnsew](?![A-Za-z]))"), r"\1.\2"),
)
"""Signs and words that stand for plainer ones: a typographic minus, "deg", "North", a decimal comma where no other can stand."""
# Without signs between them: 51.30.02N, and ddmm.mm of NMEA, APRS and aviation, where the zeros in front are written.
_DOTTED = r"(?<![\d.])(\d{1,3})\.([0-5]?\d)\.([0-5]?\d(?:\.\d+)?)(?![\d.])"
_PACKED = r"(?<![\d.])(\d{%d})([0-5]\d)([0-5]\d)?(\.\d+)?(?![\d.])"
_UNMARKED = tuple(
    (letters, written) for letters, digits in (("NSns", 2), ("EWew", 3)) for written in (_DOTTED, _PACKED % digits)
)
_UNMARKED_LAST = tuple(re.compile(rf"(){written}[\s,]*([{letters}])(?![A-Za-z])") for letters, written in _UNMARKED)
_UNMARKED_FIRST = tuple(re.compile(rf"\b([{letters}])\s*{written}()") for letters, written in _UNMARKED)
_REMARK = re.compile(r"(?:^|\s)(?:#|//).*$", re.MULTILINE)
_LABEL = re.compile(r"\b(?:lat(?:itude)?|lon(?:g|gitude)?|lng)\b[\s:=.]*", re.IGNORECASE)
_BARE = re.compile(rf"({_NUMBER})\s*°?\s*[,;/\s]\s*({_NUMBER})\s*°?\s*(?:[,;\s]\s*({_NUMBER})\s*m?\s*)?")
_DECIMAL_COMMA = re.compile(r"([-+]?\d{1,3}),(\d{2,})\s*[;\s]\s*([-+]?\d{1,3}),(\d{2,})")
# A number is read whole or not at all: "462.96" is no 46 degrees with 2.96 minutes.
_PART = r"(\d{1,3}(?:\.\d*)?)(?![\d.])"
_ANGLE = (
    rf"(?<![\d.])([-+]?){_PART}\s*[°º:d\s]?\s*(?:{_PART}\s*(?:[′'’:m\s]\s*|(?=[,;/NSEWnsew]|$)))?"
    rf"(?:{_PART}\s*(?:[″\"”s]|''|′′|’’)?)?"
)
_HEMISPHERE_LAST = re.compile(rf"{_ANGLE}\s*([NSns])(?![A-Za-z])[\s,;/]*{_ANGLE}\s*([EWew])(?![A-Za-z])")
_HEMISPHERE_FIRST = re.compile(rf"\b([NSns])\s*{_ANGLE}[\s,;/]*([EWew])\s*{_ANGLE}")
_LOCATOR = re.compile(r"(?<![\w.])([A-R]{2}\d{2}(?:[A-X]{2}(?:\d{2}(?:[A-X]{2})?)?)?)(?![\w.])", re.IGNORECASE)
_LOCATOR_BASES = ((18, "A"), (10, "0"), (24, "A"), (10, "0"), (24, "A"))


@dataclass(frozen=True)
class WrittenPlace:
    """A place, the standard deviation in m of each horizontal axis that its writing leaves, and the form it is written in."""

    place: Place
    sigma_m: float
    form: str | None = None
    """How it was read, where it is not the plain `[latitude, longitude]` in degrees."""


def rounding_sigma_m(*coordinates: str) -> float:
    """Standard deviation in m, along each horizontal axis, of a place whose degrees are written as these numbers.

    The finest of them counts, without its trailing zeros: programs pad numbers and drop digits, owners round both alike.
    32 km without decimals, 0.03 m with six. Infinite where none is a number.
    """
    steps = [step for text in coordinates if (step := _step(text)) is not None]
    return min(steps) * _DEGREE_M * _UNIFORM if steps else math.inf


def place_sigma_m(stated_m: float | None, latitude_deg: float, longitude_deg: float) -> float | None:
    """How well a receiver's place is known: as stated, and no better than the decimals it is given with; None where it is exact.

    Below a metre a rounding does not matter to any clock. 0 says that few decimals are all that there are.
    """
    if stated_m == 0:
        return None
    if not (math.isfinite(latitude_deg) and math.isfinite(longitude_deg)) or (latitude_deg, longitude_deg) == (0, 0):
        return stated_m
    rounded_m = rounding_sigma_m(repr(latitude_deg), repr(longitude_deg))
    if rounded_m <= _LEAST_ROUNDING_M:
        return stated_m
    # A sum would turn what is not a number, or negative, into a figure that passes.
    return rounded_m if stated_m is None else max(stated_m, rounded_m) if stated_m > 0 else stated_m


def read_place(text: str) -> WrittenPlace | None:
    """The place that a text means; None where it says none.

    Read are `[latitude, longitude]` with or without a height and with anything round it, GeoJSON, numbers that are named
    latitude and longitude, degrees with minutes and seconds, two or three bare numbers, and a Maidenhead locator.
    """
    readings: tuple[Callable[[str], WrittenPlace | None], ...] = (
        _from_geojson,
        _from_bracket,
        _from_degrees,
        _from_labels,
        _from_bare,
        _from_locator,
    )
    for sign, plain in _WRITTEN:
        text = sign.sub(plain, text)
    return next((found for reading in readings if (found := reading(text)) is not None), None)


def decoded(content: bytes) -> str:
    """A text file's content, whatever editor wrote it."""
    content = as_utf_8(content)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _step(text: str) -> float | None:
    """The last digit's place value, of whole degrees at most."""
    try:
        exponent = Decimal(text.strip()).normalize().as_tuple().exponent
    except InvalidOperation:
        return None
    return 10.0 ** min(exponent, 0) if isinstance(exponent, int) else None


def _plain(latitude: str, longitude: str, height: str | None = None, form: str | None = None) -> WrittenPlace:
    place = Place(float(latitude), float(longitude), float(height) if height else None)
    return WrittenPlace(place, rounding_sigma_m(latitude, longitude), form)


def _from_geojson(text: str) -> WrittenPlace | None:
    found = _GEOJSON.search(text)
    return _plain(found[2], found[1], found[3], "GeoJSON, longitude first") if found else None


def _from_bracket(text: str) -> WrittenPlace | None:
    found = _BRACKET.search(text)
    return _plain(found[1], found[2], found[3]) if found else None


def _from_labels(text: str) -> WrittenPlace | None:
    named = {name[:3].lower(): value for name, value in _LABELLED.findall(text)}
    latitude, longitude = named.get("lat"), named.get("lon", named.get("lng"))
    if not latitude or not longitude:
        return None
    return _plain(latitude.replace(",", "."), longitude.replace(",", "."), form="named numbers")


def _from_degrees(text: str) -> WrittenPlace | None:
    """Degrees, minutes and seconds with the hemisphere behind or before. O is east to some and west to others: not read."""
    text = _LABEL.sub("", text)
    if found := _HEMISPHERE_LAST.search(_marked(text, _UNMARKED_LAST)):
        *latitude, north, s, d, m, sec, east = found.groups()
        longitude: list[str | None] = [s, d, m, sec]
    elif found := _HEMISPHERE_FIRST.search(_marked(text, _UNMARKED_FIRST)):
        north, s, d, m, sec, east, *longitude = found.groups()
        latitude = [s, d, m, sec]
    else:
        return None
    return _angles(latitude, north, longitude, east)


def _marked(text: str, unmarked: Iterable[re.Pattern[str]]) -> str:
    """The text with the signs of degrees, minutes and seconds where they were left out."""
    for written in unmarked:
        text = written.sub(_with_signs, text)
    return text


def _with_signs(found: re.Match[str]) -> str:
    """What follows the seconds, or the minutes where there are none, in a part of its own are their decimals."""
    before, degrees, minutes, seconds, *decimals, after = (part or "" for part in found.groups())
    rest = "".join(decimals)
    return (
        f"{before}{degrees}°{minutes}′{seconds}{rest}″{after}"
        if seconds
        else f"{before}{degrees}°{minutes}{rest}′{after}"
    )


def _angles(latitude: list[str | None], north: str, longitude: list[str | None], east: str) -> WrittenPlace | None:
    angles = _angle(latitude), _angle(longitude)
    if angles[0] is None or angles[1] is None or "-" in (latitude[0], longitude[0]):
        return None
    latitude_deg = -angles[0][0] if north in "Ss" else angles[0][0]
    longitude_deg = -angles[1][0] if east in "Ww" else angles[1][0]
    sigma_m = min(angles[0][1], angles[1][1]) * _DEGREE_M * _UNIFORM
    return WrittenPlace(Place(latitude_deg, longitude_deg), sigma_m, "degrees with N or S and E or W")


def _angle(parts: list[str | None]) -> tuple[float, float] | None:
    """Degrees, and the step of the last part written in degrees; None where minutes or seconds are 60 or more."""
    _, *written = parts
    values = [float(part or 0) for part in written]
    if values[1] >= 60 or values[2] >= 60 or (written[1] is None and written[2] is not None):
        return None
    last = max(index for index, part in enumerate(written) if part is not None)
    text = written[last] or ""
    step = (_step(text) or 1.0) / 60**last
    return values[0] + values[1] / 60 + values[2] / 3600, step


def _from_bare(text: str) -> WrittenPlace | None:
    """Nothing but numbers: two, or three with a height."""
    stripped = _REMARK.sub("", text).strip().removeprefix("geo:").strip("()[]{}\"' \t\r\n")
    if found := _DECIMAL_COMMA.fullmatch(stripped):
        return _plain(f"{found[1]}.{found[2]}", f"{found[3]}.{found[4]}", form="numbers with a decimal comma")
    found = _BARE.fullmatch(stripped)
    return _plain(found[1], found[2], found[3], "bare numbers, latitude first") if found else None


def _from_locator(text: str) -> WrittenPlace | None:
    """The middle of a Maidenhead square; several different ones say nothing."""
    found = {locator.upper() for locator in _LOCATOR.findall(text)}
    return _square(found.pop()) if len(found) == 1 else None


def _square(locator: str) -> WrittenPlace:
    longitude, latitude, width = -180.0, -90.0, 360.0
    for pair, (count, zero) in zip(range(0, len(locator), 2), _LOCATOR_BASES, strict=False):
        width /= count
        longitude += (ord(locator[pair]) - ord(zero)) * width
        latitude += (ord(locator[pair + 1]) - ord(zero)) * width / 2
    place = Place(latitude + width / 4, longitude + width / 2)
    wider_deg = width * max(0.5, math.cos(math.radians(place.latitude_deg)))
    return WrittenPlace(place, wider_deg * _DEGREE_M * _UNIFORM, f"the middle of the locator square {locator}")
