"""Links from the transmitter to the receivers."""

from dataclasses import replace

import pytest
import torch

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.geometry import LocalFrame, geodesic_distance_m
from heimdall.simulation.physics.propagation import Echoes, Hill, Links, Medium, propagate
from heimdall.simulation.physics.scene_layout import Area, Layout, place, raise_to
from heimdall.simulation.physics.sky_paths import Ionosphere
from heimdall.simulation.random_streams import Chance, stream

PLAIN = Medium(
    exponent=(3.0, 3.0),
    shadowing_db=(0.0, 0.0),
    median_snr_db=(0.0, 0.0),
    snr_limits_db=(-300.0, 300.0),
    blocked_probability=0.0,
    echoes=None,
)


def _layout(scenes: int = 300, receivers: int = 7, **area: object) -> Layout:
    return place(Area(**area), scenes, receivers, Chance(stream(0, 0), "cpu"))  # type: ignore[arg-type]


def _links(medium: Medium, layout: Layout) -> Links:
    return propagate(medium, layout, torch.full((len(layout.present),), 7e6), Chance(stream(0, 1), "cpu"))


def _distance_m(layout: Layout) -> torch.Tensor:
    return (layout.receiver_enu_m.double() - layout.transmitter_enu_m[:, None].double()).norm(dim=-1)


def test_power_falls_with_the_path_loss_exponent() -> None:
    layout = _layout()
    far = _distance_m(layout).clamp(min=PLAIN.min_distance_m).log10()
    level_db = _links(PLAIN, layout).level_db
    slope = (level_db - level_db[:, :1])[:, 1:] / (far - far[:, :1])[:, 1:]
    assert torch.allclose(slope, torch.full_like(slope, -30.0), rtol=1e-2)


def test_the_drawn_level_is_that_of_the_receiver_of_median_loss_among_those_present() -> None:
    layout = _layout(missing_probability=0.4)
    level_db = _links(PLAIN, layout).level_db.masked_fill(~layout.present, torch.nan)
    assert (level_db == 0).any(1).all()


def test_absorption_takes_decibels_in_proportion_to_the_distance() -> None:
    layout = _layout()
    more = _links(replace(PLAIN, absorption_db_per_m=1e-4), layout).level_db - _links(PLAIN, layout).level_db
    more = more - more[:, :1]
    expected = -1e-4 * (_distance_m(layout) - _distance_m(layout)[:, :1])
    assert torch.allclose(more, expected.float(), atol=1e-3)


def test_levels_stay_within_the_limits() -> None:
    level_db = _links(Medium(snr_limits_db=(-5.0, 20.0)), _layout()).level_db
    assert level_db.min() == -5
    assert level_db.max() == 20


def test_shadowing_has_the_drawn_standard_deviation() -> None:
    layout = _layout(2000)
    shadow = _links(replace(PLAIN, shadowing_db=(6.0, 6.0)), layout).level_db - _links(PLAIN, layout).level_db
    assert shadow.std() == pytest.approx(6.0, rel=0.03)


def test_shadowing_of_near_receivers_agrees_and_of_far_ones_does_not() -> None:
    layout = _layout(3000, 4)
    receivers = layout.receiver_enu_m.clone()
    receivers[:, 1] = receivers[:, 0] + 200.0
    layout = replace(layout, receiver_enu_m=receivers, transmitter_enu_m=layout.transmitter_enu_m + 400e3)
    correlated = replace(PLAIN, shadowing_db=(6.0, 6.0), shadowing_correlation_m=2000.0)
    shadow = _links(correlated, layout).level_db - _links(PLAIN, layout).level_db
    near, far = torch.corrcoef(shadow[:, :2].T)[0, 1], torch.corrcoef(shadow[:, 1:3].T)[0, 1]
    assert near == pytest.approx(0.87, abs=0.03)  # exp(-283 m / 2000 m)
    assert abs(far) < 0.15


def test_a_blocked_link_is_late_and_weaker_and_a_clear_one_is_neither() -> None:
    layout = _layout(2000)
    clear = _links(PLAIN, layout)
    links = _links(replace(PLAIN, blocked_probability=0.3), layout)
    assert links.blocked.float().mean() == pytest.approx(0.3, abs=0.02)
    assert (links.excess_delay_s[~links.blocked] == 0).all()
    assert links.excess_delay_s[links.blocked].mean() == pytest.approx(3e-6, rel=0.05)
    assert torch.allclose(links.delay_s - links.excess_delay_s, clear.delay_s, atol=1e-12)
    loss_db = (clear.level_db - links.level_db)[links.blocked]
    assert loss_db.mean() == pytest.approx(5.0, abs=0.3)


def test_a_hill_blocks_neighbouring_bearings_together() -> None:
    layout = _layout(300, 12)
    links = _links(replace(PLAIN, hill=Hill(spread=0.0)), layout)
    for scene in range(300):
        behind = links.blocked[scene]
        if behind.sum() < 2:
            continue
        sight = (layout.receiver_enu_m[scene] - layout.transmitter_enu_m[scene])[behind, :2]
        bearing = torch.atan2(sight[:, 1], sight[:, 0]).sort().values
        gaps = torch.cat([bearing.diff(), bearing[:1] + 2 * torch.pi - bearing[-1:]])
        assert gaps.max() > torch.pi  # all within less than half a turn
        excess_s = links.excess_delay_s[scene][behind]
        assert torch.allclose(excess_s, excess_s[0])
    assert 0.1 < links.blocked.float().mean() < 0.5


def test_rotating_all_positions_changes_no_delay_and_no_level() -> None:
    layout = _layout()
    turn = torch.tensor(0.7)
    matrix = torch.tensor([[turn.cos(), -turn.sin(), 0.0], [turn.sin(), turn.cos(), 0.0], [0.0, 0.0, 1.0]])
    turned = replace(
        layout,
        receiver_enu_m=layout.receiver_enu_m @ matrix.T,
        transmitter_enu_m=layout.transmitter_enu_m @ matrix.T,
    )
    one, other = _links(Medium(), layout), _links(Medium(), turned)
    assert (one.delay_s - other.delay_s).abs().max() < 1e-10
    assert (one.level_db - other.level_db).abs().max() < 1e-3


def test_a_pattern_costs_nothing_in_front_and_the_drawn_loss_at_the_back() -> None:
    layout = _layout(1000, 12, half_width_m=(50e3, 50e3))
    pattern = replace(PLAIN, transmitter_pattern_db=(20.0, 20.0))
    difference = _links(pattern, layout).level_db - _links(PLAIN, layout).level_db
    spread = difference.amax(1) - difference.amin(1)
    assert spread.max() <= 20.001
    assert spread.max() > 19


def test_a_ground_wave_takes_the_geodesic() -> None:
    layout = _layout(20, 5, half_width_m=(400e3, 400e3))
    ground = layout.transmitter_enu_m[:, None, :2]
    flat = raise_to(torch.zeros(20, 1), ground, layout.curvature_per_m)[:, 0]
    receivers = raise_to(torch.zeros(20, 5), layout.receiver_enu_m[..., :2], layout.curvature_per_m)
    layout = replace(layout, transmitter_enu_m=flat, receiver_enu_m=receivers)
    medium = replace(PLAIN, along_ground=True, refractive_index=1.0)
    distance_m = _links(medium, layout).delay_s * SPEED_OF_LIGHT_M_S
    for scene in range(20):
        frame = LocalFrame(float(layout.latitude_deg[scene]), float(layout.longitude_deg[scene]))
        latitude, longitude, _ = frame.to_geodetic(flat[scene].numpy())
        there, along, _ = frame.to_geodetic(receivers[scene].numpy())
        for number in range(5):
            geodesic_m = geodesic_distance_m(float(latitude), float(longitude), there[number], along[number])
            assert float(distance_m[scene, number]) == pytest.approx(geodesic_m, abs=3.0)


def test_echoes_come_later_and_weaker_within_their_ranges() -> None:
    echoes = Echoes(most=4, mean_delay_s=5e-6, loss_db=(3.0, 9.0))
    links = _links(replace(PLAIN, echoes=echoes), _layout(1000))
    assert torch.allclose(links.path_gain[..., 0].abs(), torch.ones(()))
    assert (links.path_delay_s[..., 0] == 0).all()
    assert (links.path_delay_s >= 0).all()
    amplitude = links.path_gain[..., 1:].abs()
    alive = amplitude > 0
    assert alive.sum(-1).unique().tolist() == [0, 1, 2, 3, 4]
    loss_db = -20 * amplitude[alive].log10()
    assert loss_db.min() > 2.99
    assert loss_db.max() < 9.01
    assert links.path_delay_s[..., 1:].mean() == pytest.approx(5e-6, rel=0.05)


def test_the_phase_of_an_echo_is_anything_against_the_first_path() -> None:
    links = _links(replace(PLAIN, echoes=Echoes(most=1)), _layout(2000))
    relative = links.path_gain[..., 1] * links.path_gain[..., 0].conj()
    relative = relative[relative.abs() > 0]
    assert (relative / relative.abs()).mean().abs() < 0.03


def test_the_sky_wave_arrives_after_the_ground_wave_by_one_hop() -> None:
    layout = _layout(200, 5, half_width_m=(400e3, 400e3))
    links = _links(replace(PLAIN, sky_wave=(12.0, 32.0)), layout)
    later_s = links.path_delay_s[..., 1]
    assert later_s.min() > 10e-6
    assert later_s.max() < 2 * 90e3 / SPEED_OF_LIGHT_M_S


def test_poor_ground_makes_a_wave_late_in_proportion_to_the_way() -> None:
    layout = _layout(500, 5, half_width_m=(400e3, 400e3))
    slow = replace(PLAIN, along_ground=True, ground_slowness_s_m=(1e-12, 6e-12))
    late_s = _links(slow, layout).delay_s - _links(replace(PLAIN, along_ground=True), layout).delay_s
    per_m = (
        late_s / _links(replace(PLAIN, along_ground=True, refractive_index=1.0), layout).delay_s / SPEED_OF_LIGHT_M_S
    )
    assert torch.allclose(per_m, per_m[:, :1].expand_as(per_m), rtol=1e-3)
    assert per_m.min() > 0.99e-12
    assert per_m.max() < 6.01e-12


def test_by_the_ionosphere_the_strongest_mode_comes_first_and_none_before_the_ground_wave() -> None:
    layout = _layout(300, 6, half_width_m=(300e3, 900e3))
    links = _links(replace(PLAIN, along_ground=True, ionosphere=Ionosphere()), layout)
    assert links.path_gain.abs().max() <= 1
    assert torch.allclose(links.path_gain[..., 0].abs(), torch.ones(()))
    ground_s = _links(replace(PLAIN, along_ground=True), layout).delay_s
    earliest_s = links.delay_s + links.path_delay_s.amin(-1)
    assert ((earliest_s - ground_s).abs() < 1e-9).all()
    by_sky = links.delay_s - ground_s > 20e-6
    assert by_sky.float().mean() > 0.8
    # No hop is longer than one by three F layers straight up and down.
    assert (links.delay_s - ground_s).max() < 6 * 500e3 / SPEED_OF_LIGHT_M_S
