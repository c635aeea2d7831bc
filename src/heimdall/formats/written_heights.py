"""A height that stands beside a position, as people write it."""

from __future__ import annotations

import re
from typing import NamedTuple

from heimdall.formats.framed_coordinates import NUMBER

_METRES = r"m\b|met(?:er|re)s?\b"
_BEHIND = re.compile(rf"[ \t]*[,;/]?[ \t]+({NUMBER})(?![\d.,])\s*(?:({_METRES})|(?=[\s;]|$))", re.IGNORECASE)
"""The third number of a row."""
_ABOVE_SEA = r"alt(?:itud(?:e|ine)?)?|elev(?:ation|ación)?|asl"
_ABOVE_ANYTHING = r"height|h(?:ö|oe)he|hauteur|altura|altezza|hoogte"
_NAMED = re.compile(
    rf"\b({_ABOVE_SEA}|{_ABOVE_ANYTHING})(_m\b|\s*\(m\)|\s*\[m\])?\.?['\"]?\s*[:=]?\s*['\"]?({NUMBER})(?![\d.,]\d)\s*(?:({_METRES})|ft\b|feet\b)?",
    re.IGNORECASE,
)

_GPX = re.compile(rf"<ele>\s*({NUMBER})\s*</ele>")
"""In metres by its schema."""


class WrittenHeight(NamedTuple):
    """The words it is written in, and what they say in m; None where they do not say what it counts in, or from where."""

    words: str
    height_m: float | None


def height_behind(rest: str) -> WrittenHeight | None:
    """The number that follows a position at once."""
    found = _BEHIND.match(rest)
    return WrittenHeight(found[0].strip(" \t\n,;/"), float(found[1]) if found[2] else None) if found else None


def height_named(text: str) -> WrittenHeight | None:
    """One that is called so. A "height" may count from the ground, and one without a unit in feet."""
    heights = {_named(found) for found in _NAMED.finditer(text)}
    heights |= {WrittenHeight(found[0], float(found[1])) for found in _GPX.finditer(text)}
    if len(heights) > 1:
        return WrittenHeight(" and ".join(sorted(height.words for height in heights)), None)
    return heights.pop() if heights else None


def _named(found: re.Match[str]) -> WrittenHeight:
    in_metres = found[2] or (found[4] and re.fullmatch(_ABOVE_SEA, found[1], re.IGNORECASE))
    return WrittenHeight(re.sub(r"[\s:='\"]+", " ", found[0]).strip(), float(found[3]) if in_metres else None)
