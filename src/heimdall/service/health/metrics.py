"""The figures Prometheus collects. Only what is already known is told, so that a scrape never waits for what is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heimdall import __version__
from heimdall.service.database.tables import Job
from heimdall.service.health.load import Load
from heimdall.service.health.monitor import Health, Status
from heimdall.service.health.statistics import DiskRoom, WorkStatistics
from heimdall.service.queue.jobs import QueueStatistics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Sources:
    health: Health
    statistics: Callable[[], QueueStatistics] = QueueStatistics
    running: Callable[[], Sequence[Job]] = list
    """What this process runs."""
    disk: DiskRoom = field(default_factory=DiskRoom)
    work: WorkStatistics | None = None
    """Statistics of a worker."""
    load: Callable[[], Load | None] = lambda: None
    """Load of a worker's machine."""


def registry_of(sources: Sources) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ServiceCollector(sources))
    return registry


def render(registry: CollectorRegistry) -> bytes:
    return generate_latest(registry)


class _ServiceCollector(Collector):
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        readiness = self._sources.health.readiness()
        yield GaugeMetricFamily("heimdall_ready", "1 if this process can do its work.", value=float(readiness.ready))
        up = GaugeMetricFamily("heimdall_dependency_up", "1 if the dependency works.", labels=["dependency"])
        latency = GaugeMetricFamily(
            "heimdall_dependency_latency_seconds", "How long the last look took.", labels=["dependency"]
        )
        warning = GaugeMetricFamily(
            "heimdall_warning", "1 while the service works but a person should look.", labels=["dependency"]
        )
        for seen in readiness.dependencies:
            up.add_metric([seen.name], float(seen.ok))
            if seen.latency_ms is not None:
                latency.add_metric([seen.name], seen.latency_ms / 1000)
            if seen.status is Status.DEGRADED:
                warning.add_metric([seen.name], 1.0)
        yield from (up, latency, warning)
        yield from self._jobs()
        disk = self._sources.disk
        yield GaugeMetricFamily("heimdall_disk_free_bytes", "Free where the home folder is.", value=disk.free_bytes)
        yield GaugeMetricFamily("heimdall_disk_total_bytes", "Size of that file system.", value=disk.total_bytes)
        if self._sources.work is not None:
            yield from _of_work(self._sources.work)
        if (load := self._sources.load()) is not None:
            yield from _of_machine(load)
        version = GaugeMetricFamily("heimdall_build_info", "The version that runs.", labels=["version"])
        version.add_metric([__version__], 1.0)
        yield version

    def _jobs(self) -> Iterable[Metric]:
        counts = GaugeMetricFamily("heimdall_jobs", "Jobs in the database by state.", labels=["state"])
        statistics = self._sources.statistics()
        for state, count in statistics.by_state.items():
            counts.add_metric([state], count)
        yield counts
        yield GaugeMetricFamily(
            "heimdall_jobs_stranded", "Queued jobs that no living worker can take.", value=float(statistics.stranded)
        )
        yield GaugeMetricFamily(
            "heimdall_queue_age_seconds", "How long the oldest queued job waits.", value=statistics.oldest_queued_s
        )
        yield GaugeMetricFamily(
            "heimdall_running_jobs", "Jobs this process runs.", value=float(len(self._sources.running()))
        )


def _of_work(work: WorkStatistics) -> Iterable[Metric]:
    started = CounterMetricFamily("heimdall_attempts_started", "Starts of jobs by this worker.", labels=["kind"])
    for kind, count in list(work.started.items()):
        started.add_metric([kind], count)
    yield started
    ended = CounterMetricFamily("heimdall_attempts_ended", "How they ended.", labels=["kind", "ending"])
    for (kind, ending), count in list(work.ended.items()):
        ended.add_metric([kind, ending], count)
    yield ended
    yield GaugeMetricFamily(
        "heimdall_steps_per_second", "Training steps of all jobs of this worker.", value=work.steps_per_s()
    )


def _of_machine(load: Load) -> Iterable[Metric]:
    for name, what in (("memory_total_bytes", "Main memory."), ("memory_used_bytes", "Of it in use.")):
        yield GaugeMetricFamily(f"heimdall_{name}", what, value=load[name])
    yield GaugeMetricFamily("heimdall_processors", "Of this machine.", value=load["processors"])
    yield GaugeMetricFamily("heimdall_load_1min", "Programs that run or wait for a processor.", value=load["load_1min"])
    for metric, key, what in _GPU:
        family = GaugeMetricFamily(metric, what, labels=["gpu"])
        for number, gpu in enumerate(load["gpus"]):
            family.add_metric([str(number)], gpu[key])
        yield family


_GPU = (
    ("heimdall_gpu_memory_total_bytes", "memory_total_bytes", "Memory of the GPU, by the driver's index of it."),
    ("heimdall_gpu_memory_used_bytes", "memory_used_bytes", "Memory of the GPU in use, by any process."),
    ("heimdall_gpu_busy_ratio", "busy", "Share of the last moment in which a kernel ran."),
    ("heimdall_gpu_temperature_celsius", "temperature_c", "Temperature of the GPU."),
)
