"""Stored sessions as one ZIP archive, made while it is sent: nothing of it lies in memory or on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from heimdall.service.database.tables import StoredSession
from heimdall.service.settings import Settings
from heimdall.service.storage.sessions import files_of
from heimdall.service.storage.uploads import file_name

MOST = 500
"""Sessions of one archive."""
_PIECE_BYTES = 1 << 20


def archive_name(chosen: Sequence[StoredSession]) -> str:
    return f"{file_name(chosen[0].name)}.zip" if len(chosen) == 1 else f"{len(chosen)} sessions.zip"


def archive_of(settings: Settings, chosen: Sequence[StoredSession]) -> Iterator[bytes]:
    """Each session in a folder of its name. Raises InputError, before anything is sent, where files are gone."""
    folders: dict[str, Path] = {}
    for each in chosen:
        name = file_name(each.name)
        folders[name if name not in folders else f"{name} {each.id}"] = files_of(settings, each)
    return _pieces(folders)


def _pieces(folders: Mapping[str, Path]) -> Iterator[bytes]:
    sink = _Sink()
    with ZipFile(sink, "w") as archive:  # not deflated: the noise in samples does not shrink
        for name, folder in folders.items():
            for path in sorted(each for each in folder.rglob("*") if each.is_file()):
                entry = ZipInfo.from_file(path, f"{name}/{path.relative_to(folder)}", strict_timestamps=False)
                with path.open("rb") as file, archive.open(entry, "w") as member:
                    while piece := file.read(_PIECE_BYTES):
                        member.write(piece)
                        yield sink.take()
    yield sink.take()


class _Sink:
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, piece: bytes) -> int:
        self._written += piece
        return len(piece)

    def flush(self) -> None:
        """There is nothing behind it."""

    def close(self) -> None:
        """What was written is taken all the same."""

    def take(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken
