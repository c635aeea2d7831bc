"""`heimdall watch`: record and locate again and again, by the clock or when the signal is there."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heimdall.capture.watching.squelch import SquelchRule, check_listeners
from heimdall.cli.app import app
from heimdall.cli.capturing.as_job import ReferenceClocks, watch_job
from heimdall.cli.capturing.receivers_list import FileOption, list_path
from heimdall.cli.capturing.record import (
    BandwidthOption,
    ReceiversOption,
    ReferenceOption,
    ReferenceSecondsOption,
    RunDirOption,
    known_reference,
    names_in,
)
from heimdall.cli.locating.transmitters import TransmittersOption
from heimdall.cli.output import JsonOption, console
from heimdall.cli.values import moment
from heimdall.errors import InputError
from heimdall.formats.quantities import hertz

if TYPE_CHECKING:
    from heimdall.capture.recording.reference_transmitter import Reference
    from heimdall.capture.watching.inbox import Inbox
    from heimdall.capture.watching.watch import Watch

SecondsOption = Annotated[float, typer.Option(min=1, max=3600, help="Length of each recording in s.")]
EveryOption = Annotated[str | None, typer.Option(help="Record at this interval: 90s, 10m, 2h.")]
CronOption = Annotated[str | None, typer.Option(help="Record at the times of a cron line, in UTC: '*/10 6-18 * * *'.")]
SquelchOption = Annotated[bool, typer.Option("--squelch", help="Record whenever the signal is there.")]
OpenOption = Annotated[float, typer.Option(min=1, help="Squelch: a signal begins this many dB above the noise.")]
CloseOption = Annotated[
    float, typer.Option(min=0.5, help="Squelch: a signal has ended below this many dB above the noise.")
]
LevelOption = Annotated[
    float | None, typer.Option(help="Squelch: a signal begins at this level in dBm, whatever the noise.")
]
LeastOption = Annotated[float, typer.Option(min=0, help="Squelch: how long a signal has to last, in s.")]
CoolDownOption = Annotated[
    float, typer.Option(min=0, help="Squelch: how long no signal counts after the end of one, in s.")
]
SentinelOption = Annotated[
    str | None, typer.Option(help="Squelch: names of the receivers that listen, separated by commas.")
]
MostOption = Annotated[int | None, typer.Option(min=1, help="End after this many recordings.")]
UntilOption = Annotated[str | None, typer.Option(help="Begin no recording after this time, such as 2030-01-31T18:00Z.")]


@app.command()
def watch(
    output: Annotated[
        Path | None, typer.Option(help="Folder for the recordings and fixes.jsonl; an existing one is continued.")
    ] = None,
    frequency: Annotated[str | None, typer.Option(help="Centre of the channel in Hz, with k, M or G: 77.5k.")] = None,
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
    transmitters: TransmittersOption = None,
    inbox: Annotated[
        Path | None,
        typer.Option("--input", help="Record nothing, but locate what another recorder puts into this folder."),
    ] = None,
    settle: Annotated[
        float, typer.Option(min=0.1, help="With --input: files that are unchanged for this many seconds are complete.")
    ] = 10.0,
    most: MostOption = None,
    until: UntilOption = None,
    file: FileOption = None,
    run_dir: RunDirOption = None,
    json: JsonOption = False,
) -> None:
    """Record and locate again and again until stopped; --json prints one line of JSON for each recording.

    With --squelch one receiver listens; when it hears a signal all are recorded. Started again on the same folder after
    a kill, it first locates what was recorded but not yet located.
    """
    from heimdall.capture.interface import Tuning
    from heimdall.capture.listing import load
    from heimdall.capture.recording.schedule import parse_cron, parse_duration_s
    from heimdall.capture.watching.apart import locate_apart
    from heimdall.capture.watching.inbox import Inbox
    from heimdall.capture.watching.watch import Plan, Watch

    if output is None and run_dir is None:
        raise InputError("say where the recordings are to be put: --output FOLDER")
    folder = output or Path()
    if inbox is not None:
        if not inbox.is_dir():
            raise InputError(f"{inbox}: no such folder")
        return asyncio.run(_run(Inbox(inbox, folder, locate_apart, settle, most), json))
    if frequency is None:
        raise InputError(
            "say what to record with --frequency, or name a folder that another recorder fills with --input"
        )
    if (every is not None) + (cron is not None) + squelch != 1:
        raise InputError("say when to record: one of --every, --cron and --squelch")
    listed = load(list_path(file))
    names = names_in(receivers) or [each.name for each in listed.receivers]
    listeners = tuple(names_in(sentinel))
    check_listeners(listeners, names)
    plan = Plan(
        tuning=Tuning(hertz(frequency), hertz(bandwidth)),
        seconds=seconds,
        folder=folder,
        every_s=parse_duration_s(every) if every else None,
        cron=parse_cron(cron) if cron else None,
        squelch=SquelchRule(open_db, close_db, least, cool_down, level) if squelch else None,
        listeners=listeners,
        most=most,
        until_utc=moment(until, "--until") if until else None,
        reference=None if reference is None else known_reference(reference, reference_seconds, transmitters),
    )
    if run_dir is not None:
        clocks = None if plan.reference is None else ReferenceClocks(plan.reference, transmitters)
        return watch_job(plan, names, listed, run_dir, clocks)
    options = () if transmitters is None else ("--transmitters", str(transmitters))
    locate = partial(_locate, reference=plan.reference, options=options)
    asyncio.run(_run(Watch(listed.targets(names), plan, listed.access, locate, say=console.print), json))


async def _locate(folder: Path, reference: Reference | None, options: Sequence[str]) -> dict[str, Any]:
    from heimdall.capture.watching.apart import locate_apart

    return await locate_apart(folder, *(reference.options(folder) if reference is not None else ()), *options)


async def _run(watch: Watch | Inbox, json: bool) -> None:
    """A stop ends it in order: what was received is on disk."""
    work = asyncio.create_task(_lines(watch, json))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    with suppress(asyncio.CancelledError):
        await work


async def _lines(watch: Watch | Inbox, json: bool) -> None:
    from json import dumps

    async for line in watch.run():
        if json:
            print(dumps(line, ensure_ascii=False), flush=True)
        else:
            console.print(_sentence(line), highlight=False)


def _sentence(line: dict[str, Any]) -> str:
    if not line["fixes"]:
        return f"{line['session']}: {line.get('reason', 'no position')}"
    fix = line["fixes"][0]
    return f"{line['session']}: {fix['status']}, {fix['latitude_deg']:.5f}, {fix['longitude_deg']:.5f}"
