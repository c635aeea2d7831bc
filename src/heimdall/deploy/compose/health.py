"""Waiting until every container of the project is healthy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from heimdall.deploy.compose.engine import Engine

POLL_S = 1.0


@dataclass(frozen=True)
class ServiceState:
    service: str
    state: str
    health: str
    exit_code: int

    @property
    def settled(self) -> bool:
        """Healthy, or a one-shot service that has done its work."""
        if self.state == "exited":
            return self.exit_code == 0
        return self.state == "running" and self.health in ("healthy", "")

    @property
    def word(self) -> str:
        if self.state == "exited":
            return f"failed with exit code {self.exit_code}" if self.exit_code else "done"
        return self.health or self.state


def read_states(engine: Engine) -> list[ServiceState]:
    answer = engine.compose("ps", "--all", "--format", "json")
    return sorted((_state(entry) for entry in entries(answer.output)), key=lambda state: state.service)


def wait_until_healthy(
    engine: Engine,
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[ServiceState]:
    """The last states seen: all settled, or as they were when the time was over. Tells every change."""
    told: dict[str, str] = {}
    end = clock() + timeout_s
    while True:
        states = read_states(engine)
        for state in states:
            if told.get(state.service) != state.word:
                told[state.service] = state.word
                engine.tell(f"{state.service}: {state.word}")
        if clock() >= end or (states and all(state.settled for state in states)):
            return states
        sleep(POLL_S)


def entries(text: str) -> list[dict[str, Any]]:
    """Compose before 2.21 prints one array, later ones an object a line."""
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _state(entry: dict[str, Any]) -> ServiceState:
    return ServiceState(entry["Service"], entry["State"], entry.get("Health", ""), int(entry.get("ExitCode", 0)))
