"""`heimdall simulate`: scenes of a named scenario as SigMF sessions with their truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import InputError


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write one session folder a scene into.")],
    scenario: Annotated[str, typer.Option(help="Name of the scenario; docs/simulation.md has them all.")] = "matched",
    count: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same scenes, whatever the count.")] = 0,
    json: JsonOption = False,
) -> None:
    """Write simulated scenes as SigMF sessions that `heimdall locate` reads."""
    folders = _write_sessions(out, scenario, count, seed)
    if json:
        paths = [str(folder) for folder in folders]
        print_json({"scenario": scenario, "seed": seed, "count": count, "sessions": paths})
    else:
        console.print(f"{len(folders)} sessions of {scenario}, seed {seed}, in {out}")


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
