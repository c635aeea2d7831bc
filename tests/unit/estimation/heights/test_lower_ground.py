"""Ground below the receivers: sites on mountains, a transmitter in the valley, its height not told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pymap3d
import pytest

from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.estimation.heights.height import concluded
from heimdall.estimation.heights.lower_ground import LEAST_DEPTH_M, lower_ground
from heimdall.evaluation.comparison import needed_mass
from heimdall.evidence.collect import collect
from heimdall.fix import Status
from heimdall.locating.located import Located
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Place, Receiver, Reception

CLOCK_SIGMA_S, ECHO_SIGMA_S = 30e-9, 50e-9
Span = tuple[float, float]
SUMMITS_M: Span = (800.0, 1200.0)


def _heard(count: int, half_m: float, sites_m: Span, ground_m: Span, seed: int) -> Observation:
    """Receivers all around in a square, the transmitter somewhere in its middle half, every link in line of sight."""
    chance = np.random.default_rng(seed)
    bearing = (np.arange(count) + chance.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
    away_m = half_m * chance.uniform(0.5, 1.0, count)
    sites = [
        pymap3d.enu2geodetic(e, n, 0.0, 46.5, 11.0, 0.0)[:2]
        for e, n in zip(away_m * np.sin(bearing), away_m * np.cos(bearing), strict=True)
    ]
    latitude, longitude, _ = pymap3d.enu2geodetic(*chance.uniform(-half_m / 2, half_m / 2, 2), 0.0, 46.5, 11.0, 0.0)
    place = Place(float(latitude), float(longitude), float(chance.uniform(*ground_m)))
    receptions = []
    for index, (north, east) in enumerate(sites):
        receiver = Receiver(f"R{index}", float(north), float(east), float(chance.uniform(*sites_m)), CLOCK_SIGMA_S)
        ends = (pymap3d.geodetic2ecef(p.latitude_deg, p.longitude_deg, p.height_m) for p in (receiver, place))
        distance_m = float(np.linalg.norm(np.subtract(*(np.array(end) for end in ends))))
        late_s = chance.normal(0.0, np.hypot(CLOCK_SIGMA_S, ECHO_SIGMA_S))
        toa_s = distance_m * REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S + late_s
        receptions.append(Reception(receiver, toa_s=float(toa_s)))
    return Observation(f"{seed}", 868e6, 1e6, tuple(receptions), truth=place)


def _held(located: list[Located], mass: float) -> int:
    """How many regions of that mass have the true place."""
    pairs = [(each.posterior, each.collected) for each in located]
    needed = [
        needed_mass(p, c.observation.truth) for p, c in pairs if c is not None and c.observation.truth is not None
    ]
    return int(np.sum(np.array(needed) < mass))


VALLEYS = [
    (4, 3e3, SUMMITS_M, (0.0, 100.0)),
    (6, 3e3, SUMMITS_M, (0.0, 100.0)),
    (6, 3e3, SUMMITS_M, (500.0, 800.0)),
    (5, 8e3, (1500.0, 2500.0), (300.0, 700.0)),
    (8, 5e3, SUMMITS_M, (0.0, 100.0)),
]


@pytest.fixture(scope="module")
def valleys() -> list[list[Located]]:
    """40 scenes of each kind."""
    return [locate([_heard(*kind, seed) for seed in range(40)]) for kind in VALLEYS]


@pytest.mark.parametrize("kind", range(len(VALLEYS)))
def test_regions_hold_a_transmitter_in_the_valley(kind: int, valleys: list[list[Located]]) -> None:
    """95 % of them do.

    Where the ground is taken to be as high as the receivers, those of six receivers around a deep valley hold 24 of 40.
    """
    assert _held(valleys[kind], 0.95) >= 37
    sure_of_the_air = [each for each in valleys[kind] if "not on the ground" in each.fix.advice]
    assert len(sure_of_the_air) <= 2


def test_receivers_round_a_valley_are_not_said_to_contradict_each_other(valleys: list[list[Located]]) -> None:
    """In at most three of a hundred scenes; misfits of a probability below 2 % are contradictions."""
    fixes = [each.fix for located in valleys for each in located]
    assert sum(fix.status is Status.INCONSISTENT for fix in fixes) <= 0.03 * len(fixes)


def test_a_plain_stays_as_precise() -> None:
    """600 m above the sea with sites that differ by 30 m: places nearly as good as with the height given, regions that hold."""
    heard = [_heard(6, 3e3, (590.0, 620.0), (580.0, 600.0), seed) for seed in range(40)]
    unknown, given = locate(heard), locate([replace(each, transmitter_height_m=600.0) for each in heard])
    errors = [[each.fix.truth.error_m for each in fixes if each.fix.truth is not None] for fixes in (unknown, given)]
    assert np.median(errors[0]) < 1.3 * np.median(errors[1])
    assert _held(unknown, 0.95) >= 37


def test_the_law_follows_the_sites() -> None:
    """A wider spread of heights means deeper valleys; half of all ground is above the median depth, none below the sea."""
    plain, summits = (
        lower_ground(collect(_heard(6, 3e3, heights_m, (0.0, 10.0), 1)).evidence)
        for heights_m in ((999.0, 1001.0), SUMMITS_M)
    )
    assert plain.median_m[0] == pytest.approx(LEAST_DEPTH_M, rel=0.01)
    assert summits.median_m[0] > 2 * plain.median_m[0]
    assert summits.share[0] > plain.share[0] > 0
    assert summits.deepest_m[0] == pytest.approx(1000.0, abs=150.0)
    edge_BE = np.geomspace([LEAST_DEPTH_M], summits.deepest_m, 9, axis=1)
    assert summits.prior(edge_BE).sum() == pytest.approx(1.0)
    law = replace(summits, median_m=np.array([300.0]), deepest_m=np.array([1e9]))
    assert law.prior(np.array([[1e-9, 300.0, 1e9]]))[0] == pytest.approx([0.5, 0.5], abs=1e-6)


def test_low_sites_have_no_lower_ground() -> None:
    """There is only the sea below receivers on a coast."""
    assert lower_ground(collect(_heard(6, 3e3, (5.0, 60.0), (0.0, 10.0), 1)).evidence).share[0] == 0


@pytest.mark.parametrize(
    ("share", "height_m", "words"),
    [
        ([0.02, 0.03, 0.95], 2000.0, "on the ground"),
        ([0.6, 0.38, 0.02], 1000.0, ""),
        ([0.01, 0.59, 0.4], 100.0, "undetermined: on ground below the receivers, at 0.1 km, or up to 2.0 km"),
        ([0.5, 0.1, 0.4], 1000.0, "undetermined: on the ground, or up to 2.0 km"),
        ([0.02, 0.97, 0.01], 100.0, "fit a transmitter at 0.1 ± 0.2 km, on ground below the receivers"),
    ],
)
def test_advice_says_on_which_side_the_height_is(share: list[float], height_m: float, words: str) -> None:
    """The ground is the answer where it is likelier than the air; lower ground by good odds alone."""
    height = concluded(np.array([0.0, -900.0, 1000.0]), np.array(share), 1000.0, 100.0)
    assert height.height_m == pytest.approx(height_m, abs=50)
    assert words in height.advice
