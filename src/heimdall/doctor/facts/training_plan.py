"""What a training needs on the card: the document of `heimdall train --plan --json`, read or asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from heimdall.doctor.facts import Plan
from heimdall.doctor.host import Host

PLAN_LIMIT_S = 120.0


def plan_for_recipe(host: Host, recipe: str | None) -> Plan | None:
    """Asks the training command where it is installed; None where it is not, or says nothing of memory."""
    if recipe is None:
        return None
    command = [sys.executable or "python3", "-P", "-m", "heimdall", "train", "--recipe", recipe, "--plan", "--json"]
    answer = host.run(command, PLAN_LIMIT_S)
    try:
        document = json.loads(answer.stdout) if answer.code == 0 else None
    except ValueError:
        return None
    return read_plan(document, recipe)


def read_plan(document: object, recipe: str | None = None) -> Plan | None:
    """The peak a plan names in `needed_bytes`, wherever in the document it stands."""
    if not isinstance(document, Mapping):
        return None
    flat = _flat(document)
    needed, name = flat.get("needed_bytes"), recipe or flat.get("recipe") or flat.get("name")
    if isinstance(needed, bool) or not isinstance(needed, (int, float)) or not 0 < needed < float("inf"):
        return None
    # No number of parts is enough where not even one scene fits.
    return Plan(str(name or "the recipe"), int(needed), str(flat.get("advice") or ""), flat.get("accumulation") != 0)


def _flat(node: Mapping[str, Any]) -> dict[str, Any]:
    """Every key of the document with its value; of two with one name the outer one."""
    inner: dict[str, Any] = {}
    for value in node.values():
        if isinstance(value, Mapping):
            inner = {**_flat(value), **inner}
    return {**inner, **{str(key): value for key, value in node.items() if not isinstance(value, Mapping)}}
