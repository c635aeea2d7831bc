"""Fixes written to a file of whatever kind its name asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from heimdall.errors import InputError
from heimdall.files.atomic import replacing
from heimdall.fix import Fix
from heimdall.formats.maps.map_scene import EvidenceMap
from heimdall.formats.reports import fix_document
from heimdall.formats.writers.cot import cot_text
from heimdall.formats.writers.geojson import geojson_text
from heimdall.formats.writers.kml import kml_text
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
    path = Path(path)
    check_output(path)
    content = fixes_bytes(fixes, observations, path.suffix.lower(), evidence or [()] * len(fixes))
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error


def fixes_bytes(
    fixes: Sequence[Fix],
    observations: Sequence[Observation],
    suffix: str,
    evidence: Sequence[Sequence[EvidenceMap]],
) -> bytes:
    """The content of the file that `write_fixes` writes for one of `SUFFIXES`."""
    match suffix:
        case ".geojson":
            return geojson_text(fixes, observations).encode()
        case ".kml":
            return kml_text(fixes, observations).encode()
        case ".cot":
            return cot_text(fixes, observations).encode()
        case ".json":
            documents = [fix_document(*pair) for pair in zip(fixes, observations, strict=True)]
            return (json.dumps({"fixes": documents}, indent=2, allow_nan=False) + "\n").encode()
        case ".html":
            from heimdall.formats.writers.page import html  # matplotlib takes a second to load

            return html(fixes, observations, evidence).encode()
        case _:
            from heimdall.formats.maps.picture import png

            if len(fixes) != 1:
                raise InputError(f"a picture holds one fix, not {len(fixes)}; write .html instead")
            return png(fixes[0], observations[0], evidence[0])
