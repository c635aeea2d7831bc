"""`heimdall up`: start the service with what this host can serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption
from heimdall.deploy.command import ACCELERATORS, Options, run_up


@app.command()
def up(
    services: Annotated[
        list[str] | None, typer.Argument(help="Services of docker-compose.yml to start; by default all.")
    ] = None,
    accelerator: Annotated[str, typer.Option(help=f"Device: {', '.join(ACCELERATORS)}.")] = "auto",
    project: Annotated[Path, typer.Option(help="Folder with docker-compose.yml.", file_okay=False)] = Path(),
    build: Annotated[bool, typer.Option(help="Build the images first.")] = True,
    timeout_s: Annotated[
        float, typer.Option(min=1, help="How long to wait until all services are healthy, in s.")
    ] = 600,
    json: JsonOption = False,
) -> int:
    """Ask the doctor, try a container with the GPU, write the choice into .env, start, and wait until all is healthy.

    If the GPU does not work, the service runs on the CPU and says why.
    """
    return run_up(Options(services or (), accelerator, project, build, timeout_s, json))
