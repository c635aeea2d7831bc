"""The named scenarios keep to their own laws, and are documented."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdall.errors import InputError
from heimdall.simulation import SCENARIOS, draw, scenario, stream
from heimdall.simulation.drawing import draw_cast
from heimdall.simulation.physics.clock import CLOCK_CLASSES
from heimdall.simulation.physics.linear_phase import COLUMNS
from heimdall.simulation.random_streams import Chance

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "simulation.md"
NAMES = st.sampled_from(sorted(SCENARIOS))


@settings(max_examples=60, deadline=None)
@given(NAMES, st.integers(0, 2**40))
def test_whatever_is_drawn_lies_in_the_ranges_of_its_scenario(name: str, seed: int) -> None:
    law = scenario(name)
    cast = draw_cast(law, 5, Chance(stream(seed, 0), "cpu"))
    fewest, most = law.area.receivers
    summit_db = law.medium.summit_shadowing_db if law.medium.summit_probability > 0 else law.medium.shadowing_db
    assert fewest <= cast.layout.present.shape[1] <= most
    assert cast.channel in law.channels
    for drawn, (low, high) in (
        (cast.layout.half_width_m, law.area.half_width_m),
        (cast.frequency_hz, law.frequency_hz),
        (cast.links.exponent, law.medium.exponent),
        (cast.links.shadowing_sigma_db, (min(summit_db[0], law.medium.shadowing_db[0]), law.medium.shadowing_db[1])),
        (cast.links.level_db, law.medium.snr_limits_db),
    ):
        rounding = 1e-6 * max(abs(low), abs(high))
        assert (drawn >= low - rounding).all()
        assert (drawn <= high + rounding).all()
    assert (cast.links.excess_delay_s[~cast.links.blocked] == 0).all()
    assert all(law.clocks.classes[int(kind)] > 0 for kind in cast.clocks.clock_class)
    reach_m = law.area.reach * cast.layout.half_width_m[:, None]
    assert (cast.layout.transmitter_enu_m[:, :2].abs() <= reach_m).all()


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_makes_finite_samples_and_labels(name: str) -> None:
    law = scenario(name)
    law = replace(law, channels=tuple(replace(channel, sample_count=1024) for channel in law.channels))
    batch = draw(law, 3, stream(0, 0))
    assert batch.samples.dtype == torch.complex64
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, torch.Tensor) and field.name != "clock_sigma_s":
            assert torch.isfinite(torch.view_as_real(value) if value.is_complex() else value).all(), field.name
    assert not torch.isnan(batch.clock_sigma_s).any()
    assert (batch.samples[batch.present].abs().amax(-1) > 0).all()
    assert (batch.samples[~batch.present] == 0).all()


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_channel_can_be_recorded(name: str) -> None:
    for channel in scenario(name).channels:
        assert channel.sample_count % COLUMNS == 0
        assert channel.oversampling >= 1.1


def test_together_the_scenarios_span_what_the_product_promises() -> None:
    laws = SCENARIOS.values()
    bandwidths = [channel.bandwidth_hz for law in laws for channel in law.channels]
    assert (min(bandwidths), max(bandwidths)) == (1e3, 2e6)
    assert min(law.area.half_width_m[0] for law in laws) == 1e3
    assert max(law.area.half_width_m[1] for law in laws) == 1200e3
    assert min(law.area.receivers[0] for law in laws) == 3
    assert max(law.area.receivers[1] for law in laws) == 16
    assert len({channel.oversampling for law in laws for channel in law.channels}) > 3


def test_a_matched_scene_is_what_the_likelihood_assumes() -> None:
    """Values: the physics notes of this product."""
    law = scenario("matched")
    assert {(channel.bandwidth_hz, channel.sample_count) for channel in law.channels} == {
        (12.5e3, 2048),
        (12.5e3, 4096),
        (25e3, 4096),
        (25e3, 8192),
        (50e3, 8192),
    }
    assert law.area.receivers == (4, 8)
    assert law.area.half_width_m == (50e3, 100e3)
    assert (law.medium.blocked_probability, law.medium.mean_excess_delay_s) == (0.3, 3e-6)
    assert (law.area.inside_probability, law.area.reach, law.modulation.fm_probability) == (0.7, 1.4, 0.4)
    assert law.faults.probability == law.clocks.wrong_probability == 0
    assert law.equipment.gain_error_db == law.equipment.level_sigma_db


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InputError, match=r"'nowhere'.*matched"):
        scenario("nowhere")


def test_there_is_one_probability_a_clock_class() -> None:
    assert all(len(law.clocks.classes) == len(CLOCK_CLASSES) for law in SCENARIOS.values())
