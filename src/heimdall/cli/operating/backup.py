"""`heimdall backup`: an installation in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, print_json


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="File to write, or a folder for one named by the time.")],
    json_: JsonOption = False,
) -> None:
    """Write database, run folders, models, recordings, MLflow and secrets into one file; jobs may run meanwhile."""
    from heimdall.service.backup.make import back_up
    from heimdall.service.settings import load_settings

    about = back_up(load_settings(), target)
    if json_:
        return print_json(about)
    counted = sum(sum(database["rows"].values()) for database in about["databases"].values())
    typer.echo(f"{about['path']}: {about['bytes'] / 1e6:.1f} MB, {counted} rows, in {about['seconds']:g} s")
    for key in about["missing"]:
        typer.echo(f"heimdall: warning: the artifact store has no {key}, which the database names", err=True)
