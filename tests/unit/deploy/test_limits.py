"""The training's memory limit follows the host, and never overrules who set one."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdall.deploy.engine import Answer, Engine
from heimdall.deploy.limits import memory_limits

GIB = 1 << 30


class Host(Engine):
    """Docker's word about how much memory its machine has."""

    answer: Answer

    def docker(self, *arguments: str, timeout_s: float = 60) -> Answer:
        return self.answer


def limits(answer: Answer, chosen: dict[str, str] | None = None) -> dict[str, str]:
    host = Host(Path(), print)
    object.__setattr__(host, "answer", answer)
    return memory_limits(host, chosen or {})


@pytest.mark.parametrize(("total_gib", "limit"), [(3.8, "2g"), (7.7, "3g"), (15.5, "11g"), (62.7, "47g"), (0.9, "2g")])
def test_it_is_what_the_host_can_spare(total_gib: float, limit: str) -> None:
    answer = Answer(0, f"{int(total_gib * GIB)}\n")
    assert limits(answer) == {"HEIMDALL_TRAINING_MEMORY": limit}


def test_a_limit_somebody_set_stays() -> None:
    assert limits(Answer(0, f"{64 * GIB}\n"), {"HEIMDALL_TRAINING_MEMORY": "3g"}) == {}


@pytest.mark.parametrize("answer", [Answer(1, "", "no such template"), Answer(0, "<no value>\n"), Answer(124, "")])
def test_a_docker_that_does_not_say_changes_nothing(answer: Answer) -> None:
    assert limits(answer) == {}
