"""What a training needs on the card: the document of `heimdall train --plan --json`, read or asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from heimdall.doctor.facts import Plan
from heimdall.doctor.host import Host

PLAN_LIMIT_S = 120.0
GIB = 2**30
NEEDED = ("needed_bytes", "peak_bytes", "total_bytes")


def plan_for_recipe(host: Host, recipe: str | None) -> Plan | None:
    """Asks the training command where it is installed; None where it is not, or says nothing of memory."""
    if recipe is None:
        return None
    command = [sys.executable or "python3", "-m", "heimdall", "train", "--recipe", recipe, "--plan", "--json"]
    answer = host.run(command, PLAN_LIMIT_S)
    try:
        document = json.loads(answer.stdout) if answer.code == 0 else None
    except ValueError:
        return None
    return read_plan(document, recipe)


def read_plan(document: object, recipe: str | None = None) -> Plan | None:
    """The peak a plan names, wherever in the document it stands."""
    if not isinstance(document, Mapping):
        return None
    numbers = dict(_numbers(document))
    needed = next((numbers[key] for key in NEEDED if key in numbers), None)
    name = recipe or document.get("recipe") or document.get("name") or "the recipe"
    return Plan(str(name), int(needed), str(document.get("advice") or "")) if needed else None


def _numbers(node: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Every number with its key, the outermost last, so that it wins."""
    for value in node.values():
        if isinstance(value, Mapping):
            yield from _numbers(value)
    for key, value in node.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield (key.replace("_gib", "_bytes"), value * GIB) if key.endswith("_gib") else (key, value)
