"""The doctor, asked from a process of its own: whatever a broken driver does to it, the service goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

LIMIT_S = 120.0


def examine(limit_s: float = LIMIT_S) -> dict[str, Any]:
    """What `heimdall doctor --json` says: findings, verdict and reason."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "heimdall", "doctor", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    except subprocess.TimeoutExpired:
        return _no_answer(f"it did not end within {limit_s:g} s, as with a driver that hangs")
    try:
        document = json.loads(done.stdout)
        return document if isinstance(document, dict) else _no_answer("it did not print an object")
    except ValueError:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return _no_answer(words[-1] if words else f"exit {done.returncode}")


def _no_answer(why: str) -> dict[str, Any]:
    return {"findings": [], "verdict": "cpu", "reason": f"`heimdall doctor` gave no answer: {why}"}
