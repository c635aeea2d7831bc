"""From a job's row to a running program, and from its result to a model in the artifact store."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from heimdall.capture import listing
from heimdall.capture.listing import ReceiverList
from heimdall.errors import InputError
from heimdall.files.artifacts import Artifacts, fingerprint
from heimdall.formats import transmitters
from heimdall.runs import run_archive
from heimdall.runs.reader import Result, RunReader
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job, Model
from heimdall.service.health.statistics import WorkStatistics
from heimdall.service.queue import job_requests
from heimdall.service.queue.leases import StoredBundle
from heimdall.service.queue.request_base import JobPaths
from heimdall.service.receivers import online, registered
from heimdall.service.settings import Settings
from heimdall.service.storage import sessions
from heimdall.service.storage.run_reader import run_folder
from heimdall.service.transmitters import listed
from heimdall.service.worker.program import confine
from heimdall.service.worker.program.corrected_recordings import prepared
from heimdall.service.worker.program.hiding import Hidden, hidden_from
from heimdall.service.worker.program.process import WatchedProcess
from heimdall.validation.complaints import complaint

TRUST = 0.6
"""Part of the lease after which a program without news of it is killed; a heartbeat and a slow commit fit in the rest."""

_RECEIVERS = "inputs/receivers.json"


@dataclass(frozen=True)
class Slot:
    """A device with room for one program, or a place for one that records receivers."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    gpu_memory_gb: float | None = None
    """None where it has none, or it is not known."""
    captures: bool = False
    on_gpu: bool = False


@dataclass(frozen=True)
class Tools:
    """What every attempt of a worker uses."""

    settings: Settings
    store: Store
    artifacts: Artifacts
    executor: Executor
    gpu_reason: Callable[[], str | None]
    """Why this worker has no usable GPU, or None."""
    statistics: WorkStatistics = field(default_factory=WorkStatistics)


def command_for(job: Job, folder: RunReader, tools: Tools) -> list[str]:
    """The whole command line; brings the models and recordings it names into reach, which may take time."""
    settings = tools.settings
    paths = JobPaths(
        run=folder.path,
        training=lambda job_id: _training(job_id, folder, tools),
        data=lambda name: _prepare(name, folder, tools),
        model=lambda model: _fetch(model, folder, tools),
        receivers=lambda: _receivers(folder, tools),
        transmitters=lambda: _transmitters(folder, tools),
    )
    accelerator = job.accelerator_requested or settings.accelerator
    try:
        arguments = job_requests.command_line(
            job.kind, job.arguments, accelerator, paths, resume=folder.begun, require_gpu=job.needs_gpu
        )
    except ValidationError as error:
        raise InputError(
            f"the job was made by another version and is not understood ({complaint(error)}): create it anew"
        ) from error
    return [*settings.command, *arguments]


def start(command: list[str], job: Job, slot: Slot, folder: RunReader, settings: Settings) -> WatchedProcess:
    """Starts the job's program behind its watchdog, with what it need not see hidden from it."""
    hidden = hidden_from(settings, os.environ, on_ray=job.arguments.get("on") is not None)
    places = [part for place in hidden.places for part in ("--hide", str(place))]
    return WatchedProcess(
        [sys.executable, "-I", "-S", confine.__file__, *places, "--", *command],
        lock=folder.lock,
        patience_s=TRUST * settings.lease_s,
        log=folder.log,
        environment=_environment(job, slot, settings, hidden),
    )


def store_model(job: Job, result: Result, folder: RunReader, artifacts: Artifacts) -> StoredBundle | None:
    """Put the model of a finished job where models are kept; doing it twice does no harm."""
    if result.model is None:
        return None
    path = folder.member(result.model)
    if not path.is_file():
        raise InputError(f"result.json names {result.model}, which is not in the run folder")
    key = f"models/{job.id}/{path.name}"
    artifacts.put(path, key)
    return StoredBundle(path.name, key, fingerprint(path), path.stat().st_size)


def _fetch(model_id: str, folder: RunReader, tools: Tools) -> Path:
    with tools.store.reading() as session:
        model = session.get(Model, model_id)
    if model is None:
        raise InputError(f"no model {model_id}: `GET /api/v1/models` lists them")
    return tools.artifacts.fetch(model.artifact, folder.path / "inputs")


def _training(job_id: str, folder: RunReader, tools: Tools) -> Path:
    """The run folder of another job: this machine's, or what was left of it in the artifact store if that is newer."""
    own = run_folder(tools.settings, job_id)
    with tools.store.reading() as session:
        job = session.get(Job, job_id)
    if job is None or job.carried is None or not run_archive.is_newer_elsewhere(own, job.carried):
        return own.path
    copy = RunReader(folder.path / "inputs" / job_id)
    run_archive.bring(copy, job.carried, tools.artifacts)
    return copy.path


def _recordings(name: str, folder: RunReader, tools: Tools) -> Path:
    """The recordings in this machine's data folder, or fetched from the artifact store."""
    source = tools.settings.data / name
    if source.exists() or not tools.settings.carries:
        return source
    target = folder.path / "inputs" / "shared" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    run_archive.unpack(tools.artifacts.fetch(run_archive.data_key(name), folder.path / "inputs"), target.parent)
    return target


def _prepare(name: str, folder: RunReader, tools: Tools) -> Path:
    """The recordings of that name, with the corrections of receivers that are registered."""
    with tools.store.reading() as session:
        known = registered.find(session)
    target = folder.path / "inputs" / name.replace("/", "-")
    return prepared(_recordings(name, folder, tools), target, known, sessions.ids_of(name))


def _receivers(folder: RunReader, tools: Tools) -> Path:
    """The list of receivers by address that are switched on, with their passwords: a file for its owner alone."""
    settings = tools.settings
    with tools.store.reading() as session:
        known = [online.listed(each) for each in online.find(session) if each.enabled]
    path = folder.path / _RECEIVERS
    listing.save(
        path,
        ReceiverList(
            contact=settings.capture_contact, allowed_networks=settings.capture_networks, receivers=tuple(known)
        ),
    )
    return path


def _transmitters(folder: RunReader, tools: Tools) -> Path:
    with tools.store.reading() as session:
        known = listed.known(session)
    path = folder.path / "inputs" / "transmitters.json"
    transmitters.save(path, known)
    return path


def forget_receivers(folder: RunReader) -> None:
    """Leave no password behind once the program has ended."""
    (folder.path / _RECEIVERS).unlink(missing_ok=True)


def _environment(job: Job, slot: Slot, settings: Settings, hidden: Hidden) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in hidden.variables} | {
        "HEIMDALL_HOME": str(settings.home),
        "HEIMDALL_JOB_ID": job.id,
        "HEIMDALL_LEASE": job.lease or "",
        "MLFLOW_TRACKING_URI": settings.mlflow_address,
        "PYTHONUNBUFFERED": "1",
        **slot.environment,
    }
