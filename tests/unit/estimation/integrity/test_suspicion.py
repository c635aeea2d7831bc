"""What is mistaken of several receivers is told apart from a fault of one, and undone on trial."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from heimdall.constants import REFRACTIVE_INDEX_AIR, SPEED_OF_LIGHT_M_S
from heimdall.estimation.integrity.exchanged_receivers import best_exchange
from heimdall.estimation.integrity.misplacement import corrections, from_minutes
from heimdall.estimation.model import model_of
from heimdall.evidence.collect import collect
from heimdall.fix import Fix, Status
from heimdall.geometry import LocalFrame
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Receiver, Reception

Mistake = Callable[[list[Reception]], list[Reception]]


def _scene(
    seed: int, heights_m: tuple[float, float] = (300.0, 700.0), count: int = 6
) -> tuple[list[Reception], tuple[float, float]]:
    """Receivers in 60 km with clocks of 100 ns and the transmitter among them, all in line of sight."""
    rng = np.random.default_rng(seed)
    frame = LocalFrame(48.1, 11.5)
    flat_m = np.vstack([rng.uniform(-30e3, 30e3, (count, 2)), rng.uniform(-15e3, 15e3, (1, 2))])
    latitude, longitude, _ = frame.to_geodetic(np.column_stack([flat_m, np.zeros(count + 1)]))
    height_m = np.append(rng.uniform(*heights_m, count), np.mean(heights_m))
    place_m = frame.to_enu(latitude, longitude, height_m)
    distance_m = np.linalg.norm(place_m[:count] - place_m[count], axis=1)
    toa_s = distance_m * REFRACTIVE_INDEX_AIR / SPEED_OF_LIGHT_M_S + rng.normal(0, 1e-7, count)
    receptions = [
        Reception(Receiver(f"R{i}", latitude[i], longitude[i], height_m[i], 1e-7), toa_s=float(toa_s[i]))
        for i in range(count)
    ]
    return receptions, (float(latitude[count]), float(longitude[count]))


def _fix(receptions: list[Reception]) -> Fix:
    return locate([Observation("x", 150e6, 1e6, tuple(receptions))])[0].fix


def _replaced(reception: Reception, **changes: float) -> Reception:
    return replace(reception, receiver=replace(reception.receiver, **changes))


def _exchanged(receptions: list[Reception]) -> list[Reception]:
    first, second, *rest = receptions
    a, b = first.receiver, second.receiver
    return [
        _replaced(first, latitude_deg=b.latitude_deg, longitude_deg=b.longitude_deg, height_m=b.height_m),
        _replaced(second, latitude_deg=a.latitude_deg, longitude_deg=a.longitude_deg, height_m=a.height_m),
        *rest,
    ]


def _swapped(receptions: list[Reception]) -> list[Reception]:
    return [
        _replaced(each, latitude_deg=each.receiver.longitude_deg, longitude_deg=each.receiver.latitude_deg)
        for each in receptions
    ]


def _in_radians(receptions: list[Reception]) -> list[Reception]:
    return [
        _replaced(
            each,
            latitude_deg=math.radians(each.receiver.latitude_deg),
            longitude_deg=math.radians(each.receiver.longitude_deg),
        )
        for each in receptions
    ]


def _with_minutes(each: Reception) -> Reception:
    """48.1234 degrees north as 48.07404: 48 degrees and 7.404 minutes."""
    degrees = each.receiver.latitude_deg, each.receiver.longitude_deg
    latitude, longitude = (math.trunc(value) + 0.6 * math.modf(value)[0] for value in degrees)
    return _replaced(each, latitude_deg=latitude, longitude_deg=longitude)


def _all_with_minutes(receptions: list[Reception]) -> list[Reception]:
    return [_with_minutes(each) for each in receptions]


def _backwards(receptions: list[Reception]) -> list[Reception]:
    return [replace(each, toa_s=-(each.toa_s or 0.0)) for each in receptions]


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (_exchanged, "with the places of R0 and R1 exchanged everything fits (ok"),
        (_swapped, "with latitude and longitude of all receivers swapped everything fits (ok"),
        (_in_radians, "with the positions of all receivers taken as radians everything fits (ok"),
        (_all_with_minutes, "(47.30 as 47\N{DEGREE SIGN} 30') everything fits (ok"),
        (_backwards, "with the sign of all arrival times changed everything fits (ok"),
    ],
)
def test_a_mistake_of_several_receivers_is_named(mistake: Mistake, words: str) -> None:
    """Most of the time; a scene that happens to fit nearly as it is keeps its fix."""
    named = 0
    for seed in range(6):
        receptions, _ = _scene(seed)
        assert _fix(receptions).status is Status.OK
        fix = _fix(mistake(receptions))
        if fix.status is Status.INCONSISTENT:
            named += words in fix.advice
    assert named >= 5


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ((-33.27, -70.4), (-33.45, -70 - 2 / 3)),
        ((47.0, 8.0), (47.0, 8.0)),
        ((-0.45, 0.0959), (-0.75, 9.59 / 60)),
        ((47.6, 8.1), None),
    ],
)
def test_minutes_behind_the_point_in_all_quarters(
    written: tuple[float, float], meant: tuple[float, float] | None
) -> None:
    found = from_minutes(Receiver("R", *written, 0.0))
    assert (found and (found.latitude_deg, found.longitude_deg)) == (meant and pytest.approx(meant))


def test_suspects_without_arrival_times_are_not_exchanged() -> None:
    """Levels alone may make all the suspects."""
    receptions, _ = _scene(0, count=24)
    mixed = [*receptions[:14], *(replace(each, toa_s=None, rssi_dbm=-90.0) for each in receptions[14:])]
    collected = collect(Observation("x", 150e6, 1e6, tuple(mixed)))
    pair = best_exchange(collected.evidence, model_of(collected), range(14, 22))
    assert {pair.first, pair.second} <= set(range(14))


def test_a_position_with_minutes_behind_its_point_is_named() -> None:
    named = 0
    for seed in range(6):
        receptions, _ = _scene(seed)
        fix = _fix([_with_minutes(receptions[0]), *receptions[1:]])
        assert fix.status is Status.INCONSISTENT
        named += "R0 most of all: with its position taken as degrees and minutes" in fix.advice
    assert named >= 5


def test_without_two_that_were_exchanged_the_others_locate() -> None:
    receptions, _ = _scene(0)
    fix = _fix(_exchanged(receptions))
    assert fix.without is not None
    assert fix.without.receiver == "R0 and R1"
    assert "Without R0 and R1: " in fix.advice


@pytest.mark.parametrize(("late_s", "bad"), [(-20e-6, 3), (50e-6, 2)])
def test_one_wrong_clock_is_no_mistake_of_several(late_s: float, bad: int) -> None:
    for seed in range(3):
        receptions, _ = _scene(seed)
        receptions[bad] = replace(receptions[bad], toa_s=(receptions[bad].toa_s or 0.0) + late_s)
        assert "everything fits" not in _fix(receptions).advice


@pytest.mark.parametrize(
    ("height_m", "words"),
    [
        (5000.0, "with its height in feet (1524 m)"),
        (1.5, "with its height in kilometres (1500 m)"),
        (1400.0, ""),
        (0.0, "at the others' height of 1550 m instead of 0"),
    ],
)
def test_heights_in_other_units_are_put_right_where_that_brings_them_to_the_others(height_m: float, words: str) -> None:
    others = [Receiver(f"R{index}", 46.0, 8.0, 1500.0 + 50 * index) for index in range(3)]
    found = [each.words for each in corrections(Receiver("x", 46.1, 8.1, height_m), others)]
    assert [each for each in found if "height" in each] == ([words] if words else [])


@pytest.mark.parametrize(
    ("receivers", "late", "offset_s", "least_named"),
    [
        (8, 3, 20e-6, 0.7),
        (8, 4, -100e-6, 0.7),
        (10, 5, 10e-6, 0.7),
        (9, 2, 18.0, 0.9),
        (8, 0, 0.0, 0.0),
        (8, 1, 20e-6, 0.0),
    ],
)
def test_two_groups_with_clocks_of_their_own_are_told_apart(
    receivers: int, late: int, offset_s: float, least_named: float
) -> None:
    """By their smaller group or, of halves, by either. A single clock is no group."""
    named = wrongly = 0
    for seed in range(12):
        receptions, _ = _scene(seed, count=receivers)
        apart = set(np.random.default_rng(seed).choice(receivers, late, replace=False).tolist())
        fix = _fix([_late(each, offset_s * (index in apart)) for index, each in enumerate(receptions)])
        found = re.search(r"with (.*) (?:all|both) .* the others everything fits \((\w+)", fix.advice)
        if found is None:
            continue
        group = {int(each) for each in re.findall(r"R(\d+)", found[1])}
        right = group == apart or (2 * late == receivers and group == set(range(receivers)) - apart)
        named, wrongly = named + right, wrongly + (not right)
    print(f"{late} of {receivers} by {offset_s:g} s: named {named}, wrongly {wrongly} of 12")
    assert named >= least_named * 12
    assert wrongly <= 1


def _late(reception: Reception, late_s: float) -> Reception:
    assert reception.toa_s is not None
    return replace(reception, toa_s=reception.toa_s + late_s)
