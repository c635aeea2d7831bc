"""Checkpoints that are whole or not there, whenever the process is killed."""

from __future__ import annotations

import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from heimdall.errors import InputError
from heimdall.files.artifacts import Artifacts, MissingArtifactError, open_artifacts
from heimdall.files.atomic import incoming, replacing


def read_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """A checkpoint's tensors and numbers, and nothing that could run: it may come from a store that others write to.

    Raises InputError for a file that holds anything else, or is damaged.
    """
    try:
        document: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: not a checkpoint that heimdall wrote ({why}): start the training again, or restore the file"
        ) from error
    return document


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint, written beside its place, flushed to the disk, and renamed; read without running anything."""

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return read_checkpoint(Path(path), map_location)

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # Given a path, torch writes by itself and does not say what the system said, such as that the disk is full.
        with replacing(Path(path), durable=True) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)


def open_store(address: str) -> Artifacts:
    """Where a run's last checkpoint outlives the machine that wrote it. Raises InputError for an address nothing reaches."""
    try:
        return open_artifacts(address)
    except InputError as error:
        raise InputError(f"--storage {error}") from error


def fetch_to(store: Artifacts, key: str, target: Path) -> bool:
    """The file under `target`, whole; False where the store has none of that key."""
    with incoming(target.parent) as place:
        try:
            found = store.fetch(key, place)
        except MissingArtifactError:
            return False
        brought = found.parent == place
        with replacing(target, durable=True) as temporary:
            found.replace(temporary) if brought else shutil.copyfile(found, temporary)
    return True


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
