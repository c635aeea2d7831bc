"""Fixes with what they were made from, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from textwrap import indent
from typing import TYPE_CHECKING, Any, TypeAlias

from heimdall.errors import InputError
from heimdall.fix import Fix, ReceiverReport
from heimdall.observation import Observation, Reception

if TYPE_CHECKING:
    from heimdall.formats.maps.map_scene import EvidenceMap

Made: TypeAlias = "tuple[Fix, Observation, Sequence[EvidenceMap]]"
"""A fix, the observation it was made from, and the maps of its evidence, if it is to be drawn."""
MOST_DRAWN = 24
"""Fixes of a report that are drawn; all of them are in its table."""
_PICTURED = (".html", ".png")


def is_drawn(number: int, suffix: str) -> bool:
    """Whether a file of that suffix has a picture of the fix of that number, from 0."""
    return suffix in _PICTURED and number < MOST_DRAWN


def check_picture(count: int, suffix: str) -> None:
    """Raises InputError where so many fixes do not go into a file of that suffix."""
    if suffix == ".png" and count != 1:
        raise InputError(f"a picture holds one fix, not {count}; write .html instead")


def fix_document(fix: Fix, observation: Observation) -> dict[str, Any]:
    """`Fix.to_json`, with the `notes` of what the reader decided on the way."""
    return {**fix.to_json(), "notes": list(observation.notes)}


def json_pieces(made: Iterable[Made]) -> Iterator[str]:
    """The document of `heimdall locate --json`, piece by piece."""
    yield '{\n  "fixes": ['
    for number, (fix, observation, _) in enumerate(made):
        document = json.dumps(fix_document(fix, observation), indent=2, ensure_ascii=False, allow_nan=False)
        yield (",\n" if number else "\n") + indent(document, "    ")
    yield "\n  ]\n}\n"


def reported(fix: Fix, observation: Observation) -> list[tuple[Reception, ReceiverReport]]:
    """Each reception with its report: in order where the names agree, else by name; without one it was not used."""
    receptions = observation.receptions
    names = [reception.receiver.name for reception in receptions]
    if names == [report.name for report in fix.receivers]:
        return list(zip(receptions, fix.receivers, strict=True))
    by_name = {report.name: report for report in fix.receivers}
    return [
        (reception, by_name.get(name) or ReceiverReport(name, used=False, reason=reception.flaw))
        for name, reception in zip(names, receptions, strict=True)
    ]
