"""What a training is told besides its recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from rich.console import Console

from heimdall.learning.accelerator import Accelerator
from heimdall.learning.cluster_layout import Cluster
from heimdall.runs.writer import RunWriter


@dataclass(frozen=True)
class Processes:
    """What an engine that starts the processes of a training puts into Lightning's trainer."""

    strategy: Any
    plugins: tuple[Any, ...]
    callbacks: tuple[Callback, ...] = ()
    on_saved: Callable[[Path], None] = lambda path: None
    """Called by the first process with each checkpoint."""


@dataclass(frozen=True)
class TrainingOptions:
    """What a training needs besides its recipe."""

    folder: RunWriter
    accelerator: Accelerator
    start_from: Path | None = None
    """A bundle whose weights to start from."""
    data: tuple[Path, ...] = ()
    """Recordings with known transmitters to train on as well."""
    tracking: str = "off"
    """Address of MLflow."""
    console: Console = field(default_factory=lambda: Console(stderr=True, markup=False, emoji=False))
    cluster: Cluster | None = None
    """Where to train, if not here."""
    processes: Processes | None = None
    """The other processes of this training, if something else than Lightning has started them."""
