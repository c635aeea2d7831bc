"""Fixes as a table for people, and what is to be said of each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.table import Column, Table

from heimdall.cli.locating.reader_notes import Notes
from heimdall.cli.output import console, print_table
from heimdall.fix import Fix

_FIGURE = re.compile(r"\d[\d.]*(?= ?(?:°|%|km|m|s|ms|us|ns|dB|ppm|Hz|kHz|MHz)(?![A-Za-z]))")
"""A number with its unit; the digits in a receiver's name are none."""
_MISSING = "-"
_LEVEL = "protection\nlevel"
_FOLDED = ("id", "height")
"""Columns that may take several lines on a narrow terminal."""
_WHERE_KNOWN = ("height", _LEVEL, "error")
"""Columns that are left out where no fix has one, so that the others fit in 80 characters."""


def show(first: Sequence[Fix], count: int, notes: Notes) -> None:
    """A table for people, and what the readers decided on the way."""
    rows = [_row(fix) for fix in first]
    methods = {fix.method for fix in first}
    if len(methods) > 1:
        rows = [{**row, "method": fix.method} for row, fix in zip(rows, first, strict=True)]
    empty = {name for name in _WHERE_KNOWN if all(row[name] == _MISSING for row in rows)}
    names = [name for name in rows[0] if name not in empty]
    table = Table(*(Column(name, no_wrap=name not in _FOLDED) for name in names), box=None)
    for row in rows:
        table.add_row(*(row[name] for name in names))
    print_table(table)
    if count > len(first):
        console.print(f"... and {count - len(first)} more: --json or --output has them all")
    if len(methods) == 1:
        console.print(f"method: {methods.pop()}")
    notes.say()
    for line in _said(first):
        console.print(line)


def _row(fix: Fix) -> dict[str, str]:
    from heimdall.formats.wording import error_text, height_text

    def length(length_m: float | None) -> str:
        return _MISSING if length_m is None else error_text(length_m)

    def degrees(angle_deg: float | None) -> str:
        return _MISSING if angle_deg is None else f"{angle_deg:.5f}"

    return {
        "id": fix.id,
        "status": fix.status,
        "latitude": degrees(fix.latitude_deg),
        "longitude": degrees(fix.longitude_deg),
        "height": height_text(fix) or _MISSING,
        "95 %\nwithin": length(fix.reach_m),
        _LEVEL: length(fix.protection_level_m),
        "error": length(None if fix.truth is None else fix.truth.error_m),
    }


def _said(fixes: Sequence[Fix]) -> Iterator[str]:
    """The remarks on the fixes; what differs in its figures alone is said once, with how many fixes it concerns."""
    alike: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for fix in fixes:
        for remark in _remarks(fix):
            alike[_FIGURE.sub("#", remark)].append((fix.id, remark))
    for each in alike.values():
        name, remark = each[0]
        more = f" and {len(each) - 1} more" if len(each) > 1 else ""
        other = ", with other figures" if len({said for _, said in each}) > 1 else ""
        yield f"{name}{more}{other}: {remark}"


def _remarks(fix: Fix) -> list[str]:
    from heimdall.formats.wording import near_text

    advice = [fix.advice] if fix.advice else []
    if fix.near is not None:
        advice.append(near_text(fix.near))
    said = [f"{report.name}: {report.reason}" for report in fix.receivers if report.reason]
    return advice + [each for each in said if each not in fix.advice]
