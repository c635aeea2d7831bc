"""What a card tells of itself in a run's record, and the sentence for a run that a card has ended."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from heimdall.doctor import accelerator_reason, explain
from heimdall.errors import HeimdallError

COUNTERS = {
    "uuid": "uuid",
    "driver_version": "driver_version",
    "temperature_c": "temperature.gpu",
    "power_w": "power.draw",
    "utilisation_percent": "utilization.gpu",
    "memory_used_mib": "memory.used",
    "memory_total_mib": "memory.total",
    "ecc_errors_uncorrected": "ecc.errors.uncorrected.volatile.total",
}
"""Name in the record and name in `nvidia-smi --help-query-gpu`."""
_LIMIT_S = 10.0
_UNSPECIFIC = ("cuda_context_poisoned", "nvidia_uvm")
"""CUDA says the same of a program's fault and of a card that has gone: the driver knows which."""


def counters() -> list[dict[str, Any]] | None:
    """One object for each card, a counter that a card does not have as None; None where nvidia-smi does not answer.

    Counts from before the training are in it: a driver's counters start when its module is loaded.
    """
    query = f"--query-gpu={','.join(COUNTERS.values())}"
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_LIMIT_S)
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.strip()]
    cards = [dict(zip(COUNTERS, map(_value, row), strict=True)) for row in rows if len(row) == len(COUNTERS)]
    return cards or None


def _value(text: str) -> float | str | None:
    if text.startswith("[") or text in ("", "N/A"):
        return None
    try:
        return float(text)
    except ValueError:
        return text


def failure(error: RuntimeError, run: Path, *, on_gpu: bool) -> HeimdallError | None:
    """The sentence for an error of CUDA; None for any other error."""
    known = explain(str(error))
    if known is None or known.name not in (*_UNSPECIFIC, "gpu_lost", "gpu_lost_in_container"):
        return None
    reason = accelerator_reason() if on_gpu and known.name in _UNSPECIFIC else None
    return HeimdallError(
        f"the GPU failed during the training ({known.evidence[:200].rstrip('. ')}): {reason or known.cause} "
        f"What is trained is kept; go on with: heimdall train --resume {run}"
    )
