"""The reference of the Python interface: what `import heimdall` offers, each name from where it is written."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import heimdall

_HEAD = """# Python

A name says its unit ([Conventions](conventions.md)); arrays are numpy arrays. None of these needs torch.

"""
_BEFORE = {
    "heimdall.estimation.locate": ["locate", "Located"],
    "heimdall.formats.read": ["read_observations"],
    "heimdall.formats.write": ["write_fixes"],
    "heimdall.observation": ["Observation", "Reception", "Receiver", "Place"],
    "heimdall.fix": ["Fix", "Region", "Status", "ReceiverReport", "TruthCheck", "Without"],
}


def page() -> str:
    return _HEAD + "\n".join(f"::: {inspect.getmodule(thing).__name__}.{thing.__qualname__}\n" for thing in _offered())


def _offered() -> Iterator[Any]:
    if hasattr(heimdall, "__all__"):
        yield from (getattr(heimdall, name) for name in heimdall.__all__ if not name.startswith("_"))
        return
    for module, names in _BEFORE.items():
        yield from (getattr(importlib.import_module(module), name) for name in names)
