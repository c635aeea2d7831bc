"""`heimdall restore`: an installation back from the file that `heimdall backup` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, print_json


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A file that `heimdall backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace the jobs and models that are there.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only read the file and say whether it is whole.")] = False,
    secrets: Annotated[
        bool,
        typer.Option(
            "--secrets", help="Restore only the secrets, all of them, for databases that outlived their passwords."
        ),
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Restore a backup as a whole, or say in one line why not and change nothing. Stop the workers first."""
    from heimdall.service.backup.archive import verify
    from heimdall.service.backup.restore import restore as put_back
    from heimdall.service.settings import load_settings

    about = verify(source) if check else put_back(load_settings(), source, replace=replace, only_secrets=secrets)
    if json_:
        return print_json(about)
    word = "whole" if check else "restored"
    typer.echo(f"{source}: {word}; made {about['made_utc']} by Heimdall {about['heimdall']}")
