"""What a worker on a Ray cluster tells its starter, and when its training is started again. No cluster is needed."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray.train")

from ray.train import TrainingFailedError

from heimdall.errors import InputError
from heimdall.learning.cluster import cluster_worker
from heimdall.learning.cluster.cluster_worker import TOKEN, AskedToStop, Begin, Coordinator, RemoteRunWriter, Task
from heimdall.learning.cluster_layout import Room
from heimdall.recipes import Recipe

ROOM = Room(1, 1, gpus=False, cores=1, there=1)


class Actor:
    """A coordinator as its handle looks: each method has `remote`, and what that gives is fetched with `ray.get`."""

    def __init__(self) -> None:
        self.itself = Coordinator()

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self.itself, name))


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> Actor:
    monkeypatch.setattr(cluster_worker.ray, "get", lambda value: value)
    return Actor()


def test_what_is_told_is_taken_once_and_in_order() -> None:
    coordinator = Coordinator()
    coordinator.tell("document", "progress.json", {"step": 1})
    coordinator.tell("begun", 40, 2)
    assert coordinator.take() == [("document", ("progress.json", {"step": 1})), ("begun", (40, 2))]
    assert coordinator.take() == []
    assert coordinator.begun_at() == 40


def test_what_the_first_worker_writes_is_told_and_left_to_the_starter(actor: Actor, tmp_path: Path) -> None:
    folder = RemoteRunWriter(tmp_path, actor)
    folder.write_json("training.json", {"steps": 2})
    folder.append("metrics.jsonl", {"step": 1})
    folder.warn("cpu-fallback", "no driver")
    assert [what for what, _ in actor.itself.take()] == ["document", "line", "warning"]
    assert list(tmp_path.iterdir()) == []


def _task(storage: Path, recipe: Recipe) -> Task:
    return Task(recipe, "auto", False, "no GPU", str(storage), "right", None, ())


def test_a_node_that_reaches_another_storage_is_named_with_what_to_give(tiny: Recipe, tmp_path: Path) -> None:
    storage, scratch = tmp_path / "storage", tmp_path / "scratch"
    for folder in (storage, scratch):
        folder.mkdir()
    for token in (None, "wrong"):
        if token is not None:
            (storage / TOKEN).write_text(token)
        with pytest.raises(InputError, match="give --storage a folder that all nodes share"):
            cluster_worker._store(_task(storage, tiny), scratch)
    (storage / TOKEN).write_text("right")
    cluster_worker._store(_task(storage, tiny), scratch)


def test_without_gpus_the_starters_reason_is_the_workers(tiny: Recipe, tmp_path: Path) -> None:
    accelerator = cluster_worker._accelerator(_task(tmp_path, tiny))
    assert (accelerator.requested, accelerator.used, accelerator.reason) == ("auto", "cpu", "no GPU")


def test_workers_that_read_different_checkpoints_do_not_go_on(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[int] = []

    def gather(steps: list[int], own: int) -> None:
        steps[:] = [own, *others]

    monkeypatch.setattr(cluster_worker.torch.distributed, "all_gather_object", gather)
    trainer: Any = SimpleNamespace(world_size=2, global_step=40, is_global_zero=True)
    others[:] = [20]
    with pytest.raises(RuntimeError, match="different checkpoints"):
        Begin(actor).on_train_start(trainer, None)  # type: ignore[arg-type]
    assert actor.itself.take() == []
    others[:] = [40]
    Begin(actor).on_train_start(trainer, None)  # type: ignore[arg-type]
    assert actor.itself.take() == [("begun", (40, 2))]


def test_the_starters_wish_to_stop_reaches_a_worker(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_worker, "_ASK_EVERY_S", 0.01)
    stop = AskedToStop(actor)
    assert not stop.requested
    actor.itself.ask_to_stop()
    deadline_s = time.monotonic() + 10
    while not stop.requested and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert stop.requested


def _failing(monkeypatch: pytest.MonkeyPatch, actor: Actor, begun_at: list[int]) -> list[int]:
    """Trainers that begin at these steps and fail; the last of them ends well. Gives the steps at which one was started."""
    started: list[int] = []

    def fit() -> None:
        started.append(begun_at[len(started)])
        actor.itself.tell("begun", started[-1], 1)
        if len(started) < len(begun_at):
            raise TrainingFailedError("a node was lost")

    monkeypatch.setattr(cluster_worker, "_trainer", lambda *_: SimpleNamespace(fit=fit))
    return started


def test_workers_are_started_again_as_long_as_they_come_further(
    actor: Actor, monkeypatch: pytest.MonkeyPatch, tiny: Recipe, tmp_path: Path
) -> None:
    started = _failing(monkeypatch, actor, [0, 20, 40])
    cluster_worker.run_workers(_task(tmp_path, tiny), ROOM, actor)
    assert started == [0, 20, 40]


def test_workers_that_fail_again_at_one_step_are_given_up(
    actor: Actor, monkeypatch: pytest.MonkeyPatch, tiny: Recipe, tmp_path: Path
) -> None:
    started = _failing(monkeypatch, actor, [0, 20, 20, 40])
    with pytest.raises(TrainingFailedError):
        cluster_worker.run_workers(_task(tmp_path, tiny), ROOM, actor)
    assert started == [0, 20, 20]
