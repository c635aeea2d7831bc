"""The phases of one training: prepare, train, calibrate, export."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_only

from heimdall.errors import HeimdallError
from heimdall.inference.bundle import read_bundle
from heimdall.inference.calibration import Calibration
from heimdall.learning.calibration.fit import calibrate, scores_of
from heimdall.learning.data.pools import ScenePool, calibration_pool
from heimdall.learning.data.recorded import Recorded, read_known, recorded_scenes
from heimdall.learning.model.export import load_weights, weights_of
from heimdall.learning.options import Processes, TrainingOptions
from heimdall.learning.run.bundling import CALIBRATION, TRAINING, export_run
from heimdall.learning.run.checkpoint import AtomicCheckpointIO, KeepLast
from heimdall.learning.run.gpu_record import counters, failure
from heimdall.learning.run.module import EvidenceModule
from heimdall.learning.run.progress import ProgressReport
from heimdall.learning.run.stop import StopSignal
from heimdall.learning.run.tracking import Tracker
from heimdall.learning.run.training_callback import TrainingCallback
from heimdall.recipes import Recipe
from heimdall.runs.late_tracking import TRACKING, Tracking

log = logging.getLogger(__name__)


def is_first_process() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


class Run:
    """The phases of a training. `learn` is what the workers of a cluster do, `complete` what their starter does."""

    def __init__(self, recipe: Recipe, options: TrainingOptions, stop: StopSignal) -> None:
        self.recipe, self.options, self.stop, self.folder = recipe, options, stop, options.folder
        self.progress = ProgressReport(recipe, self.folder, options.console)
        self.begun_s = time.monotonic()

    def complete(self, learn: Callable[[Run, Tracker], None]) -> Path | None:
        """Everything round `learn`, which may train elsewhere."""
        self.folder.make()
        self.folder.write_json("recipe.json", asdict(self.recipe))
        self.folder.report_progress(accelerator=self.options.accelerator.record, step=0, loss=None)
        if self.options.accelerator.reason is not None:
            self.folder.warn("cpu-fallback", f"training on the CPU: {self.options.accelerator.reason}")
        tracker = self._tracker()
        status = "FAILED"
        try:
            with self.progress.shown():
                bundle = self._bundle(learn, tracker)
            status = "FINISHED"
        except BaseException as error:
            status = "KILLED" if self.stop.requested else "FAILED"
            if isinstance(error, RuntimeError) and (said := self._failure(error)) is not None:
                raise said from error
            raise
        finally:
            tracker.finish(status)
            # A server that came late has given it a run by now; one that is still away is told by the service.
            self._remember(tracker, status if tracker.behind else None)
        return bundle

    def _failure(self, error: RuntimeError) -> HeimdallError | None:
        return failure(error, self.folder.path, on_gpu=self.options.accelerator.used == "gpu")

    def _tracker(self) -> Tracker:
        known = self.folder.read_json(TRACKING) or {}
        tracker = Tracker(self.options.tracking, self.folder.path.name, known.get("run_id"))
        if known.get("run_id") is None:
            tracker.parameters(
                {"recipe": self.recipe.name, "seed": self.recipe.seed, **self.options.accelerator.record}
            )
        self._remember(tracker)
        return tracker

    def _remember(self, tracker: Tracker, untold: str | None = None) -> None:
        self.folder.write_json(TRACKING, Tracking(run_id=tracker.run_id, untold=untold).model_dump())

    def _bundle(self, learn: Callable[[Run, Tracker], None], tracker: Tracker) -> Path | None:
        learn(self, tracker)
        if not is_first_process():
            return None
        path = self._export()
        scores = scores_of(Calibration.from_json(self.folder.read_json(CALIBRATION)))
        tracker.metrics(self.recipe.steps, scores)
        self.progress.phase("done", self.recipe.steps)
        self.folder.write_json("result.json", {"model": path.name, "scores": scores})
        return path

    def learn(self, tracker: Tracker) -> None:
        """Train to the last step and calibrate; leaves checkpoint, calibration, radio map and training record in the folder."""
        resumed = self.folder.checkpoint.exists()
        module = EvidenceModule(self.recipe, pretrained=self.recipe.network.pretrained and not resumed)
        module.micro.on_halving = self._report_halving
        if self.options.start_from is not None and not resumed:
            load_weights(module.network, weights_of(read_bundle(self.options.start_from)), str(self.options.start_from))
        recorded = self._recorded()
        module.recorded = None if recorded is None else recorded.training
        seconds = self._fit(module, tracker)
        if is_first_process():
            self._calibrate(module, recorded)
            if recorded is not None and recorded.radio_map is not None:
                self.folder.write_radio_map(recorded.radio_map)
            self._record(seconds)

    def _recorded(self) -> Recorded | None:
        if not self.options.data:
            return None
        with self.stop.interruptible():
            known = read_known(self.options.data, self._report_unread)
            return recorded_scenes(known, self.recipe.network.cells, self.options.accelerator.torch_device)

    def _report_unread(self, note: str) -> None:
        log.warning(note)
        self.folder.warn("not-read", note)

    def _report_halving(self, message: str) -> None:
        log.warning(message)
        self.folder.warn("out-of-memory", message)

    def _fit(self, module: EvidenceModule, tracker: Tracker) -> float:
        """Train to the recipe's last step; returns the seconds of this and all earlier parts of the run."""
        processes = self.options.processes
        on_saved = (lambda path: None) if processes is None else processes.on_saved
        keep = KeepLast(self.folder.checkpoint, self.recipe.checkpoint_every_s, on_saved)
        watch = TrainingCallback(self.recipe, self.folder, self.progress, tracker, self.stop, keep)

        @contextmanager
        def around_pool(number: int) -> Iterator[None]:
            with self.stop.interruptible(), self.progress.pool(module.global_step):
                yield

        def on_pool(number: int, pool: ScenePool) -> None:
            self.folder.append_pool(number, len(pool), pool.fingerprint)

        module.around_pool, module.on_pool = around_pool, on_pool
        resume = self.folder.checkpoint if self.folder.checkpoint.exists() else None
        with _quiet_lightning():
            trainer = _trainer(self.recipe, self.options, [watch, keep])
            trainer.fit(module, ckpt_path=resume)
        self.stop.listen()
        self.stop.check()
        return watch.seconds

    def _calibrate(self, module: EvidenceModule, recorded: Recorded | None) -> None:
        self.progress.phase("calibrate", self.recipe.steps)
        simulated, fitted = self.progress.calibration()
        device = self.options.accelerator.torch_device
        module.network.to(device).eval()
        with self.stop.interruptible():
            held_out, trained = (None, None) if recorded is None else (recorded.held_out, recorded.training)
            pool = calibration_pool(self.recipe, device, simulated)
            calibration = calibrate(module.network, pool, held_out, trained, fitted)
        self.folder.write_json(CALIBRATION, calibration.to_json())

    def _record(self, seconds: float) -> None:
        training = {
            "recipe": asdict(self.recipe),
            "accelerator": self.options.accelerator.record,
            "seconds": round(seconds, 1),
            "started_from": None if self.options.start_from is None else self.options.start_from.name,
            "recordings": [path.name for path in self.options.data],
        }
        if self.options.accelerator.used == "gpu":
            training["gpu_counters"] = counters()
        self.folder.write_json(TRAINING, training)

    def _export(self) -> Path:
        self.progress.phase("export", self.recipe.steps)
        with self.stop.interruptible():
            return export_run(self.folder.path, None)


def _trainer(recipe: Recipe, options: TrainingOptions, callbacks: list[Callback]) -> Trainer:
    accelerator = options.accelerator
    processes = options.processes or Processes("ddp" if accelerator.count > 1 else "auto", ())
    return Trainer(
        accelerator="gpu" if accelerator.used == "gpu" else "cpu",
        devices=accelerator.count if options.processes is None else "auto",
        strategy=processes.strategy,
        precision=accelerator.precision,  # type: ignore[arg-type] # one of Lightning's words, kept as text
        max_steps=recipe.steps,
        max_epochs=-1,
        callbacks=[*callbacks, *processes.callbacks],
        plugins=[AtomicCheckpointIO(), *processes.plugins],
        default_root_dir=options.folder.path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Its hints are about choices made here on purpose."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
