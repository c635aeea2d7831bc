"""`heimdall jobs`: put work into the queue and follow it, on the machine that holds the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json, print_table

if TYPE_CHECKING:
    from heimdall.service.database.store import Store
    from heimdall.service.database.tables import Job
    from heimdall.service.settings import Settings

WHO = "the command line"

jobs = typer.Typer(help="Create, list, follow and control jobs of the training service.", no_args_is_help=True)
app.add_typer(jobs, name="jobs")

JobId = Annotated[str, typer.Argument(help="Id of the job, as `heimdall jobs list` shows it.")]


@jobs.command("list")
def list_(limit: Annotated[int, typer.Option(min=1)] = 20, json: JsonOption = False) -> None:
    """List jobs, the newest first."""
    from heimdall.service.queue import jobs as service_jobs

    with service() as (settings, store):
        with store.reading() as session:
            found = service_jobs.find(session, limit=limit)
        documents = documents_of(store, settings, found)
    if json:
        return print_json({"jobs": documents})
    table = Table(
        Column("id", min_width=16, no_wrap=True),
        "kind",
        "name",
        "who",
        "state",
        "done",
        "device or stage",
        "started (UTC)",
        "ended (UTC)",
        "elapsed",
        "error or what it waits for",
    )
    for job, document in zip(found, documents, strict=True):
        done = f"{100 * job.fraction:.0f} %" if job.fraction is not None else ""
        where = _stage_text(document) or job.accelerator_used or ""
        told = (job.id, job.kind, job.name, job.created_by, job.state, done, where, *_times(document))
        table.add_row(*map(Text, told), Text(_why(job, document)))
    print_table(table)


@jobs.command()
def show(job_id: JobId, json: JsonOption = False) -> None:
    """Show one job and what happened to it."""
    from heimdall.service.queue import jobs as service_jobs

    with service() as (settings, store), store.reading() as session:
        document = documents_of(store, settings, [service_jobs.get(session, job_id)])[0]
        told = [{"type": event.type, "message": event.message} for event in service_jobs.events(session, job_id)]
    if json:
        return print_json(document | {"history": told})
    for name, value in document.items():
        said = _stage_text(document) if name == "capture" else value
        console.print(Text.assemble((str(name), "bold"), f": {said}"), highlight=False)
        for part in value["receivers"] if name == "capture" and value else ():
            console.print(f"  {_part_text(part)}", highlight=False, markup=False)
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

    with service() as (_, store), store.writing() as session:
        job = getattr(service_jobs, action)(session, job_id, WHO)
    typer.echo(f"{job.id} {job.state}")


def state_text(job: Job, document: dict[str, Any]) -> str:
    return f"{job.state}, {document['waiting']}" if document["waiting"] else job.state


def _stage_text(document: dict[str, Any]) -> str:
    """What a job that records is doing; empty for another."""
    capture = document["capture"]
    if capture is None:
        return ""
    listens = f" to {capture['listener']}" if capture["listener"] else ""
    count = capture["recordings"]
    return f"{capture['stage']}{listens}, {count} recording{'' if count == 1 else 's'}"


def _part_text(part: dict[str, Any]) -> str:
    """A receiver of a recording."""
    gave = f"{part['seconds']:.0f} s of {part['gave']}" if part["gave"] else ""
    return f"{part['name']}: {', '.join(each for each in (part['state'], gave, part['reason']) if each)}"


def _why(job: Job, document: dict[str, Any]) -> str:
    return job.error or document["waiting"] or ""


def _times(document: dict[str, Any]) -> list[str]:
    """Times of the first start and of the end, to the minute, and the time between them."""
    moments = [
        document[name][:16].replace("T", " ") if document[name] else "" for name in ("started_utc", "finished_utc")
    ]
    elapsed_s = document["elapsed_s"]
    return [*moments, "" if elapsed_s is None else str(timedelta(seconds=round(elapsed_s)))]


def documents_of(store: Store, settings: Settings, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    from heimdall.service.api.schemas import view_job
    from heimdall.service.queue.matching import living

    with store.reading() as session:
        offers = living(session, settings.lease_s)
    return [view_job(job, offers).model_dump(mode="json") for job in jobs]


@contextmanager
def service() -> Iterator[tuple[Settings, Store]]:
    from heimdall.service.database.migrate import opened
    from heimdall.service.settings import load_settings

    settings = load_settings()
    with opened(settings) as store:
        yield settings, store
