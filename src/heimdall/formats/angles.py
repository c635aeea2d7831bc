"""Degrees, minutes and seconds with the letters of their hemispheres, as people and instruments write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

# Without signs between them: 51.30.02N, 51-30-02N, 51-30.03N, and ddmm.mm of NMEA, APRS and aviation, where the zeros in front
# are written.
_DOTTED = r"(?<![\d.])(\d{1,3})\.([0-5]?\d)\.([0-5]?\d(?:\.\d+)?)(?![\d.])"
_DASHED = r"(?<![\d.-])(\d{1,3})-([0-5]\d)(?:-([0-5]\d))?(\.\d+)?(?![\d.-])"
_PACKED = r"(?<![\d.])(\d{%d})([0-5]\d)([0-5]\d)?(\.\d+)?(?![\d.])"
_UNMARKED = tuple(
    (letters, written)
    for letters, digits in (("NSns", 2), ("EWew", 3))
    for written in (_DOTTED, _DASHED, _PACKED % digits)
)
_UNMARKED_LAST = tuple(re.compile(rf"(){written}[\s,]*([{letters}])(?![A-Za-z])") for letters, written in _UNMARKED)
_UNMARKED_FIRST = tuple(re.compile(rf"\b([{letters}])\s*{written}()") for letters, written in _UNMARKED)
_LABEL = re.compile(r"\b(?:lat(?:itude)?|lon(?:g|gitude)?|lng)\b[\s:=.]*", re.IGNORECASE)
# A number is read whole or not at all: "462.96" is no 46 degrees with 2.96 minutes.
_PART = r"(\d{1,3}(?:\.\d*)?)(?![\d.]|,\d)"
# Behind a digit and a comma it is the decimals of another, except where it has a point of its own: 123519,4807.038,N.
_BEGIN = r"(?<![\d.])(?<!\d-)(?:(?<!\d,)|(?=\d+(?:°\d+)?(?:′\d+)?\.\d))"
_ANGLE = (
    rf"{_BEGIN}([-+]?){_PART}\s*[°º:d\s]?\s*(?:{_PART}\s*(?:[′'’:m\s]\s*|(?=[,;/NSEWnsew]|$)))?"
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
REST = 40
"""Characters: the longest height that follows."""
_DIGITS_LEFT = re.compile(r"[.,]?\d|[ \t]+\d[\d.]*(?!\s*m)(?![\d.])")
"""A part of the number before, or one that follows it and is no height in metres."""

_DIGITS_BEFORE = re.compile(r"\d\s*[^\w\s]*[dms]?[ \t]*$")
"""A number that the first letter may as well belong to."""


class Angles(NamedTuple):
    """A position, the step in degrees of the last digit that it is written with, and what follows it."""

    latitude_deg: float
    longitude_deg: float
    step_deg: float
    rest: str = ""


def last_step(text: str) -> float | None:
    """The last digit's place value, of whole degrees at most."""
    try:
        exponent = Decimal(text.strip()).normalize().as_tuple().exponent
    except InvalidOperation:
        return None
    return 10.0 ** min(exponent, 0) if isinstance(exponent, int) else None


def angles_in(text: str) -> Iterator[Angles | None]:
    """Degrees, minutes and seconds with the hemisphere behind or before. O is east to some and west to others: not read."""
    text = _LABEL.sub("", text)
    behind = list(_letters_behind(_marked(text, _UNMARKED_LAST)))
    yield from behind
    for written in _letters_before(_marked(text, _UNMARKED_FIRST)):
        # Between a place with letters behind and its height this form finds one that is none: 46 N 8 E 1200.
        if not behind or written is None or _on_globe(written):
            yield written


def _letters_behind(text: str) -> Iterator[Angles | None]:
    for found in _found(_HEMISPHERE_LAST, text):
        *first, letter, s, d, m, sec, last_letter = found.groups()
        written = _angles(first, letter, [s, d, m, sec], last_letter)
        yield None if written is None else written._replace(rest=text[found.end() :][:REST])


def _letters_before(text: str) -> Iterator[Angles | None]:
    for found in _found(_HEMISPHERE_FIRST, text):
        letter, s, d, m, sec, last_letter, *last = found.groups()
        rest = text[len(found[0].rstrip()) + found.start() :][:REST]
        written = None if _DIGITS_LEFT.match(rest) else _angles([s, d, m, sec], letter, last, last_letter)
        of_number = _DIGITS_BEFORE.search(text[max(0, found.start() - REST) : found.start()])
        yield None if written is None or (of_number and _on_globe(written)) else written._replace(rest=rest)


def _found(patterns: Iterable[re.Pattern[str]], text: str) -> Iterator[re.Match[str]]:
    return (found for pattern in patterns for found in pattern.finditer(text))


def _on_globe(place: Angles) -> bool:
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


def _angles(first: list[str | None], letter: str, last: list[str | None], last_letter: str) -> Angles | None:
    """Two angles, each with its hemisphere, the latitude first or last; None where one cannot be right."""
    angles = _angle(first), _angle(last)
    if angles[0] is None or angles[1] is None or "-" in (first[0], last[0]):
        return None
    degrees = {
        each in "NSns": -angle if each in "SsWw" else angle
        for each, (angle, _) in zip((letter, last_letter), (angles[0], angles[1]), strict=True)
    }
    return Angles(degrees[True], degrees[False], min(angles[0][1], angles[1][1]))


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
    step = (last_step(text) or 1.0) / 60**last
    return values[0] + values[1] / 60 + values[2] / 3600, step
