"""Any path that holds observations: recognised by what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from os import PathLike
from pathlib import Path

from heimdall.errors import InputError
from heimdall.formats.readers.foreign import advice_on
from heimdall.formats.readers.kiwisdr.session import SUFFIX as WAV_SUFFIX
from heimdall.formats.readers.limits import Files, Limits
from heimdall.formats.readers.measurement_rows import rows_of
from heimdall.formats.readers.measurements import iterate_measurements
from heimdall.formats.readers.nested import with_archives
from heimdall.formats.readers.source import (
    COLLECTION_SUFFIX,
    DATA_SUFFIX,
    MEASUREMENT_SUFFIXES,
    META_SUFFIX,
    TABLE_SUFFIXES,
    FolderFiles,
    archive_files,
    is_archive,
    open_bytes,
    plain_lines,
    plain_name,
)
from heimdall.formats.readers.tree import Tree, read_collection_file
from heimdall.formats.readers.unread import each_by_itself, with_notes
from heimdall.observation import Observation

_ALONE_SUFFIXES = (*MEASUREMENT_SUFFIXES, *TABLE_SUFFIXES, ".json", ".txt")
"""What a file of measurements by itself may be called."""
_ONE_RECEIVER = (META_SUFFIX, DATA_SUFFIX, ".wav")
_EXPECTED = "a SigMF session, KiwiSDR *_iq.wav recordings, or a measurement file (.jsonl or .csv, plain or compressed)"


def read_observations(path: str | PathLike[str], limits: Limits | None = None) -> list[Observation]:
    """All observations of a SigMF session (folder, collection or archive), a KiwiSDR folder, or a measurement file.

    A folder or an archive may hold several sessions; they come in the order of their names. Every observation is vetted
    (see `heimdall.validation.reception`). Raises InputError, with one line, for anything else.
    """
    return list(iterate_observations(Path(path), limits))


def iterate_observations(path: Path, limits: Limits | None = None) -> Iterator[Observation]:
    """As `read_observations`, one session in memory at a time."""
    limits = limits or Limits()
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_dir():
        yield from _from_files(path, FolderFiles(path, limits), limits)
    elif path.name.lower().endswith(COLLECTION_SUFFIX):
        yield from read_collection_file(path.name, with_archives(FolderFiles(path.parent, limits), limits), limits)
    elif path.suffix.lower() in _ONE_RECEIVER:
        raise InputError(f"{path} is what one receiver recorded: give the folder with the recordings of all of them")
    elif plain_name(path.name).endswith(_ALONE_SUFFIXES):
        with open_bytes(path, limits) as stream:
            yield from iterate_measurements(path.name, plain_lines(path.name, stream, limits), limits)
    elif is_archive(path):
        yield from _from_files(path, archive_files(path, limits), limits)
    else:
        raise InputError(f"{path}: {advice_on(path.name) or f'not recognised; {_EXPECTED} is expected'}")


def count_observations(path: Path) -> int | None:
    """How many observations a path seems to hold, told without reading them; None for an archive."""
    if path.is_dir():
        names = [file for file in path.rglob("*") if file.is_file()]
        suffixes = (*MEASUREMENT_SUFFIXES, *TABLE_SUFFIXES)
        tables = sum(_count_rows(file) for file in names if plain_name(file.name).endswith(suffixes))
        kiwi = {file.parent for file in names if file.name.lower().endswith(WAV_SUFFIX)}
        return sum(file.name.lower().endswith(COLLECTION_SUFFIX) for file in names) + len(kiwi) + tables
    if plain_name(path.name).endswith(_ALONE_SUFFIXES):
        return _count_rows(path)
    return 1 if path.name.lower().endswith(COLLECTION_SUFFIX) else None


def _count_rows(path: Path) -> int:
    try:
        with path.open("rb") as stream:
            return sum(1 for _ in rows_of(path.name, plain_lines(path.name, stream, Limits())))
    except (OSError, InputError):
        return 0


def _from_files(path: Path, files: Files, limits: Limits) -> Iterator[Observation]:
    """The first of its observations says what lies beside them and is not read."""
    name = path.resolve().name if path.is_dir() else path.name.split(".")[0]
    deeper = files.deeper if isinstance(files, FolderFiles) else ()
    tree = Tree(name, with_archives(files, limits), limits, path if path.is_dir() else None, deeper)
    found = False
    for observation in each_by_itself(list(tree.sessions())):
        yield observation if found else with_notes(observation, tree.left_out())
        found = True
    if not found:
        foreign = (f"{each}: {why}" for each in sorted(files) if (why := advice_on(each)))
        told = "; ".join([*tree.left_out(), *islice(chain(tree.unlike_measurements(), foreign), 1)])
        raise InputError(f"{path}: {told or f'nothing in it is recognised; {_EXPECTED} is expected'}")
