"""`heimdall benchmark scale`: what larger trainings, more sessions and more receivers would take, from what is measured here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from heimdall.cli.learning.benchmark import benchmarks, machine
from heimdall.cli.output import JsonOption, console, plain_console, print_json
from heimdall.errors import InputError

if TYPE_CHECKING:
    from heimdall.benchmark.scale_model import Assumed, Measured, StepCost
    from heimdall.recipes import Recipe

_GPUS = (1, 2, 4, 8, 16, 32, 64)
_USEFUL = 0.5
_YEAR_DAYS = 365
_TABLE_WIDTH = 112


@benchmarks.command()
def scale(
    recipe: Annotated[str, typer.Option(help="Recipe whose cost is computed.")] = "large",
    gpu_tflops: Annotated[float, typer.Option(min=1, help="Assumed peak speed of a GPU in bf16, TFLOP/s.")] = 71.0,
    utilisation: Annotated[
        float, typer.Option(min=0.01, max=1, help="Assumed share of the peak that is reached with the whole batch.")
    ] = 0.3,
    half_batch: Annotated[
        float, typer.Option(min=0, help="Assumed number of scenes with which a GPU reaches half its best speed.")
    ] = 4.0,
    gpu_speedup: Annotated[
        float, typer.Option(min=0.1, help="Assumed speed of simulation on a GPU, relative to one core.")
    ] = 30.0,
    node_gpus: Annotated[int, typer.Option(min=1, help="Assumed number of GPUs in a node.")] = 8,
    inside_gb_s: Annotated[
        float, typer.Option(min=0.01, help="Assumed data rate between GPUs of a node, GB/s.")
    ] = 20.0,
    between_gb_s: Annotated[float, typer.Option(min=0.01, help="Assumed data rate between nodes, GB/s.")] = 10.0,
    latency_us: Annotated[float, typer.Option(min=0, help="Assumed latency of a message between GPUs, in µs.")] = 20.0,
    store_gb_s: Annotated[float, typer.Option(min=0.01, help="Assumed data rate of writing a checkpoint, GB/s.")] = 0.5,
    price: Annotated[float | None, typer.Option(min=0, help="Price of a GPU hour, in any currency.")] = None,
    receivers: Annotated[int, typer.Option(min=1, help="Number of receivers in the network.")] = 1000,
    heard_per_day: Annotated[
        float, typer.Option(min=0, help="Number of sessions per day that each receiver takes part in.")
    ] = 1000.0,
    scenes: Annotated[int, typer.Option(min=1, help="Number of scenes in the timed step on the CPU.")] = 2,
    sessions: Annotated[
        int, typer.Option(min=16, help="Number of sessions that are located to measure the rate.")
    ] = 128,
    json: JsonOption = False,
) -> None:
    """Measure steps, scenes, sessions and bytes here; say what n GPUs and a year of receivers take, and what is assumed."""
    try:
        from heimdall.benchmark.scale_model import Assumed
        from heimdall.recipes import RECIPES
        from heimdall.recipes import recipe as recipe_named
    except ModuleNotFoundError as error:
        raise InputError(f"scaling is measured with {error.name}: pip install 'heimdall[train]'") from error
    chosen = recipe_named(recipe)
    assumed = Assumed(
        gpu_tflops=gpu_tflops,
        utilisation=utilisation,
        half_batch=half_batch,
        gpu_speedup=gpu_speedup,
        node_gpus=node_gpus,
        inside_gb_s=inside_gb_s,
        between_gb_s=between_gb_s,
        latency_us=latency_us,
        store_gb_s=store_gb_s,
    )
    measured, figures = _measure(chosen, [RECIPES[name]() for name in RECIPES], scenes, sessions)
    document = {
        "recipe": recipe,
        "machine": machine(),
        "measured": figures,
        "assumed": asdict(assumed) | {"receivers": receivers, "sessions_heard_per_receiver_per_day": heard_per_day},
        "training": _training(chosen, measured, assumed, price),
        "network": [_network(figures, receivers * factor, heard_per_day) for factor in (1, 10, 100)],
    }
    print_json(document) if json else _show(document)


def _measure(chosen: Recipe, recipes: list[Recipe], scenes: int, sessions: int) -> tuple[Measured, dict[str, Any]]:
    from heimdall.benchmark import scale_measured as measure
    from heimdall.execution.processes import cores

    smallest = recipes[0]
    prepared = _said("simulation", lambda: measure.preparation(chosen))
    state = _said("checkpoint", lambda: measure.checkpoint_bytes_per_parameter(smallest))
    exchanged = _said("gradients", lambda: measure.gradient_exchange(chosen))
    each = {
        one.name: measure.of_recipe(
            one,
            prepared["scene_core_ms"] / 1e3,
            prepared["exchanged_bytes_per_scene"],
            prepared["window_core_ms"] / 1e3 * (one.network.cells / chosen.network.cells) ** 2,
            state,
        )
        for one in recipes
    }
    step = _said("step", lambda: measure.step_on_cpu(chosen, scenes))
    rate_core = _said("sessions, a core", lambda: measure.locates_per_core_s(sessions))
    rate_all = _said("sessions, all cores", lambda: measure.locates_per_s(sessions * cores(), cores()))
    figures = {
        "step_on_cpu": step,
        "scenes": prepared,
        "gradient_exchange": exchanged,
        "checkpoint_bytes_per_parameter": round(state, 2),
        "recipes": {name: _sizes(one) for name, one in each.items()},
        "locates_per_s": {"core_second": rate_core, "machine": rate_all, "cores": cores()},
        "session_bytes": measure.sessions_bytes(),
    }
    return each[chosen.name], figures


def _sizes(measured: Measured) -> dict[str, float]:
    names = ("parameters", "gradient_bytes", "checkpoint_bytes")
    return {name: getattr(measured, name) for name in names} | {
        "gflops_per_scene": round(measured.flops_per_scene / 1e9, 2)
    }


def _said(what: str, work: Callable[[], Any]) -> Any:
    console.print(f"measuring: {what}", highlight=False)
    return work()


def _training(chosen: Recipe, measured: Measured, assumed: Assumed, price: float | None) -> dict[str, Any]:
    from heimdall.benchmark.scale_model import Schedule, cost, largest_useful

    plan = chosen.scenes
    schedule = Schedule(
        chosen.steps, chosen.batch_size, plan.passes, plan.validation, chosen.validate_every, chosen.checkpoint_every_s
    )
    strong = [cost(gpus, schedule, measured, assumed) for gpus in _GPUS if gpus <= chosen.batch_size]
    weak = [cost(gpus, schedule, measured, assumed, chosen.batch_size * gpus) for gpus in _GPUS]
    return {
        "same_batch": [_row(one, price) for one in strong],
        "batch_grows": [_row(one, price) for one in weak],
        "gpus_of_use": largest_useful(schedule, measured, assumed, _USEFUL),
        "useful_efficiency": _USEFUL,
    }


def _row(cost: StepCost, price: float | None) -> dict[str, Any]:
    parts = ("compute_s", "windows_s", "simulation_s", "gradients_s", "alone_s", "step_s")
    row: dict[str, Any] = {"gpus": cost.gpus, "batch": cost.batch}
    row |= {name.replace("_s", "_ms"): round(1e3 * getattr(cost, name), 2) for name in parts}
    row |= {"days": round(cost.days, 3), "gpu_hours": round(cost.gpu_hours, 1), "efficiency": round(cost.efficiency, 3)}
    return row | ({} if price is None else {"price": round(cost.gpu_hours * price, 2)})


def _network(figures: dict[str, Any], receivers: int, heard_per_day: float) -> dict[str, Any]:
    """A year of a network, each of whose sessions is heard by as many receivers as the measured one."""
    from heimdall.benchmark.scale_measured import RECEIVERS

    sessions, size = receivers * heard_per_day / RECEIVERS, figures["session_bytes"]
    rate = figures["locates_per_s"]
    kept = size["measurements"] + size["fix"]
    return {
        "receivers": receivers,
        "sessions_per_day": round(sessions),
        "machines_like_this": round(sessions / 86400 / rate["machine"], 3),
        "year_tb_with_recordings": round(sessions * _YEAR_DAYS * (size["recordings"] + size["fix"]) / 1e12, 3),
        "year_tb_without": round(sessions * _YEAR_DAYS * kept / 1e12, 3),
        "incoming_mb_per_s": round(sessions * size["recordings"] / 86400 / 1e6, 3),
    }


def _show(document: dict[str, Any]) -> None:
    wide = plain_console(max(console.width, _TABLE_WIDTH))
    measured, training, facts = document["measured"], document["training"], document["machine"]
    wide.print(f"measured on {facts['processor']}, {facts['cores']} cores, load {facts['load']}", highlight=False)
    for name in ("step_on_cpu", "scenes", "gradient_exchange", "locates_per_s", "session_bytes"):
        wide.print(f"  {name.replace('_', ' ')}: {_words(measured[name])}", highlight=False)
    for name, sizes in measured["recipes"].items():
        wide.print(f"  {name}: {_words(sizes)}", highlight=False)
    wide.print(f"assumed: {_words(document['assumed'])}", highlight=False)
    for title, rows in (("same batch", training["same_batch"]), ("batch grows", training["batch_grows"])):
        wide.print(f"\n{document['recipe']}, {title}, a step in ms by what it is spent on", highlight=False)
        wide.print(_table(rows), highlight=False)
    wide.print(
        f"with its own batch {training['gpus_of_use']} cards are used by {100 * training['useful_efficiency']:.0f} % or more",
        highlight=False,
    )
    wide.print("\na year of receivers", highlight=False)
    wide.print(_table(document["network"]), highlight=False)


def _words(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in figures.items())


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(*(name.replace("_", " ") for name in rows[0]), box=None)
    for row in rows:
        table.add_row(*(f"{value:,}" for value in row.values()))
    return table
