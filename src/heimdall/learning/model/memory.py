"""Memory: what a training will need, found out without a GPU, and what to do when it is not enough after all."""

from __future__ import annotations

import gc
import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.utils.flop_counter import FlopCounterMode

from heimdall.errors import HeimdallError
from heimdall.learning.model.network import EvidenceNetwork, NetworkShape

log = logging.getLogger(__name__)

GIB = 2**30
CONTEXT_BYTES = GIB
"""CUDA's own context and the allocator's slack."""
_RECEIVERS = 16
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
class Peak:
    """Bytes at the fullest moment of a training step: what depends on the batch, and what does not."""

    fixed_bytes: int
    per_scene_bytes: int

    def at(self, batch_size: int) -> int:
        return self.fixed_bytes + batch_size * self.per_scene_bytes

    def largest_batch(self, card_bytes: int) -> int:
        """0 where not even one scene fits."""
        return max(0, (card_bytes - self.fixed_bytes) // self.per_scene_bytes)


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
    """Peaks of a training step by fake tensors: nothing is computed and next to nothing allocated.

    `precision` is Lightning's word. Activations grow linearly with the batch, so two sizes give the line.
    """
    plain, parameters, flops = _peak(shape, batch_size, precision, recompute=False)
    frugal, _, _ = _peak(shape, batch_size, precision, recompute=True)
    chosen = frugal if recompute else plain
    largest, largest_frugal = plain.largest_batch(card_bytes), frugal.largest_batch(card_bytes)
    micro = min(batch_size, largest_frugal if recompute else largest)
    accumulation = math.ceil(batch_size / micro) if micro else 0
    return MemoryPlan(
        parameters=parameters,
        parameter_bytes=4 * parameters,
        optimizer_bytes=8 * parameters,
        activation_bytes=batch_size * chosen.per_scene_bytes,
        needed_bytes=chosen.at(batch_size),
        card_bytes=card_bytes,
        fits=chosen.at(batch_size) <= card_bytes,
        largest_batch=largest,
        largest_batch_recomputing=largest_frugal,
        accumulation=accumulation,
        flops_per_scene=flops,
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


def _peak(shape: NetworkShape, batch_size: int, precision: str, *, recompute: bool) -> tuple[Peak, int, int]:
    """The line through this batch and twice as large a one, the number of parameters, and the operations of a scene's step."""
    needed_bytes, parameters, flops = _measure(shape, batch_size, precision, recompute)
    double_bytes, _, _ = _measure(shape, 2 * batch_size, precision, recompute)
    slope = max(1, (double_bytes - needed_bytes) // batch_size)
    return Peak(needed_bytes - slope * batch_size + CONTEXT_BYTES, slope), parameters, flops // batch_size


class _StepPeak(MemTracker):  # type: ignore[no-untyped-call] # torch leaves its subclass hook unannotated
    """Keeps the peak of the whole step only: module by module, as the base class does, takes four times as long."""

    def _update_peak_stats(self, peak_state: Any) -> None:
        for device, memory in self._curr_mem_snap.items():
            if self._peak_mem.get(device, 0) < memory["Total"]:
                self._peak_mem[device] = memory["Total"]
                self._peak_mem_snap[device] = dict(memory)


def _measure(shape: NetworkShape, batch_size: int, precision: str, recompute: bool) -> tuple[int, int, int]:
    """Peak bytes of one step with the optimiser's state in place, parameters, and operations."""
    with torch.device("meta"):
        network = EvidenceNetwork(shape)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    if recompute:
        network.recompute_activations()
    with FakeTensorMode():
        network._apply(  # type: ignore[no-untyped-call] # as above
            lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype)
        )
        optimizer = _optimizer_with_state(network)
        tracker, counter = _StepPeak(), FlopCounterMode(display=False)
        tracker.track_external(network, optimizer)
        with counter, tracker:
            _fake_step(network, shape, batch_size, precision)
        snapshot = tracker.get_tracker_snapshot("peak")
    peak = sum(device["Total"] for device in snapshot.values())
    return int(peak), parameters, int(counter.get_total_flops())


def _optimizer_with_state(network: nn.Module) -> torch.optim.Optimizer:
    """AdamW as it is after a first step, with two moments a parameter."""
    optimizer = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    return optimizer


def _fake_step(network: nn.Module, shape: NetworkShape, batch_size: int, precision: str) -> None:
    maps = torch.empty(batch_size, shape.map_channels, shape.cells, shape.cells)
    tokens, present = torch.empty(batch_size, _RECEIVERS, shape.token_features), torch.ones(batch_size, _RECEIVERS)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        output: tuple[Tensor, Tensor] = network(maps, tokens, present)
    torch.autograd.backward(output[0].sum() + output[1].sum())
