"""Values of SigMF metadata as programs write them, and the segments that hold them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

PLAIN_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII)

_WITH_UNIT = re.compile(rf"({PLAIN_NUMBER.pattern})\s*([a-zµμ/]+)", re.ASCII | re.IGNORECASE)
HERTZ = {
    f"{prefix}{unit}": size
    for prefix, size in (("", 1.0), ("k", 1e3), ("m", 1e6), ("g", 1e9))
    for unit in ("hz", "s/s", "sps")
}
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
METRES = {"m": 1.0, "km": 1e3}
DECIBELS = {"db": 1.0}
"""Units in small letters: nobody records millihertz."""


def number(value: object) -> float | None:
    """A JSON number as a float, infinite where it does not fit; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def number_written(value: object) -> float | None:
    """As `number`, and of a string that holds nothing but one."""
    if isinstance(value, str) and PLAIN_NUMBER.fullmatch(value.strip()):
        return float(value)
    return number(value)


def quantity_written(value: str, units: Mapping[str, float]) -> float | None:
    """Of a string that holds a number and one of these units."""
    found = _WITH_UNIT.fullmatch(value.strip())
    size = units.get(found[2].lower()) if found else None
    return None if found is None or size is None else float(found[1]) * size


def text(value: object) -> str | None:
    """A string that can be printed and written anywhere: broken surrogates become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def sections(document: Mapping[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        found = document.get(name)
        yield from (each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict))
