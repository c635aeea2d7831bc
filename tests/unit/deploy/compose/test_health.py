from __future__ import annotations

import json
from pathlib import Path

import pytest

from heimdall.deploy.compose.engine import Engine, EngineReply
from heimdall.deploy.compose.health import read_states, wait_until_healthy


def entry(service: str, state: str = "running", health: str = "healthy", code: int = 0) -> dict[str, object]:
    return {"Service": service, "State": state, "Health": health, "ExitCode": code}


class Scripted(Engine):
    """Answers `compose ps` with one snapshot after the other, the last one for ever."""

    def compose(self, *arguments: str, timeout_s: float = 60) -> EngineReply:
        snapshots: list[str] = self.environment["snapshots"].split("\0")
        if len(snapshots) > 1:
            object.__setattr__(self, "environment", {"snapshots": "\0".join(snapshots[1:])})
        return EngineReply(0, snapshots[0])


def scripted(told: list[str], *snapshots: list[dict[str, object]]) -> Scripted:
    texts = ["\n".join(json.dumps(item) for item in snapshot) for snapshot in snapshots]
    return Scripted(Path(), told.append, {"snapshots": "\0".join(texts)})


def test_it_waits_for_the_last_service_and_tells_every_change_once() -> None:
    told: list[str] = []
    engine = scripted(
        told,
        [entry("api", health="starting"), entry("secrets", "exited", "", 0)],
        [entry("api", health="starting"), entry("secrets", "exited", "", 0)],
        [entry("api"), entry("secrets", "exited", "", 0)],
    )
    states = wait_until_healthy(engine, 60, sleep=lambda _: None)
    assert all(state.settled for state in states)
    assert told == ["api: starting", "secrets: done", "api: healthy"]


def test_when_the_time_is_over_the_states_are_told_as_they_are() -> None:
    now = iter(range(100))
    engine = scripted([], [entry("api", health="unhealthy")])
    states = wait_until_healthy(engine, 5, sleep=lambda _: None, clock=lambda: float(next(now)))
    assert [(state.word, state.settled) for state in states] == [("unhealthy", False)]


@pytest.mark.parametrize(
    ("item", "settled"),
    [
        (entry("a", "running", "healthy"), True),
        (entry("a", "running", ""), True),
        (entry("a", "running", "starting"), False),
        (entry("a", "exited", "", 0), True),
        (entry("a", "exited", "", 1), False),
        (entry("a", "created", ""), False),
        (entry("a", "restarting", ""), False),
    ],
)
def test_only_what_runs_healthy_or_has_ended_well_is_settled(item: dict[str, object], settled: bool) -> None:
    assert read_states(scripted([], [item]))[0].settled is settled


def test_the_array_that_older_compose_prints_is_read_like_the_lines_of_newer_ones() -> None:
    items = [entry("api"), entry("postgres")]
    old = Scripted(Path(), print, {"snapshots": json.dumps(items)})
    assert read_states(old) == read_states(scripted([], items))
