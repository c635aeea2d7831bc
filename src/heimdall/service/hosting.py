"""What is known of the host from inside a container: the note that `heimdall up` leaves, and what a person types there."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

NOTE = "HEIMDALL_HOST_NOTE"
"""Environment variable that Compose sets: the file with the note, there or not."""
LOOK_AT_TRAINING = (
    "on the host, docker inspect --format '{{.State.Error}}' heimdall-training tells why in Docker's words, "
    "and heimdall up starts what the host can serve"
)


@dataclass(frozen=True)
class HostNote:
    """Why `heimdall up` started the training without a GPU."""

    reason: str
    fix: tuple[str, ...]
    seen_utc: str

    @property
    def text(self) -> str:
        commands = [line for line in self.fix if not line.startswith("#")]
        advice = f"; on the host, type: {'; '.join([*commands, 'heimdall up'])}" if commands else ""
        return f"{self.reason.rstrip('.')} (seen by heimdall up at {self.seen_utc}){advice}"


def read_note() -> HostNote | None:
    """None outside Compose, and where `heimdall up` has not started the service or has given it the GPU."""
    path = os.environ.get(NOTE)
    if not path:
        return None
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        reason, fix, seen = document["reason"], document["fix"], document["seen_utc"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return HostNote(str(reason), tuple(map(str, fix)), str(seen)) if reason else None


def how_to_start_a_worker() -> str:
    if NOTE not in os.environ:
        return "start one with `heimdall worker`"
    return f"the training container is stopped or could not start; {LOOK_AT_TRAINING}"
