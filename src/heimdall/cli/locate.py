"""`heimdall locate`: recordings or measurements to positions with regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import InputError
from heimdall.fix import Fix, Status
from heimdall.observation import Place

if TYPE_CHECKING:
    from heimdall.estimation.locate import Located
    from heimdall.observation import Observation

_ROWS_SHOWN = 20


class Method(StrEnum):
    """What reads the evidence."""

    AUTO = "auto"
    LIKELIHOOD = "likelihood"
    LEARNED = "learned"
    LEAST_SQUARES = "least-squares"


@app.command()
def locate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="SigMF session, folder of KiwiSDR *_iq.wav, or measurement file (JSON lines)."),
    ],
    method: Annotated[Method, typer.Option(help="auto takes what the model's evaluation found better.")] = Method.AUTO,
    model: Annotated[Path | None, typer.Option(help="Model bundle (.heimdall) for auto and learned.")] = None,
    truth: Annotated[str | None, typer.Option(help="LATITUDE,LONGITUDE of the transmitter, to compare with.")] = None,
    output: Annotated[Path | None, typer.Option(help="Also write .geojson, .kml, .cot, .html or .png.")] = None,
    json: JsonOption = False,
) -> None:
    """Locate the transmitter of every observation, with 68 % and 95 % regions."""
    from heimdall.formats.read import read_observations
    from heimdall.formats.write import check_output

    if method is Method.LEARNED and model is None:
        raise InputError("--method learned needs --model NAME.heimdall; `heimdall train` makes one")
    if output is not None:
        check_output(output)
    observations = [observation for path in paths for observation in read_observations(path)]
    if truth is not None:
        place = _parse_place(truth)
        observations = [replace(observation, truth=place) for observation in observations]
    located = _locate(observations, method, model, quiet=json)
    fixes = [result.fix for result in located]
    if all(fix.status is Status.INSUFFICIENT for fix in fixes):
        raise InputError(fixes[0].advice)
    if output is not None:
        _write(output, located, observations)
    if json:
        print_json({"fixes": [fix.to_json() for fix in fixes]})
    else:
        _show(fixes, observations)


def _parse_place(text: str) -> Place:
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--truth {text}: give latitude and longitude in degrees, as 50.0155,9.0108") from error
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise InputError(f"--truth {text}: not on the globe")
    return Place(latitude, longitude)


def _locate(observations: Sequence[Observation], method: Method, model: Path | None, *, quiet: bool) -> list[Located]:
    if method is Method.LEAST_SQUARES:
        from heimdall.estimation.least_squares import locate_each as by_least_squares

        results = by_least_squares(observations)
    elif method is Method.LIKELIHOOD or model is None:
        from heimdall.estimation.locate import locate_each

        results = locate_each(observations)
    else:
        from heimdall.inference.locate import Learned

        results = Learned.load(model).locate_each(observations, choose=method is Method.AUTO)
    hide = quiet or len(observations) < _ROWS_SHOWN
    return list(track(results, "locating", total=len(observations), console=console, disable=hide))


def _write(output: Path, located: Sequence[Located], observations: Sequence[Observation]) -> None:
    from heimdall.estimation.pictures import evidence_maps
    from heimdall.formats.write import write_fixes

    evidence = [evidence_maps(result) for result in located]
    write_fixes([result.fix for result in located], observations, output, evidence)
    console.print(f"wrote {output}")


def _show(fixes: Sequence[Fix], observations: Sequence[Observation]) -> None:
    """A table for people, and what the readers decided on the way."""
    table = Table("id", "status", "latitude", "longitude", "95 % within", "error", "method", "ms", box=None)
    for fix in fixes[:_ROWS_SHOWN]:
        table.add_row(fix.id, fix.status, *_place(fix), _error(fix), fix.method, f"{fix.elapsed_ms:.0f}")
    console.print(table)
    if len(fixes) > _ROWS_SHOWN:
        console.print(f"... and {len(fixes) - _ROWS_SHOWN} more: --json or --output has them all")
    for observation in observations[:_ROWS_SHOWN]:
        for note in observation.notes:
            console.print(f"{observation.id}: {note}")
    for fix in fixes[:_ROWS_SHOWN]:
        for line in _remarks(fix):
            console.print(f"{fix.id}: {line}")


def _place(fix: Fix) -> tuple[str, str, str]:
    if fix.latitude_deg is None or fix.longitude_deg is None or fix.region_95 is None:
        return "-", "-", "-"
    reach_m = fix.region_95.reach_m(fix.latitude_deg, fix.longitude_deg)
    return f"{fix.latitude_deg:.5f}", f"{fix.longitude_deg:.5f}", _metres(reach_m)


def _error(fix: Fix) -> str:
    return "" if fix.truth is None else _metres(fix.truth.error_m)


def _metres(length_m: float) -> str:
    return f"{length_m:.0f} m" if length_m < 10_000 else f"{length_m / 1e3:.0f} km"


def _remarks(fix: Fix) -> list[str]:
    advice = [fix.advice] if fix.advice else []
    return advice + [f"{report.name}: {report.reason}" for report in fix.receivers if report.reason]
