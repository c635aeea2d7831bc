"""A training step with fake tensors: its peak of memory and its operations, without computing or allocating anything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.utils.flop_counter import FlopCounterMode

from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import NetworkShape
from heimdall.learning.model.step_costs import Line, Peak, StepCosts

_RECEIVERS = 16
_MANY = 512
"""Scenes from which on the same moment of a step is the fullest."""


def measure(shape: NetworkShape, precision: str, batch_sizes: Sequence[int]) -> StepCosts:
    """Costs at those batches exactly, between them and up to 512 scenes at most a little too high, and exactly beyond.

    A step is as full as its fullest moment, and each moment grows linearly with the batch: the peak is convex.
    """
    sizes = sorted({*batch_sizes, _MANY, 2 * _MANY})
    with torch.device("meta"):
        network = EvidenceNetwork(shape)
    with FakeTensorMode():
        training = _FakeTraining(network, precision)
        parameters, flops = training.parameters, training.flops_per_scene()
        plain = _chords(sizes, [training.peak_bytes(size) for size in sizes])
        network.recompute_activations()
        recomputing = _chords(sizes, [training.peak_bytes(size) for size in sizes])
    return StepCosts(parameters, flops, plain, recomputing)


def _chords(sizes: Sequence[int], peaks_bytes: Sequence[int]) -> Peak:
    """The lines through neighbouring points."""
    lines = []
    for (size, peak), (larger, larger_peak) in pairwise(zip(sizes, peaks_bytes, strict=True)):
        slope = max(1, -(-(larger_peak - peak) // (larger - size)))
        lines.append(Line(peak - slope * size, slope))
    return Peak(tuple(dict.fromkeys(lines)))


class _StepPeak(MemTracker):  # type: ignore[no-untyped-call] # torch leaves its subclass hook unannotated
    """Keeps the peak of the whole step only: module by module, as the base class does, takes four times as long."""

    def _update_peak_stats(self, peak_state: Any) -> None:
        for device, memory in self._curr_mem_snap.items():
            if self._peak_mem.get(device, 0) < memory["Total"]:
                self._peak_mem[device] = memory["Total"]
                self._peak_mem_snap[device] = dict(memory)


class _FakeTraining:
    """Steps of a network, made with AdamW as it is after a first one, with two moments a parameter, in the present fake mode."""

    def __init__(self, network: EvidenceNetwork, precision: str) -> None:
        self._network, self._precision = network, precision
        network._apply(  # type: ignore[no-untyped-call] # as above
            lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype)
        )
        self.parameters = sum(parameter.numel() for parameter in network.parameters())
        self._optimizer = torch.optim.AdamW(network.parameters())
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def peak_bytes(self, batch_size: int) -> int:
        tracker = _StepPeak()
        tracker.track_external(self._network, self._optimizer)
        with tracker:
            self._step(batch_size)
        snapshot = tracker.get_tracker_snapshot("peak")
        self._optimizer.zero_grad()
        return int(sum(device["Total"] for device in snapshot.values()))

    def flops_per_scene(self) -> int:
        with FlopCounterMode(display=False) as counter:
            self._step(1)
        self._optimizer.zero_grad()
        return int(counter.get_total_flops())

    def _step(self, batch_size: int) -> None:
        """Forward and back."""
        shape = self._network.shape
        maps = torch.empty(batch_size, shape.map_channels, shape.cells, shape.cells)
        tokens, present = torch.empty(batch_size, _RECEIVERS, shape.token_features), torch.ones(batch_size, _RECEIVERS)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._precision == "bf16-mixed"):
            output: tuple[Tensor, Tensor] = self._network(maps, tokens, present)
        torch.autograd.backward(output[0].sum() + output[1].sum())
