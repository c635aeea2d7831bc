"""`heimdall jobs`: put work into the queue and follow it, on the machine that holds the database."""

from __future__ import annotations

import json as json_module
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json, print_table
from heimdall.errors import InputError

if TYPE_CHECKING:
    from heimdall.service.database.store import Store
    from heimdall.service.database.tables import Job
    from heimdall.service.settings import Settings

_LOOK_EVERY_S = 0.5
_WHO = "the command line"

jobs = typer.Typer(help="Create, list, follow and control jobs of the training service.", no_args_is_help=True)
app.add_typer(jobs, name="jobs")

JobId = Annotated[str, typer.Argument(help="As `heimdall jobs list` shows it.")]


@jobs.command("submit")
def create(
    recipe: Annotated[str, typer.Option(help="Recipe to train from.")] = "quick",
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe; may be repeated.")] = None,
    accelerator: Annotated[
        str | None, typer.Option(help="auto, cpu or gpu; by default as the worker is configured.")
    ] = None,
    init: Annotated[str | None, typer.Option(help="Id of a model to fine-tune.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="File or folder below the data folder to fine-tune on.")
    ] = None,
    name: Annotated[str, typer.Option(help="For people; the recipe's name if empty.")] = "",
    need_gpu: Annotated[bool, typer.Option("--need-gpu", help="Wait for a worker with a usable GPU.")] = False,
    gpu_memory_gb: Annotated[
        float | None, typer.Option(help="Wait for a worker whose GPU has this much memory.")
    ] = None,
    memory_gb: Annotated[float | None, typer.Option(help="Main memory that the worker must have for it.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it; exit code 1 unless it succeeds.")] = False,
    json: JsonOption = False,
) -> int:
    """Create a training (or, with --init, fine-tuning) job."""
    document: dict[str, Any] = {"kind": "train", "recipe": recipe, "accelerator": accelerator, "name": name}
    document["overrides"] = dict(_override(item) for item in set_ or ())
    document["needs"] = {"gpu": need_gpu, "gpu_memory_gb": gpu_memory_gb, "memory_gb": memory_gb}
    if init is not None:
        document |= {"kind": "fine-tune", "model": init, "data": data or []}
    with _service() as (settings, store):
        job = _create(store, settings, document)
        if wait:
            job = _follow(store, job.id, settings.lease_s)
        document = _documents(store, settings, [job])[0]
    print_json(document) if json else typer.echo(f"{job.id} {_state(job, document)}")
    return 0 if not wait or job.state == "succeeded" else 1


@jobs.command("list")
def list_(limit: Annotated[int, typer.Option(min=1)] = 20, json: JsonOption = False) -> None:
    """List jobs, the newest first."""
    from heimdall.service.queue import jobs as service_jobs

    with _service() as (settings, store):
        with store.reading() as session:
            found = service_jobs.find(session, limit=limit)
        documents = _documents(store, settings, found)
    if json:
        return print_json({"jobs": documents})
    table = Table(
        Column("id", min_width=16, no_wrap=True),
        "kind",
        "name",
        "who",
        "state",
        "done",
        "device",
        "started (UTC)",
        "ended (UTC)",
        "elapsed",
        "error or what it waits for",
    )
    for job, document in zip(found, documents, strict=True):
        done = f"{100 * job.fraction:.0f} %" if job.fraction is not None else ""
        device = job.accelerator_used or ""
        told = (job.id, job.kind, job.name, job.created_by, job.state, done, device, *_times(document))
        table.add_row(*map(Text, told), Text(_why(job, document)))
    print_table(table)


@jobs.command()
def show(job_id: JobId, json: JsonOption = False) -> None:
    """Show one job and what happened to it."""
    from heimdall.service.queue import jobs as service_jobs

    with _service() as (settings, store), store.reading() as session:
        document = _documents(store, settings, [service_jobs.get(session, job_id)])[0]
        told = [{"type": event.type, "message": event.message} for event in service_jobs.events(session, job_id)]
    if json:
        return print_json(document | {"history": told})
    for name, value in document.items():
        console.print(Text.assemble((str(name), "bold"), f": {value}"), highlight=False)
    for event in told:
        console.print(f"  {event['type']}: {event['message']}", highlight=False, markup=False)


@jobs.command()
def cancel(job_id: JobId) -> None:
    """Stop a job for good."""
    _control("cancel", job_id)


@jobs.command()
def pause(job_id: JobId) -> None:
    """Let a job write a checkpoint and free its device."""
    _control("pause", job_id)


@jobs.command()
def resume(job_id: JobId) -> None:
    """Put a paused or failed job back into the queue."""
    _control("resume", job_id)


def _control(action: str, job_id: str) -> None:
    from heimdall.service.queue import jobs as service_jobs

    with _service() as (_, store), store.writing() as session:
        job = getattr(service_jobs, action)(session, job_id, _WHO)
    typer.echo(f"{job.id} {job.state}")


def _create(store: Store, settings: Settings, document: dict[str, Any]) -> Job:
    from pydantic import ValidationError

    from heimdall.service.queue import job_requests
    from heimdall.service.queue.planning import Planner
    from heimdall.service.queue.submit import submit
    from heimdall.validation import complaint

    try:
        request = job_requests.read_request(document)
    except ValidationError as error:
        raise InputError(complaint(error, skip=1)) from None
    request = Planner(settings).completed(request)
    return submit(store, request, settings, _WHO)


def _state(job: Job, document: dict[str, Any]) -> str:
    return f"{job.state}, {document['waiting']}" if document["waiting"] else job.state


def _why(job: Job, document: dict[str, Any]) -> str:
    return job.error or document["waiting"] or ""


def _times(document: dict[str, Any]) -> list[str]:
    """Of the first start and the end, to the minute, and what lies between."""
    moments = [
        document[name][:16].replace("T", " ") if document[name] else "" for name in ("started_utc", "finished_utc")
    ]
    elapsed_s = document["elapsed_s"]
    return [*moments, "" if elapsed_s is None else str(timedelta(seconds=round(elapsed_s)))]


def _follow(store: Store, job_id: str, lease_s: float) -> Job:
    from heimdall.service.queue import jobs as service_jobs
    from heimdall.service.queue.matching import living, why_waiting

    told, seen, waiting = 0, None, None
    while True:
        with store.reading() as session:
            job = service_jobs.get(session, job_id)
            why = why_waiting(job, living(session, lease_s))
            events = service_jobs.events(session, job_id, told)
        for event in events:
            told = event.id
            console.print(f"{event.type}: {event.message}", highlight=False, markup=False)
        if why != waiting:
            waiting = why
            console.print(why or "a worker that can take it is there", highlight=False, markup=False)
        if (job.phase, job.step) != seen and job.step is not None:
            seen = (job.phase, job.step)
            console.print(f"{job.phase}: step {job.step} of {job.steps_total}, loss {job.loss}", highlight=False)
        if job.state in service_jobs.FINAL:
            return job
        time.sleep(_LOOK_EVERY_S)


def _override(item: str) -> tuple[str, Any]:
    key, sign, value = item.partition("=")
    if not sign:
        raise InputError(f"--set {item}: write KEY=VALUE, such as optimizer.lr=0.001")
    try:
        return key, json_module.loads(value)
    except ValueError:
        return key, value


def _documents(store: Store, settings: Settings, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    from heimdall.service.api.schemas import view_job
    from heimdall.service.queue.matching import living

    with store.reading() as session:
        offers = living(session, settings.lease_s)
    return [view_job(job, offers).model_dump(mode="json") for job in jobs]


@contextmanager
def _service() -> Iterator[tuple[Settings, Store]]:
    from heimdall.service.database.migrate import opened
    from heimdall.service.settings import load_settings

    settings = load_settings()
    with opened(settings) as store:
        yield settings, store
