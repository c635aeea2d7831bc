"""What the training's container says of itself, and what a start would do to it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from heimdall.deploy.compose.engine import Engine, EngineReply
from heimdall.deploy.trial import why

TRAINING = "training"
PROVE_TIMEOUT_S = 300.0


def ask_ready(engine: Engine) -> EngineReply:
    return engine.compose("exec", "-T", TRAINING, "healthcheck.py", "8002", "/ready")


def gpu_trouble(ready: EngineReply) -> str:
    """The worker's own word about its GPU, from what /ready answers; empty if it is fine."""
    checks = _dependencies(ready)
    if checks is None:
        return f"the worker does not answer /ready: {ready.complaint}"
    gpu = next((check for check in checks if check.get("name") == "gpu"), None)
    if gpu is None:
        return "the worker's /ready says nothing about the GPU"
    return "" if gpu.get("ok") else str(gpu.get("detail"))


def running_jobs(ready: EngineReply) -> str:
    """`2 jobs`; empty where none runs or the worker does not answer."""
    details = [str(check.get("detail")) for check in _dependencies(ready) or () if check.get("name") == "supervisor"]
    found = re.match(r"([1-9]\d*) jobs? running", details[0]) if details else None
    return f"{found[1]} job{'' if found[1] == '1' else 's'}" if found else ""


def will_replace(engine: Engine, services: Sequence[str]) -> bool:
    """Whether `docker compose up` would put another container in the place of the training's, or first make one."""
    answer = engine.compose("--progress", "plain", "--dry-run", "up", "--detach", *services, timeout_s=120)
    lines = f"{answer.output}\n{answer.error}".splitlines()
    return any(re.search(r"Container \S*training\S*\s+(Recreate|Create|Creating)\b", line) for line in lines)


def prove(engine: Engine) -> str:
    """Why the training's program can use no GPU in a fresh container; empty if a kernel ran."""
    command = ("run", "--rm", "--no-deps", "-T", TRAINING, "heimdall", "doctor", "--json")
    answer = engine.compose(*command, timeout_s=PROVE_TIMEOUT_S)
    try:
        document: dict[str, Any] = json.loads(answer.output)
    except ValueError:
        return why(answer)
    return "" if document.get("verdict") == "gpu" else str(document.get("reason"))


def _dependencies(ready: EngineReply) -> list[dict[str, Any]] | None:
    try:
        return list(json.loads(ready.output).get("dependencies", []))
    except ValueError:
        return None
