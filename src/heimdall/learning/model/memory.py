"""Memory: what a training will need, found out without a GPU, and what to do when it is not enough after all."""

from __future__ import annotations

import gc
import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch

from heimdall.errors import HeimdallError
from heimdall.learning.model.shape import NetworkShape
from heimdall.learning.model.step_costs import step_costs

log = logging.getLogger(__name__)

GIB = 2**30
CONTEXT_BYTES = GIB
"""CUDA's own context and the allocator's slack."""
_MOST_HALVINGS = 8

Result = TypeVar("Result")


class MicroBatches:
    """Runs a step's batch in as many parts as memory asks for; the gradient stays that of the whole batch."""

    def __init__(self, on_halving: Callable[[str], None] = log.warning) -> None:
        self.halvings = 0
        self.on_halving = on_halving
        self.alone = True
        """Whether no other process waits for this one's gradients; otherwise a step cannot be begun again."""

    def run(self, batch_size: int, work: Callable[[int], Result]) -> Result:
        """`work(micro-batch size)`, started over with half the size each time the device runs out of memory."""
        while True:
            size = max(1, math.ceil(batch_size / 2**self.halvings))
            try:
                return work(size)
            except torch.OutOfMemoryError as error:
                if size == 1 or self.halvings == _MOST_HALVINGS or not self.alone:
                    raise HeimdallError(
                        f"out of device memory with {size} scene(s) at a time: close what else uses the GPU, set "
                        "recompute_activations=true, or take a smaller batch or recipe"
                    ) from error
            # Out of the except clause: its traceback would keep the tensors alive that did not fit.
            self._halve(size)

    def _halve(self, size: int) -> None:
        self.halvings += 1
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.on_halving(
            f"out of device memory with {size} scenes at a time: going on with {math.ceil(size / 2)} and twice the accumulation"
        )


@dataclass(frozen=True)
class MemoryPlan:
    """How a training fits a card. `needed_bytes` is the peak of the way that `advice` recommends."""

    parameters: int
    parameter_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    needed_bytes: int
    card_bytes: int
    fits: bool
    largest_batch: int
    largest_batch_recomputing: int
    accumulation: int
    flops_per_scene: int
    advice: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def plan_memory(shape: NetworkShape, batch_size: int, precision: str, card_bytes: int, recompute: bool) -> MemoryPlan:
    """How a step of that network fits the card. `precision` is Lightning's word."""
    costs = step_costs(shape, batch_size, precision)
    room_bytes, parameters = card_bytes - CONTEXT_BYTES, costs.parameters
    chosen = costs.recomputing if recompute else costs.plain
    largest, largest_frugal = costs.plain.largest_batch(room_bytes), costs.recomputing.largest_batch(room_bytes)
    needed_bytes = chosen.at(batch_size) + CONTEXT_BYTES
    micro = min(batch_size, largest_frugal if recompute else largest)
    accumulation = math.ceil(batch_size / micro) if micro else 0
    return MemoryPlan(
        parameters=parameters,
        parameter_bytes=4 * parameters,
        optimizer_bytes=8 * parameters,
        activation_bytes=chosen.of_scenes(batch_size),
        needed_bytes=needed_bytes,
        card_bytes=card_bytes,
        fits=needed_bytes <= card_bytes,
        largest_batch=largest,
        largest_batch_recomputing=largest_frugal,
        accumulation=accumulation,
        flops_per_scene=costs.flops_per_scene,
        advice=_advice(batch_size, accumulation, largest_frugal, recompute),
    )


def _advice(batch_size: int, accumulation: int, largest_frugal: int, recompute: bool) -> str:
    if accumulation == 1:
        return "fits as it is"
    if not recompute and largest_frugal >= batch_size:
        return f"fits with recompute_activations=true; without it in {accumulation or 'no'} parts a step"
    if accumulation:
        return f"fits in {accumulation} parts a step: accumulation starts automatically when memory runs out"
    return "does not fit: take a smaller recipe or a larger card"
