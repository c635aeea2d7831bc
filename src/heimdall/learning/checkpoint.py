"""Checkpoints that are whole or not there, whenever the process is killed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from heimdall.errors import InputError
from heimdall.learning.runfolder import write_atomically


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint, written beside its place, flushed to the disk, and renamed."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(path), lambda temporary: torch.save(checkpoint, temporary))


class CheckpointStore:
    """Where a run's last checkpoint outlives the machine that wrote it: a folder, or an address that fsspec knows."""

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self._files, self._root = url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise InputError(f"--storage {address}: {error}") from error
        self._is_folder = isinstance(self._files, LocalFileSystem)

    def put(self, source: Path, name: str) -> None:
        """All or nothing, also where the process dies in between."""
        target = f"{self._root}/{name}"
        if self._is_folder:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(Path(target), lambda temporary: shutil.copyfile(source, temporary))
        else:
            # An object store shows an object when all of it has arrived. Some want the bucket made first.
            try:
                self._files.put_file(str(source), target)
            except FileNotFoundError:
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(source), target)

    def fetch(self, name: str, target: Path) -> bool:
        """False where there is none of that name."""
        self._files.invalidate_cache()
        if not self._files.exists(f"{self._root}/{name}"):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, lambda temporary: self._files.get_file(f"{self._root}/{name}", str(temporary)))
        return True

    def delete(self, name: str) -> None:
        self._files.rm_file(f"{self._root}/{name}")


class KeepLast(Callback):
    """Save `path` every so many seconds and at the end. When does not matter: a resumed run repeats the same steps."""

    def __init__(self, path: Path, every_s: float, on_saved: Callable[[Path], None] = lambda path: None) -> None:
        self.path, self.every_s, self.on_saved = path, every_s, on_saved
        self._saved_s = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved_s = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        due = time.monotonic() - self._saved_s >= self.every_s
        if trainer.strategy.broadcast(due):
            self.save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        if trainer.is_global_zero:
            self.on_saved(self.path)
        self._saved_s = time.monotonic()
