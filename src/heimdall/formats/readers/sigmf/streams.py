"""The recordings of a SigMF session: found among its files, and read, or why they cannot be."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from heimdall.formats.readers.limits import Files, Limits, content_or_flaw, stored_as
from heimdall.formats.readers.sigmf.metadata import UnreadableRecordingError, read_metadata
from heimdall.formats.readers.sigmf.sigmf_recording import SigmfRecording, dataset_name, parse_recording
from heimdall.formats.readers.sigmf.values import text
from heimdall.formats.readers.source import DATA_SUFFIX, META_SUFFIX, folder_of
from heimdall.formats.text import composed, name_key


@dataclass(frozen=True, eq=False)
class Stream:
    """One recording of a session: its name, and what it says or why it cannot be read."""

    path: str
    """Path of its files, without their suffixes."""
    name: str
    recording: SigmfRecording | None
    flaw: str | None
    notes: tuple[str, ...] = ()


def listed_path(stream: object, folder: str, files: Files) -> str | None:
    """The metadata that a collection in that folder names; None where they are missing."""
    name = _name_of(stream)
    return _find(f"{name}{META_SUFFIX}", folder, files) if name else None


def _name_and_digest(stream: object) -> tuple[str | None, object]:
    """Of a recording object, or of a tuple of both, which the standard permits until its version 2.0."""
    if isinstance(stream, dict):
        return text(stream.get("name")), stream.get("hash")
    name, digest, *_ = [*stream, None, None] if isinstance(stream, list) else [stream, None]
    return text(name), digest


def _name_of(stream: object) -> str | None:
    """Without the suffix of one of its files, and without the folder it stands in, as programs write them."""
    name, _ = _name_and_digest(stream)
    while name and name.startswith("./"):
        name = name[2:]
    suffix = next((each for each in (META_SUFFIX, DATA_SUFFIX) if name and name.lower().endswith(each)), "")
    return name[: len(name) - len(suffix)] if name else name


def listed_stream(stream: object, folder: str, files: Files, limits: Limits) -> Stream:
    name = _name_of(stream)
    if not name:
        return Stream("", "unnamed", None, "the collection does not name it")
    path = listed_path(stream, folder, files)
    if path is None:
        return Stream(name, name, None, f"its recording {name}{META_SUFFIX} is missing")
    found = stream_at(path, files, limits)
    _, digest = _name_and_digest(stream)
    meta, unreadable = content_or_flaw(files, path)
    if digest is not None and unreadable is None and str(digest).lower() != hashlib.sha512(meta).hexdigest():
        return replace(found, notes=(*found.notes, f"{path} was changed after its collection was made"))
    return found


def apart(streams: Sequence[Stream]) -> list[Stream]:
    """Recordings of one name in several folders, as that of a program, are called as their folders."""
    folders: dict[str, set[str]] = defaultdict(set)
    for stream in streams:
        folders[stream.name].add(folder_of(stream.path))
    return [
        _as_folder(stream) if len(folders[stream.name]) > 1 and folder_of(stream.path) else stream for stream in streams
    ]


def _as_folder(stream: Stream) -> Stream:
    name, recording = composed(folder_of(stream.path).rpartition("/")[2]), stream.recording
    if recording is not None and recording.receiver == stream.name:
        recording = replace(recording, receiver=name)
    return replace(stream, name=name, recording=recording)


def _find(name: str, folder: str, files: Files) -> str | None:
    """The file beside the collection, or the only one of that name anywhere: archives keep each recording in a folder."""
    if (beside := stored_as(files, f"{folder}/{name}" if folder else name)) is not None:
        return beside
    elsewhere = [path for path in files if name_key(path).endswith(f"/{name_key(name)}")]
    return elsewhere[0] if len(elsewhere) == 1 else None


def stream_at(path: str, files: Files, limits: Limits) -> Stream:
    folder, _, file_name = path.rpartition("/")
    name = composed(file_name[: -len(META_SUFFIX)])
    stem = path[: -len(META_SUFFIX)]
    meta, unreadable = content_or_flaw(files, path)
    if unreadable is not None:
        return Stream(stem, name, None, unreadable)
    try:
        document, notes = read_metadata(name, meta)
    except UnreadableRecordingError as error:
        return Stream(stem, name, None, str(error))
    dataset = dataset_name(document)
    data_path = f"{stem}{DATA_SUFFIX}" if dataset is None else _beside(dataset, folder)
    stored = stored_as(files, data_path)
    data, unreadable = (None, None) if stored is None else content_or_flaw(files, stored)
    recording = parse_recording(name, document, data, limits)
    return Stream(stem, name, recording, unreadable or recording.flaw, (*notes, *recording.notes))


def _beside(dataset: str, folder: str) -> str:
    """The file of that name in the recording's folder; a name that leads elsewhere is nowhere."""
    dataset = dataset.removeprefix("./")
    if "/" in dataset or "\\" in dataset or dataset in ("", ".", ".."):
        return ""
    return f"{folder}/{dataset}" if folder else dataset
