"""What happens after each step of a training: progress, metrics, validation, and the wish to stop."""

from __future__ import annotations

import math
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from heimdall.learning.data.pools import ScenePool, validation_pool
from heimdall.learning.run.checkpoint import KeepLast
from heimdall.learning.run.module import EvidenceModule, validate
from heimdall.learning.run.progress import ProgressReport
from heimdall.learning.run.stop import StopSignal
from heimdall.learning.run.tracking import Tracker
from heimdall.recipes import Recipe
from heimdall.runs.writer import RunWriter

_METRICS_EVERY = 10
"""Steps between two lines of metrics."""
_LOSS_EVERY_S = 1.0
"""Between two looks at the loss apart from those lines: each makes the processor wait for a GPU."""


class TrainingCallback(Callback):
    """Reports to the run folder, MLflow and the person, and stops the training when it is asked to."""

    def __init__(
        self,
        recipe: Recipe,
        folder: RunWriter,
        progress: ProgressReport,
        tracker: Tracker,
        stop: StopSignal,
        keep: KeepLast,
    ) -> None:
        self.recipe, self.folder, self.progress, self.tracker = recipe, folder, progress, tracker
        self.stop, self.keep = stop, keep
        self.seconds = 0.0
        self._begun_s = time.monotonic()
        self._loss, self._looked_s = math.nan, -math.inf
        self._pool: ScenePool | None = None

    @property
    def state_key(self) -> str:
        """What checkpoints of earlier versions keep its state under: renaming the class must not lose the seconds."""
        return "Watch"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning has put its own handler in front by now; it would raise in the middle of a step.
        self.stop.listen()
        self._begun_s = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, EvidenceModule)
        step = trainer.global_step
        if trainer.is_global_zero:
            self.progress.step_done(step, self._recent_loss(step, pl_module))
            self._record(step, pl_module)
        if trainer.strategy.broadcast(self.stop.requested):
            self.keep.save(trainer)
            trainer.should_stop = True

    def _recent_loss(self, step: int, module: EvidenceModule) -> float:
        now_s = time.monotonic()
        if module.device.type == "cpu" or self._told(step) or now_s - self._looked_s >= _LOSS_EVERY_S:
            self._loss, self._looked_s = module.last_loss, now_s
        return self._loss

    def _told(self, step: int) -> bool:
        return step % _METRICS_EVERY == 0 or step == self.recipe.steps

    def _record(self, step: int, module: EvidenceModule) -> None:
        metrics: dict[str, float] = {}
        if self._told(step):
            rate = module.trainer.optimizers[0].param_groups[0]["lr"]
            metrics |= {"loss": self._loss, "learning_rate": float(rate)}
        if step % self.recipe.validate_every == 0 or step == self.recipe.steps:
            metrics |= validate(module, self._validation(module))
        if metrics:
            self.folder.append_metrics(step, metrics)
            self.tracker.metrics(step, metrics)

    def _validation(self, module: EvidenceModule) -> ScenePool:
        if self._pool is None:
            with self.stop.interruptible():
                self._pool = validation_pool(self.recipe, module.device)
        return self._pool

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds + time.monotonic() - self._begun_s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = state_dict["seconds"]

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds += time.monotonic() - self._begun_s
        self._begun_s = time.monotonic()
