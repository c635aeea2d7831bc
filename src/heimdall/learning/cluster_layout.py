"""What a training on a Ray cluster is told: where the cluster is, how many workers, where checkpoints outlive a node."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from heimdall.errors import InputError
from heimdall.execution.ray_cluster import ray_address

_WORKERS = re.compile(r"^(\d+)(?::(\d+))?$")


@dataclass(frozen=True)
class Cluster:
    address: str
    """Address of the cluster, in Ray's own spelling."""
    least: int | None = None
    """Workers below which the training waits; None for as many as the cluster has room for."""
    most: int | None = None
    storage: str | None = None
    """Folder or address for checkpoints that every node reaches; None for the run folder."""
    require_gpu: bool = False


def cluster_for(on: str, workers: str | None, storage: str | None, *, require_gpu: bool = False) -> Cluster:
    """The cluster that `--on`, `--workers` and `--storage` describe."""
    least, most = _range(workers)
    return Cluster(ray_address(on), least, most, storage, require_gpu)


def _range(workers: str | None) -> tuple[int | None, int | None]:
    if workers is None:
        return None, None
    match = _WORKERS.match(workers)
    least, most = (0, 0) if match is None else (int(match[1]), int(match[2] or match[1]))
    if not 1 <= least <= most:
        raise InputError(f"--workers {workers}: give a number, or least and most, such as 2:8")
    return least, most


@dataclass(frozen=True)
class Room:
    """How a training is laid out on a cluster."""

    least: int
    most: int
    gpus: bool
    cores: int
    """Cores of each worker."""
    there: int
    """Workers that the cluster has room for now."""


def room_on(nodes: Sequence[tuple[int, int]], cluster: Cluster, *, want_gpus: bool) -> Room:
    """Lay workers out on nodes of (cores, GPUs): one a GPU, or on CPUs one a node that takes all cores there are."""
    slots = sum(gpus for _, gpus in nodes) if want_gpus else sum(1 for cores, _ in nodes if cores)
    most = cluster.most or max(slots, 1)
    least = cluster.least or most
    if want_gpus:
        return Room(least, most, True, 1, slots)
    cores = max((each for each in range(1, 1025) if _fit(nodes, each) >= most), default=1)
    return Room(least, most, False, cores, _fit(nodes, cores))


def _fit(nodes: Sequence[tuple[int, int]], cores: int) -> int:
    return sum(there // cores for there, _ in nodes)
