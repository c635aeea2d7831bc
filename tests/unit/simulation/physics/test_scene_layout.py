"""Where receivers and transmitters are."""

import math

import torch
from scipy.spatial import Delaunay

from heimdall.geometry import LocalFrame
from heimdall.simulation.physics.scene_layout import Area, inside_hull, place
from heimdall.simulation.random_streams import Chance, stream


def _place(area: Area, scenes: int = 400, receivers: int = 6):
    return place(area, scenes, receivers, Chance(stream(0, 0), "cpu"))


def test_inside_the_hull_agrees_with_a_triangulation() -> None:
    generator = torch.Generator().manual_seed(1)
    receivers = torch.rand(1, 7, 2, generator=generator)
    places = torch.rand(1, 500, 2, generator=generator) * 1.4 - 0.2
    present = torch.tensor([[True, True, True, True, True, False, True]])
    slow = Delaunay(receivers[0, present[0]].numpy()).find_simplex(places[0].numpy()) >= 0
    assert inside_hull(places, receivers, present)[0].tolist() == slow.tolist()
    assert 0 < slow.sum() < 500


def test_the_label_inside_says_what_the_hull_says() -> None:
    layout = _place(Area(missing_probability=0.3))
    found = inside_hull(layout.transmitter_enu_m[:, None, :2], layout.receiver_enu_m[..., :2], layout.present)[:, 0]
    assert torch.equal(found, layout.inside)


def test_the_share_of_transmitters_inside_is_the_drawn_probability() -> None:
    assert abs(_place(Area(), 4000).inside.float().mean() - 0.7) < 0.03


def test_three_receivers_always_stay() -> None:
    layout = _place(Area(missing_probability=0.9))
    assert (layout.present.sum(1) >= 3).all()
    assert (layout.present.sum(1) == 3).any()


def test_receivers_keep_to_their_square_and_transmitters_to_theirs() -> None:
    layout = _place(Area(half_width_m=(2e3, 3e3), reach=1.2))
    half = layout.half_width_m[:, None]
    assert ((layout.half_width_m >= 2e3) & (layout.half_width_m <= 3e3)).all()
    assert (layout.receiver_enu_m[..., :2].abs().amax(-1) <= half).all()
    assert (layout.transmitter_enu_m[:, :2].abs() <= 1.2 * half).all()


def test_heights_are_above_the_curved_earth() -> None:
    layout = _place(Area(half_width_m=(200e3, 200e3), receiver_height_m=(50.0, 60.0)), scenes=20)
    for scene in range(20):
        frame = LocalFrame(float(layout.latitude_deg[scene]), float(layout.longitude_deg[scene]))
        _, _, height_m = frame.to_geodetic(layout.receiver_enu_m[scene].numpy())
        assert (height_m > 48).all()
        assert (height_m < 62).all()
        assert math.isclose(frame.curvature_per_m[0], float(layout.curvature_per_m[scene, 0]), rel_tol=1e-6)
        assert math.isclose(frame.curvature_per_m[1], float(layout.curvature_per_m[scene, 1]), rel_tol=1e-6)
