"""The doctor, asked from a process of its own: whatever a broken driver does to it, the service goes on."""

from __future__ import annotations

import json
from typing import Any

from heimdall.doctor.program import run_program
from heimdall.execution.own_program import HEIMDALL

LIMIT_S = 120.0


def examine(limit_s: float = LIMIT_S) -> dict[str, Any]:
    """What `heimdall doctor --json` says: findings, verdict and reason."""
    answer = run_program([*HEIMDALL, "doctor", "--json"], limit_s)
    try:
        document = json.loads(answer.stdout)
    except ValueError:
        words = answer.stderr.strip().splitlines()
        return _no_answer(words[-1] if words else f"exit {answer.code}")
    return document if isinstance(document, dict) else _no_answer("it did not print an object")


def _no_answer(why: str) -> dict[str, Any]:
    return {"findings": [], "verdict": "cpu", "reason": f"`heimdall doctor` gave no answer: {why}"}
