"""Fixes as a table for people, and what is to be said of each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Column, Table

from heimdall.cli.locating.reader_notes import Notes
from heimdall.cli.output import console, print_table
from heimdall.fix import Fix

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
    for fix in first:
        for line in _remarks(fix):
            console.print(f"{fix.id}: {line}")


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
