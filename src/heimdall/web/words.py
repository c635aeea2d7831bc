"""Small wordings that several pages share."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import ValidationError

from heimdall.formats.wording import frequency_text
from heimdall.service.storage.session_summary import Summary
from heimdall.validation.complaints import what_is_wrong


def about_session(summary: Summary) -> str:
    parts = [
        count(summary.observations, "observation"),
        count(len(summary.receivers), "receiver"),
        frequency_text(summary.frequency_hz[0]),
        " + ".join({"iq": "IQ"}.get(each, each) for each in summary.carries),
    ]
    if summary.with_truth:
        parts.append(
            "transmitter known" if summary.with_truth == summary.observations else f"{summary.with_truth} known"
        )
    return " · ".join(part for part in parts if part)


def count(number: int, noun: str, nouns: str = "") -> str:
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def duration_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 129_600 else f"{seconds / 86_400:.1f} days"


def time_text(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M} UTC"


def ago_text(unix_s: float, now: datetime | None = None) -> str:
    seconds = ((now or datetime.now(UTC)) - datetime.fromtimestamp(unix_s, UTC)).total_seconds()
    return "now" if seconds < 2 else f"{duration_text(seconds)} ago"


def bytes_text(size_bytes: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.3g} {unit}"
    return f"{size_bytes:.0f} bytes"


def number_text(value: object) -> str:
    """Four digits of a number, never with a power of ten where people count; a dash for none."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def score_name(name: str) -> str:
    """`hybrid/median_m` as people read it: hybrid, median in m."""
    plain = name.replace("/", ", ").replace("_", " ")
    return f"{plain[:-2]} in m" if plain.endswith(" m") else plain


def validation_text(error: ValidationError, skip: int = 0) -> str:
    """The first thing that is wrong: the field, as people name it, and what it must be. `skip`: leading parts of its path."""
    first = error.errors(include_url=False)[0]
    path = [f"entry {part + 1}" if isinstance(part, int) else part.replace("_", " ") for part in first["loc"][skip:]]
    return f"{', '.join(path)}{what_is_wrong(first)}".lstrip(" :")
