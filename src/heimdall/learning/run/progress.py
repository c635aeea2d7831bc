"""How far a training is and how long it will take: for the person, and for the run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from heimdall.learning.data.pools import pool_size, steps_per_pool
from heimdall.recipes import Recipe
from heimdall.runs.writer import RunWriter

_LINE_EVERY_S = 10.0
_CALIBRATION_COST = 1.6
"""A calibration scene's time against that of simulating it: the network's answer and its regions come on top."""


class ProgressReport:
    """A bar on a terminal, a line every ten seconds elsewhere; progress.json always."""

    def __init__(self, recipe: Recipe, folder: RunWriter, console: Console) -> None:
        self.recipe, self.folder, self.console = recipe, folder, console
        self._step_s: float | None = None
        self._pool_s: float | None = None
        self._last_step_s: float | None = None
        self._said_s = 0.0
        self._done = False
        self._bar: Progress | None = None
        self._calibration = 0.0, 0.0
        """The share that is done, and when it began."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as self._bar:
            self._bar.add_task("prepare", total=self.recipe.steps, left="")
            yield
        self._bar = None

    @contextmanager
    def pool(self, step: int) -> Iterator[None]:
        """Around the simulation of a pool, which is timed apart from the steps."""
        self.phase("prepare", step)
        begun = time.monotonic()
        yield
        self._pool_s = time.monotonic() - begun
        self._last_step_s = None

    def phase(self, name: str, step: int) -> None:
        self._last_step_s = None
        self._done = name == "done"
        self._write(name, step, None, now=True)
        self._say(name, step, None)

    def calibration(self) -> tuple[Callable[[float], None], Callable[[float], None]]:
        """Two functions to call with the share that is done: of simulating the held-out scenes, and of fitting to them."""
        self._calibration = 0.0, time.monotonic()
        simulated = 1 / _CALIBRATION_COST
        return lambda share: self._calibrated(share * simulated), lambda share: self._calibrated(
            simulated + share * (1 - simulated)
        )

    def _calibrated(self, share: float) -> None:
        self._calibration = share, self._calibration[1]
        self._write("calibrate", self.recipe.steps, None)
        if self._bar is not None or time.monotonic() - self._said_s >= _LINE_EVERY_S:
            self._say("calibrate", self.recipe.steps, None)

    def step_done(self, step: int, loss: float) -> None:
        now = time.monotonic()
        if self._last_step_s is not None:
            took = now - self._last_step_s
            self._step_s = took if self._step_s is None else 0.95 * self._step_s + 0.05 * took
        self._last_step_s = now
        self._write("train", step, loss)
        if self._bar is not None or now - self._said_s >= _LINE_EVERY_S:
            self._say("train", step, loss)

    def told(self, step: int, loss: float | None, phase: str, left_s: float | None) -> None:
        """Show on the bar what the process that trains has told."""
        if self._bar is not None:
            _draw(self._bar, phase, step, loss, "" if left_s is None else f"{duration_text(left_s)} left")

    def left_s(self, step: int) -> float | None:
        """Steps, pools still to come, and the calibration; None before there is anything to go by."""
        if self._done:
            return 0.0
        calibrated, begun_s = self._calibration
        if calibrated:
            return (time.monotonic() - begun_s) * (1 - calibrated) / calibrated
        if self._step_s is None or self._pool_s is None:
            return None
        per_pool, plan = steps_per_pool(self.recipe), self.recipe.scenes
        pools = -(-self.recipe.steps // per_pool) - (step // per_pool + 1)
        calibration = plan.calibration / pool_size(plan) * _CALIBRATION_COST
        return (self.recipe.steps - step) * self._step_s + (max(pools, 0) + calibration) * self._pool_s

    def _write(self, phase: str, step: int, loss: float | None, *, now: bool = False) -> None:
        self.folder.report_progress(
            now=now,
            phase=phase,
            step=step,
            steps_total=self.recipe.steps,
            fraction=round(step / self.recipe.steps, 4),
            eta_s=None if (left := self.left_s(step)) is None else round(left, 1),
            loss=loss,
        )

    def _say(self, phase: str, step: int, loss: float | None) -> None:
        self._said_s = time.monotonic()
        left = self.left_s(step)
        words = "" if left is None else f"{duration_text(left)} left"
        if self._bar is not None:
            _draw(self._bar, phase, step, loss, words)
            return
        said = [phase, f"step {step}/{self.recipe.steps}", "" if loss is None else f"loss {loss:.3f}", words]
        self.console.print("  ".join(word for word in said if word), highlight=False)


def _draw(bar: Progress, phase: str, step: int, loss: float | None, left: str) -> None:
    description = phase if loss is None else f"{phase}  loss {loss:.3f}"
    bar.update(bar.task_ids[0], completed=step, description=description, left=left)


def duration_text(seconds: float) -> str:
    """Rounded to what a person plans by."""
    for limit, size, unit in ((90, 1, "s"), (90 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"
