"""The cost of a training on n cards follows from the parts that it is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heimdall.benchmark.scale_model import Assumed, Measured, Schedule, cost, largest_useful

_ASSUMED = Assumed(
    gpu_tflops=100,
    utilisation=0.5,
    half_batch=0.0,
    gpu_speedup=10,
    node_gpus=8,
    inside_gb_s=20,
    between_gb_s=5,
    latency_us=0,
    store_gb_s=1,
)
_MEASURED = Measured(
    parameters=1000,
    gradient_bytes=0,
    flops_per_scene=5e12,
    scene_core_s=0.0,
    window_core_s=0.0,
    scene_bytes=0,
    checkpoint_bytes=0,
)
_SCHEDULE = Schedule(steps=86400, batch=8, passes=2, validation=0, validate_every=100, checkpoint_every_s=60)


def test_computing_alone_is_operations_over_speed() -> None:
    """8 scenes of 5e12 operations at half of 1e14 a second are 0.8 s."""
    one = cost(1, _SCHEDULE, _MEASURED, _ASSUMED)
    assert (one.compute_s, one.step_s) == pytest.approx((0.8, 0.8))
    assert (one.days, one.gpu_hours, one.efficiency) == pytest.approx((0.8, 19.2, 1.0))


@pytest.mark.parametrize("gpus", [2, 4, 8])
def test_without_communication_and_waiting_cards_are_used_wholly(gpus: int) -> None:
    several = cost(gpus, _SCHEDULE, _MEASURED, _ASSUMED)
    assert several.days == pytest.approx(0.8 / gpus)
    assert several.efficiency == pytest.approx(1.0)


def test_a_ring_sends_nearly_twice_the_gradient_over_the_slowest_link() -> None:
    """Gradients of 40 GB: 2 x 7/8 of them at 20 GB/s are 3.5 s, and 2 x 15/16 at 5 GB/s are 15 s, less what is hidden."""
    measured = replace(_MEASURED, gradient_bytes=40 * 10**9)
    inside, between = (cost(gpus, _SCHEDULE, measured, _ASSUMED, batch=8 * gpus) for gpus in (8, 16))
    hidden_s = 2 / 3 * 0.8
    assert inside.gradients_s == pytest.approx(3.5 - hidden_s)
    assert between.gradients_s == pytest.approx(15 - hidden_s)


def test_a_short_exchange_hides_behind_the_backward_pass() -> None:
    measured = replace(_MEASURED, gradient_bytes=10**9)
    assert cost(2, _SCHEDULE, measured, _ASSUMED).gradients_s == 0.0


def test_what_one_process_does_while_others_wait_does_not_shrink() -> None:
    schedule = replace(_SCHEDULE, validation=6000)
    one, eight = (cost(gpus, schedule, _MEASURED, _ASSUMED) for gpus in (1, 8))
    assert one.alone_s == pytest.approx(6000 * 5e12 / 3 / 5e13 / 100)
    assert eight.alone_s == one.alone_s
    assert eight.efficiency < one.efficiency


def test_a_larger_batch_shows_as_many_scenes_in_fewer_steps() -> None:
    same, larger = (cost(1, _SCHEDULE, _MEASURED, _ASSUMED, batch=batch) for batch in (8, 32))
    assert larger.step_s == pytest.approx(4 * same.step_s)
    assert larger.days == pytest.approx(same.days)


def test_few_scenes_on_a_card_use_less_of_it() -> None:
    assumed = replace(_ASSUMED, half_batch=8.0)
    one, eight = (cost(gpus, _SCHEDULE, _MEASURED, assumed) for gpus in (1, 8))
    assert one.compute_s == pytest.approx(0.8)
    assert eight.compute_s == pytest.approx(0.1 * (8 / 16) / (1 / 9))


def test_cards_of_use_end_where_the_efficiency_does() -> None:
    assert largest_useful(_SCHEDULE, _MEASURED, _ASSUMED, 0.5) == 8
    slow = replace(_MEASURED, gradient_bytes=400 * 10**9)
    assert largest_useful(_SCHEDULE, slow, _ASSUMED, 0.5) == 1
