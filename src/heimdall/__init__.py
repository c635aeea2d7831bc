"""Heimdall locates a radio transmitter from what several distant receivers heard, and says honestly how sure it is."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heimdall.fix import Fix, Region, Status
    from heimdall.formats.readers.read import read_observations
    from heimdall.formats.writers.write import write_fixes
    from heimdall.locating.fixes import Fixes, locate
    from heimdall.observation import Observation, Place, Receiver, Reception

__version__ = "0.1.0"

__all__ = [
    "Fix",
    "Fixes",
    "Observation",
    "Place",
    "Receiver",
    "Reception",
    "Region",
    "Status",
    "locate",
    "read_observations",
    "write_fixes",
]

_HOMES = {
    "heimdall.fix": ("Fix", "Region", "Status"),
    "heimdall.formats.readers.read": ("read_observations",),
    "heimdall.formats.writers.write": ("write_fixes",),
    "heimdall.locating.fixes": ("Fixes", "locate"),
    "heimdall.observation": ("Observation", "Place", "Receiver", "Reception"),
}
"""Modules by what they offer here: loaded when it is first asked for, since numpy and scipy take most of a second."""


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'heimdall' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


# Libraries that report to their makers, or keep an identity of the machine for it, look at these as they are imported; this
# module comes before all of them. Whoever wants to be counted sets the variable otherwise. SECURITY.md lists what was found.
for _name, _value in {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime: a device id and queued events in ~/.cache/Microsoft, on import
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}.items():
    os.environ.setdefault(_name, _value)
