"""The file of a backup: a tar whose last member, `manifest.json`, holds size and SHA-256 of every other.

A file that was cut off has no manifest, one that was changed does not agree with it: neither is taken.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from heimdall.errors import InputError

MANIFEST = "manifest.json"
FORMAT = 1
_CHUNK = 1 << 20


class ArchiveWriter:
    """Adds members and remembers what went in."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._members: dict[str, dict[str, Any]] = {}

    def add_file(self, path: Path, name: str) -> None:
        """Add a file as it was when it was opened, even if it is replaced or grows meanwhile."""
        try:
            with path.open("rb") as file:
                self._add(self._tar.gettarinfo(arcname=name, fileobj=file), file)
        except FileNotFoundError:
            return  # deleted since it was listed

    def add_manifest(self, about: dict[str, Any]) -> None:
        document = {"format": FORMAT, **about, "members": self._members}
        entry, content = tarfile.TarInfo(MANIFEST), json.dumps(document, indent=1).encode()
        entry.size = len(content)
        self._tar.addfile(entry, io.BytesIO(content))

    def _add(self, entry: tarfile.TarInfo, file: IO[bytes]) -> None:
        reader = _HashingReader(file)
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        self._tar.addfile(entry, reader)
        self._members[entry.name] = {"size": entry.size, "sha256": reader.digest.hexdigest()}


class _HashingReader:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.digest.update(content)
        return content


@contextmanager
def writing(target: Path, scratch: Path) -> Iterator[ArchiveWriter]:
    """Whole or not at all, and for nobody else to read: there are secrets in it. `scratch`: beside the target, deleted after."""
    temporary = scratch / target.name
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w|") as tar:
            yield ArchiveWriter(tar)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)


def verify(source: Path) -> dict[str, Any]:
    """The manifest, after every byte was read and found as it was written. Raises InputError."""
    seen: dict[str, dict[str, Any]] = {}
    manifest: bytes | None = None
    try:
        with tarfile.open(source, "r:") as tar:
            for entry in tar:
                manifest = _look(tar, entry, seen)
    except FileNotFoundError:
        raise InputError(f"{source}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{source} is a folder: name the file that `heimdall backup` wrote") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        size = source.stat().st_size
        reason = "it is empty" if size == 0 else f"it cannot be read ({error})"
        raise InputError(f"{source} is not a backup, or a damaged one: {reason}; nothing was changed") from error
    return _agreed(source, manifest, seen)


def _look(tar: tarfile.TarFile, entry: tarfile.TarInfo, seen: dict[str, dict[str, Any]]) -> bytes | None:
    """The content of the manifest if this is it; of all others size and hash are noted."""
    file = tar.extractfile(entry)
    if not entry.isfile() or file is None or entry.name.startswith("/") or ".." in Path(entry.name).parts:
        raise tarfile.ReadError(f"{entry.name} does not belong in a backup")
    if entry.name == MANIFEST:
        return file.read()
    digest, size = hashlib.sha256(), 0
    while content := file.read(_CHUNK):
        digest.update(content)
        size += len(content)
    seen[entry.name] = {"size": size, "sha256": digest.hexdigest()}
    return None


def _agreed(source: Path, manifest: bytes | None, seen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if manifest is None:
        raise InputError(
            f"{source} is not a backup, or a truncated one: its last entry is missing; nothing was changed"
        )
    document = dict(json.loads(manifest))
    if document.get("format") != FORMAT:
        raise InputError(
            f"{source} is of another format ({document.get('format')}): restore it with the Heimdall that made it"
        )
    expected = document["members"]
    differing = sorted(name for name in expected.keys() | seen.keys() if expected.get(name) != seen.get(name))
    if differing:
        raise InputError(f"{source} is damaged: {differing[0]} is not as it was written; nothing was changed")
    return document


def unpack(source: Path, folder: Path) -> None:
    with tarfile.open(source, "r:") as tar:
        tar.extractall(folder, filter="data")


def read_members(source: Path, folder: str) -> dict[str, bytes]:
    """The small files directly in a folder of the backup, by name."""
    with tarfile.open(source, "r:") as tar:
        there = [entry for entry in tar if Path(entry.name).parent == Path(folder)]
        files = {Path(entry.name).name: tar.extractfile(entry) for entry in there}
        return {name: file.read() for name, file in sorted(files.items()) if file is not None}
