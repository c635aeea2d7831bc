"""A training on a Ray cluster, seen from the program that starts it: workers out, news in, wishes to stop on."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heimdall.errors import HeimdallError, InputError
from heimdall.evidence.radio_map import RadioMap
from heimdall.execution.ray_cluster import connected, load_ray, one_line
from heimdall.files.atomic import scratch
from heimdall.learning.cluster_layout import Cluster, Room, room_on
from heimdall.learning.run.checkpoint import fetch_to, open_store
from heimdall.learning.run.progress import ProgressReport
from heimdall.learning.run.stop import StopSignal
from heimdall.learning.run.tracking import Tracker
from heimdall.recipes import Recipe
from heimdall.runs.writer import RunWriter

if TYPE_CHECKING:
    from heimdall.learning.cluster.cluster_worker import Task
    from heimdall.learning.options import TrainingOptions

log = logging.getLogger(__name__)

_NO_GPUS = "the Ray cluster has no GPU"
_LOOK_EVERY_S = 0.5
_STOP_WITHIN_S = 60.0
"""For the running step and its checkpoint; after that the last checkpoint counts."""


def learn_on(cluster: Cluster, recipe: Recipe, options: TrainingOptions, stop: StopSignal, news: WorkerReports) -> None:
    """Train and calibrate on the cluster; leaves checkpoint, calibration and training record in the run folder."""
    ray = _load()
    from heimdall.learning.cluster.cluster_worker import CHECKPOINT, TOKEN

    checkpoint, address = options.folder.checkpoint, _storage_address(cluster, options.folder.path)
    store, token = open_store(address), secrets.token_hex(8)
    with connected(ray, cluster.address, cluster.most or 1):
        stop.listen()
        room = _room(ray, cluster, recipe, options)
        with scratch() as folder:
            mark = folder / TOKEN
            mark.write_text(token)
            store.put(mark, TOKEN)
            # A run that began elsewhere goes on from what its folder has.
            if checkpoint.exists() and not fetch_to(store, CHECKPOINT, folder / CHECKPOINT):
                store.put(checkpoint, CHECKPOINT)
        task = _task(recipe, options, room, address, token)
        try:
            _follow(ray, task, room, stop, news)
        finally:
            if cluster.storage is not None:
                fetch_to(store, CHECKPOINT, checkpoint)
        for name in (TOKEN, CHECKPOINT) if cluster.storage is not None else (TOKEN,):
            store.delete(name)  # the run folder has what it was for


def _load() -> Any:
    ray = load_ray()
    try:
        import ray.train.torch
    except ImportError as error:
        raise InputError(f"--on ray needs {error.name or 'ray'}: pip install 'heimdall[scale]'") from error
    return ray


def _room(ray: Any, cluster: Cluster, recipe: Recipe, options: TrainingOptions) -> Room:
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = [(int(each.get("CPU", 0)), int(each.get("GPU", 0))) for each in alive]
    wanted = options.accelerator.requested
    room = room_on(nodes, cluster, want_gpus=wanted != "cpu" and any(gpus for _, gpus in nodes))
    if room.most > recipe.batch_size:
        raise InputError(f"a batch of {recipe.batch_size} scenes cannot be shared by {room.most} workers")
    if cluster.require_gpu and not room.gpus:
        raise HeimdallError("no usable GPU: the Ray cluster has none")
    if wanted != "cpu" and not room.gpus:
        options.folder.warn("cpu-fallback", f"training on the CPU: {_NO_GPUS}")
    if room.there < room.least:
        message = f"the Ray cluster has room for {room.there} of {room.least} workers: waiting for nodes to join"
        options.folder.warn("waiting-for-nodes", message)
        options.console.print(message, highlight=False)
    return room


def _task(recipe: Recipe, options: TrainingOptions, room: Room, storage: str, token: str) -> Task:
    from heimdall.learning.cluster.cluster_worker import Task

    requested = options.accelerator.requested
    return Task(
        recipe=recipe,
        requested=requested,
        gpus=room.gpus,
        reason=None if room.gpus or requested == "cpu" else _NO_GPUS,
        storage=storage,
        token=token,
        start_from=None if options.start_from is None else options.start_from.absolute(),
        data=tuple(path.absolute() for path in options.data),
    )


def _storage_address(cluster: Cluster, folder: Path) -> str:
    if cluster.storage is None:
        return str(folder.absolute() / "checkpoints")
    root = cluster.storage if "://" in cluster.storage else str(Path(cluster.storage).absolute())
    return f"{root.rstrip('/')}/{folder.absolute().name}"


def _follow(ray: Any, task: Task, room: Room, stop: StopSignal, news: WorkerReports) -> None:
    """Start the workers and hear their news until they have ended."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from heimdall.learning.cluster.cluster_worker import Coordinator, run_workers

    # Beside this program, or beside the head where it talks to one: what must not be lost with a node.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    coordinator = ray.remote(Coordinator).options(num_cpus=0, scheduling_strategy=here).remote()
    starter = ray.remote(run_workers).options(num_cpus=0, max_retries=0, scheduling_strategy=here)
    training = starter.remote(task, room, coordinator)
    until_s = None
    while news.ended is None:
        done, _ = ray.wait([training], timeout=_LOOK_EVERY_S)
        for what, values in ray.get(coordinator.take.remote()):
            news.hear(what, *values)
        if done and news.ended is None:
            _raise_failure(ray, training)
        if stop.requested:
            until_s = until_s or time.monotonic() + _STOP_WITHIN_S
            ray.get(coordinator.ask_to_stop.remote())
            if news.phase != "train" or time.monotonic() > until_s:
                break  # nothing is lost that a resumed run does not repeat
    stop.check()
    if news.ended is not None and news.ended[0]:
        raise RefusedError(news.ended[1], news.ended[0])


def _raise_failure(ray: Any, training: Any) -> None:
    try:
        ray.get(training)
    except ray.exceptions.RayError as error:
        raise HeimdallError(f"the workers failed repeatedly: {one_line(error)}") from error
    raise HeimdallError("the workers ended without a result")


class RefusedError(HeimdallError):
    """What a worker refused, with the exit code that it had here."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass
class WorkerReports:
    """Puts what the workers tell where a training of this machine would have put it."""

    folder: RunWriter
    progress: ProgressReport
    tracker: Tracker
    phase: str = "prepare"
    ended: tuple[int, str] | None = None
    """Exit code and message."""
    starts: int = 0

    def hear(self, what: str, *values: Any) -> None:
        _HEARD[what](self, *values)

    def _document(self, name: str, document: dict[str, Any]) -> None:
        if name != "progress.json":
            self.folder.write_json(name, document)
            return
        document.pop("updated_utc", None)
        self.folder.report_progress(now=True, **document)
        if "phase" in document:
            self.phase = document["phase"]
            self.progress.told(document["step"], document["loss"], self.phase, document["eta_s"])

    def _radio_map(self, header: dict[str, Any], content: bytes) -> None:
        self.folder.write_radio_map(RadioMap.read(header, content))

    def _line(self, name: str, document: dict[str, Any]) -> None:
        self.folder.append(name, document)
        if name == "metrics.jsonl":
            values = {key: value for key, value in document.items() if isinstance(value, float)}
            self.tracker.metrics(document["step"], values)

    def _warning(self, code: str, message: str) -> None:
        log.warning(message)
        self.folder.warn(code, message)

    def _said(self, text: str) -> None:
        if not self.progress.console.is_terminal:
            self.progress.console.print(text, highlight=False)

    def _begun_at(self, step: int, workers: int) -> None:
        self.starts += 1
        self.folder.report_progress(now=True, workers=workers)
        if self.starts > 1:
            self._warning("started-again", f"the workers started again from step {step}, {workers} of them")

    def _ended_with(self, code: int, message: str) -> None:
        self.ended = code, message


_HEARD: dict[str, Callable[..., None]] = {
    "document": WorkerReports._document,
    "radio map": WorkerReports._radio_map,
    "line": WorkerReports._line,
    "warning": WorkerReports._warning,
    "said": WorkerReports._said,
    "begun": WorkerReports._begun_at,
    "ended": WorkerReports._ended_with,
}
