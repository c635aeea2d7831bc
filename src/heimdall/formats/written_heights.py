"""A height that stands beside a position, as people write it."""

from __future__ import annotations

import re
from typing import NamedTuple

from heimdall.formats.framed_coordinates import NUMBER

_METRES = r"m\b|met(?:er|re)s?\b"
_BEHIND = re.compile(rf"[ \t]*[,;/]?[ \t]+({NUMBER})(?![\d.,])\s*(?:({_METRES})|(?=[\s;]|$))", re.IGNORECASE)
"""The third number of a row."""
_NAMED = re.compile(
    rf"\b(alt(?:itude)?|elev(?:ation)?|height|asl)(_m\b|\s*\(m\)|\s*\[m\])?\.?['\"]?\s*[:=]?\s*['\"]?({NUMBER})(?![\d.,]\d)\s*(?:({_METRES})|ft\b|feet\b)?",
    re.IGNORECASE,
)


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
    if len(heights) > 1:
        return WrittenHeight(" and ".join(sorted(height.words for height in heights)), None)
    return heights.pop() if heights else None


def _named(found: re.Match[str]) -> WrittenHeight:
    in_metres = found[2] or (found[4] and found[1].lower() != "height")
    return WrittenHeight(re.sub(r"[\s:='\"]+", " ", found[0]).strip(), float(found[3]) if in_metres else None)
