"""The sessions among the files of a folder or an archive, and what lies beside them."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from heimdall.errors import InputError
from heimdall.formats.readers.kiwisdr.session import SUFFIX as WAV_SUFFIX
from heimdall.formats.readers.kiwisdr.session import is_kiwisdr, kiwisdr_who, read_kiwisdr
from heimdall.formats.readers.limits import Files, Limits, content_or_flaw, names_ending
from heimdall.formats.readers.measurement_rows import measured_tables
from heimdall.formats.readers.measurements import iterate_measurements
from heimdall.formats.readers.positions import Positions, positions_beside
from heimdall.formats.readers.recorder_wav import read_wav_session, wav_who
from heimdall.formats.readers.recordings.grouping import Who, groups
from heimdall.formats.readers.sigmf.who import sigmf_who
from heimdall.formats.readers.source import (
    COLLECTION_SUFFIX,
    MEASUREMENT_SUFFIXES,
    META_SUFFIX,
    TABLE_SUFFIXES,
    folder_of,
    plain_lines,
    plain_name,
)
from heimdall.formats.readers.unread import MEASUREMENTS_KEY, Part, left_out
from heimdall.formats.text import as_utf_8
from heimdall.observation import Observation


@dataclass(frozen=True, eq=False)
class Tree:
    name: str
    files: Files
    limits: Limits
    disk: Path | None
    """The folder that the files lie in, if they do."""
    deeper: Sequence[str] = ()
    """Folders that are too deep below it."""

    def sessions(self) -> Iterator[Part]:
        """The sessions in the order of their folders, SigMF first."""
        files, limits = self.files, self.limits
        for path in self._collections:
            yield partial(read_collection_file, path, files, limits)
        yield from self._bare_recordings()
        for group in groups(files, self._wav_folders, _wav_receivers):
            positions = positions_beside(files, group, limits, self.disk)
            name = group.folder.rpartition("/")[2] or self.name
            yield partial(_wav_sessions, name, group.files, limits, positions)
        lines = [path for path in sorted(files) if plain_name(path).endswith(MEASUREMENT_SUFFIXES)]
        for path in sorted(lines, key=lambda path: MEASUREMENT_SUFFIXES.index(Path(plain_name(path)).suffix)):
            yield partial(_measurements, path, files, limits)
        for path in self._tables:
            yield partial(_measurements, path, files, limits)

    def left_out(self) -> list[str]:
        """What to say of files that no session is made of."""
        read = {*self._own_metadata, *(path for paths in self._named.values() for path in paths)}
        unlisted = [path for path in names_ending(self.files, META_SUFFIX) if path not in read]
        beside = [path for path in names_ending(self.files, WAV_SUFFIX) if folder_of(path) not in self._wav_folders]
        return left_out(self.files, unlisted, beside, self.deeper)

    def unlike_measurements(self) -> Iterator[str]:
        """Why tables that might be measurements are none."""
        for path in sorted(path for path in self.files if plain_name(path).endswith(TABLE_SUFFIXES)):
            try:
                deque(_measurements(path, self.files, self.limits), maxlen=0)
            except InputError as error:
                yield str(error)

    @cached_property
    def _tables(self) -> list[str]:
        """Of the tables, which may list stations or anything else, those of measurements."""
        return measured_tables(self.files, self.limits)

    @cached_property
    def _collections(self) -> list[str]:
        return list(names_ending(self.files, COLLECTION_SUFFIX))

    @cached_property
    def _named(self) -> dict[str, set[str]]:
        """By the collections that can be read: what each of them names."""
        named = {path: _recordings_named(path, self.files) for path in self._collections}
        return {path: found for path, found in named.items() if found is not None}

    @cached_property
    def _own_metadata(self) -> list[str]:
        """Recordings that are no collection's business: those of folders without one, nothing in which one names."""
        metadata = list(names_ending(self.files, META_SUFFIX))
        if not self._named:
            return metadata
        if self.disk is None:  # each recording has a folder of its own in an archive
            return []
        taken = {
            folder_of(path) for path in (*self._named, *(each for paths in self._named.values() for each in paths))
        }
        return [path for path in metadata if folder_of(path) not in taken]

    def _bare_recordings(self) -> Iterator[Part]:
        """SigMF recordings that no collection names: those in one folder, or in one archive, are one session."""
        if not self._own_metadata:
            return
        if self.disk is None:
            yield partial(_read_recordings, self.name, self.files, self.limits)
            return
        folders = sorted({folder_of(path) for path in self._own_metadata})
        for group in groups(self.files, folders, _sigmf_receivers):
            name = group.folder.rpartition("/")[2] or self.name
            yield partial(_read_recordings, name, group.files, self.limits)

    @cached_property
    def _wav_folders(self) -> list[str]:
        """The folders with WAV files; beside a SigMF recording or a measurement file they are that one's business."""
        found = {folder_of(path) for path in names_ending(self.files, WAV_SUFFIX)}
        suffixes = (META_SUFFIX, *MEASUREMENT_SUFFIXES)
        beside = [path for path in self.files if folder_of(path) in found and plain_name(path).endswith(suffixes)]
        measured = [*self._tables, *(path for path in beside if not _is_foreign_log(path, self.files))]
        return sorted(found - {folder_of(path) for path in measured})


def _wav_receivers(inside: Files) -> set[Who]:
    found = (kiwisdr_who(path) or wav_who(path) for path in names_ending(inside, WAV_SUFFIX))
    return {who for who in found if who is not None}


def _wav_sessions(name: str, files: Files, limits: Limits, positions: Positions) -> list[Observation]:
    return (
        read_kiwisdr(name, files, positions) if is_kiwisdr(files) else read_wav_session(name, files, limits, positions)
    )


def _is_foreign_log(path: str, files: Files) -> bool:
    """Lines of another program, as a recorder's log, which say nothing of the recordings beside them."""
    return path.lower().endswith(MEASUREMENT_SUFFIXES) and MEASUREMENTS_KEY not in as_utf_8(
        content_or_flaw(files, path)[0]
    )


def _measurements(path: str, files: Files, limits: Limits) -> Iterator[Observation]:
    return iterate_measurements(path, plain_lines(path, io.BytesIO(files[path]), limits), limits)


def _sigmf_receivers(inside: Files) -> set[Who]:
    return {sigmf_who(inside, path) for path in names_ending(inside, META_SUFFIX)}


def _recordings_named(path: str, files: Files) -> set[str] | None:
    from heimdall.formats.readers.sigmf.session import recordings_named  # its library takes a while to load

    return recordings_named(path, files)


def read_collection_file(path: str, files: Files, limits: Limits) -> list[Observation]:
    from heimdall.formats.readers.sigmf.session import read_collection  # its library takes a while to load

    return [read_collection(path, files, limits)]


def _read_recordings(name: str, files: Files, limits: Limits) -> list[Observation]:
    from heimdall.formats.readers.sigmf.session import read_recordings  # its library takes a while to load

    return read_recordings(name, files, limits)
