"""`heimdall benchmark gpu`: what a card makes of a training, against the bare network and against the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from heimdall.cli.learning.benchmark import benchmarks, machine
from heimdall.cli.output import JsonOption, console, print_json
from heimdall.errors import HeimdallError, InputError

if TYPE_CHECKING:
    import torch

_DEVICES = ("gpu", "cpu")
_SCENES = {"cuda": 2048, "cpu": 16}


@benchmarks.command("gpu")
def gpu(
    device: Annotated[str, typer.Option(help="Device: gpu, or cpu with small sizes to see that it runs.")] = "gpu",
    recipes: Annotated[str, typer.Option(help="Recipes to measure.")] = "quick,base,large",
    json: JsonOption = False,
) -> None:
    """Time training steps relative to the bare network, scenes, and the start; compare the memory with the plan."""
    if device not in _DEVICES:
        raise InputError(f"no device is called {device!r}; choose one of: {', '.join(_DEVICES)}")
    try:
        document = _measured(device, [name.strip() for name in recipes.split(",")])
    except ModuleNotFoundError as error:
        raise InputError(f"training is measured with {error.name}: pip install 'heimdall[train]'") from error
    print_json(document) if json else _show(document)


def _measured(device: str, names: list[str]) -> dict[str, Any]:
    from heimdall.benchmark import gpu_measured as measure
    from heimdall.learning.run.gpu_record import counters
    from heimdall.recipes import recipe

    chosen = [recipe(name) for name in names]
    where, name, card_bytes = _device(device)
    effort = measure.FULL if where.type == "cuda" else measure.SMALL
    figures = {}
    for each in chosen:
        console.print(f"measuring {each.name} ...", highlight=False)
        figures[each.name] = _rounded(measure.of_recipe(each, where, effort, card_bytes))
    console.print("measuring scenes and the start ...", highlight=False)
    return {
        "device": {"type": where.type, "name": name, "memory_bytes": card_bytes},
        "recipes": figures,
        "scenes_per_s": round(measure.scenes_per_s(recipe("quick"), where, _SCENES[where.type]), 1),
        "first_step_s": round(measure.first_step_s(where, effort), 2),
        "counters": counters() if where.type == "cuda" else None,
        "small": where.type == "cpu",
        "machine": machine(),
    }


def _device(asked: str) -> tuple[torch.device, str, int]:
    """Device, its name, and the bytes to plan for. Raises HeimdallError with the reason where there is no usable card."""
    import torch

    from heimdall.learning.accelerator import resolve

    if asked == "cpu":
        return torch.device("cpu"), resolve("cpu").device, 24 * 2**30
    try:
        accelerator = resolve("gpu", require_gpu=True)
    except HeimdallError as error:
        raise HeimdallError(f"{error}. To see that the benchmark runs, without figures: --device cpu") from error
    return accelerator.torch_device, accelerator.device, torch.cuda.get_device_properties(0).total_memory


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in figures.items()}


def _show(document: dict[str, Any]) -> None:
    say = console.print
    say(document["device"]["name"], highlight=False)
    if document["small"]:
        say("on a CPU and small: the figures show that it runs, and nothing more", highlight=False)
    for name, row in document["recipes"].items():
        used = "-" if row["memory_used_gib"] is None else f"{row['memory_used_gib']:.2f}"
        say(
            f"{name:6s} batch {row['batch_size']}: {row['steps_per_s']:.3g} steps/s, {row['ratio_to_bare']:.2f} of the bare "
            f"network, fused AdamW {row['fused_steps_per_s']:.3g}; waits for data {row['batch_wait_share']:.0%}; "
            f"memory {used} GiB, planned {row['memory_planned_gib']:.2f}",
            highlight=False,
        )
    say(f"simulator with evidence: {document['scenes_per_s']:.4g} scenes/s", highlight=False)
    say(f"from start to first step: {document['first_step_s']:.1f} s", highlight=False)
