"""Folders and archives as files by name. Nothing is unpacked to disk, and no name in an archive is ever a path to go to."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO

from heimdall.errors import InputError, TooLargeError
from heimdall.formats.readers.limits import Files, Limits
from heimdall.formats.text import lines_as_utf_8

COLLECTION_SUFFIX = ".sigmf-collection"
META_SUFFIX = ".sigmf-meta"
DATA_SUFFIX = ".sigmf-data"
MEASUREMENT_SUFFIXES = (".jsonl", ".ndjson")
TABLE_SUFFIXES = (".csv", ".tsv")
SPREADSHEET_SUFFIXES = (".xls", ".xlsx", ".xlsm", ".ods")
_DEPTH = 3
_BUFFER_BYTES = 1 << 18
_BROKEN = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    OverflowError,
    IndexError,
    KeyError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""What the standard library raises on damaged, encrypted or unknown archives."""
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"\xfd7": lzma.open, b"BZ": bz2.open}
COMPRESSED_SUFFIXES = (".gz", ".xz", ".bz2")


class FolderFiles(Mapping[str, bytes]):
    """The files below a folder by their name relative to it, read when asked for."""

    def __init__(self, folder: Path, limits: Limits, depth: int = _DEPTH) -> None:
        self.folder = folder
        self.deeper: list[str] = []
        """Folders that lie too deep to be looked into."""
        self._limits = limits
        try:
            self._names = dict.fromkeys(sorted(islice(self._walk(folder, depth), limits.members + 1)))
        except OSError as error:
            raise InputError(f"{folder} cannot be read: {error.strerror or error}") from error
        if len(self._names) > limits.members:
            raise TooLargeError(f"{folder}: more than {limits.members} files; name the session's own folder")

    def _walk(self, folder: Path, depth: int) -> Iterator[str]:
        for path in folder.iterdir():
            if path.name.startswith("."):
                continue
            if path.is_dir():
                if depth > 1:
                    yield from self._walk(path, depth - 1)
                else:
                    self.deeper.append(path.relative_to(self.folder).as_posix())
            elif path.is_file() or _leads_nowhere(path):
                yield path.relative_to(self.folder).as_posix()

    def __getitem__(self, name: str) -> bytes:
        if name not in self._names:
            raise KeyError(name)
        with open_bytes(self.folder / name, self._limits, name) as file:
            return file.read()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Selection(Mapping[str, bytes]):
    """Some of many files, under other names."""

    def __init__(self, files: Files, full: Mapping[str, str]) -> None:
        self._files = files
        self._full = full

    def __getitem__(self, name: str) -> bytes:
        return self._files[self._full[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._full

    def __iter__(self) -> Iterator[str]:
        return iter(self._full)

    def __len__(self) -> int:
        return len(self._full)


def folder_of(name: str) -> str:
    """The folder in which a file or a folder lies; empty for the outermost."""
    return name.rpartition("/")[0]


def in_folder(files: Files, folder: str) -> Selection:
    """The files that lie directly in one folder of others, by their bare names."""
    return Selection(files, {name.rpartition("/")[2]: name for name in files if folder_of(name) == folder})


@contextmanager
def open_bytes(path: Path, limits: Limits, name: str | None = None) -> Iterator[BinaryIO]:
    """A file to be read, called by its name if it has one. Raises InputError where it cannot be or is too large."""
    shown = name or str(path)
    try:
        if path.stat().st_size > limits.total_bytes:
            raise TooLargeError(f"{shown} is larger than the {limits.total_bytes} bytes allowed")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        if _leads_nowhere(path):
            raise InputError(f"{shown} is a link to {path.readlink()}, which is not there") from error
        raise InputError(f"{shown} cannot be read: {error.strerror or error}") from error


def _leads_nowhere(path: Path) -> bool:
    """A link to what is not there: somebody meant a file, which must not vanish without a word."""
    return path.is_symlink() and not path.exists()


def plain_name(name: str) -> str:
    """A file's name in lower case without the suffix of a compression."""
    lower = name.lower()
    return next((lower.removesuffix(suffix) for suffix in COMPRESSED_SUFFIXES if lower.endswith(suffix)), lower)


def plain_lines(name: str, stream: IO[bytes], limits: Limits) -> Iterator[bytes]:
    """The lines of a text file in UTF-8, plain or compressed, whatever editor wrote it.

    Raises InputError where it is damaged or unpacks to too much.
    """
    try:
        start = stream.read(2)
        stream.seek(0)
        plain = _OPENERS[start](stream) if start in _OPENERS else stream
        yield from lines_as_utf_8(io.BufferedReader(_Bounded(plain, limits.total_bytes), _BUFFER_BYTES))
    except InputError as error:
        raise type(error)(f"{name}: {error}") from error
    except _BROKEN as error:
        raise InputError(f"{name} cannot be unpacked ({error or type(error).__name__})") from error


def is_archive(path: Path) -> bool:
    """A ZIP, or a tar, plain or compressed, by its first bytes. A spreadsheet is a ZIP, too, but nobody means its members."""
    if path.name.lower().endswith(SPREADSHEET_SUFFIXES):
        return False
    try:
        with path.open("rb") as stream:
            start = stream.read(512)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if start[:2] in _OPENERS:
        try:
            with _OPENERS[start[:2]](path) as plain:
                start = plain.read(512)
        except _BROKEN:
            return True  # whoever unpacks it says what is wrong
        return start[257:262] == b"ustar"
    return start.startswith(_ZIP_STARTS) or start[257:262] == b"ustar"


def archive_files(path: Path, limits: Limits) -> Files:
    """The regular files of an archive, in memory. Raises InputError for a damaged one or one beyond the limits."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
            stream.seek(0)
            members = _zip_members(stream, limits) if start in _ZIP_STARTS else _tar_members(stream, start[:2], limits)
            return _collect(path, members, limits)
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(f"{path}: the archive cannot be read ({error or type(error).__name__})") from error


def tar_files(name: str, stream: IO[bytes], limits: Limits) -> Files:
    """The regular files of a plain tar, in memory. Raises InputError for any other, a damaged one, or one beyond the limits."""
    try:
        start = stream.read(512)
        stream.seek(0)
        if start[257:262] != b"ustar":
            raise InputError(f"{name} is no plain tar, as SigMF archives are: unpack it")
        return _collect(name, _tar_members(stream, b"", limits), limits)
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(f"{name}: the archive cannot be read ({error or type(error).__name__})") from error


def _collect(path: Path | str, members: Iterator[tuple[str, bytes]], limits: Limits) -> Files:
    files: dict[str, bytes] = {}
    total = 0
    for name, content in members:
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or name.startswith(("/", "\\")):
            raise InputError(f"{path}: refused, it holds a file that points elsewhere: {name}")
        if _is_phantom(parts):
            continue
        total += len(content)
        if total > limits.total_bytes or len(files) >= limits.members:
            raise TooLargeError(f"{path}: unpacks to more than {limits.total_bytes} bytes or {limits.members} files")
        files["/".join(part for part in parts if part not in ("", "."))] = content
    return files


def _is_phantom(parts: list[str]) -> bool:
    """What a Mac adds to an archive beside each file: `._NAME`, `.DS_Store`, and the folder `__MACOSX`."""
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] == ".DS_Store"


def _zip_members(stream: IO[bytes], limits: Limits) -> Iterator[tuple[str, bytes]]:
    """What a member says of its size is not believed: reading stops at the limit."""
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            with archive.open(info) as member:
                yield info.filename, member.read(limits.total_bytes + 1)


def _tar_members(stream: IO[bytes], start: bytes, limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Links, devices and everything else that is no plain file are passed over."""
    plain = _OPENERS[start](stream) if start in _OPENERS else stream
    with tarfile.open(fileobj=_Bounded(plain, 2 * limits.total_bytes), mode="r|") as archive:
        for info in archive:
            member = archive.extractfile(info) if info.isreg() else None
            if member is not None:
                yield info.name, member.read(limits.total_bytes + 1)


class _Bounded(io.RawIOBase):
    """A stream that ends in an error after so many bytes: what a small file unpacks to has no other end."""

    def __init__(self, stream: IO[bytes], count: int) -> None:
        self._stream = stream
        # A damaged stream gives what it can, then its error; `read` would lose the first with the second.
        self._some: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self._left = count

    def read(self, size: int = -1) -> bytes:
        return self._counted(self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1))

    def _counted(self, content: bytes) -> bytes:
        self._left -= len(content)
        if self._left < 0:
            raise TooLargeError("it unpacks to more than is allowed")
        return content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._counted(self._some(min(len(buffer), self._left + 1)))
        buffer[: len(content)] = content
        return len(content)
