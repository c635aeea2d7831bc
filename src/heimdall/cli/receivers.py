"""`heimdall receivers`: what the receivers themselves get wrong."""

from __future__ import annotations

import typer

from heimdall.cli.app import app

receivers = typer.Typer(help="What the receivers themselves get wrong.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(receivers, name="receivers")
