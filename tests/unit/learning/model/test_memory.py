"""Running out of memory costs time and nothing else; the plan says beforehand what will fit."""

from __future__ import annotations

import pytest
import torch

from heimdall.errors import HeimdallError
from heimdall.learning.model.memory import GIB, MemoryPlan, MicroBatches, plan_memory
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import NetworkShape, shape_of
from heimdall.recipes import recipe


def _device_of(scenes: int) -> object:
    """Work that only fits with so many scenes at a time; returns the size that fitted."""

    def work(size: int) -> int:
        if size > scenes:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return size

    return work


def test_the_micro_batch_is_halved_until_it_fits_and_each_halving_is_said() -> None:
    said: list[str] = []
    micro = MicroBatches(said.append)
    assert micro.run(32, _device_of(9)) == 8
    assert [line.split(":")[1].strip() for line in said] == [
        "going on with 16 and twice the accumulation",
        "going on with 8 and twice the accumulation",
    ]
    assert micro.run(32, _device_of(9)) == 8
    assert len(said) == 2


def test_one_scene_that_does_not_fit_ends_with_advice() -> None:
    with pytest.raises(HeimdallError, match="recompute_activations=true"):
        MicroBatches(lambda _: None).run(4, _device_of(0))


def test_a_step_that_other_processes_wait_for_is_not_begun_again() -> None:
    micro = MicroBatches(lambda _: None)
    micro.alone = False
    with pytest.raises(HeimdallError, match="32 scene"):
        micro.run(32, _device_of(8))


def test_other_errors_are_not_taken_for_lack_of_memory() -> None:
    def broken(_: int) -> None:
        raise RuntimeError("device-side assert")

    micro = MicroBatches()
    with pytest.raises(RuntimeError, match="device-side assert"):
        micro.run(4, broken)
    assert micro.halvings == 0


BATCH, PRECISION = 32, recipe("quick").gpu_precision


@pytest.fixture(scope="module")
def shape() -> NetworkShape:
    return shape_of(recipe("quick").network)


@pytest.fixture(scope="module")
def roomy(shape: NetworkShape) -> MemoryPlan:
    return plan_memory(shape, BATCH, PRECISION, 2 * GIB, recompute=False)


def test_the_plan_counts_parameters_and_the_optimisers_two_moments(shape: NetworkShape, roomy: MemoryPlan) -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in EvidenceNetwork(shape).parameters())
    assert (roomy.parameters, roomy.parameter_bytes, roomy.optimizer_bytes) == (count, 4 * count, 8 * count)
    assert roomy.fits
    assert roomy.advice == "fits as it is"


def test_the_peak_holds_parameters_optimiser_context_and_activations(roomy: MemoryPlan) -> None:
    least = roomy.parameter_bytes + roomy.optimizer_bytes + roomy.activation_bytes + GIB
    assert least <= roomy.needed_bytes < least + 2 * roomy.parameter_bytes


def test_recomputing_leaves_room_for_a_larger_batch(roomy: MemoryPlan) -> None:
    assert roomy.largest_batch_recomputing > roomy.largest_batch > BATCH


def test_a_small_card_is_told_how_many_parts_a_step_takes(shape: NetworkShape, roomy: MemoryPlan) -> None:
    card = roomy.needed_bytes - roomy.activation_bytes * 2 // 3
    tight = plan_memory(shape, BATCH, PRECISION, card, recompute=False)
    assert not tight.fits
    assert 1 <= tight.largest_batch < BATCH
    assert tight.accumulation * tight.largest_batch >= BATCH
    assert "parts a step" in tight.advice


def test_a_card_without_room_for_one_scene_is_told_so(shape: NetworkShape) -> None:
    hopeless = plan_memory(shape, 2, PRECISION, GIB // 2, recompute=False)
    assert (hopeless.largest_batch, hopeless.accumulation) == (0, 0)
    assert "does not fit" in hopeless.advice
