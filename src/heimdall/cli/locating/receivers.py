"""`heimdall receivers`: what many observations say about the receivers themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from heimdall.cli.app import app
from heimdall.cli.locating.reader_notes import Notes
from heimdall.cli.output import JsonOption, console, print_json, print_table, progress
from heimdall.errors import InputError

if TYPE_CHECKING:
    from heimdall.estimation.receivers.receiver_check import ReceiverCheck

receivers = typer.Typer(
    help="Find receivers that are wrong, and correct them.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(receivers, name="receivers")


@receivers.callback()
def _group() -> None:
    """A group of commands, however many there are."""


@receivers.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Observations, as `heimdall locate` reads them.")],
    most: Annotated[int, typer.Option(min=1, help="Use at most this many observations, evenly chosen.")] = 200,
    json: JsonOption = False,
) -> None:
    """Compare each receiver with the others: how late, how loud, how often unused; the worst comes first.

    Transmitters may be known or not.
    """
    addresses = [str(path) for path in paths if ":/" in str(path) and not path.exists()]
    if addresses:
        raise InputError(
            f"{addresses[0]} is an address: heimdall receivers probe ADDRESS asks a receiver for its state"
        )
    from heimdall.estimation.receivers.receiver_check import check_receivers, evenly
    from heimdall.formats.readers.read import iterate_observations

    notes = Notes()
    observations = list(notes.of(observation for path in paths for observation in iterate_observations(path)))
    chosen = evenly(observations, most)
    with progress("checking", len(chosen), hide=json) as report:
        found = check_receivers(chosen, on_progress=report)
    if not found:
        raise InputError("no observation has two usable receivers: `heimdall locate` says what is wrong with each")
    if json:
        print_json(
            {"observations": len(observations), "checked": len(chosen), "receivers": [each.to_json() for each in found]}
        )
    else:
        _show(found, len(observations), len(chosen))
    notes.say()


def _show(found: list[ReceiverCheck], observations: int, checked: int) -> None:
    from heimdall.estimation.receivers.receiver_check import figures_of

    table = Table("receiver", "count", "late", "scatter", "level", "scatter", "not used", box=None)
    for each in found:
        table.add_row(each.name, *figures_of(each))
    print_table(table)
    for each in found:
        if each.suspicion:
            console.print(f"{each.name}: {each.suspicion}", markup=False, highlight=False)
    if not any(each.suspicion for each in found):
        console.print("no receiver is suspicious")
    if checked < observations:
        console.print(f"{checked} of {observations} observations, evenly chosen: --most takes more")
