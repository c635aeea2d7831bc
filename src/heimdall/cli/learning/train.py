"""`heimdall train`: a recipe to a model bundle."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import InputError

if TYPE_CHECKING:
    from heimdall.learning.cluster_layout import Cluster
    from heimdall.recipes import Recipe
    from heimdall.runs.writer import RunWriter

_GIB = 2**30


@app.command()
def train(
    recipe: Annotated[str | None, typer.Option(help="Recipe: quick, study, base or large.")] = None,
    accelerator: Annotated[
        str, typer.Option(help="Device: auto, gpu or cpu. Without a usable GPU the CPU is used, with a warning.")
    ] = "auto",
    require_gpu: Annotated[bool, typer.Option("--require-gpu", help="Refuse to train without a GPU.")] = False,
    devices: Annotated[int, typer.Option(min=1, help="Number of GPUs, or of processes on a CPU.")] = 1,
    on: Annotated[
        str | None,
        typer.Option(
            help="Train on a Ray cluster: ray (RAY_ADDRESS, or one started here), ray://HOST:PORT or ray:HOST:PORT."
        ),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            help="With --on: number of workers, or least and most, such as 2:8. By default all there is room for."
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="With --on: folder or s3://BUCKET/PATH for checkpoints. HEIMDALL_ARTIFACTS if remote, else the run folder."
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", "--sessions", help="Recordings with known transmitters to train on too."),
    ] = None,
    init: Annotated[
        Path | None, typer.Option("--init", "--from-model", help="Model bundle whose weights to start from.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Folder of a stopped run to continue.")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder of the run; below HEIMDALL_HOME if not given.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field of the recipe: optimizer.lr=3e-4.")
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="Address of MLflow, or off; MLFLOW_TRACKING_URI or SQLite if not given.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would run, where, and how much memory and time it would take.")
    ] = False,
    card_gb: Annotated[float, typer.Option(min=1, help="With --plan and no GPU: memory of the card in GiB.")] = 24.0,
    json: JsonOption = False,
) -> None:
    """Train a network on simulated scenes, calibrate it on held-out ones, and export it as a bundle."""
    _log_to_console()
    from heimdall.learning.accelerator import left_to, resolve
    from heimdall.runs.writer import RunWriter

    run = RunWriter(resume or run_dir or _new_run(recipe))
    chosen = _recipe(run if resume else None, recipe, set_ or [])
    if resume and run.result.exists():
        _finish(run, json)
        return
    cluster = _cluster(on, workers, storage, devices, require_gpu)
    if cluster is None or plan:
        resolved = resolve(accelerator, require_gpu=require_gpu, count=devices, gpu_precision=chosen.gpu_precision)
    else:
        resolved = left_to(accelerator, f"Ray cluster {cluster.address}")
    if plan:
        from heimdall.learning.run.plan import plan as make_plan

        document = make_plan(chosen, resolved, card_gb)
        print_json(document) if json else _show_plan(document)
        return
    if resume is None and (run.checkpoint.exists() or run.result.exists()):
        raise InputError(
            f"{run.path} already holds a run: continue it with --resume {run.path}, or name another folder"
        )
    if _train(chosen, run, resolved, init, data or [], track, cluster) is not None:
        _finish(run, json)


def _recipe(resumed: RunWriter | None, name: str | None, changes: list[str]) -> Recipe:
    """The recipe of the run that is resumed, else the named one with its changes."""
    from heimdall.recipes import recipe_with

    stored = None if resumed is None else _stored_recipe(resumed)
    if stored is not None:
        return stored
    if name is None:
        missing = "" if resumed is None else f"{resumed.path} holds no run; "
        raise InputError(f"{missing}name a recipe: --recipe quick")
    return recipe_with(name, changes)


def _stored_recipe(resumed: RunWriter) -> Recipe | None:
    """Apart from `_recipe`: what reads it loads the network's libraries, for which no plan should wait."""
    from heimdall.learning.run.bundling import recipe_of_run

    return recipe_of_run(resumed)


def _cluster(
    on: str | None, workers: str | None, storage: str | None, devices: int, require_gpu: bool
) -> Cluster | None:
    from heimdall.learning.cluster_layout import cluster_for

    if on is not None:
        if devices > 1:
            raise InputError("--devices is for one machine: with --on give --workers")
        return cluster_for(on, workers, storage or _artifact_store(), require_gpu=require_gpu)
    if workers is not None or storage is not None:
        raise InputError("--workers and --storage are for a Ray cluster: give --on ray as well")
    return None


def _artifact_store() -> str | None:
    """Where a service keeps its models, if that is beyond this machine."""
    address = os.environ.get("HEIMDALL_ARTIFACTS", "")
    return f"{address.rstrip('/')}/checkpoints" if "://" in address else None


def _train(
    chosen: Recipe,
    run: RunWriter,
    resolved: Any,
    init: Path | None,
    data: list[Path],
    track: str | None,
    cluster: Cluster | None,
) -> Path | None:
    from heimdall.learning.options import TrainingOptions
    from heimdall.learning.run.stop import StoppedError
    from heimdall.learning.run.tracking import default_address
    from heimdall.learning.train import train

    options = TrainingOptions(
        folder=run,
        accelerator=resolved,
        start_from=init,
        data=tuple(data),
        tracking=track or default_address(_home()),
        console=console,
        cluster=cluster,
    )
    console.print(f"recipe {chosen.name} on {resolved.device}, run folder {run.path}", highlight=False)
    try:
        return train(chosen, options)
    except StoppedError as error:
        raise StoppedError(f"stopped; to continue: heimdall train --resume {run.path}") from error


def _finish(run: RunWriter, json: bool) -> None:
    result = run.read_json("result.json")
    model = run.path / result["model"]
    if json:
        print_json({"model": str(model), "scores": result["scores"], "run": str(run.path)})
        return
    for name, score in result["scores"].items():
        console.print(f"{name} {score:.4g}", highlight=False)
    console.print(f"model: {model}", highlight=False)


def _show_plan(document: dict[str, Any]) -> None:
    from heimdall.learning.run.progress import duration_text

    memory, accelerator = document["memory"], document["accelerator"]
    fits = "fits" if memory["fits"] else "does not fit"
    rows = {
        "recipe": f"{document['recipe']}: {document['purpose']}",
        "device": f"{accelerator['used']}, {accelerator['device']}, {accelerator['precision']}",
        "why not the GPU": accelerator["reason"] or "-",
        "work": f"{document['steps']} steps of {document['batch_size']} scenes; {document['scenes']} scenes simulated",
        "time, roughly": duration_text(document["estimated_s"]),
        "parameters": f"{memory['parameters'] / 1e6:.1f} M",
        "memory on a GPU": f"{memory['needed_bytes'] / _GIB:.2f} GiB at batch {document['batch_size']}: "
        f"{fits} in {memory['card_bytes'] / _GIB:.0f} GiB",
        "largest batch": f"{memory['largest_batch']}, recomputing activations {memory['largest_batch_recomputing']}",
        "advice": memory["advice"],
    }
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table, highlight=False)


def _new_run(recipe: str | None) -> Path:
    return _home() / "runs" / f"{recipe}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def _home() -> Path:
    return Path(os.environ.get("HEIMDALL_HOME", "var"))


def _log_to_console() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("heimdall").setLevel(logging.INFO)
