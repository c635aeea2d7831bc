"""`heimdall simulate`: scenes of a named scenario as SigMF sessions with their truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import InputError

_FILES, _SERVED = "matched", "continental"
"""Scenarios where none is named: of files, and of what KiwiSDRs can hear."""


@app.command()
def simulate(
    out: Annotated[
        Path | None, typer.Argument(help="Folder to write into; each scene becomes a session folder.")
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            help="Name of the scenario; docs/reference/simulation.md lists them. Default: matched, with --serve continental."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of scenes.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed: the same seed gives the same scenes, whatever the count.")
    ] = 0,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Play a scene as receivers on loopback ports, until stopped; docs/how-to/record.md."
        ),
    ] = False,
    kiwis: Annotated[int, typer.Option(min=0, max=200, help="With --serve: number of KiwiSDRs.")] = 6,
    dongles: Annotated[int, typer.Option(min=0, max=200, help="With --serve: number of dongles behind rtl_tcp.")] = 0,
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="With --serve: speed relative to real time.")] = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="With --serve: fault of a receiver as NAME=FAULT, such as R02=busy; may be repeated."),
    ] = None,
    on_off: Annotated[
        str | None, typer.Option(help="With --serve: how long the transmitter is on and off, in s, such as 20,40.")
    ] = None,
    velocity: Annotated[
        str, typer.Option(help="With --serve: velocity of the transmitter, east,north in m/s.")
    ] = "0,0",
    bandwidth: Annotated[str | None, typer.Option(help="With --serve: width of the channel, such as 10k.")] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="With --serve: frequency of a reference station among the receivers, such as 98.5M."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65000, help="With --serve: port of the first receiver; 0 takes free ports.")
    ] = 18073,
    json: JsonOption = False,
) -> None:
    """Write simulated scenes as SigMF sessions that `heimdall locate` reads, or play one as receivers to practise with."""
    if serve:
        from heimdall.cli.capturing.simulate_serve import Play, play

        given = Play(
            scenario=scenario or _SERVED,
            seed=seed,
            kiwis=kiwis,
            dongles=dongles,
            speed=speed,
            faults=fault or [],
            on_off=on_off,
            velocity=velocity,
            bandwidth=bandwidth,
            reference=reference,
            port=port,
        )
        return play(given, json)
    if out is None:
        raise InputError("give a folder to write sessions into, or --serve")
    name = scenario or _FILES
    folders = _write_sessions(out, name, count, seed)
    if json:
        paths = [str(folder) for folder in folders]
        print_json({"scenario": name, "seed": seed, "count": count, "sessions": paths})
    else:
        console.print(f"{len(folders)} session{'s' * (len(folders) != 1)} of {name}, seed {seed}, in {out}")


def _write_sessions(out: Path, name: str, count: int, seed: int) -> list[Path]:
    try:
        from heimdall import simulation
    except ModuleNotFoundError as error:
        raise InputError(f"simulating needs {error.name}: pip install 'heimdall[train]'") from error
    from heimdall.formats.writers.sigmf_write import write_sigmf

    law = simulation.scenario(name)
    folders = [_free(out, f"{name}-{seed}-{number:05d}") for number in range(count)]
    number = 0
    for batch in simulation.scenes(law, seed, count):
        for index in range(len(batch)):
            write_sigmf(simulation.to_observation(batch, index, folders[number].name), folders[number])
            number += 1
    return folders


def _free(out: Path, name: str) -> Path:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: give a folder to write sessions into")
    if (out / name).exists():
        raise InputError(f"{out / name} is there already: give another folder, or remove it")
    return out / name
