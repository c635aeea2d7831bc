"""What this machine needs for the parts of a training and of locating: the measured half of `heimdall benchmark scale`."""

from __future__ import annotations

import io
import json
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from heimdall.benchmark.locating_time import locate_all, session
from heimdall.benchmark.scale_model import Measured
from heimdall.execution.processes import in_order
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.learning.data.pools import windows_of
from heimdall.learning.data.simulated import LabelledEvidence, SceneSource, by_model, simulate
from heimdall.learning.model.memory import plan_memory
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import shape_of
from heimdall.learning.run.module import make_optimizer
from heimdall.locating.pipeline import locate
from heimdall.recipes import Recipe
from heimdall.simulation import SCENES_PER_DRAW

_DRAWS = 6
RECEIVERS = 7
"""Number of receivers in the session that is measured."""
_SAMPLES = 8192
_CHUNK = 8
"""Sessions located together in the measurement of many."""


def step_on_cpu(recipe: Recipe, scenes: int) -> dict[str, float]:
    """Forward and backward of that many scenes in 32 bits, once to warm up and once timed."""
    shape = shape_of(recipe.network)
    network = EvidenceNetwork(shape).to(memory_format=torch.channels_last)
    maps = torch.randn(scenes, shape.map_channels, shape.cells, shape.cells)
    tokens, present = torch.randn(scenes, RECEIVERS, shape.token_features), torch.ones(scenes, RECEIVERS).bool()

    def step() -> None:
        output: tuple[Tensor, Tensor] = network(maps, tokens, present)
        torch.autograd.backward(output[0].sum() + output[1].sum())

    step()
    taken_s = _seconds(step)
    flops = plan_memory(shape, 8, "32-true", 1, recompute=False).flops_per_scene
    return {
        "scenes": scenes,
        "seconds_per_scene": round(taken_s / scenes, 3),
        "gflops_per_scene": round(flops / 1e9, 2),
        "gflops_per_s": round(flops * scenes / taken_s / 1e9, 1),
        "threads": torch.get_num_threads(),
    }


def of_recipe(recipe: Recipe, scene_core_s: float, scene_bytes: float, window_core_s: float, state: float) -> Measured:
    """`state` is the bytes of a checkpoint for each parameter, `window_core_s` that of the recipe's own window."""
    plan = plan_memory(shape_of(recipe.network), 8, recipe.gpu_precision, 1, recompute=False)
    return Measured(
        parameters=plan.parameters,
        gradient_bytes=plan.parameter_bytes,
        flops_per_scene=plan.flops_per_scene,
        scene_core_s=scene_core_s,
        window_core_s=window_core_s,
        scene_bytes=scene_bytes,
        checkpoint_bytes=round(plan.parameters * state),
    )


def preparation(recipe: Recipe) -> dict[str, float]:
    """Core seconds and bytes of a training scene of this recipe, by one thread, whatever else the core does meanwhile."""
    cells, threads = recipe.network.cells, torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _draw(recipe, 0)
        begun = time.process_time()
        parts = _draw(recipe, _DRAWS)
        scene_s = (time.process_time() - begun) / (_DRAWS * SCENES_PER_DRAW)
        group = by_model(parts)[0]
        windows_of(group, cells)
        begun = time.process_time()
        windows_of(group, cells)
        window_s = (time.process_time() - begun) / len(group)
    finally:
        torch.set_num_threads(threads)
    size = len(pickle.dumps(parts)) / (_DRAWS * SCENES_PER_DRAW)
    return {
        "scene_core_ms": round(scene_s * 1e3, 2),
        "scenes_per_s_per_core": round(1 / scene_s, 1),
        "window_core_ms": round(window_s * 1e3, 2),
        "exchanged_bytes_per_scene": round(size),
    }


def _draw(recipe: Recipe, first: int) -> list[LabelledEvidence]:
    source = SceneSource(recipe.scenes.scenarios, 1, "benchmark", recipe.network.cells)
    return simulate(source, range(first, first + _DRAWS))


def gradient_exchange(recipe: Recipe) -> dict[str, float]:
    """Bytes that DistributedDataParallel hands to the all-reduce in one step, counted where it hands them over."""
    counted: list[int] = []

    def count(bucket: Any) -> torch.futures.Future[Tensor]:
        counted.append(bucket.buffer().nbytes)
        done: torch.futures.Future[Tensor] = torch.futures.Future()
        done.set_result(bucket.buffer())
        return done

    shape = shape_of(recipe.network)
    with _group_of_one():
        network = torch.nn.parallel.DistributedDataParallel(
            EvidenceNetwork(shape).to(memory_format=torch.channels_last)
        )
        # Without annotations, which torch compares with objects where ours are text.
        network.register_comm_hook(None, lambda _, bucket: count(bucket))
        maps = torch.randn(1, shape.map_channels, shape.cells, shape.cells)
        tokens, present = torch.randn(1, 4, shape.token_features), torch.ones(1, 4).bool()
        for _ in range(2):  # after the first step it makes its parcels anew
            counted.clear()
            output = network(maps, tokens, present)
            torch.autograd.backward(output[0].sum() + output[1].sum())
    return {"bytes": sum(counted), "messages": len(counted)}


@contextmanager
def _group_of_one() -> Iterator[None]:
    store = torch.distributed.HashStore()  # type: ignore[attr-defined] # torch does not list what it gives
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def checkpoint_bytes_per_parameter(recipe: Recipe) -> float:
    """Size of the weights and the optimiser's state as they are saved."""
    network = EvidenceNetwork(shape_of(recipe.network))
    optimizer = make_optimizer(network, recipe)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    content = io.BytesIO()
    torch.save({"state_dict": network.state_dict(), "optimizer_states": [optimizer.state_dict()]}, content)
    return content.tell() / sum(parameter.numel() for parameter in network.parameters())


def sessions_bytes() -> dict[str, int]:
    """Size of one session of 7 receivers with 8,192 samples each: as recordings, as a line of measurements, as a fix."""
    observation = session(RECEIVERS, _SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        write_sigmf(observation, Path(folder) / "session")
        recordings = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    fix = len(json.dumps(locate([observation])[0].fix.to_json()))
    return {"recordings": recordings, "measurements": _line_bytes(), "fix": fix}


def _line_bytes() -> int:
    measurement = {
        "receiver": "R1",
        "latitude_deg": 50.123456,
        "longitude_deg": 10.123456,
        "height_m": 123.4,
        "toa_s": 0.0001234567891,
        "clock_sigma_s": 3e-08,
        "rssi_dbm": -97.3,
        "rssi_sigma_db": 2.0,
    }
    row = {"id": "20250101T000000Z-0001", "time_utc": "2025-01-01T00:00:00Z", "frequency_hz": 145e6}
    row |= {"bandwidth_hz": 25e3, "height_m": None, "measurements": [measurement] * RECEIVERS, "truth": None}
    return len(json.dumps(row))


def locates_per_core_s(count: int) -> float:
    """Sessions from samples to fix for each second that a core works on them, whatever else it does meanwhile."""
    chunk = [session(RECEIVERS, _SAMPLES)] * _CHUNK
    locate_all(chunk)
    begun = time.process_time()
    done = sum(locate_all(chunk) for _ in range(max(1, count // _CHUNK)))
    return round(done / (time.process_time() - begun), 1)


def locates_per_s(count: int, jobs: int) -> float:
    """Sessions from samples to fix by that many processes at once, their start left out."""
    observation = session(RECEIVERS, _SAMPLES)
    warm, chunks = 2 * jobs, max(count // _CHUNK, 2 * jobs)
    results: Iterator[int] = in_order(locate_all, [[observation] * _CHUNK] * (warm + chunks), jobs)
    for _ in range(warm):
        next(results)
    begun = time.perf_counter()
    return round(sum(results) / (time.perf_counter() - begun), 1)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
