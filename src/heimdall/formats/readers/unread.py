"""What is not read, beside sessions and among them: nothing is passed over without a word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from heimdall.errors import InputError, TooLargeError
from heimdall.formats.readers.limits import Files, content_or_flaw, names_ending
from heimdall.formats.readers.nested import packed_advice
from heimdall.formats.readers.source import DATA_SUFFIX, META_SUFFIX, folder_of
from heimdall.formats.text import name_key
from heimdall.observation import NOT_READ, Observation

Part = Callable[[], Iterable[Observation]]
"""Reads a row, or what is one session, several takes of one, or a file of measurements, when it is called."""

_SHOWN = 3
_TOLD = 10
MEASUREMENTS_KEY = b'"measurements"'


def each_by_itself(parts: Iterable[Part]) -> Iterator[Observation]:
    """The observations of all parts. One that cannot be read costs itself alone: the next observation, or the last, says so.

    Of more than ten the last observation says how many. Raises InputError where none can be read, and TooLargeError at once:
    what is beyond a limit is not one part's fault.
    """
    failed: list[InputError] = []
    told = more = 0
    held: Observation | None = None
    for part in parts:
        try:
            for observation in part():
                if held is not None:
                    yield held
                held = with_notes(observation, [f"{NOT_READ}{error}" for error in failed[told:]])
                told = len(failed)
        except TooLargeError:
            raise
        except InputError as error:
            if len(failed) < _TOLD:
                failed.append(error)
            else:
                more += 1
    if held is not None:
        notes = [f"{NOT_READ}{error}" for error in failed[told:]]
        yield with_notes(held, [*notes, f"{NOT_READ}{more} more"] if more else notes)
    elif failed:
        raise failed[0]


def with_notes(observation: Observation, notes: Sequence[str]) -> Observation:
    return replace(observation, notes=(*observation.notes, *notes)) if notes else observation


def left_out(files: Files, unlisted: Sequence[str], wav_beside: Sequence[str], deeper: Sequence[str]) -> list[str]:
    """A sentence for each kind of file that no session is made of.

    `unlisted` are SigMF metadata beside a collection that does not name them, `wav_beside` WAV files beside data of another
    format, `deeper` folders that lie too deep.
    """
    found = (
        (unlisted, "beside a collection that does not name it: add it to core:streams, or move it to another folder"),
        (list(_without_metadata(files)), f"samples without a {META_SUFFIX}: write one"),
        (list(_not_named(files, wav_beside)), "beside data of another format: move it to another folder"),
        (list(_tables(files)), "measurements in a folder are looked for in .jsonl: rename it, or give it by itself"),
        (deeper, "more than three folders deep: give it by itself"),
    )
    notes = [f"{NOT_READ}{_listed(names)} ({why})" for names, why in found if names]
    return [*notes, *filter(None, [packed_advice(files)])]


def _listed(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - _SHOWN
    return f"{', '.join(names[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"


def _without_metadata(files: Files) -> Iterator[str]:
    known = {name_key(name[: -len(META_SUFFIX)]) for name in names_ending(files, META_SUFFIX)}
    return (name for name in names_ending(files, DATA_SUFFIX) if name_key(name[: -len(DATA_SUFFIX)]) not in known)


def _not_named(files: Files, wav_beside: Sequence[str]) -> Iterator[str]:
    """WAV files, but those that SigMF metadata beside them name as their samples."""
    folders = {folder_of(name) for name in wav_beside}
    metadata = {
        folder: b"".join(
            content_or_flaw(files, name)[0] for name in names_ending(files, META_SUFFIX) if folder_of(name) == folder
        )
        for folder in folders
    }
    return (name for name in wav_beside if name.rpartition("/")[2].encode() not in metadata[folder_of(name)])


def _tables(files: Files) -> Iterator[str]:
    """JSON documents of measurements."""
    return (name for name in names_ending(files, ".json") if MEASUREMENTS_KEY in content_or_flaw(files, name)[0])
