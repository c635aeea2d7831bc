"""`heimdall benchmark`: how long a position takes on this machine."""

from __future__ import annotations

import os
import platform
import resource
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from heimdall.cli.app import app
from heimdall.cli.output import JsonOption, console, print_json

_PACKAGES = ("heimdall", "numpy", "scipy", "onnxruntime", "torch")
_SCENES = 48
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


benchmarks = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(benchmarks, name="benchmark")


@benchmarks.callback()
def benchmark(
    context: typer.Context,
    model: Annotated[Path | None, typer.Option(help="Model bundle (.heimdall) to time as well.")] = None,
    receivers: Annotated[int, typer.Option(min=3, max=32, help="Number of receivers in the session.")] = 7,
    samples: Annotated[int, typer.Option(min=1024, help="Number of samples per receiver.")] = 8192,
    repeats: Annotated[int, typer.Option(min=3, help="How often each part is timed.")] = 20,
    json: JsonOption = False,
) -> None:
    """Time a position from samples, part by part, and the simulation, and say on which machine."""
    if context.invoked_subcommand is not None:
        return
    from heimdall.benchmark.locating_time import benchmark_locate, session

    observation = session(receivers, samples)
    timings = {name: asdict(timing) for name, timing in benchmark_locate(observation, repeats).items()}
    if model is not None:
        timings |= _model_timings(model, observation, repeats)
    document = {
        "session": {"receivers": receivers, "samples": samples},
        "timings": timings,
        "simulation_scenes_per_s": _simulation_rate(),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "machine": machine(),
    }
    print_json(document) if json else _show(document)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    from heimdall.service.about import version_of

    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "threads": {name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ},
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := version_of(name)) is not None},
    }


def _processor() -> str:
    """The model's name where the kernel tells, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _model_timings(path: Path, observation: Any, repeats: int) -> dict[str, dict[str, float]]:
    from heimdall.benchmark.locating_time import timed
    from heimdall.inference.onnx_network import blank_window
    from heimdall.locating.by_network import Learned

    begun = time.perf_counter()
    learned = Learned.load(path)
    load_ms = (time.perf_counter() - begun) * 1e3
    fix = timed(lambda: list(learned.locate_each([observation])), repeats)
    blank = blank_window(learned.bundle.cells)
    return {
        "model_load": {"median_ms": load_ms, "q95_ms": load_ms, "repeats": 1},
        "samples_to_fix_by_model": asdict(fix),
        "its_network_alone": asdict(timed(lambda: learned.network.run(blank), repeats)),
    }


def _simulation_rate() -> float | None:
    """Scenes a second of the scenario `matched`; None without torch."""
    try:
        from heimdall.simulation import scenario, scenes
    except ModuleNotFoundError:
        return None
    law = scenario("matched")
    list(scenes(law, 0, 16))
    begun = time.perf_counter()
    made = sum(len(batch) for batch in scenes(law, 1, _SCENES))
    return round(made / (time.perf_counter() - begun), 1)


def _show(document: dict[str, Any]) -> None:
    for name, timing in document["timings"].items():
        words = f"{timing['median_ms']:8.1f} ms, 95 % within {timing['q95_ms']:.1f} ms"
        console.print(f"{name.replace('_', ' '):26s}{words}", highlight=False)
    rate = document["simulation_scenes_per_s"]
    console.print(f"{'simulation':26s}{'needs torch' if rate is None else f'{rate:8.1f} scenes/s'}", highlight=False)
    console.print(f"{'peak memory':26s}{document['peak_memory_mb']:8.0f} MB", highlight=False)
    facts = document["machine"]
    console.print(f"{facts['processor']}, {facts['cores']} cores, load {facts['load']}", highlight=False)
