"""What a training costs on n GPUs, from what was measured on one machine and what is assumed of the others."""

from __future__ import annotations

import math
from dataclasses import dataclass

_BACKWARD_SHARE = 2 / 3
"""Share of a step's operations: the backward pass costs twice the forward pass."""
_SMALL_COLLECTIVES = 5
"""A step's exchanges besides the gradient: the loss, whether to save, whether to stop (each with its size)."""


@dataclass(frozen=True)
class Assumed:
    """What is assumed of machines that are not here: options of the command, none of them measured."""

    gpu_tflops: float
    """Peak of one card in the precision of the training."""
    utilisation: float
    """Share of the peak that a step reaches with the recipe's batch on one card."""
    half_batch: float
    """Scenes on a card at which it reaches half the speed that it has with very many."""
    gpu_speedup: float
    """Speed of simulation and windows on a GPU, relative to one core of this machine."""
    node_gpus: int
    inside_gb_s: float
    """Data rate of the links between the GPUs of a node, each way."""
    between_gb_s: float
    """Data rate of a node's network, each way."""
    latency_us: float
    """Latency of one message between GPUs."""
    store_gb_s: float
    """Writing a checkpoint."""


@dataclass(frozen=True)
class Measured:
    """What was measured on this machine, for one recipe."""

    parameters: int
    gradient_bytes: int
    flops_per_scene: float
    scene_core_s: float
    """Core seconds to simulate a scene and find the likelihood's mode."""
    window_core_s: float
    """Core seconds to evaluate a window."""
    scene_bytes: float
    """Size of a simulated scene when workers exchange a pool."""
    checkpoint_bytes: int


@dataclass(frozen=True)
class Schedule:
    """The part of a recipe that decides how much there is to do."""

    steps: int
    batch: int
    passes: int
    validation: int
    validate_every: int
    checkpoint_every_s: float


@dataclass(frozen=True)
class StepCost:
    """Seconds of a mean step, by what they are spent on, and the training as a whole."""

    gpus: int
    batch: int
    compute_s: float
    windows_s: float
    simulation_s: float
    gradients_s: float
    """What the exchange adds, after what is hidden behind the backward pass."""
    alone_s: float
    """Spent by one process while the others wait: validation, checkpoints."""
    days: float
    efficiency: float
    """Against as many cards, each as fast as one alone."""

    @property
    def step_s(self) -> float:
        return self.compute_s + self.windows_s + self.simulation_s + self.gradients_s + self.alone_s

    @property
    def gpu_hours(self) -> float:
        return self.days * 24 * self.gpus


def cost(gpus: int, schedule: Schedule, measured: Measured, assumed: Assumed, batch: int | None = None) -> StepCost:
    """Cost of showing the recipe's number of scenes, on that many cards; a larger batch means as many fewer steps."""
    one = _step(1, schedule.batch, schedule, measured, assumed)
    parts = _step(gpus, batch or schedule.batch, schedule, measured, assumed)
    steps = schedule.steps * schedule.batch / (batch or schedule.batch)
    days = sum(parts) * steps / 86400
    alone_days = sum(one) * schedule.steps / 86400
    return StepCost(gpus, batch or schedule.batch, *parts, days, alone_days / (gpus * days))


def largest_useful(schedule: Schedule, measured: Measured, assumed: Assumed, least_efficiency: float) -> int:
    """Most cards for the recipe's own batch that are still used with that efficiency."""
    efficient = [
        gpus
        for gpus in range(1, schedule.batch + 1)
        if cost(gpus, schedule, measured, assumed).efficiency >= least_efficiency
    ]
    return max(efficient)


def _step(
    gpus: int, batch: int, schedule: Schedule, measured: Measured, assumed: Assumed
) -> tuple[float, float, float, float, float]:
    share = math.ceil(batch / gpus)
    flops = assumed.gpu_tflops * 1e12 * _utilisation(share, schedule.batch, assumed)
    compute_s = share * measured.flops_per_scene / flops
    windows_s = share * measured.window_core_s / assumed.gpu_speedup
    simulation_s = batch / schedule.passes * measured.scene_core_s / assumed.gpu_speedup / gpus
    exchange_s = _exchange(gpus, batch / schedule.passes * measured.scene_bytes / 2, assumed)
    gradients_s = _exchange(gpus, measured.gradient_bytes, assumed)
    small_s = 0.0 if gpus == 1 else _SMALL_COLLECTIVES * 2 * math.log2(gpus) * assumed.latency_us * 1e-6
    exposed_s = max(0.0, gradients_s - _BACKWARD_SHARE * compute_s) + small_s + exchange_s
    busy_s = compute_s + windows_s + simulation_s + exposed_s
    validation_flops = schedule.validation * measured.flops_per_scene * (1 - _BACKWARD_SHARE)
    windows_alone_s = schedule.validation * measured.window_core_s / assumed.gpu_speedup
    validation_s = validation_flops / (assumed.gpu_tflops * 1e12 * assumed.utilisation) + windows_alone_s
    checkpoint_s = measured.checkpoint_bytes / (assumed.store_gb_s * 1e9)
    alone_s = validation_s / schedule.validate_every + checkpoint_s * busy_s / max(schedule.checkpoint_every_s, busy_s)
    return compute_s, windows_s, simulation_s, exposed_s, alone_s


def _utilisation(share: int, whole: int, assumed: Assumed) -> float:
    """Falls with the scenes on a card, from what is assumed for the whole batch on one."""

    def part(scenes: int) -> float:
        return scenes / (scenes + assumed.half_batch)

    return assumed.utilisation * part(share) / part(whole)


def _exchange(gpus: int, size_bytes: float, assumed: Assumed) -> float:
    """Seconds of a ring all-reduce: every card sends 2 (n - 1) / n of the data, and the slowest link sets the pace.

    Patarasu and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations" (2009).
    """
    if gpus == 1:
        return 0.0
    bandwidth = assumed.inside_gb_s if gpus <= assumed.node_gpus else min(assumed.inside_gb_s, assumed.between_gb_s)
    return 2 * (gpus - 1) / gpus * size_bytes / (bandwidth * 1e9) + 2 * (gpus - 1) * assumed.latency_us * 1e-6
