"""Where models, run folders and checkpoints are kept: a folder, or any storage fsspec can reach (S3 and what speaks like it)."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from heimdall.errors import HeimdallError, InputError
from heimdall.files.atomic import INCOMING, held, sweep


class MissingArtifactError(HeimdallError):
    """The store has nothing under this key."""


class Artifacts(Protocol):
    """Files by key. `put` is all or nothing, and repeating it does no harm."""

    def put(self, source: Path, key: str) -> None: ...

    def fetch(self, key: str, folder: Path) -> Path:
        """A local file with this content, in `folder` where it has to be brought from elsewhere.

        Raises MissingArtifactError.
        """

    def delete(self, key: str) -> None: ...

    def names(self, prefix: str) -> list[str]:
        """Keys directly below a folder; empty where there is none."""

    def sweep(self) -> int:
        """Delete what a `put` has left that was killed; how many files."""

    def check(self) -> str:
        """What was seen to work; raises when it does not."""


class FolderArtifacts:
    """`Artifacts` in a folder of this machine, or one that all machines mount."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, source: Path, key: str) -> None:
        target = self._root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{INCOMING}{target.name}.{secrets.token_hex(8)}")
        temporary.touch()
        try:
            with held(temporary):
                shutil.copyfile(source, temporary)
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
                temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def fetch(self, key: str, folder: Path) -> Path:
        path = self._root / key
        if not path.is_file():
            raise MissingArtifactError(f"the artifact store has no {key}")
        return path

    def delete(self, key: str) -> None:
        (self._root / key).unlink(missing_ok=True)

    def names(self, prefix: str) -> list[str]:
        found = sorted((self._root / prefix).glob("*"))
        return [f"{prefix}/{path.name}" for path in found if path.is_file() and path.name[0] != "."]

    def sweep(self) -> int:
        return sweep(self._root, f"**/{INCOMING}*")

    def check(self) -> str:
        self._root.mkdir(parents=True, exist_ok=True)
        probe = self._root / f".probe.{secrets.token_hex(8)}"
        try:
            probe.write_bytes(b"heimdall")
        finally:
            probe.unlink(missing_ok=True)
        return f"folder {self._root} takes files"


class RemoteArtifacts:
    """`Artifacts` at an address that fsspec understands, such as s3://BUCKET/PATH. Raises HeimdallError without fsspec."""

    def __init__(self, address: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise HeimdallError(f"what is kept at {address} needs fsspec: pip install 'heimdall[scale]'") from None
        try:
            # What others put and delete must be seen at once.
            filesystem, root = fsspec.core.url_to_fs(address, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise InputError(f"{address}: {error}") from error
        self._root = root.rstrip("/")
        self._files: Any = filesystem
        self._address = address

    def put(self, source: Path, key: str) -> None:
        try:
            self._files.put_file(str(source), self._path(key))
        except FileNotFoundError:  # the bucket, or the folder where a store has such
            self._files.makedirs(self._path(key).rsplit("/", 1)[0], exist_ok=True)
            self._files.put_file(str(source), self._path(key))

    def fetch(self, key: str, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / key.rsplit("/", 1)[-1]
        try:
            self._files.get_file(self._path(key), str(target))
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            raise MissingArtifactError(f"the artifact store has no {key}") from None
        return target

    def delete(self, key: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm_file(self._path(key))

    def names(self, prefix: str) -> list[str]:
        try:
            found = self._files.ls(self._path(prefix), detail=True)
        except FileNotFoundError:
            return []
        return sorted(f"{prefix}/{each['name'].rsplit('/', 1)[-1]}" for each in found if each["type"] == "file")

    def sweep(self) -> int:
        return 0  # a store shows an upload only once it is whole

    def check(self) -> str:
        self._files.invalidate_cache()
        bucket = self._root.split("/", 1)[0] or "/"
        try:
            self._files.ls(bucket)
        except FileNotFoundError:
            self._files.makedirs(bucket, exist_ok=True)
        return f"{self._address} answers"

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"


def open_artifacts(address: str) -> Artifacts:
    return RemoteArtifacts(address) if "://" in address else FolderArtifacts(Path(address).expanduser().absolute())


def fingerprint(path: Path) -> str:
    """SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
