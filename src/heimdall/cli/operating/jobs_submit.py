"""`heimdall jobs submit`: trainings and recordings into the queue, and what becomes of them."""

from __future__ import annotations

import json as json_module
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heimdall.capture.watching.squelch import SquelchRule
from heimdall.cli.capturing.record import (
    BandwidthOption,
    FrequencyOption,
    ReferenceOption,
    ReferenceSecondsOption,
    names_in,
)
from heimdall.cli.capturing.watch import (
    CloseOption,
    CoolDownOption,
    CronOption,
    EveryOption,
    LeastOption,
    LevelOption,
    MostOption,
    OpenOption,
    SecondsOption,
    SentinelOption,
    SquelchOption,
    UntilOption,
)
from heimdall.cli.operating.jobs import WHO, documents_of, jobs, service, state_text
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.cli.values import moment
from heimdall.errors import InputError
from heimdall.formats.quantities import hertz
from heimdall.validation.complaints import complaint

if TYPE_CHECKING:
    from heimdall.service.database.store import Store
    from heimdall.service.database.tables import Job
    from heimdall.service.settings import Settings

_LOOK_EVERY_S = 0.5
NameOption = Annotated[str, typer.Option(help="Name of the job for people; if empty, made from the request.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Follow the job to its end; exit code 1 unless it succeeds.")]
ReceiversOption = Annotated[
    str | None,
    typer.Option(
        help="Names or ids of the service's receivers, separated by commas; by default all that are switched on."
    ),
]

submit_group = typer.Typer()
jobs.add_typer(submit_group, name="submit")


@submit_group.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Option(help="Recipe to train from.")] = "quick",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field of the recipe, KEY=VALUE; may be repeated.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(help="Device: auto, cpu or gpu; by default as the worker is configured.")
    ] = None,
    init: Annotated[str | None, typer.Option(help="Id of a model to fine-tune.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="File or folder below the data folder to fine-tune on.")
    ] = None,
    name: NameOption = "",
    need_gpu: Annotated[bool, typer.Option("--need-gpu", help="Wait for a worker with a usable GPU.")] = False,
    gpu_memory_gb: Annotated[
        float | None, typer.Option(help="Wait for a worker whose GPU has this much memory, in GB.")
    ] = None,
    memory_gb: Annotated[
        float | None, typer.Option(help="Main memory that the worker must have for the job, in GB.")
    ] = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> int:
    """Create a training (or, with --init, fine-tuning) job; or one that records: `record` and `watch`."""
    if context.invoked_subcommand is not None:
        return _check_alone(context)
    document: dict[str, Any] = {"kind": "train", "recipe": recipe, "accelerator": accelerator, "name": name}
    document["overrides"] = dict(_override(item) for item in set_ or ())
    document["needs"] = {"gpu": need_gpu, "gpu_memory_gb": gpu_memory_gb, "memory_gb": memory_gb}
    if init is not None:
        document |= {"kind": "fine-tune", "model": init, "data": data or []}
    return _submit(document, wait, json)


@submit_group.command()
def record(
    frequency: FrequencyOption,
    bandwidth: BandwidthOption = "10k",
    seconds: SecondsOption = 30.0,
    receivers: ReceiversOption = None,
    reference: ReferenceOption = None,
    reference_seconds: ReferenceSecondsOption = 5.0,
    name: NameOption = "",
    wait: WaitOption = False,
    json: JsonOption = False,
) -> int:
    """Record receivers of the service together once; the recording becomes a session, and is located."""
    channel = _channel("record", frequency, bandwidth, seconds, receivers, name)
    return _submit(channel | _by_reference(reference, reference_seconds), wait, json)


@submit_group.command()
def watch(
    frequency: FrequencyOption,
    bandwidth: BandwidthOption = "10k",
    seconds: SecondsOption = 30.0,
    receivers: ReceiversOption = None,
    every: EveryOption = None,
    cron: CronOption = None,
    squelch: SquelchOption = False,
    open_db: OpenOption = SquelchRule.open_db,
    close_db: CloseOption = SquelchRule.close_db,
    level: LevelOption = None,
    least: LeastOption = SquelchRule.least_s,
    cool_down: CoolDownOption = SquelchRule.cool_down_s,
    sentinel: SentinelOption = None,
    reference: ReferenceOption = None,
    reference_seconds: ReferenceSecondsOption = 5.0,
    most: MostOption = None,
    until: UntilOption = None,
    name: NameOption = "",
    wait: WaitOption = False,
    json: JsonOption = False,
) -> int:
    """Record and locate again and again, by the clock or when the signal is there, until cancelled or complete."""
    from heimdall.capture.recording.schedule import parse_duration_s

    rule = {"open_db": open_db, "close_db": close_db, "level_dbm": level, "least_s": least, "cool_down_s": cool_down}
    document = _channel("watch", frequency, bandwidth, seconds, receivers, name) | {
        "every_s": parse_duration_s(every) if every else None,
        "cron": cron,
        "squelch": {**rule, "listeners": names_in(sentinel)} if squelch else None,
        "most": most,
        "until_utc": moment(until, "--until") if until else None,
    }
    return _submit(document | _by_reference(reference, reference_seconds), wait, json)


def _by_reference(name: str | None, seconds: float) -> dict[str, Any]:
    return {} if name is None else {"reference": {"transmitter": name, "seconds": seconds}}


def _channel(
    kind: str, frequency: str, bandwidth: str, seconds: float, receivers: str | None, name: str
) -> dict[str, Any]:
    channel = {"frequency_hz": hertz(frequency), "bandwidth_hz": hertz(bandwidth), "seconds": seconds}
    return {"kind": kind, **channel, "receivers": names_in(receivers), "name": name}


def _check_alone(context: typer.Context) -> int:
    """Options of a training before `record` would be lost in silence."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        option = given[0].rstrip("_").replace("_", "-")
        raise InputError(f"--{option} comes before {context.invoked_subcommand}: write its options after it")
    return 0


def _submit(document: dict[str, Any], wait: bool, as_json: bool) -> int:
    with service() as (settings, store):
        job = _create(store, settings, document)
        if wait:
            job = _follow(store, job.id, settings.lease_s)
        document = documents_of(store, settings, [job])[0]
    print_json(document) if as_json else typer.echo(f"{job.id} {state_text(job, document)}")
    return 0 if not wait or job.state == "succeeded" else 1


def _create(store: Store, settings: Settings, document: dict[str, Any]) -> Job:
    from pydantic import ValidationError

    from heimdall.service.queue import job_requests
    from heimdall.service.queue.planning import Planner
    from heimdall.service.queue.submit import submit

    try:
        request = job_requests.read_request(document)
    except ValidationError as error:
        raise InputError(complaint(error, skip=1)) from None
    request = Planner(settings).completed(request)
    return submit(store, request, settings, WHO)


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
            console.print(_progress_text(job), highlight=False)
        if job.state in service_jobs.FINAL:
            return job
        time.sleep(_LOOK_EVERY_S)


def _progress_text(job: Job) -> str:
    if job.needs_capture:
        return f"{job.phase}: {job.step} recorded" + (f" of {job.steps_total}" if job.steps_total else "")
    return f"{job.phase}: step {job.step} of {job.steps_total}, loss {job.loss}"


def _override(item: str) -> tuple[str, Any]:
    key, sign, value = item.partition("=")
    if not sign:
        raise InputError(f"--set {item}: write KEY=VALUE, such as optimizer.lr=0.001")
    try:
        return key, json_module.loads(value)
    except ValueError:
        return key, value
