"""The time of a measurement row, which locating does not need: what cannot be read costs a note, and not the row."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

_LEAP_SECOND = re.compile(r"([T ]\d\d:?\d\d:?)60", re.ASCII | re.IGNORECASE)
_LEAST_UNIX_S = 1e9
"""Of September 2001."""
_Read = Callable[[object], datetime | None]
"""Raises ValidationError for what is no time."""


def utc_if_read(value: object, read: _Read) -> datetime | None:
    """The time in UTC; None for what cannot be read. Without a zone it is UTC, as its key says.

    The second 60 of a minute, which a datetime does not have, is the first of the next one. A number counts from 1970, unless
    it is so small that it counts days or has the digits of a date.
    """
    if abs(_number(value)) < _LEAST_UNIX_S:
        return None
    before = _LEAP_SECOND.sub(r"\g<1>59", value) if isinstance(value, str) else value
    try:
        found = read(before)
        if found is None:
            return None
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        return found if before == value else found + timedelta(seconds=1)
    except (ValidationError, OverflowError):
        return None


def _number(value: object) -> float:
    """Also of digits in quotes; infinite for anything else."""
    try:
        return float(value) if isinstance(value, int | float | str) else math.inf
    except (ValueError, OverflowError):
        return math.inf


def unread_time(written: object, read: datetime | None) -> tuple[str, ...]:
    """A note on a time that is written and could not be read."""
    if written is None or read is not None:
        return ()
    return (f"its time_utc {str(written)[:60]!r} is not read: write UTC with Z, as 2025-01-31T12:00:00Z",)
