"""The training's memory limit follows the host, and never overrules who set one."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdall.deploy.compose.engine import Engine, EngineReply
from heimdall.deploy.compose.memory_limits import memory_limits

GIB = 1 << 30


class Host(Engine):
    """Docker's word about how much memory its machine has."""

    answer: EngineReply

    def docker(self, *arguments: str, timeout_s: float = 60) -> EngineReply:
        return self.answer


def limits(answer: EngineReply, chosen: dict[str, str] | None = None) -> dict[str, str]:
    host = Host(Path(), print)
    object.__setattr__(host, "answer", answer)
    return memory_limits(host, chosen or {})


@pytest.mark.parametrize(("total_gib", "limit"), [(3.8, "2g"), (7.7, "3g"), (15.5, "11g"), (62.7, "47g"), (0.9, "2g")])
def test_it_is_what_the_host_can_spare(total_gib: float, limit: str) -> None:
    answer = EngineReply(0, f"{int(total_gib * GIB)}\n")
    assert limits(answer) == {"HEIMDALL_TRAINING_MEMORY": limit}


def test_a_limit_somebody_set_stays() -> None:
    assert limits(EngineReply(0, f"{64 * GIB}\n"), {"HEIMDALL_TRAINING_MEMORY": "3g"}) == {}


@pytest.mark.parametrize(
    "answer", [EngineReply(1, "", "no such template"), EngineReply(0, "<no value>\n"), EngineReply(124, "")]
)
def test_a_docker_that_does_not_say_changes_nothing(answer: EngineReply) -> None:
    assert limits(answer) == {}
