"""Times in SigMF metadata as other programs write them, brought to the schema with all their digits."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import sigmf

from heimdall.formats.readers.sigmf.values import sections

_OLD_TIME_KEY = "core:time"
TIME_KEYS = (sigmf.DATETIME_KEY, _OLD_TIME_KEY)
_TIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[T ](\d\d):?(\d\d):?(\d\d)(?:[.,](\d{1,18}))?\s*(?:([-+])(\d\d)(?::?(\d\d))?)?\s*(?:Z|UTC|GMT)?",
    re.ASCII | re.IGNORECASE,
)
_HOW_TO_DATE = "write UTC with Z, as 2025-01-31T12:00:00.25Z"


def parse_utc(value: object) -> tuple[datetime | None, float]:
    """The whole second in UTC, and the rest in s with every digit that a float holds. Without a zone it is UTC."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None, 0.0
    *minute, second = (int(found[group]) for group in range(1, 7))
    east = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0)) * (-1 if found[8] == "-" else 1)
    try:
        whole = datetime(*minute, tzinfo=UTC) + timedelta(seconds=second) - east  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        return None, 0.0
    return whole, float(f"0.{found[7] or 0}")


def second_digits(value: object) -> str | None:
    """The digits behind the point of a time's seconds, as they are written; None where there are none."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    return found[7] if found else None


def as_dates(document: dict[str, Any]) -> list[str]:
    """Every time as the schema wants it, with all its digits; one that cannot be read is taken out."""
    notes = []
    for capture in sections(document, "captures"):
        if sigmf.DATETIME_KEY not in capture and _OLD_TIME_KEY in capture:
            capture[sigmf.DATETIME_KEY] = capture.pop(_OLD_TIME_KEY)
            notes.append(f"{_OLD_TIME_KEY} is read as {sigmf.DATETIME_KEY}")
        value = capture.get(sigmf.DATETIME_KEY)
        if value is None:
            continue
        whole, _ = parse_utc(value)
        if whole is None:
            del capture[sigmf.DATETIME_KEY]
            notes.append(f"its {sigmf.DATETIME_KEY} {str(value)[:60]!r} is not read: {_HOW_TO_DATE}")
            continue
        found = _TIME.fullmatch(value.strip())
        digits = found[7] if found and found[7] else "0"
        capture[sigmf.DATETIME_KEY] = f"{whole.replace(tzinfo=None).isoformat()}.{digits}Z"
        if found and found[8] and int(found[9]) + int(found[10] or 0):
            notes.append(f"its {sigmf.DATETIME_KEY} {value} is {whole:%H:%M:%S} UTC")
    return notes
