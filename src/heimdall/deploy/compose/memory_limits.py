"""How much memory the containers may take on this host: what Compose cannot work out for itself."""

from __future__ import annotations

from collections.abc import Mapping

from heimdall.deploy.compose.engine import Engine

TRAINING_MEMORY = "HEIMDALL_TRAINING_MEMORY"
_GIB = 1 << 30
_OTHERS_GIB = 4
"""Left to the other services and to the host, as far as it has so much."""
_LEAST_GIB = 2


def memory_limits(engine: Engine, chosen: Mapping[str, str]) -> dict[str, str]:
    """The limit for .env if nobody has chosen one: what Docker's machine has less 4 GiB, at most three quarters, at least 2 GiB.

    Nothing where Docker does not say how much it has.
    """
    answer = engine.docker("info", "--format", "{{.MemTotal}}")
    if TRAINING_MEMORY in chosen or not answer.ok or not answer.output.strip().isdecimal():
        return {}
    total_gib = int(answer.output) / _GIB
    return {TRAINING_MEMORY: f"{max(int(min(total_gib - _OTHERS_GIB, 0.75 * total_gib)), _LEAST_GIB)}g"}
