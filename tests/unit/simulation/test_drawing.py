"""Batches of scenes and their seeds."""

from dataclasses import fields, replace

import pytest
import torch

from heimdall.simulation import SceneBatch, draw, scenario, scenes, stream
from heimdall.simulation.physics.waveform import Channel

SMALL = replace(scenario("matched"), channels=(Channel(12.5e3, 512), Channel(25e3, 1024)))


def _same(one: SceneBatch, other: SceneBatch) -> bool:
    pairs = ((getattr(one, field.name), getattr(other, field.name)) for field in fields(SceneBatch))
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def test_the_same_seed_gives_the_same_scenes_to_the_last_bit() -> None:
    assert _same(draw(SMALL, 4, stream(3, 0)), draw(SMALL, 4, stream(3, 0)))


def test_other_seeds_and_other_indices_give_other_scenes() -> None:
    first = draw(SMALL, 4, stream(3, 0))
    for other in (stream(3, 1), stream(4, 0)):
        assert not torch.equal(first.transmitter_enu_m, draw(SMALL, 4, other).transmitter_enu_m)


def test_scene_k_is_the_same_whatever_the_count() -> None:
    few = list(scenes(SMALL, 5, 6, batch=4))
    many = list(scenes(SMALL, 5, 11, batch=4))
    assert [len(batch) for batch in few] == [4, 2]
    assert [len(batch) for batch in many] == [4, 4, 3]
    assert _same(few[0], many[0])
    assert _same(few[1], many[1].select(slice(0, 2)))


def test_scenes_do_not_depend_on_the_number_of_threads() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = draw(SMALL, 16, stream(1, 0))
        torch.set_num_threads(2)
        two = draw(SMALL, 16, stream(1, 0))
    finally:
        torch.set_num_threads(threads)
    assert _same(one, two)


def test_every_tensor_is_made_on_the_device_that_is_asked_for() -> None:
    """With another default device, whatever forgets to name its own would land there and fail to mix."""
    law = replace(
        scenario("rough-receivers"),
        channels=(Channel(12.5e3, 512),),
        second=scenario("second-transmitter").second,
        faults=scenario("faulty-receiver").faults,
        clocks=scenario("wrong-clocks").clocks,
    )
    generator = stream(0, 0)
    with torch.device("meta"):
        batch = draw(law, 3, generator, "cpu")
    tensors = [getattr(batch, field.name) for field in fields(batch)]
    assert {tensor.device.type for tensor in tensors if isinstance(tensor, torch.Tensor)} == {"cpu"}


@pytest.mark.parametrize("index", [slice(1, 3), torch.tensor([2, 0]), torch.tensor([True, False, True, False])])
def test_selecting_scenes_selects_them_in_every_field(index: object) -> None:
    batch = draw(SMALL, 4, stream(0, 0))
    chosen = batch.select(index)
    assert len(chosen) == 2
    assert torch.equal(chosen.samples, batch.samples[index])
    assert torch.equal(chosen.latitude_deg, batch.latitude_deg[index])
    assert chosen.bandwidth_hz == batch.bandwidth_hz


def test_the_second_transmitter_adds_power_and_leaves_the_labels_alone() -> None:
    law = replace(scenario("second-transmitter"), channels=(Channel(25e3, 2048),))
    both = draw(law, 16, stream(0, 0))
    alone = draw(replace(law, second=None), 16, stream(0, 0))
    assert torch.equal(both.snr_db, alone.snr_db)
    added = (both.samples - alone.samples).abs().square().mean(-1)
    assert (added > 0).all()
    relative_db = 10 * (added / alone.gain**2).log10().median(1).values - alone.snr_db.median(1).values
    assert -16 < relative_db.median() < -2
