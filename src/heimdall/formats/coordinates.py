"""Positions as people write them: what place a text means, and how exactly it says so.

A text means a place where all the positions in it agree, each read to its last digit. Any other means none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from heimdall.formats.angles import REST, Angles, angles_in, last_step
from heimdall.formats.framed_coordinates import NUMBER, framed
from heimdall.formats.plain_notation import plain, says_longitude_first
from heimdall.formats.text import as_utf_8
from heimdall.formats.written_heights import WrittenHeight, height_behind, height_named
from heimdall.observation import Place

_DEGREE_M = 111_320.0
"""Length of a degree of the equator; a degree of latitude is at most 0.3 % longer."""
COARSE_M = 50.0
"""A place given less exactly than this is worth a word."""
_LEAST_ROUNDING_M = 1.0
_UNIFORM = 1 / math.sqrt(12)
"""Standard deviation of a value that is rounded to steps of 1."""
_SAME_SIGMAS = 5.0
"""Cut off after the same digit, two numbers are a step apart, in both axes 4.9 standard deviations."""
_LONG_LOCATOR = 6
"""Characters: a shorter one beside a position may as well be a word or a part of a name."""

_SIGN = r"\s*(?:[°º'′:]|[NSEWO]\b)"
# Whole degrees that another number follows are those of a place with minutes.
_LABELLED = re.compile(
    r"\b(lat|lon|lng|long|latitude|longitude)(?:_deg|_degrees|_dd|_decimal)?\b\.?['\"]?\s*[:=]?\s*['\"]?"
    rf"([-+]?\d{{1,6}}\.\d*(?![.,]?\d|[\d.]*{_SIGN})|[-+]?\d{{1,3}},\d+(?![.,]?\d|\d*{_SIGN})"
    rf"|[-+]?\d{{1,6}}(?!\d|[.,]\d|[ \t]+\d|{_SIGN}))(?!\d*e[-+]?\d|[ \t]*(?:(?:rad|gon|grad)[a-z]*|[ck]?m|mm|ft)\b)",
    re.IGNORECASE,
)
_SOUTH, _WEST = (
    re.compile(
        rf"\.\d{{1,20}}[\s,;|\"'()°º]{{0,9}}{word}|(?:ref|dir|direction|hemi|hemisphere)[\"']?[\s:=,;\"'(]{{0,9}}(?:[NSEW][\s,;/]{{1,9}})?{word}"
        rf"|[,;|\t][ \t]{{0,9}}[\"']?{word}[\"']?[ \t]{{0,9}}(?:[,;|\t]|$)|{word}\s{{1,9}}hemisphere",
        re.IGNORECASE | re.MULTILINE,
    )
    for word in (
        r"(?<![A-Za-z])(?:S|southern|S[uü]d|Sur|Sul)(?![A-Za-z])",
        r"(?<![A-Za-z])(?:W|western|O(?:este|uest|vest))(?![A-Za-z])",
    )
)
"""A hemisphere by itself: after a number and a separator, as the value of its own key, in a column, in words. "South" and "West"
are "S" and "W" by then."""
_SPACES = re.compile(" {2,}")
_BLANKS = re.compile(r"\s{2,}")
"""The forms below allow blanks at many places: the ways to share out a long run would be countless."""
_REMARK = re.compile(r"(?:^|\s)(?:#|//).*$", re.MULTILINE)
_BARE = re.compile(rf"({NUMBER})\s*°?\s*[,;/\s]\s*({NUMBER})\s*°?\s*(?:[,;\s]\s*({NUMBER})\s*m?\s*)?")
_BARE_FORM, _COMMA_FORM = "bare numbers, latitude first", "numbers with a decimal comma"
_LATITUDE_FIRST = (None, _BARE_FORM, _COMMA_FORM)
"""Forms in which nothing but their order says which number is which."""
_HEADED = re.compile(
    r"(?:lat(?:itude)?(?:[\s,/&]{1,3}|_)?(?:lon(?:gitude|g)?|lng)"
    r"|(?:coordinates?|coords?)(?:\s?\(lat\.?,? ?lon\.?\))?|gps|qth|pos(?:ition)?|location)\s?[:=]?\s?",
    re.IGNORECASE,
)
"""A word before a pair of numbers that says no more than that it is one, latitude first."""
_DECIMAL_COMMA = re.compile(r"([-+]?\d{1,3}),(\d{2,})\s*(?:[;/\s]|,\s)\s*([-+]?\d{1,3}),(\d{2,})")
_LOCATOR = re.compile(r"(?<![\w.])([A-R]{2}\d{2}(?:[A-X]{2}(?:\d{2}(?:[A-X]{2})?)?)?)(?![\w.])", re.IGNORECASE)
_LOCATOR_BASES = ((18, "A"), (10, "0"), (24, "A"), (10, "0"), (24, "A"))


@dataclass(frozen=True)
class WrittenPlace:
    """A place, the standard deviation in m of each horizontal axis that its writing leaves, and the form it is written in."""

    place: Place
    sigma_m: float
    form: str | None = None
    """How it was read, where it is not the plain `[latitude, longitude]` in degrees."""
    remark: str | None = None
    """What stands beside it and is not used."""


def rounding_sigma_m(*coordinates: str) -> float:
    """Standard deviation in m, along each horizontal axis, of a place whose degrees are written as these numbers.

    The finest of them counts, without its trailing zeros: programs pad numbers and drop digits, owners round both alike.
    32 km without decimals, 0.03 m with six. Infinite where none is a number.
    """
    steps = [step for text in coordinates if (step := last_step(text)) is not None]
    return min(steps) * _DEGREE_M * _UNIFORM if steps else math.inf


def place_sigma_m(stated_m: float | None, latitude_deg: float, longitude_deg: float) -> float | None:
    """How well a receiver's place is known: as stated, and no better than the decimals it is given with; None where it is exact.

    Below a metre a rounding does not matter to any clock. 0 says that few decimals are all that there are. What is no place, as
    integers of ten-millionths of a degree are none, was not rounded.
    """
    if stated_m == 0:
        return None
    on_globe = abs(latitude_deg) <= 90 and abs(longitude_deg) <= 180
    if not on_globe or (latitude_deg, longitude_deg) == (0, 0):
        return stated_m
    rounded_m = rounding_sigma_m(repr(latitude_deg), repr(longitude_deg))
    if rounded_m <= _LEAST_ROUNDING_M:
        return stated_m
    # A sum would turn what is not a number, or negative, into a figure that passes.
    return rounded_m if stated_m is None else max(stated_m, rounded_m) if stated_m > 0 else stated_m


def read_place(text: str, around: str = "") -> WrittenPlace | None:
    """The place that a text means; None where it says none, or several.

    Read are `[latitude, longitude]` with or without a height and with anything round it, what other programs write (see
    `framed_coordinates`), numbers that are named latitude and longitude, degrees with minutes and seconds, two or three bare
    numbers (also behind a word such as "GPS"), and a Maidenhead locator. Of several that agree the one with the most digits
    counts. What stands `around` may say that the longitude comes first.
    """
    found = places_in(text, around)
    return found[0] if len(found) == 1 else None


def places_in(text: str, around: str = "") -> tuple[WrittenPlace, ...]:
    """The place of a text, as exactly as it is written anywhere in it, or two of several; none where one cannot be read whole.

    None either where a hemisphere stands by itself that the numbers do not have, or where the text says that its longitude
    comes first and the form of its numbers that the latitude does.
    """
    whole = _SPACES.sub(" ", plain(text))
    written, text = framed(whole)
    text = _BLANKS.sub(lambda run: "\n" if "\n" in run[0] else " ", text)
    found = [None if each is None else _plain(*each) for each in written]
    lettered = [None if each is None else _from_angles(each) for each in angles_in(text)]
    found += [*lettered, *_from_labels(text)]
    found += _from_bare(text) if not found else _from_rows(text)
    locators = [_square(locator) for locator in _locators(text, _LONG_LOCATOR if found else 0)]
    found += locators if found or len(locators) == 1 else []
    different = _different([each for each in found if each is not None]) if None not in found else ()
    if not lettered and any(_in_another_hemisphere(each, whole) for each in different):
        return ()
    if any(map(says_longitude_first, (whole, plain(around)))) and any(
        each.form in _LATITUDE_FIRST for each in different
    ):
        return ()
    return tuple(_with_height(each, height_named(text)) for each in different)


def _in_another_hemisphere(written: WrittenPlace, text: str) -> bool:
    """Whether the text names a hemisphere by itself that the place is not in."""
    north, east = written.place.latitude_deg > 0, written.place.longitude_deg > 0
    return bool((north and _SOUTH.search(text)) or (east and _WEST.search(text)))


def _different(places: Sequence[WrittenPlace]) -> tuple[WrittenPlace, ...]:
    """The finest of those that agree, the first of equally fine ones; of a long list, two that do not."""
    kept: list[WrittenPlace] = []
    for place in sorted(places, key=lambda each: each.sigma_m):
        if not any(_agree(place, other) for other in kept):
            kept.append(place)
        if len(kept) > 1:
            break
    return tuple(kept)


def _agree(a: WrittenPlace, b: WrittenPlace) -> bool:
    """Whether both may be one place, each rounded to its digits; less than `COARSE_M` makes no difference.

    One form twice is no place in two notations, but a list: its entries agree only where they are the same.
    """
    north_deg = a.place.latitude_deg - b.place.latitude_deg
    east_deg = math.remainder(a.place.longitude_deg - b.place.longitude_deg, 360.0)
    east_deg *= math.cos(math.radians(a.place.latitude_deg))
    rounding_m = 0.0 if a.form == b.form else _SAME_SIGMAS * (a.sigma_m + b.sigma_m)
    return math.hypot(north_deg, east_deg) * _DEGREE_M <= max(COARSE_M, rounding_m)


def decoded(content: bytes) -> str:
    """A text file's content, whatever editor wrote it."""
    content = as_utf_8(content)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _plain(
    latitude: str, longitude: str, height: str | None = None, form: str | None = None, remark: str | None = None
) -> WrittenPlace:
    place = Place(float(latitude), float(longitude), float(height) if height else None)
    return WrittenPlace(place, rounding_sigma_m(latitude, longitude), form, remark)


def _from_angles(found: Angles) -> WrittenPlace:
    place = Place(found.latitude_deg, found.longitude_deg)
    written = WrittenPlace(place, found.step_deg * _DEGREE_M * _UNIFORM, "degrees with N or S and E or W")
    return _with_height(written, height_behind(found.rest))


def _with_height(written: WrittenPlace, height: WrittenHeight | None) -> WrittenPlace:
    """At the height that stands beside it, where the place has none of its own."""
    if height is None or written.place.height_m is not None:
        return written
    if height.height_m is not None:
        return replace(written, place=replace(written.place, height_m=height.height_m), remark=None)
    return replace(written, remark=height.words)


def _from_labels(text: str) -> Iterator[WrittenPlace | None]:
    """Each latitude with the longitude beside it; no place where they do not come in pairs."""
    named = list(_LABELLED.finditer(text))
    latitudes, longitudes = (
        [found for found in named if (found[1][:3].lower() == "lat") == each] for each in (True, False)
    )
    if not latitudes or not longitudes:
        return
    if len(latitudes) != len(longitudes):
        yield None
        return
    for latitude, longitude in zip(latitudes, longitudes, strict=True):
        written = _plain(latitude[2].replace(",", "."), longitude[2].replace(",", "."), form="named numbers")
        end = max(latitude.end(), longitude.end())
        yield _with_height(written, height_behind(text[end : end + REST]))


def _from_bare(text: str) -> Iterator[WrittenPlace]:
    """Nothing but numbers: two, or three with a height; a locator may stand beside them."""
    stripped = _LOCATOR.sub(" ", _REMARK.sub("", text)).strip().removeprefix("geo:")
    if headed := _HEADED.match(stripped):
        stripped = stripped[headed.end() :]
    stripped = stripped.strip("()[]{}\"' \t\r\n")
    if found := _DECIMAL_COMMA.fullmatch(stripped):
        yield _plain(f"{found[1]}.{found[2]}", f"{found[3]}.{found[4]}", form=_COMMA_FORM)
    # Behind a word a whole number may count something else.
    elif (found := _BARE.fullmatch(stripped)) and (headed is None or ("." in found[1] and "." in found[2])):
        yield _plain(found[1], found[2], found[3], _BARE_FORM)


def _from_rows(text: str) -> Iterator[WrittenPlace]:
    """Lines of bare numbers beside a position of another form: two with decimals are another position."""
    for line in text.splitlines():
        if line.count(".") >= 2:
            yield from _from_bare(line)


def _locators(text: str, least: int) -> Sequence[str]:
    """The different Maidenhead locators of at least so many characters."""
    return sorted({locator.upper() for locator in _LOCATOR.findall(text) if len(locator) >= least})


def _square(locator: str) -> WrittenPlace:
    longitude, latitude, width = -180.0, -90.0, 360.0
    for pair, (count, zero) in zip(range(0, len(locator), 2), _LOCATOR_BASES, strict=False):
        width /= count
        longitude += (ord(locator[pair]) - ord(zero)) * width
        latitude += (ord(locator[pair + 1]) - ord(zero)) * width / 2
    place = Place(latitude + width / 4, longitude + width / 2)
    wider_deg = width * max(0.5, math.cos(math.radians(place.latitude_deg)))
    return WrittenPlace(place, wider_deg * _DEGREE_M * _UNIFORM, f"the middle of the locator square {locator}")
