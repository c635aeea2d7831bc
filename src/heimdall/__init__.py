"""Heimdall locates a radio transmitter from what several distant receivers heard, and says honestly how sure it is."""

import os

__version__ = "0.1.0"

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
