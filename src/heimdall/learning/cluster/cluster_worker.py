"""What one worker of a training on a Ray cluster does: the same as any process of a training, and tells its starter."""

from __future__ import annotations

import io
import logging
import os
import socket
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from ray import train as ray_train
from ray.train import TrainingFailedError
from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment
from ray.train.torch import TorchTrainer
from rich.console import Console

from heimdall.errors import HeimdallError, InputError
from heimdall.evidence.radio_map import RadioMap
from heimdall.files.artifacts import Artifacts
from heimdall.files.atomic import scratch, sweep_scratch
from heimdall.learning.accelerator import Accelerator, resolve
from heimdall.learning.cluster_layout import Room
from heimdall.learning.options import Processes, TrainingOptions
from heimdall.learning.run.checkpoint import fetch_to, open_store
from heimdall.learning.run.phases import Run
from heimdall.learning.run.stop import StopSignal
from heimdall.learning.run.tracking import OFF, Tracker
from heimdall.recipes import Recipe
from heimdall.runs.writer import RunWriter, SilentRunWriter

CHECKPOINT, TOKEN = "last.ckpt", "run-token"
_ASK_EVERY_S = 0.5
_RETRIES = 2
"""Failures in a row that Ray makes up for by itself; a step forward begins the count anew."""
_PASSED_ON = ("OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """A training as it travels to the workers."""

    recipe: Recipe
    requested: str
    """Accelerator, in the words of `--accelerator`."""
    gpus: bool
    reason: str | None
    """Why no GPUs."""
    storage: str
    token: str
    """What the starter left in the storage, by which a worker sees that it reaches the same one."""
    start_from: Path | None
    data: tuple[Path, ...]


class Coordinator:
    """An actor between the workers and their starter: what they tell, and whether they are to stop."""

    def __init__(self) -> None:
        self._told: list[tuple[str, tuple[Any, ...]]] = []
        self._stop = False
        self._begun_at = -1

    def tell(self, what: str, *values: Any) -> None:
        if what == "begun":
            self._begun_at = values[0]
        self._told.append((what, values))

    def take(self) -> list[tuple[str, tuple[Any, ...]]]:
        told, self._told = self._told, []
        return told

    def ask_to_stop(self) -> None:
        self._stop = True

    def is_to_stop(self) -> bool:
        return self._stop

    def begun_at(self) -> int:
        """The step from which the workers went on the last time they started; -1 before that."""
        return self._begun_at


def work(config: dict[str, Any]) -> None:
    """Ray's training function. An error of ours is told and not raised: starting again would not mend it."""
    task, coordinator = config["task"], config["coordinator"]
    logging.getLogger("heimdall").setLevel(logging.INFO)
    first = ray_train.get_context().get_world_rank() == 0
    try:
        sweep_scratch()  # of workers that were killed: no service may run on this node
        with scratch() as folder:
            _learn(task, coordinator, folder, first)
    except HeimdallError as error:
        ray.get(coordinator.tell.remote("ended", error.exit_code, f"{socket.gethostname()}: {error}"))
    else:
        if first:
            ray.get(coordinator.tell.remote("ended", 0, ""))


def _learn(task: Task, coordinator: Any, path: Path, first: bool) -> None:
    rank_zero_only.rank = ray_train.get_context().get_world_rank()  # type: ignore[attr-defined] # set by Lightning too
    store = _store(task, path)
    folder = RemoteRunWriter(path, coordinator) if first else SilentRunWriter(path)
    folder.make()
    fetch_to(store, CHECKPOINT, folder.checkpoint)
    stop = AskedToStop(coordinator)
    processes = Processes(
        strategy=RayDDPStrategy(),  # type: ignore[no-untyped-call] # Ray leaves it unannotated
        plugins=(RayLightningEnvironment(),),  # type: ignore[no-untyped-call] # as above
        callbacks=(Begin(coordinator),),
        on_saved=lambda saved: store.put(saved, CHECKPOINT),
    )
    options = TrainingOptions(
        folder=folder,
        accelerator=_accelerator(task),
        start_from=task.start_from,
        data=task.data,
        console=Console(file=_ToldText(coordinator), width=200) if first else Console(quiet=True),
        processes=processes,
    )
    folder.report_progress(accelerator=options.accelerator.record)
    try:
        Run(task.recipe, options, stop).learn(Tracker(OFF, path.name))
    finally:
        stop.release()


def _store(task: Task, path: Path) -> Artifacts:
    store, seen = open_store(task.storage), path / TOKEN
    if not fetch_to(store, TOKEN, seen) or seen.read_text() != task.token:
        raise InputError(
            f"this node does not reach {task.storage}: give --storage a folder that all nodes share, or s3://BUCKET/PATH"
        )
    return store


def _accelerator(task: Task) -> Accelerator:
    """Decided by the starter for all, since processes on GPUs and on CPUs cannot exchange gradients; proved here."""
    if task.gpus:
        proved = resolve("gpu", require_gpu=True, gpu_precision=task.recipe.gpu_precision)
        return replace(proved, requested=task.requested)
    return replace(resolve("cpu"), requested=task.requested, reason=task.reason)


class Begin(Callback):
    """Sees that all workers go on from one step, and tells which."""

    def __init__(self, coordinator: Any) -> None:
        self.coordinator = coordinator

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        steps: list[int] = [0] * trainer.world_size
        torch.distributed.all_gather_object(steps, trainer.global_step)
        if len(set(steps)) > 1:
            raise RuntimeError(f"the workers read different checkpoints (of steps {steps}): they start again")
        if trainer.is_global_zero:
            self.coordinator.tell.remote("begun", trainer.global_step, trainer.world_size)


class AskedToStop(StopSignal):
    """The starter's wish to stop, asked for twice a second: signals reach the starter, not its workers."""

    def __init__(self, coordinator: Any) -> None:
        super().__init__()
        self._coordinator, self._over = coordinator, threading.Event()
        threading.Thread(target=self._ask, daemon=True).start()

    def listen(self) -> None: ...

    def release(self) -> None:
        self._over.set()

    def _ask(self) -> None:
        while not self._over.wait(_ASK_EVERY_S) and not self.requested:
            self.requested = ray.get(self._coordinator.is_to_stop.remote())


class RemoteRunWriter(RunWriter):
    """A run folder whose documents are told to the starter, who has the real one."""

    def __init__(self, path: Path, coordinator: Any) -> None:
        super().__init__(path)
        self._coordinator = coordinator

    def write_json(self, name: str, document: Any) -> None:
        self._coordinator.tell.remote("document", name, document)

    def write_radio_map(self, radio_map: RadioMap) -> None:
        self._coordinator.tell.remote("radio map", radio_map.header(), radio_map.content())

    def warn(self, code: str, message: str) -> None:
        self._coordinator.tell.remote("warning", code, message)

    def append(self, name: str, document: dict[str, Any]) -> None:
        self._coordinator.tell.remote("line", name, document)


class _ToldText(io.StringIO):
    """Lines of progress, said where the starter sits."""

    def __init__(self, coordinator: Any) -> None:
        super().__init__()
        self._coordinator = coordinator

    def write(self, text: str) -> int:
        if text.strip():
            self._coordinator.tell.remote("said", text.rstrip())
        return len(text)


def run_workers(task: Task, room: Room, coordinator: Any) -> None:
    """Start workers until the training has ended; a node that is lost costs the steps since the last checkpoint.

    Raises Ray's error where they fail again and again at one step.
    """
    failed_at = -1
    while True:
        try:
            with scratch() as folder:
                _trainer(task, room, coordinator, str(folder)).fit()
            return
        except TrainingFailedError:
            step = ray.get(coordinator.begun_at.remote())
            if step <= failed_at:
                raise
            failed_at = step


def _trainer(task: Task, room: Room, coordinator: Any, scratch: str) -> TorchTrainer:
    configuration: Any = ray_train  # its annotations are those of the first version, what is called is the second
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    resources = {"CPU": room.cores, "GPU": 1} if room.gpus else {"CPU": room.cores}
    return TorchTrainer(
        work,
        train_loop_config={"task": task, "coordinator": coordinator},
        scaling_config=configuration.ScalingConfig(
            num_workers=room.most if room.least == room.most else (room.least, room.most),
            use_gpu=room.gpus,
            resources_per_worker=resources,
        ),
        # Ray keeps nothing there: checkpoints go to the training's own storage, one file that is replaced.
        run_config=configuration.RunConfig(
            name="heimdall",
            storage_path=scratch,
            failure_config=configuration.FailureConfig(max_failures=_RETRIES),
            worker_runtime_env={"env_vars": passed_on},
        ),
    )
