"""What a training is fed: pools of simulated scenes, shown several times, rotated and mirrored anew each time.

Batch k of a recipe and seed is always the same scenes in the same orientation, whoever asks for it and whenever: order
and chance come from the step's number. So a resumed run needs to simulate one pool at most, and workers share a step by
taking every n-th scene of it.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from heimdall.inference.mixture import Mixture, from_network
from heimdall.inference.window import Window, read_window
from heimdall.learning.data.on_processor import as_arrays, as_tensors, pays
from heimdall.learning.data.simulated import LabelledEvidence, SceneSource, by_model, draws_for, simulate
from heimdall.recipes import Recipe, ScenePlan
from heimdall.simulation import SCENES_PER_DRAW, stream

AroundPool = Callable[[int], AbstractContextManager[None]]
"""Entered with a pool's number while the pool is simulated, which takes a while."""
OnPool = Callable[[int, "ScenePool"], None]
"""Told each new pool and its number."""
Report = Callable[[float], None]
"""Told what share is done."""

_TRAINING, _VALIDATION, _CALIBRATION = "training", "validation", "calibration"


def _silent(share: float) -> None: ...


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """Windows with the truth, ready for the network."""

    window: Window
    half_width_m: Tensor
    """(B,) half the side of the area searched."""
    truth_m: Tensor
    """(B, 2)"""

    def __len__(self) -> int:
        return int(self.truth_m.shape[0])

    def select(self, index: Any) -> TrainingBatch:
        return TrainingBatch(self.window.select(index), self.half_width_m[index], self.truth_m[index])

    def to(self, device: Any, **_: Any) -> TrainingBatch:
        """Windows are made where they are trained on; nothing to move."""
        assert self.truth_m.device == torch.device(device) or self.truth_m.device.type == torch.device(device).type
        return self

    @property
    def network_input(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.window.maps, self.window.tokens, self.window.present

    def mixture(self, output: tuple[Tensor, Tensor]) -> Mixture:
        return from_network(*output, self.window.frame, self.half_width_m)

    @property
    def truth_core(self) -> Tensor:
        """(B, 2) in units of the window's middle cell, from its middle."""
        return self.window.frame.offset_core(self.truth_m[:, None, :])[:, 0]


def windows_of(scenes: LabelledEvidence, cells: int) -> TrainingBatch:
    evidence, frame = scenes.evidence, scenes.frame
    if pays(scenes.truth_m.device, scenes.model):
        evidence, frame = as_arrays(evidence), as_arrays(frame)
    window = replace(as_tensors(read_window(evidence, scenes.model, frame, cells)), frame=scenes.frame)
    return TrainingBatch(window, scenes.evidence.half_width_m, scenes.truth_m)


class ScenePool:
    """Scenes of one or several propagation models, picked by one index over all of them."""

    def __init__(self, parts: list[LabelledEvidence], cells: int) -> None:
        self.parts, self.cells = parts, cells
        self._first = torch.tensor([0, *(len(part) for part in parts)]).cumsum(0)

    def __len__(self) -> int:
        return int(self._first[-1])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of where the transmitters and receivers of the scenes are, in their order."""
        digest = hashlib.sha256()
        for part in self.parts:
            for places in (part.truth_m, part.evidence.position_enu_m):
                digest.update(places.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def windows(self, index: Tensor, turns: Tensor | None = None) -> TrainingBatch:
        """The scenes' windows, each turned by its matrix in `turns` (B, 2, 2). Scenes of one model come together."""
        batches = []
        for part, first in zip(self.parts, self._first, strict=False):
            mine = (index >= first) & (index < first + len(part))
            if mine.any():
                scenes = part.select((index[mine] - first).to(part.truth_m.device))
                batches.append(windows_of(scenes if turns is None else turned(scenes, turns[mine]), self.cells))
        return _joined(batches)


def turned(scenes: LabelledEvidence, turns: Tensor) -> LabelledEvidence:
    """The scenes as they would have been heard with everything rotated or mirrored: nothing measured changes."""
    matrix = turns.to(scenes.truth_m.device)
    evidence = scenes.evidence
    ground, up = evidence.position_enu_m[..., :2], evidence.position_enu_m[..., 2:]
    position = torch.cat([_turn(matrix, ground), up], dim=-1)
    # The curvatures towards east and north differ by less than 0.7 %; turned, both take their mean.
    curvature = evidence.curvature_per_m[:, :2].mean(dim=1, keepdim=True).expand(-1, 2)
    return replace(
        scenes,
        evidence=replace(evidence, position_enu_m=position, curvature_per_m=curvature),
        truth_m=_turn(matrix, scenes.truth_m[:, None])[:, 0],
        frame=replace(scenes.frame, center_m=_turn(matrix, scenes.frame.center_m[:, None])[:, 0]),
    )


@dataclass(eq=False)
class SceneStream:
    """The seeded sequence of a recipe's training batches from a step on, for one of `world` workers.

    With `recorded` scenes a share of each batch is drawn from them. They are not turned: what they teach is their site.
    """

    recipe: Recipe
    first_step: int = 0
    device: torch.device | str = "cpu"
    rank: int = 0
    world: int = 1
    around_pool: AroundPool = lambda number: nullcontext()
    recorded: ScenePool | None = None
    on_pool: OnPool = lambda number, pool: None
    _pool: tuple[int, ScenePool] | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[TrainingBatch]:
        for step in range(self.first_step, self.recipe.steps):
            yield self.batch(step)

    def batch(self, step: int) -> TrainingBatch:
        number, step_in_pool = divmod(step, steps_per_pool(self.recipe))
        batch_size = self.recipe.batch_size
        turns = random_turns(batch_size, stream(self.recipe.seed, step, purpose="turns"))
        recorded = 0 if self.recorded is None else round(self.recipe.scenes.recorded_share * batch_size)
        mine = slice(self.rank, batch_size - recorded, self.world)
        batches = [self.pool(number).windows(self._order(number, step_in_pool)[mine], turns[mine])]
        if self.recorded is not None:
            chance = stream(self.recipe.seed, step, purpose="recorded")
            index = torch.randint(len(self.recorded), (recorded,), generator=chance)[self.rank :: self.world]
            batches += [self.recorded.windows(index)] if len(index) else []
        return _joined(batches)

    def pool(self, number: int) -> ScenePool:
        if self._pool is None or self._pool[0] != number:
            self._pool = None
            plan = self.recipe.scenes
            count = draws_for(plan.pool)
            draws = range(number * count, (number + 1) * count)
            with self.around_pool(number):
                source = _source(self.recipe, plan.scenarios, _TRAINING)
                parts = _shared_out(lambda mine: _simulated(source, mine, self.device), draws, self.device)
            self._pool = number, ScenePool(by_model(parts), self.recipe.network.cells)
            self.on_pool(number, self._pool[1])
        return self._pool[1]

    def _order(self, pool_number: int, step_in_pool: int) -> Tensor:
        """Which scenes of the pool the step shows: a new order for each pass, passes laid end to end."""
        size, batch = pool_size(self.recipe.scenes), self.recipe.batch_size
        first = step_in_pool * batch
        passes = range(first // size, (first + batch - 1) // size + 1)
        orders = [
            torch.randperm(size, generator=stream(self.recipe.seed, pool_number * 10_000 + number, purpose="order"))
            for number in passes
        ]
        start = first - passes[0] * size
        return torch.cat(orders)[start : start + batch]


def steps_per_pool(recipe: Recipe) -> int:
    return max(1, pool_size(recipe.scenes) * recipe.scenes.passes // recipe.batch_size)


def pool_size(plan: ScenePlan) -> int:
    """Whole draws only."""
    return draws_for(plan.pool) * SCENES_PER_DRAW


def validation_pool(recipe: Recipe, device: torch.device | str = "cpu") -> ScenePool:
    source = _source(recipe, recipe.scenes.scenarios, _VALIDATION)
    return _held_out(source, recipe.scenes.validation, device)


def calibration_pool(recipe: Recipe, device: torch.device | str = "cpu", report: Report = _silent) -> ScenePool:
    source = _source(recipe, recipe.scenes.calibration_scenarios, _CALIBRATION)
    return _held_out(source, recipe.scenes.calibration, device, report)


def _source(recipe: Recipe, scenarios: dict[str, float], purpose: str) -> SceneSource:
    return SceneSource(scenarios, recipe.seed, purpose, recipe.network.cells)


def _held_out(source: SceneSource, scenes: int, device: Any, report: Report = _silent) -> ScenePool:
    return ScenePool(by_model(_simulated(source, range(draws_for(scenes)), device, report)), source.cells)


def _simulated(
    source: SceneSource, draws: Sequence[int], device: Any, report: Report = _silent
) -> list[LabelledEvidence]:
    cores = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    threads = max(cores, 1) if torch.device(device).type == "cpu" else 1
    return simulate(source, draws, device, threads, report)


def _shared_out(
    simulated: Callable[[Sequence[int]], list[LabelledEvidence]], draws: Sequence[int], device: torch.device | str
) -> list[LabelledEvidence]:
    """All draws in their order; where several processes train together, each simulates every n-th and they exchange."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return simulated(draws)
    world = distributed.get_world_size()
    everyones: list[list[LabelledEvidence]] = [[] for _ in range(world)]
    # By way of the CPU: a tensor would come back on the sender's card.
    mine = [part.to("cpu") for part in simulated(draws[distributed.get_rank() :: world])]
    distributed.all_gather_object(everyones, mine)
    rounds = itertools.zip_longest(*everyones)
    return [part.to(device) for each in rounds for part in each if part is not None]


def _joined(batches: list[TrainingBatch]) -> TrainingBatch:
    if len(batches) == 1:
        return batches[0]
    most = max(batch.window.present.shape[1] for batch in batches)
    windows = [_widened(batch.window, most) for batch in batches]
    frames = [window.frame for window in windows]
    frame = replace(
        frames[0],
        center_m=torch.cat([frame.center_m for frame in frames]),
        core_m=torch.cat([frame.core_m for frame in frames]),
        stretch=torch.cat([frame.stretch for frame in frames]),
    )
    window = Window(
        maps=torch.cat([window.maps for window in windows]),
        tokens=torch.cat([window.tokens for window in windows]),
        present=torch.cat([window.present for window in windows]),
        frame=frame,
    )
    return TrainingBatch(window, torch.cat([b.half_width_m for b in batches]), torch.cat([b.truth_m for b in batches]))


def _widened(window: Window, receivers: int) -> Window:
    missing = receivers - window.present.shape[1]
    pad = torch.nn.functional.pad
    return replace(window, tokens=pad(window.tokens, (0, 0, 0, missing)), present=pad(window.present, (0, missing)))


def random_turns(count: int, generator: torch.Generator) -> Tensor:
    """(B, 2, 2) orthogonal matrices, with determinant 1 or -1."""
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    first = torch.stack([angle.cos(), -mirror * angle.sin()], dim=-1)
    second = torch.stack([angle.sin(), mirror * angle.cos()], dim=-1)
    return torch.stack([first, second], dim=-2)


def _turn(matrix_B22: Tensor, place_BN2: Tensor) -> Tensor:
    return torch.einsum("bij,bnj->bni", matrix_B22, place_BN2)
