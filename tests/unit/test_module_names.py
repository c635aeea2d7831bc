"""A module's name says which one is meant: names repeat only where modules are the same thing seen from another side."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "heimdall"
SIDES = {"cli", "service", "web"}
"""The command, the route, the table and the page of one thing may all have its name."""
TWINS = {
    "__main__": "every program's",
    "command": "`heimdall doctor` and `heimdall up`",
    "session": "of KiwiSDR files, of SigMF files",
    "scenarios": "their names, which need no torch, and their laws",
}


def test_no_two_modules_have_one_name_unless_they_are_sides_of_one_thing() -> None:
    of_name: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        inside = path.relative_to(SOURCE)
        if inside.parts[0] not in SIDES and inside.stem not in {"__init__", *TWINS}:
            of_name[inside.stem].append(str(inside))
    assert {name: places for name, places in of_name.items() if len(places) > 1} == {}
