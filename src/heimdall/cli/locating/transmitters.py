"""`heimdall transmitters`: the list of transmitters whose place is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json, print_table
from heimdall.cli.values import place_of
from heimdall.errors import InputError
from heimdall.formats.quantities import hertz
from heimdall.validation.complaints import complaint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heimdall.transmitter import KnownTransmitter

transmitters = typer.Typer(
    help="Transmitters at known positions, for checking fixes, setting clocks and naming what was found.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(transmitters, name="transmitters")

FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help="List of transmitters; by default HEIMDALL_TRANSMITTERS, or transmitters.json in the user's configuration.",
    ),
]
TransmittersOption = Annotated[
    Path | None,
    typer.Option(help="List of known transmitters, as `heimdall transmitters` keeps it; by default the user's own."),
]


@transmitters.command("list")
def show(file: FileOption = None, json: JsonOption = False) -> None:
    """List the user's transmitters and the time signals that come with Heimdall."""
    from heimdall.formats.transmitters import default_path, own, shipped, with_all
    from heimdall.formats.wording import frequency_text

    listed = with_all(shipped(), own(file or default_path()))
    if json:
        return print_json({"transmitters": [each.model_dump(mode="json") for each in listed]})
    table = Table("name", "frequency", "kind", "latitude", "longitude", "source", box=None)
    for each in listed:
        place = f"{each.latitude_deg:.5f}", f"{each.longitude_deg:.5f}"
        table.add_row(each.name, frequency_text(each.frequency_hz), each.kind.value, *place, each.source)
    print_table(table)


@transmitters.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the transmitter.")],
    position: Annotated[str, typer.Option(help="Position as latitude,longitude[,height of the antenna in m].")],
    frequency: Annotated[str, typer.Option(help="Frequency of its carrier or centre in Hz, with k, M or G: 98.5M.")],
    kind: Annotated[str, typer.Option(help="Kind: time-signal, am, fm, dab, television, beacon or other.")] = "other",
    bandwidth: Annotated[
        str | None, typer.Option(help="Width of its signal, such as 180k; by default that of its kind.")
    ] = None,
    position_sigma: Annotated[
        float | None, typer.Option(min=0, help="Standard deviation of its position in m.")
    ] = None,
    source: Annotated[str, typer.Option(help="Source of these data.")] = "",
    file: FileOption = None,
    json: JsonOption = False,
) -> None:
    """Add a transmitter, or replace the one of the same name."""
    from heimdall.formats.transmitters import default_path, own, save, with_all

    given = _given(name, position, frequency, kind, bandwidth, position_sigma, source)
    path = file or default_path()
    save(path, with_all(own(path), [given]))
    _tell(f"added {given.name} to {path}", [given], json)


def _given(
    name: str,
    position: str,
    frequency: str,
    kind: str,
    bandwidth: str | None,
    position_sigma_m: float | None,
    source: str,
) -> KnownTransmitter:
    from pydantic import ValidationError

    from heimdall.transmitter import KnownTransmitter

    place = place_of(position, "--position")
    values = {
        **vars(place),
        "name": name.strip(),
        "frequency_hz": hertz(frequency),
        "kind": kind,
        "bandwidth_hz": None if bandwidth is None else hertz(bandwidth),
        "source": source.strip(),
        **({} if position_sigma_m is None else {"position_sigma_m": position_sigma_m}),
    }
    try:
        return KnownTransmitter.model_validate(values)
    except ValidationError as error:
        raise InputError(complaint(error)) from None


@transmitters.command()
def remove(name: str, file: FileOption = None, json: JsonOption = False) -> None:
    """Remove a transmitter that the user has added."""
    from heimdall.formats.transmitters import default_path, own, save
    from heimdall.transmitter import named

    path = file or default_path()
    listed = own(path)
    gone = named(listed, name)
    save(path, [each for each in listed if each != gone])
    _tell(f"removed {gone.name} from {path}", [gone], json)


@transmitters.command("import")
def import_list(
    source: Annotated[Path, typer.Argument(help="File of transmitters to read: .csv, .geojson or .json.")],
    file: FileOption = None,
    json: JsonOption = False,
) -> None:
    """Add all transmitters of a file; those of the same name are replaced. A file with a fault adds nothing."""
    from heimdall.formats.transmitters import default_path, own, read, save, with_all

    path = file or default_path()
    added = read(source)
    save(path, with_all(own(path), added))
    _tell(f"added {len(added)} transmitters of {source} to {path}", added, json)


@transmitters.command()
def export(
    target: Annotated[Path, typer.Argument(help="File to write: .csv, .geojson or .json.")],
    file: FileOption = None,
    json: JsonOption = False,
) -> None:
    """Write all known transmitters, the shipped ones included."""
    from heimdall.formats.transmitters import default_path, own, shipped, with_all, write

    listed = with_all(shipped(), own(file or default_path()))
    write(target, listed)
    _tell(f"wrote {len(listed)} transmitters to {target}", listed, json)


def _tell(words: str, listed: Sequence[KnownTransmitter], json: bool) -> None:
    if json:
        print_json({"transmitters": [each.model_dump(mode="json") for each in listed]})
    else:
        console.print(words, highlight=False)
