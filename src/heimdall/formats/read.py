"""Any path that holds observations: recognised by what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from heimdall.errors import InputError
from heimdall.formats.kiwisdr import SUFFIX as KIWI_SUFFIX
from heimdall.formats.kiwisdr import read_kiwisdr
from heimdall.formats.limits import Files, Limits, names_ending
from heimdall.formats.measurements import iterate_measurements
from heimdall.formats.sigmf import COLLECTION_SUFFIX, META_SUFFIX, read_collection, read_recordings
from heimdall.formats.source import FolderFiles, Subfolder, archive_files, is_archive, open_bytes
from heimdall.observation import Observation

MEASUREMENT_SUFFIXES = (".jsonl", ".ndjson")
_TABLE_SUFFIXES = (*MEASUREMENT_SUFFIXES, ".json", ".txt")
_ONE_RECEIVER = (META_SUFFIX, ".sigmf-data", ".wav")
_EXPECTED = "a SigMF session, KiwiSDR *_iq.wav recordings, or a measurement file (.jsonl)"


def read_observations(path: Path, limits: Limits | None = None) -> list[Observation]:
    """All observations of a SigMF session (folder, collection or archive), a KiwiSDR folder, or a measurement file.

    A folder or an archive may hold several sessions; they come in the order of their names. Every observation is vetted
    (see `heimdall.vetting`). Raises InputError, with one line, for anything else.
    """
    return list(iterate_observations(path, limits))


def iterate_observations(path: Path, limits: Limits | None = None) -> Iterator[Observation]:
    """As `read_observations`, one session in memory at a time."""
    limits = limits or Limits()
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_dir():
        yield from _from_files(path, FolderFiles(path, limits), limits)
    elif path.name.lower().endswith(COLLECTION_SUFFIX):
        yield read_collection(path.name, FolderFiles(path.parent, limits), limits)
    elif path.suffix.lower() in _ONE_RECEIVER:
        raise InputError(f"{path} is what one receiver recorded: give the folder with the recordings of all of them")
    elif is_archive(path):
        yield from _from_files(path, archive_files(path, limits), limits)
    elif path.suffix.lower() in _TABLE_SUFFIXES:
        with open_bytes(path, limits) as lines:
            yield from iterate_measurements(path.name, lines, limits)
    else:
        raise InputError(f"{path}: not recognised; {_EXPECTED} is expected")


def count_observations(path: Path) -> int | None:
    """How many observations a path seems to hold, told without reading them; None for an archive."""
    if path.is_dir():
        names = [file for file in path.rglob("*") if file.is_file()]
        tables = sum(_count_lines(file) for file in names if file.suffix.lower() in MEASUREMENT_SUFFIXES)
        kiwi = {file.parent for file in names if file.name.lower().endswith(KIWI_SUFFIX)}
        return sum(file.name.lower().endswith(COLLECTION_SUFFIX) for file in names) + len(kiwi) + tables
    if path.suffix.lower() in _TABLE_SUFFIXES:
        return _count_lines(path)
    return 1 if path.name.lower().endswith(COLLECTION_SUFFIX) else None


def _count_lines(path: Path) -> int:
    try:
        with path.open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    except OSError:
        return 0


def _from_files(path: Path, files: Files, limits: Limits) -> Iterator[Observation]:
    name = path.resolve().name if path.is_dir() else path.name.split(".")[0]
    found = False
    for observation in _sessions(name, files, limits):
        found = True
        yield observation
    if not found:
        raise InputError(f"{path}: nothing in it is recognised; {_EXPECTED} is expected")


def _sessions(name: str, files: Files, limits: Limits) -> Iterator[Observation]:
    """Sessions in the order of their folders, SigMF first."""
    collections = list(names_ending(files, COLLECTION_SUFFIX))
    for path in collections:
        yield read_collection(path, files, limits)
    if not collections:
        yield from _bare_recordings(name, files, limits)
    for folder, inside in _folders_with(files, KIWI_SUFFIX):
        yield read_kiwisdr(folder.rpartition("/")[2] or name, inside)
    for suffix in MEASUREMENT_SUFFIXES:
        for path in names_ending(files, suffix):
            yield from iterate_measurements(path, files[path], limits)


def _bare_recordings(name: str, files: Files, limits: Limits) -> Iterator[Observation]:
    """SigMF recordings that no collection names: those in one folder, or in one archive, are one session."""
    if isinstance(files, FolderFiles):
        for folder, inside in _folders_with(files, META_SUFFIX):
            yield read_recordings(folder.rpartition("/")[2] or name, inside, limits)
    elif any(names_ending(files, META_SUFFIX)):
        yield read_recordings(name, files, limits)


def _folders_with(files: Files, suffix: str) -> Iterator[tuple[str, Files]]:
    folders = {path.rpartition("/")[0] for path in names_ending(files, suffix)}
    return ((folder, Subfolder(files, folder)) for folder in sorted(folders))
