"""A training step with fake tensors: its peak of memory and its operations, without computing or allocating anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.utils.flop_counter import FlopCounterMode

from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import NetworkShape
from heimdall.learning.model.step_costs import Line, Peak, StepCosts

_RECEIVERS = 16


def measure(shape: NetworkShape, precision: str, batch_sizes: Sequence[int]) -> StepCosts:
    """Costs at those batches and those twice as large: memory at one moment grows linearly, so two sizes give a line."""
    plain = Peak(tuple(_line(shape, size, precision, recompute=False) for size in batch_sizes))
    recomputing = Peak(tuple(_line(shape, size, precision, recompute=True) for size in batch_sizes))
    return StepCosts(*_parameters_and_flops(shape, precision), plain, recomputing)


def _line(shape: NetworkShape, batch_size: int, precision: str, *, recompute: bool) -> Line:
    """Through the peaks at this batch and at twice as large a one."""
    single_bytes, double_bytes = (
        _peak_bytes(shape, size, precision, recompute) for size in (batch_size, 2 * batch_size)
    )
    slope = max(1, (double_bytes - single_bytes) // batch_size)
    return Line(single_bytes - slope * batch_size, slope)


class _StepPeak(MemTracker):  # type: ignore[no-untyped-call] # torch leaves its subclass hook unannotated
    """Keeps the peak of the whole step only: module by module, as the base class does, takes four times as long."""

    def _update_peak_stats(self, peak_state: Any) -> None:
        for device, memory in self._curr_mem_snap.items():
            if self._peak_mem.get(device, 0) < memory["Total"]:
                self._peak_mem[device] = memory["Total"]
                self._peak_mem_snap[device] = dict(memory)


def _peak_bytes(shape: NetworkShape, batch_size: int, precision: str, recompute: bool) -> int:
    """Of one step with the optimiser's state in place."""
    network = _on_meta(shape)
    if recompute:
        network.recompute_activations()
    with FakeTensorMode():
        _fake(network)
        optimizer = _optimizer_with_state(network)
        tracker = _StepPeak()
        tracker.track_external(network, optimizer)
        with tracker:
            _step(network, shape, batch_size, precision)
        snapshot = tracker.get_tracker_snapshot("peak")
    return int(sum(device["Total"] for device in snapshot.values()))


def _parameters_and_flops(shape: NetworkShape, precision: str) -> tuple[int, int]:
    """The number of parameters, and the operations of one scene's step."""
    network = _on_meta(shape)
    with FakeTensorMode():
        _fake(network)
        with FlopCounterMode(display=False) as counter:
            _step(network, shape, 1, precision)
    return sum(parameter.numel() for parameter in network.parameters()), int(counter.get_total_flops())


def _on_meta(shape: NetworkShape) -> EvidenceNetwork:
    with torch.device("meta"):
        return EvidenceNetwork(shape)


def _fake(network: nn.Module) -> None:
    network._apply(  # type: ignore[no-untyped-call] # as above
        lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype)
    )


def _optimizer_with_state(network: nn.Module) -> torch.optim.Optimizer:
    """AdamW as it is after a first step, with two moments a parameter."""
    optimizer = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    return optimizer


def _step(network: nn.Module, shape: NetworkShape, batch_size: int, precision: str) -> None:
    maps = torch.empty(batch_size, shape.map_channels, shape.cells, shape.cells)
    tokens, present = torch.empty(batch_size, _RECEIVERS, shape.token_features), torch.ones(batch_size, _RECEIVERS)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        output: tuple[Tensor, Tensor] = network(maps, tokens, present)
    torch.autograd.backward(output[0].sum() + output[1].sum())
