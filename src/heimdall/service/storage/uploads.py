"""Files from outside: put into a folder of their own under harmless names, counted, archives member by member."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from heimdall.errors import InputError, TooLargeError
from heimdall.files.atomic import incoming, scratch
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.source import MEASUREMENT_SUFFIXES, archive_files, is_archive, plain_name
from heimdall.service.settings import Settings

_LONGEST_BYTES = 150
_IN_FILES = re.compile(r"[\w.+ -]")
_IN_TITLES = re.compile(r"[\w.,()+ -]")
_MEMBERS = 4096
_PIECE_BYTES = 1 << 20
_TABLES = (".json", ".txt")


def limits_of(settings: Settings) -> Limits:
    """How large an upload may be, by the settings."""
    return Limits(
        total_bytes=int(settings.upload_mb * 1e6),
        members=_MEMBERS,
        rows=settings.upload_observations,
        samples=settings.upload_samples,
    )


def model_limits(settings: Settings) -> Limits:
    """One bundle, however large the network."""
    return Limits(total_bytes=int(settings.model_mb * 1e6), members=1)


class Upload:
    """The files of one upload while they are looked at."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self._left_bytes = self._left_unpacked_bytes = limits.total_bytes
        self._left_files = limits.members

    def add(self, name: str, stream: BinaryIO) -> None:
        """Copy one file in. Raises TooLargeError beyond the limit, InputError for a name that is there already."""
        with self.room_for(name, 0).open("xb") as file:
            while piece := stream.read(_PIECE_BYTES):
                self._count(len(piece))
                file.write(piece)

    def room_for(self, name: str, size_bytes: int) -> Path:
        """Where a file of that size may be put. Raises as `add`."""
        self._left_files -= 1
        if self._left_files < 0:
            raise InputError(f"more than {self.limits.members} files: send them as several uploads")
        self._count(size_bytes)
        return self._place(name)

    def unpack(self) -> None:
        """Put the members of archives in their place. Call it once, when all files are here."""
        given = sorted(self.folder.iterdir())
        for path in given:
            if is_archive(path):
                self._unpack(path)
        if len(given) == 1 and given[0].is_file() and (plain := plain_name(given[0].name)).endswith(_TABLES):
            compression = given[0].name[len(plain) :]
            given[0].rename(given[0].with_name(f"{Path(plain).stem}{MEASUREMENT_SUFFIXES[0]}{compression}"))

    def _unpack(self, archive: Path) -> None:
        left = Limits(self._left_unpacked_bytes, self._left_files, self.limits.rows, self.limits.samples)
        packed = archive.with_name(f".{archive.name}.packed")
        archive.rename(packed)
        try:
            members = archive_files(packed, left)
        except InputError as error:
            raise type(error)(str(error).replace(str(packed), archive.name)) from error
        packed.unlink()
        for name, content in members.items():
            self._left_unpacked_bytes -= len(content)
            self._left_files -= 1
            self._place(archive.name.split(".")[0], *name.split("/")).write_bytes(content)

    def _place(self, *parts: str) -> Path:
        path = self.folder.joinpath(*map(harmless, parts))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:  # one of them is a file already
            raise InputError(f"{path.parent.name} is a file and a folder: give each a name of its own") from error
        if path.exists():
            raise InputError(f"two files are named {path.name}: give each a name of its own")
        return path

    def _count(self, size_bytes: int) -> None:
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise TooLargeError(f"the upload has more than {self.limits.total_bytes / 1e6:g} MB: send less at a time")


@contextmanager
def receiving(settings: Settings, limits: Limits | None = None) -> Iterator[Upload]:
    """A folder for one upload, which is gone at the end."""
    with scratch() as folder:
        yield Upload(folder, limits or limits_of(settings))


def harmless(name: str) -> str:
    """The last part of a path from outside, without anything a file system or a shell could take amiss; it keeps its suffix."""
    last = re.split(r"[/\\]", name)[-1]
    return _shown(_plain(last, _IN_FILES).encode()[-_LONGEST_BYTES:])


def file_name(title: str) -> str:
    """A harmless name for a file that is to be known by what people call its content: the whole of it, strokes and all."""
    return _shown(_plain(re.sub(r"[/\\]+", "-", title), _IN_TITLES).encode()[:_LONGEST_BYTES])


def _plain(text: str, taken: re.Pattern[str]) -> str:
    # Marks are parts of letters in many scripts, though no letters by themselves.
    odd = (each for each in text if not taken.match(each) and not unicodedata.category(each).startswith("M"))
    return re.sub("\0+", "_", text.translate(dict.fromkeys(map(ord, odd), "\0")))


def _shown(name: bytes) -> str:
    return name.decode(errors="ignore").lstrip(". ").rstrip() or "unnamed"


def size_of(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def keep(source: Path, target: Path) -> None:
    """Copy a folder to a place where nobody sees it before it is whole."""
    with incoming(target.parent) as place:
        part = place / target.name
        shutil.copytree(source, part)
        part.rename(target)
