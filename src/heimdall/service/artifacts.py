"""Where finished models are kept: a folder, or any storage fsspec can reach (S3 and what speaks like it)."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any, Protocol

from heimdall.errors import HeimdallError


class Artifacts(Protocol):
    """Files by key. `put` is all or nothing, and repeating it does no harm."""

    def put(self, source: Path, key: str) -> None: ...

    def fetch(self, key: str, folder: Path) -> Path:
        """A local file with this content, in `folder` where it has to be brought from elsewhere."""

    def delete(self, key: str) -> None: ...

    def check(self) -> str:
        """What was seen to work; raises when it does not."""


class FolderArtifacts:
    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, source: Path, key: str) -> None:
        target = self._root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(source, temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)

    def fetch(self, key: str, folder: Path) -> Path:
        path = self._root / key
        if not path.is_file():
            raise HeimdallError(f"the artifact store has no {key}")
        return path

    def delete(self, key: str) -> None:
        (self._root / key).unlink(missing_ok=True)

    def check(self) -> str:
        self._root.mkdir(parents=True, exist_ok=True)
        probe = self._root / f".probe.{os.getpid()}"
        probe.write_bytes(b"heimdall")
        probe.unlink()
        return f"folder {self._root} takes files"


class RemoteArtifacts:
    def __init__(self, address: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise HeimdallError(f"models at {address} need fsspec: pip install 'heimdall[scale]'") from None
        filesystem, self._root = fsspec.core.url_to_fs(address)
        self._files: Any = filesystem
        self._address = address

    def put(self, source: Path, key: str) -> None:
        self._files.makedirs(self._path(key).rsplit("/", 1)[0], exist_ok=True)
        self._files.put_file(str(source), self._path(key))

    def fetch(self, key: str, folder: Path) -> Path:
        if not self._files.exists(self._path(key)):
            raise HeimdallError(f"the artifact store has no {key}")
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / key.rsplit("/", 1)[-1]
        self._files.get_file(self._path(key), str(target))
        return target

    def delete(self, key: str) -> None:
        if self._files.exists(self._path(key)):
            self._files.rm_file(self._path(key))

    def check(self) -> str:
        self._files.invalidate_cache()
        self._files.ls(self._root.split("/", 1)[0] or "/")
        return f"{self._address} answers"

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"


def open_artifacts(address: str) -> Artifacts:
    return RemoteArtifacts(address) if "://" in address else FolderArtifacts(Path(address).expanduser().absolute())


def fingerprint(path: Path) -> str:
    """SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
