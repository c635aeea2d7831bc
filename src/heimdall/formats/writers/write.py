"""Fixes written to a file of whatever kind its name asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path

from heimdall.errors import InputError
from heimdall.files.atomic import replacing
from heimdall.fix import Fix
from heimdall.formats.maps.map_scene import EvidenceMap
from heimdall.formats.reports import Made, check_picture, json_pieces
from heimdall.formats.writers.cot import cot_pieces
from heimdall.formats.writers.geojson import geojson_pieces
from heimdall.formats.writers.kml import kml_pieces
from heimdall.observation import Observation

SUFFIXES = (".geojson", ".kml", ".cot", ".html", ".png", ".json")


def check_output(path: Path) -> None:
    """Raises InputError for a name that `write_fixes` does not know or a folder that is not there: before the work."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: the name must end in one of {', '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.absolute().parent}")


def write_fixes(
    fixes: Sequence[Fix],
    observations: Sequence[Observation],
    path: str | PathLike[str],
    evidence: Sequence[Sequence[EvidenceMap]] | None = None,
) -> None:
    """Write fixes, each with the observation it was made from, by the path's suffix.

    `evidence` has the maps of each fix, for `.html` and `.png`. Raises InputError for an unknown suffix, a folder that is not
    there, and several fixes for one picture.
    """
    write_each(zip(fixes, observations, evidence or [()] * len(fixes), strict=True), Path(path))


def write_each(made: Iterable[Made], path: Path) -> None:
    """As `write_fixes`, one fix in memory at a time where the format allows."""
    check_output(path)
    try:
        with replacing(path) as temporary, temporary.open("wb") as stream:
            stream.writelines(contents(made, path.suffix.lower()))
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error


def contents(made: Iterable[Made], suffix: str) -> Iterator[bytes]:
    """The content, piece by piece, of the file that `write_fixes` writes for one of `SUFFIXES`."""
    if suffix == ".png":
        yield _picture(list(made))
        return
    match suffix:
        case ".geojson":
            pieces = geojson_pieces((fix, observation) for fix, observation, _ in made)
        case ".kml":
            pieces = kml_pieces((fix, observation) for fix, observation, _ in made)
        case ".cot":
            pieces = cot_pieces((fix, observation) for fix, observation, _ in made)
        case ".json":
            pieces = json_pieces(made)
        case _:
            from heimdall.formats.writers.page import html  # matplotlib takes a second to load

            pieces = iter([html(made)])
    yield from (piece.encode() for piece in pieces)


def _picture(made: Sequence[Made]) -> bytes:
    from heimdall.formats.maps.picture import png

    check_picture(len(made), ".png")
    return png(*made[0])
