"""Positions as people write them: what place a text means, and how exactly it says so.

A text means a place where all the positions in it agree, each read to its last digit. Any other means none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from heimdall.formats.framed_coordinates import NUMBER, framed
from heimdall.formats.text import as_utf_8
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
    r"\b(lat|lon|lng|long|latitude|longitude)\b['\"]?\s*[:=]?\s*['\"]?"
    rf"([-+]?\d{{1,6}}\.\d*(?![.,]?\d|[\d.]*{_SIGN})|[-+]?\d{{1,3}},\d+(?![.,]?\d|\d*{_SIGN})"
    rf"|[-+]?\d{{1,6}}(?!\d|[.,]\d|[ \t]+\d|{_SIGN}))",
    re.IGNORECASE,
)
_NO_MORE = r"(?!\d|[.,]\d|\s*[°º])"
"""No further digits, and no degrees: what stood before would be two numbers."""
_WRITTEN = (
    (re.compile("[\u2212\u2013\u2012\u2010\u2011](?=\\d)"), "-"),
    (re.compile(r"(?<=\d)\s*deg(?:rees?)?\b\.?", re.IGNORECASE), "°"),
    (re.compile(r"(?<=\d)\s*min(?:utes?)?\b\.?", re.IGNORECASE), "′"),
    (re.compile(r"(?<=\d)\s*sec(?:onds?)?\b\.?", re.IGNORECASE), "″"),
    (re.compile(r"\b([NS])o[ru]th\b|\b([EW])[ae]st\b", re.IGNORECASE), r"\1\2"),
    (re.compile(r"(?<![\d.,])(\d{1,7}),(\d+)(?=\s*[°º]?\s*[NSEWnsew](?![A-Za-z]))"), r"\1.\2"),
    (re.compile(rf"(?<=[°º′'’])(\s*\d{{1,2}}),(\d+){_NO_MORE}"), r"\1.\2"),
    (
        re.compile(
            rf"(?<![A-Za-z])([NSEWnsew]\s*(?:\d{{1,3}}[°º:\s]\s*)?(?:\d{{1,2}}[′'’:\s]\s*)?\d{{1,7}}),(\d+){_NO_MORE}"
        ),
        r"\1.\2",
    ),
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
_SPACES = re.compile(" {2,}")
_BLANKS = re.compile(r"\s{2,}")
"""The forms below allow blanks at many places: the ways to share out a long run would be countless."""
_REMARK = re.compile(r"(?:^|\s)(?:#|//).*$", re.MULTILINE)
_LABEL = re.compile(r"\b(?:lat(?:itude)?|lon(?:g|gitude)?|lng)\b[\s:=.]*", re.IGNORECASE)
_BARE = re.compile(rf"({NUMBER})\s*°?\s*[,;/\s]\s*({NUMBER})\s*°?\s*(?:[,;\s]\s*({NUMBER})\s*m?\s*)?")
_DECIMAL_COMMA = re.compile(r"([-+]?\d{1,3}),(\d{2,})\s*[;\s]\s*([-+]?\d{1,3}),(\d{2,})")
# A number is read whole or not at all: "462.96" is no 46 degrees with 2.96 minutes.
_PART = r"(\d{1,3}(?:\.\d*)?)(?![\d.]|,\d)"
_ANGLE = (
    rf"(?<![\d.])([-+]?){_PART}\s*[°º:d\s]?\s*(?:{_PART}\s*(?:[′'’:m\s]\s*|(?=[,;/NSEWnsew]|$)))?"
    rf"(?:{_PART}\s*(?:[″\"”s]|''|′′|’’)?)?"
)
_LETTERS = ("[NSns]", "[EWew]")
_HEMISPHERE_LAST = tuple(
    re.compile(rf"{_ANGLE}\s*({first})(?![A-Za-z])[\s,;/]*{_ANGLE}\s*({second})(?![A-Za-z])")
    for first, second in (_LETTERS, _LETTERS[::-1])
)
_HEMISPHERE_FIRST = tuple(
    re.compile(rf"(?<![\w.°º'′’\"″”])({first})[ \t]*{_ANGLE}[\s,;/]*({second})[ \t]*{_ANGLE}")
    for first, second in (_LETTERS, _LETTERS[::-1])
)
"""The latitude before the longitude, and after it."""
_DIGITS_LEFT = re.compile(r"[.,]?\d")
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
    """The place that a text means; None where it says none, or several.

    Read are `[latitude, longitude]` with or without a height and with anything round it, what other programs write (see
    `framed_coordinates`), numbers that are named latitude and longitude, degrees with minutes and seconds, two or three bare
    numbers, and a Maidenhead locator. Of several that agree the one with the most digits counts.
    """
    found = places_in(text)
    return found[0] if len(found) == 1 else None


def places_in(text: str) -> tuple[WrittenPlace, ...]:
    """The place of a text, as exactly as it is written anywhere in it, or two of several; none where one cannot be read whole."""
    for sign, plain in _WRITTEN:
        text = sign.sub(plain, text)
    written, text = framed(_SPACES.sub(" ", text))
    text = _BLANKS.sub(lambda run: "\n" if "\n" in run[0] else " ", text)
    found = [None if each is None else _plain(*each) for each in written]
    found += [*_from_degrees(text), *_from_labels(text)]
    found = found or list(_from_bare(text))
    locators = [_square(locator) for locator in _locators(text, _LONG_LOCATOR if found else 0)]
    found += locators if found or len(locators) == 1 else []
    return _different([each for each in found if each is not None]) if None not in found else ()


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


def _from_labels(text: str) -> Iterator[WrittenPlace | None]:
    """Each latitude with the longitude beside it; no place where they do not come in pairs."""
    named = [(name[:3].lower() == "lat", value.replace(",", ".")) for name, value in _LABELLED.findall(text)]
    latitudes, longitudes = ([value for is_latitude, value in named if is_latitude == each] for each in (True, False))
    if not latitudes or not longitudes:
        return
    if len(latitudes) != len(longitudes):
        yield None
        return
    for latitude, longitude in zip(latitudes, longitudes, strict=True):
        yield _plain(latitude, longitude, form="named numbers")


def _from_degrees(text: str) -> Iterator[WrittenPlace | None]:
    """Degrees, minutes and seconds with the hemisphere behind or before. O is east to some and west to others: not read."""
    text = _LABEL.sub("", text)
    behind = list(_letters_behind(_marked(text, _UNMARKED_LAST)))
    yield from behind
    for written in _letters_before(_marked(text, _UNMARKED_FIRST)):
        # Between a place with letters behind and its height this form finds one that is none: 46 N 8 E 1200.
        if not behind or written is None or _on_globe(written.place):
            yield written


def _letters_behind(text: str) -> Iterator[WrittenPlace | None]:
    for found in _found(_HEMISPHERE_LAST, text):
        *first, letter, s, d, m, sec, last_letter = found.groups()
        yield _angles(first, letter, [s, d, m, sec], last_letter)


def _letters_before(text: str) -> Iterator[WrittenPlace | None]:
    for found in _found(_HEMISPHERE_FIRST, text):
        letter, s, d, m, sec, last_letter, *last = found.groups()
        left = _DIGITS_LEFT.match(text, found.end())
        yield None if left else _angles([s, d, m, sec], letter, last, last_letter)


def _found(patterns: Iterable[re.Pattern[str]], text: str) -> Iterator[re.Match[str]]:
    return (found for pattern in patterns for found in pattern.finditer(text))


def _on_globe(place: Place) -> bool:
    return abs(place.latitude_deg) <= 90 and abs(place.longitude_deg) <= 180


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


def _angles(first: list[str | None], letter: str, last: list[str | None], last_letter: str) -> WrittenPlace | None:
    """Two angles, each with its hemisphere, the latitude first or last; None where one cannot be right."""
    angles = _angle(first), _angle(last)
    if angles[0] is None or angles[1] is None or "-" in (first[0], last[0]):
        return None
    degrees = {
        each in "NSns": -angle if each in "SsWw" else angle
        for each, (angle, _) in zip((letter, last_letter), (angles[0], angles[1]), strict=True)
    }
    sigma_m = min(angles[0][1], angles[1][1]) * _DEGREE_M * _UNIFORM
    return WrittenPlace(Place(degrees[True], degrees[False]), sigma_m, "degrees with N or S and E or W")


def _angle(parts: list[str | None]) -> tuple[float, float] | None:
    """Degrees, and the step of the last part written in degrees.

    None where minutes or seconds are 60 or more, or follow a part with decimals.
    """
    _, *written = parts
    values = [float(part or 0) for part in written]
    if values[1] >= 60 or values[2] >= 60 or (written[1] is None and written[2] is not None):
        return None
    last = max(index for index, part in enumerate(written) if part is not None)
    if any(value % 1 for value in values[:last]):
        return None
    text = written[last] or ""
    step = (_step(text) or 1.0) / 60**last
    return values[0] + values[1] / 60 + values[2] / 3600, step


def _from_bare(text: str) -> Iterator[WrittenPlace]:
    """Nothing but numbers: two, or three with a height; a locator may stand beside them."""
    stripped = _LOCATOR.sub(" ", _REMARK.sub("", text)).strip().removeprefix("geo:").strip("()[]{}\"' \t\r\n")
    if found := _DECIMAL_COMMA.fullmatch(stripped):
        yield _plain(f"{found[1]}.{found[2]}", f"{found[3]}.{found[4]}", form="numbers with a decimal comma")
    elif found := _BARE.fullmatch(stripped):
        yield _plain(found[1], found[2], found[3], "bare numbers, latitude first")


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
