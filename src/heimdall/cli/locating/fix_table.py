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
_WHOLE = ("status", "latitude", "longitude", "method")
"""Columns that stay on one line however narrow the terminal is."""
_COLUMNS = ("id", "status", "latitude", "longitude", "height", "95 % within", "error", "method")


def show(first: Sequence[Fix], count: int, notes: Notes) -> None:
    """A table for people, and what the readers decided on the way."""
    table = Table(*(Column(name, no_wrap=name in _WHOLE) for name in _COLUMNS), box=None)
    for fix in first:
        table.add_row(fix.id, fix.status, *_place(fix), _error(fix), fix.method)
    print_table(table)
    if count > len(first):
        console.print(f"... and {count - len(first)} more: --json or --output has them all")
    notes.say()
    for line in _said(first):
        console.print(line)


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


def _place(fix: Fix) -> tuple[str, str, str, str]:
    if fix.latitude_deg is None or fix.longitude_deg is None or fix.region_95 is None:
        return "-", "-", "-", "-"
    from heimdall.formats.wording import error_text, height_text

    reach_m = fix.region_95.reach_m(fix.latitude_deg, fix.longitude_deg)
    return f"{fix.latitude_deg:.5f}", f"{fix.longitude_deg:.5f}", height_text(fix) or "unknown", error_text(reach_m)


def _error(fix: Fix) -> str:
    from heimdall.formats.wording import error_text

    return "" if fix.truth is None else error_text(fix.truth.error_m)


def _remarks(fix: Fix) -> list[str]:
    from heimdall.formats.wording import near_text

    advice = [fix.advice] if fix.advice else []
    if fix.near is not None:
        advice.append(near_text(fix.near))
    said = [f"{report.name}: {report.reason}" for report in fix.receivers if report.reason]
    return advice + [each for each in said if each not in fix.advice]
