"""`heimdall record`: receivers by name, recorded together into a SigMF session."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from heimdall.cli.app import app
from heimdall.cli.capturing.as_job import ReferenceClocks, record_job
from heimdall.cli.capturing.receivers_list import FileOption, list_path
from heimdall.cli.locating.transmitters import TransmittersOption
from heimdall.cli.output import JsonOption, console, print_json, print_table
from heimdall.errors import InputError
from heimdall.formats.quantities import hertz

if TYPE_CHECKING:
    from heimdall.capture.recording.parts import OnChange, Part, Recorded
    from heimdall.capture.recording.reference_transmitter import Reference

FrequencyOption = Annotated[str, typer.Option(help="Centre of the channel in Hz, with k, M or G: 77.5k.")]
BandwidthOption = Annotated[str, typer.Option(help="Width of the channel in Hz, with k or M: 1k.")]
RunDirOption = Annotated[
    Path | None, typer.Option(hidden=True, help="Folder of the run, when a job of the service records.")
]
ReceiversOption = Annotated[
    str | None, typer.Option(help="Names of the receivers, separated by commas; by default all in the list.")
]
ReferenceOption = Annotated[
    str | None,
    typer.Option(help="Known transmitter that dongles are also tuned to, to set their clocks."),
]
ReferenceSecondsOption = Annotated[
    float, typer.Option(min=1, max=600, help="How long the reference is recorded, in s.")
]


@app.command()
def record(
    frequency: FrequencyOption,
    output: Annotated[Path | None, typer.Option(help="Folder to create for the session.")] = None,
    bandwidth: BandwidthOption = "10k",
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Length of the recording in s.")] = 30.0,
    receivers: ReceiversOption = None,
    reference: ReferenceOption = None,
    reference_seconds: ReferenceSecondsOption = 5.0,
    transmitters: TransmittersOption = None,
    file: FileOption = None,
    run_dir: RunDirOption = None,
    json: JsonOption = False,
) -> None:
    """Record receivers of the list together; `heimdall locate SESSION` then gives the position.

    A receiver that fails is left out with its reason, and what it gave before is kept. Exit 1 if fewer than two gave anything.
    With --reference there is a second session, OUTPUT-reference.
    """
    from heimdall.capture.interface import Tuning
    from heimdall.capture.listing import load
    from heimdall.capture.recording.channel_recorder import Dwell
    from heimdall.capture.recording.record import record_dwells

    listed = load(list_path(file))
    tuning = Tuning(hertz(frequency), hertz(bandwidth))
    before = None if reference is None else known_reference(reference, reference_seconds, transmitters)
    if run_dir is not None:
        clocks = None if before is None else ReferenceClocks(before, transmitters)
        return record_job(tuning, seconds, names_in(receivers), listed, run_dir, clocks)
    if output is None:
        raise InputError("name the folder to write the session into: --output FOLDER")
    targets = listed.targets(names_in(receivers))
    dwells = [Dwell(tuning, seconds, output)]
    if before is not None:
        dwells.insert(0, before.dwell(output.with_name(f"{output.name}-reference")))
    *first, recorded = asyncio.run(record_dwells(targets, dwells, listed.access, on_change=None if json else tell()))
    of_reference = first[0] if first else None
    if json:
        print_json(report(recorded, of_reference))
    else:
        show(recorded, of_reference)
    recorded.check()


def known_reference(name: str, seconds: float, transmitters: Path | None) -> Reference:
    """Raises InputError where no known transmitter is called so."""
    from heimdall.capture.recording.reference_transmitter import Reference
    from heimdall.formats.transmitters import known
    from heimdall.transmitter import named

    return Reference(named(known(transmitters), name), seconds)


def report(recorded: Recorded, reference: Recorded | None = None) -> dict[str, object]:
    return {
        "session": str(recorded.folder),
        **({} if reference is None else {"reference_session": str(reference.folder)}),
        "receivers": [part.to_json() for part in recorded.parts],
    }


def show(recorded: Recorded, reference: Recorded | None = None) -> None:
    table = Table("receiver", "gave", "seconds", "level", "remarks", box=None)
    for part in recorded.parts:
        gave = part.to_json()["gave"]
        level = "" if part.level_dbm is None else f"{part.level_dbm:.0f} dBm"
        remarks = "; ".join([*([part.reason] if part.reason else []), *part.notes])
        table.add_row(part.name, str(gave or "nothing"), f"{part.seconds:.1f}", level, remarks)
    print_table(table)
    clocks = "" if reference is None else f" --reference-session {reference.folder}"
    console.print(f"recorded into {recorded.folder}: heimdall locate {recorded.folder}{clocks}")


def tell() -> OnChange:
    """A line when a receiver has come further."""
    said: dict[str, str] = {}

    def on_change(part: Part) -> None:
        if said.get(part.name) != part.stage:
            said[part.name] = part.stage
            why = f": {part.reason}" if part.reason else ""
            console.print(f"{part.name}: {part.stage.value}{why}", highlight=False)

    return on_change


def names_in(receivers: str | None) -> list[str]:
    return [name.strip() for name in (receivers or "").split(",") if name.strip()]
