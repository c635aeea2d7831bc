"""The known place of a session's transmitter, written to where each format keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from heimdall.errors import InputError
from heimdall.files.atomic import replace_text
from heimdall.formats.json_text import with_member
from heimdall.formats.readers.kiwisdr.session import SUFFIX as WAV_SUFFIX
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.measurement_rows import measured_tables, rows_of
from heimdall.formats.readers.nested import SUFFIX as ARCHIVE_SUFFIX
from heimdall.formats.readers.positions import TRUTH_NAME
from heimdall.formats.readers.sigmf.stated import TRUTH_KEY
from heimdall.formats.readers.source import (
    COLLECTION_SUFFIX,
    MEASUREMENT_SUFFIXES,
    META_SUFFIX,
    TABLE_SUFFIXES,
    FolderFiles,
    plain_lines,
    plain_name,
)
from heimdall.formats.writers.sigmf_write import point_json
from heimdall.observation import Place


def write_truth(folder: Path, truth: Place | None, limits: Limits | None = None) -> None:
    """Say for every observation below the folder where its transmitter was; None: nobody knows.

    Raises InputError for SigMF recordings that no collection names: they have nowhere to say it.
    """
    limits = limits or Limits()
    files = FolderFiles(folder, limits)
    names = list(files)
    collections = [name for name in names if name.lower().endswith(COLLECTION_SUFFIX)]
    if not collections and any(name.lower().endswith((META_SUFFIX, ARCHIVE_SUFFIX)) for name in names):
        raise InputError(
            f"SigMF recordings need a {COLLECTION_SUFFIX} that names them to say where the transmitter was"
        )
    for name in collections:
        _into_collection(folder / name, truth)
    measured = [name for name in names if plain_name(name).endswith(MEASUREMENT_SUFFIXES)]
    measured += measured_tables(files, limits)
    for name in measured:
        if name.lower() != plain_name(name):
            raise InputError(f"{name} is compressed: upload it plain to say where its transmitters were")
    for name in measured:
        _into_measurements(folder / name, truth)
    for inside in {(folder / name).parent for name in names if name.lower().endswith(WAV_SUFFIX)}:
        _beside_wav(inside / TRUTH_NAME, truth)


def _into_collection(path: Path, truth: Place | None) -> None:
    document = json.loads(path.read_bytes())
    document["collection"].pop(TRUTH_KEY, None)
    if truth is not None:
        document["collection"][TRUTH_KEY] = point_json(truth.latitude_deg, truth.longitude_deg, truth.height_m)
    replace_text(path, json.dumps(document, indent=1))


def _into_measurements(path: Path, truth: Place | None) -> None:
    """A table, which would have to say it in every row, becomes lines of JSON."""
    value = json.dumps(None if truth is None else vars(truth))
    content = "".join(with_member(row, "truth", value) + "\n" for row in _rows(path))
    if not path.name.lower().endswith(TABLE_SUFFIXES):
        replace_text(path, content)
        return
    replace_text(path.with_name(f"{path.name}{MEASUREMENT_SUFFIXES[0]}"), content)
    path.unlink()


def _rows(path: Path) -> Iterator[str]:
    """Raises InputError for rows of a table that contradict each other."""
    with path.open("rb") as file:
        for row in rows_of(path.name, plain_lines(path.name, file, Limits())):
            if row.flaw is not None:
                raise InputError(f"{row.where}: {row.flaw}")
            yield row.text.decode()


def _beside_wav(path: Path, truth: Place | None) -> None:
    if truth is None:
        path.unlink(missing_ok=True)
        return
    coordinates = [truth.latitude_deg, truth.longitude_deg, *([] if truth.height_m is None else [truth.height_m])]
    replace_text(path, f"{json.dumps(coordinates)}\n")
