"""Values of SigMF metadata as programs write them, and the segments that hold them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

PLAIN_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII)


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


def text(value: object) -> str | None:
    """A string that can be printed and written anywhere: broken surrogates become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def sections(document: Mapping[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        found = document.get(name)
        yield from (each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict))
