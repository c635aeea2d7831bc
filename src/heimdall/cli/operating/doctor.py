"""`heimdall doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption
from heimdall.doctor.command import Options, run_doctor


@app.command()
def doctor(
    json: JsonOption = False,
    root: Annotated[Path, typer.Option(help="Examine the files below this folder instead of this machine's.")] = Path(
        "/"
    ),
    fix: Annotated[bool, typer.Option("--fix", help="Show what can safely be repaired, ask, and do it.")] = False,
    recipe: Annotated[str | None, typer.Option(help="Compare the memory this recipe needs with the card's.")] = None,
    plan_json: Annotated[
        Path | None,
        typer.Option(
            help="Compare the memory of this plan with the card's, a file from `heimdall train --plan --json`."
        ),
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Explain the errors in this log as well.")] = None,
) -> int:
    """Say why the GPU is not used and what to type; exit code 1 where a fault was found."""
    return run_doctor(Options(json, root, fix, recipe, plan_json, log))
