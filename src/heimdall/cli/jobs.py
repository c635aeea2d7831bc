"""`heimdall jobs`: put work into the queue and follow it, on the machine that holds the database."""

from __future__ import annotations

import json as json_module
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import InputError

if TYPE_CHECKING:
    from heimdall.service.settings import Settings
    from heimdall.service.store import Job, Store

_LOOK_EVERY_S = 0.5
_WHO = "the command line"

jobs = typer.Typer(help="Create, list, follow and control jobs of the training service.", no_args_is_help=True)
app.add_typer(jobs, name="jobs")

JobId = Annotated[str, typer.Argument(help="As `heimdall jobs list` shows it.")]


@jobs.command("submit")
def create(
    recipe: Annotated[str, typer.Option(help="Recipe to train from.")] = "quick",
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe; may be repeated.")] = None,
    accelerator: Annotated[str | None, typer.Option(help="auto, cpu or gpu; by default as the worker is set.")] = None,
    init: Annotated[str | None, typer.Option(help="Id of a model to fine-tune.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="File or folder below the data folder to fine-tune on.")
    ] = None,
    name: Annotated[str, typer.Option(help="For people; the recipe's name if empty.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Follow it; exit code 1 unless it succeeds.")] = False,
    json: JsonOption = False,
) -> int:
    """Create a training (or, with --init, fine-tuning) job."""
    document: dict[str, Any] = {"kind": "train", "recipe": recipe, "accelerator": accelerator, "name": name}
    document["overrides"] = dict(_override(item) for item in set_ or ())
    if init is not None:
        document |= {"kind": "fine-tune", "model": init, "data": data or []}
    with _service() as (settings, store):
        job = _create(store, settings, document)
        if wait:
            job = _follow(store, job.id)
    print_json(_document(job)) if json else typer.echo(f"{job.id} {job.state}")
    return 0 if not wait or job.state == "succeeded" else 1


@jobs.command("list")
def list_(limit: Annotated[int, typer.Option(min=1)] = 20, json: JsonOption = False) -> None:
    """List jobs, the newest first."""
    from heimdall.service import jobs as service_jobs

    with _service() as (_, store), store.reading() as session:
        found = service_jobs.find(session, limit=limit)
    if json:
        return print_json({"jobs": [_document(job) for job in found]})
    table = Table("id", "kind", "name", "state", "done", "device", "error")
    for job in found:
        done = f"{100 * job.fraction:.0f} %" if job.fraction is not None else ""
        table.add_row(job.id, job.kind, job.name, job.state, done, job.accelerator_used or "", job.error or "")
    console.print(table)


@jobs.command()
def show(job_id: JobId, json: JsonOption = False) -> None:
    """Show one job and what happened to it."""
    from heimdall.service import jobs as service_jobs

    with _service() as (_, store), store.reading() as session:
        document = _document(service_jobs.get(session, job_id))
        told = [{"type": event.type, "message": event.message} for event in service_jobs.events(session, job_id)]
    if json:
        return print_json(document | {"history": told})
    for name, value in document.items():
        console.print(f"[bold]{name}[/]: {value}", highlight=False)
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
    from heimdall.service import jobs as service_jobs

    with _service() as (_, store), store.writing() as session:
        job = getattr(service_jobs, action)(session, job_id, _WHO)
    typer.echo(f"{job.id} {job.state}")


def _create(store: Store, settings: Settings, document: dict[str, Any]) -> Job:
    from pydantic import ValidationError

    from heimdall.service import kinds
    from heimdall.service.submit import submit

    try:
        request = kinds.read_request(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}") from None
    with store.writing() as session:
        return submit(session, request, settings, _WHO)


def _follow(store: Store, job_id: str) -> Job:
    from heimdall.service import jobs as service_jobs

    told, seen = 0, None
    while True:
        with store.reading() as session:
            job = service_jobs.get(session, job_id)
            events = service_jobs.events(session, job_id, told)
        for event in events:
            told = event.id
            console.print(f"{event.type}: {event.message}", highlight=False, markup=False)
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


def _document(job: Job) -> dict[str, Any]:
    from heimdall.service.api.schemas import view_job

    return view_job(job).model_dump(mode="json")


@contextmanager
def _service() -> Iterator[tuple[Settings, Store]]:
    from heimdall.service.migrate import opened
    from heimdall.service.settings import load_settings

    settings = load_settings()
    with opened(settings) as store:
        yield settings, store
