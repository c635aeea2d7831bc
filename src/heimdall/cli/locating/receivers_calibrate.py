"""`heimdall receivers calibrate`: what each receiver adds to times and levels, from transmitters whose place is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from heimdall.cli.locating.reader_notes import Notes
from heimdall.cli.locating.receivers import receivers
from heimdall.cli.output import JsonOption, console, print_json, print_table
from heimdall.errors import InputError

if TYPE_CHECKING:
    from heimdall.correction import Correction
    from heimdall.observation import Observation


@receivers.command()
def calibrate(
    paths: Annotated[
        list[Path], typer.Argument(help="Observations with known transmitters, as `heimdall locate` reads them.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="File to write the corrections to, for --corrections of locate and evaluate.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Find the delay and the level bias of every receiver, against the mean of those heard with it."""
    from dataclasses import asdict

    from heimdall.estimation.receivers.receiver_bias import corrections_from, site_biases
    from heimdall.formats.corrections import corrections_text
    from heimdall.formats.readers.read import iterate_observations

    notes = Notes()
    found = site_biases(list(notes.of(observation for path in paths for observation in iterate_observations(path))))
    corrections = corrections_from(found)
    if output is not None:
        _write(output, corrections_text(corrections))
    if json:
        print_json({"observations": found.observations, "receivers": {n: asdict(c) for n, c in corrections.items()}})
    else:
        _show(corrections, found.observations)
    notes.say()


def applied(observation: Observation, corrections: Mapping[str, Correction]) -> Observation:
    """The observation with its receivers' corrections taken off."""
    from heimdall.correction import corrected

    return corrected(observation, corrections) if corrections else observation


def read(path: Path | None) -> Mapping[str, Correction]:
    """The corrections in a file, none where none is named."""
    from heimdall.formats.corrections import read_corrections

    return {} if path is None else read_corrections(path)


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{output}: {error.strerror}") from error
    console.print(f"wrote {output}")


def _show(corrections: Mapping[str, Correction], observations: int) -> None:
    table = Table("receiver", "delay, ns", "level, dB", "heard", box=None)
    for name, correction in sorted(corrections.items()):
        delay = _pair(correction.delay_s, correction.delay_sigma_in_group_s, 1e9, 0)
        level = _pair(correction.level_bias_db, correction.level_bias_sigma_db, 1.0, 1)
        table.add_row(name, delay, level, str(correction.observations))
    print_table(table)
    console.print(f"from {observations} observations with a known transmitter")


def _pair(value: float | None, sigma: float | None, factor: float, digits: int) -> str:
    return "" if value is None else f"{value * factor:+.{digits}f} ± {(sigma or 0.0) * factor:.{digits}f}"
