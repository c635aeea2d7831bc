"""One training from start to bundle, on this machine or on a cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from heimdall.errors import InputError
from heimdall.learning.options import TrainingOptions
from heimdall.learning.run.phases import Run, is_first_process
from heimdall.learning.run.stop import StopSignal
from heimdall.learning.run.tracking import Tracker
from heimdall.recipes import Recipe
from heimdall.runs.writer import SilentRunWriter


def train(recipe: Recipe, options: TrainingOptions) -> Path | None:
    """Run the recipe, or what is left of it, in the run folder; returns the bundle's path.

    With several devices Lightning starts this program again for each further one; there it only trains, writes nothing and
    returns None. Raises StoppedError on SIGTERM or SIGINT, with the state kept in the folder.
    """
    if recipe.batch_size < options.accelerator.count:
        raise InputError(
            f"a batch of {recipe.batch_size} scenes cannot be shared by {options.accelerator.count} devices"
        )
    if not is_first_process():
        silent = SilentRunWriter(options.folder.path)
        options = replace(options, folder=silent, tracking="off", console=Console(quiet=True))
    stop = StopSignal()
    stop.listen()
    try:
        return Run(recipe, options, stop).complete(_learn)
    finally:
        stop.release()


def _learn(run: Run, tracker: Tracker) -> None:
    cluster = run.options.cluster
    if cluster is None:
        run.learn(tracker)
        return
    from heimdall.learning.cluster.starter import WorkerReports, learn_on

    learn_on(cluster, run.recipe, run.options, run.stop, WorkerReports(run.folder, run.progress, tracker))
