"""From an observation to a fix: the place, what is said about it, and about every receiver."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdall.benchmark.locating_time import session
from heimdall.errors import InputError
from heimdall.fix import Status
from heimdall.locating import by_least_squares
from heimdall.locating.pipeline import locate, locate_each
from heimdall.observation import Observation, Place
from heimdall.validation.reception import vet

MakeObservation = Callable[..., Observation]
Locate = Callable[[list[Observation]], list]
METHODS = [locate, lambda observations: list(by_least_squares.locate_each(observations))]
LINE = [(50.0, 9.0), (50.0, 9.6), (50.0, 10.4), (50.0, 11.0)]


@pytest.mark.parametrize("method", METHODS)
def test_perfect_arrival_times_give_the_place(make_observation: MakeObservation, method: Locate) -> None:
    """Within a tenth of what the model allows for multipath, with regions that hold it."""
    fix = method([make_observation()])[0].fix
    assert fix.status is Status.OK
    assert fix.truth.error_m < 10
    assert fix.truth.inside_68
    assert fix.truth.inside_95
    assert max(abs(report.residual_m) for report in fix.receivers) < 20


@pytest.mark.parametrize("method", METHODS)
def test_samples_give_the_place(method: Locate) -> None:
    """Seven receivers of 8192 samples at 15 dB and 25 kHz: some tens of metres."""
    fix = method([session(7, 8192)])[0].fix
    assert fix.truth.error_m < 150
    assert all(report.used for report in fix.receivers)


@pytest.mark.parametrize("method", METHODS)
def test_answers_come_in_order_and_do_not_depend_on_the_company(
    make_observation: MakeObservation, method: Locate
) -> None:
    """Other bands have other models, and are located apart."""
    places = [Place(50.02, 10.05, 0.0), Place(49.93, 10.12, 0.0), Place(50.11, 10.0, 0.0)]
    observations = [
        make_observation(truth=place, frequency_hz=frequency_hz)
        for place, frequency_hz in zip(places, (150e6, 5e6, 400e6), strict=True)
    ]
    together = [located.fix for located in method(observations)]
    for observation, fix in zip(observations, together, strict=True):
        alone = method([observation])[0].fix
        assert fix.latitude_deg == pytest.approx(alone.latitude_deg, abs=1e-7)
        assert fix.longitude_deg == pytest.approx(alone.longitude_deg, abs=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_too_few_receivers_are_a_status_and_the_others_go_on(make_observation: MakeObservation, method: Locate) -> None:
    good = make_observation()
    flawed = tuple(replace(reception, flaw="it lies") for reception in good.receptions[1:])
    lonely = replace(good, receptions=(good.receptions[0], *flawed))
    first, second = (located.fix for located in method([lonely, good]))
    assert first.status is Status.INSUFFICIENT
    assert first.latitude_deg is None
    assert "1 usable receiver, at least 2 are needed" in first.advice
    assert [report.reason for report in first.receivers] == ["too few receivers"] + ["it lies"] * 4
    assert second.status is Status.OK


@pytest.mark.parametrize("method", METHODS)
def test_a_flagged_receiver_has_no_say(make_observation: MakeObservation, method: Locate) -> None:
    """A wrong arrival time changes nothing once its receiver is flagged, and the report says why."""
    good = make_observation()
    lying = replace(good.receptions[2], toa_s=good.receptions[2].toa_s + 1e-4, rssi_dbm=0.0, flaw="it lies")
    without = replace(good, receptions=good.receptions[:2] + good.receptions[3:])
    flagged = replace(good, receptions=(*good.receptions[:2], lying, *good.receptions[3:]))
    fix, reference = method([flagged])[0].fix, method([without])[0].fix
    assert (fix.latitude_deg, fix.longitude_deg) == (reference.latitude_deg, reference.longitude_deg)
    assert (fix.receivers[2].used, fix.receivers[2].reason) == (False, "it lies")


def test_receivers_on_a_line_are_ambiguous_across_it(make_observation: MakeObservation) -> None:
    fix = locate([make_observation(places=LINE, truth=Place(50.3, 10.1, 0.0))])[0].fix
    assert fix.status is Status.AMBIGUOUS
    assert "another place is nearly as likely" in fix.advice or "on a line" in fix.advice
    assert fix.truth.inside_95


def test_receivers_on_a_line_are_named_where_only_one_place_is_left(make_observation: MakeObservation) -> None:
    fix = locate([make_observation(places=LINE, truth=Place(50.0, 10.1, 0.0))])[0].fix
    assert fix.status is Status.AMBIGUOUS
    assert "on a line" in fix.advice


def test_without_clocks_power_has_to_do_and_the_fix_says_so(make_observation: MakeObservation) -> None:
    fix = locate([make_observation(clock_sigma_s=None)])[0].fix
    assert fix.status in (Status.POWER_ONLY, Status.AMBIGUOUS)
    assert all(report.reason == "no clock: power only" for report in fix.receivers)
    assert all(report.residual_m is None for report in fix.receivers)
    assert fix.truth.inside_95


def test_clocks_that_are_too_bad_for_the_area_are_named(make_observation: MakeObservation) -> None:
    fix = locate([make_observation(clock_sigma_s=5e-3)])[0].fix
    assert all("clock of 0.005 s is too poor for an area" in str(report.reason) for report in fix.receivers)


@pytest.mark.parametrize("clock_sigma_s", [None, 5e-3])
def test_clocks_that_say_nothing_and_no_power_give_no_place(
    make_observation: MakeObservation, clock_sigma_s: float | None
) -> None:
    """A place would be read from the prior alone."""
    timed = make_observation(clock_sigma_s=clock_sigma_s)
    receptions = tuple(replace(reception, rssi_dbm=None) for reception in timed.receptions)
    fix = locate([replace(timed, receptions=receptions)])[0].fix
    assert fix.status is Status.INSUFFICIENT
    assert (fix.latitude_deg, fix.region_68, fix.region_95) == (None, None, None)
    assert "the position cannot be determined" in fix.advice
    assert all(not report.used and report.reason for report in fix.receivers)


@pytest.mark.parametrize("seed", range(3))
def test_noise_gives_no_place(seed: int) -> None:
    loud = session(6, 4096, seed=seed)
    rng = np.random.default_rng(seed)
    receptions = []
    for reception in loud.receptions:
        noise = rng.standard_normal((4096, 2)).astype(np.float32)
        receptions.append(replace(reception, samples=noise.view(np.complex64)[:, 0]))
    fix = locate([replace(loud, receptions=tuple(receptions))])[0].fix
    assert fix.status is Status.INSUFFICIENT
    assert fix.latitude_deg is None


def test_two_receivers_give_an_answer_and_no_certainty(make_observation: MakeObservation) -> None:
    fix = locate([make_observation(places=[(50.2, 10.1), (49.8, 10.3)])])[0].fix
    assert fix.status is Status.AMBIGUOUS
    assert fix.advice
    assert fix.truth.inside_95


@pytest.mark.parametrize("truth", [Place(50.95, 12.2, 0.0), Place(50.0, 11.5, 0.0), Place(48.6, 9.0, 0.0)])
def test_good_clocks_place_a_transmitter_far_outside(make_observation: MakeObservation, truth: Place) -> None:
    """100 to 180 km from receivers that stand within 40 km: the bend of the wave front tells the distance."""
    fix = locate([make_observation(truth=truth)])[0].fix
    assert fix.truth.error_m < 15_000
    assert fix.truth.inside_95


def test_power_alone_leaves_the_distance_open_and_says_which_way(make_observation: MakeObservation) -> None:
    fix = locate([make_observation(truth=Place(50.95, 12.2, 0.0), clock_sigma_s=None)])[0].fix
    assert fix.status is Status.AMBIGUOUS
    assert "the transmitter may be far beyond the regions, to the north-east" in fix.advice
    assert "km away" in fix.advice


def test_a_late_arrival_is_outvoted(make_observation: MakeObservation) -> None:
    """One receiver of five behind a hill, 20 us late: still within a kilometre, and its residual shows it."""
    good = make_observation()
    late = replace(good.receptions[0], toa_s=good.receptions[0].toa_s + 20e-6)
    fix = locate([replace(good, receptions=(late, *good.receptions[1:]))])[0].fix
    assert fix.truth.error_m < 1000
    assert fix.receivers[0].residual_m == pytest.approx(6000, rel=0.1)


def test_the_time_a_fix_took_is_told(make_observation: MakeObservation) -> None:
    assert all(located.fix.elapsed_ms > 0 for located in locate_each([make_observation()] * 2))


def test_a_fix_is_the_same_anywhere_on_earth(make_observation: MakeObservation) -> None:
    """Across the date line and far north the error of perfect arrival times stays within metres."""
    offsets = [(0.2, 0.1), (-0.2, 0.3), (0.1, -0.4), (-0.1, -0.3), (0.3, 0.6)]
    for latitude, longitude in ((0.0, 179.95), (78.0, 15.0), (-45.0, -179.9)):
        stretch = 1 / math.cos(math.radians(latitude))
        places = [(latitude + north, (longitude + east * stretch + 180) % 360 - 180) for north, east in offsets]
        truth = Place(latitude + 0.02, (longitude + 0.05 * stretch + 180) % 360 - 180, 0.0)
        fix = locate([make_observation(places=places, truth=truth)])[0].fix
        assert fix.truth.error_m < 15
        assert fix.truth.inside_95


def test_covariance_is_that_of_the_posterior(make_observation: MakeObservation) -> None:
    fix = locate([make_observation()])[0].fix
    covariance = fix.covariance_enu_m2
    assert np.all(np.linalg.eigvalsh(covariance[:2, :2]) > 0)
    assert np.all(covariance[2] == 0)
    # Multipath of 75 m a link at five receivers round about.
    assert 30 < math.sqrt(np.trace(covariance)) < 300


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_finite_number_ends_in_an_internal_error(make_observation: MakeObservation, data: st.DataObject) -> None:
    """Any finite figure in any measurement is flagged, used or refused with one line."""
    receptions = list(make_observation().receptions)
    number = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([1e200, -1e200, 1e-300, 1e30, 0.0])
    for index in data.draw(st.sets(st.integers(0, len(receptions) - 1), min_size=1, max_size=2)):
        each = receptions[index]
        name = data.draw(st.sampled_from(["toa_s", "rssi_dbm", "rssi_sigma_db", "clock", "height", "longitude"]))
        value = data.draw(number)
        receiver = {"clock": "clock_sigma_s", "height": "height_m", "longitude": "longitude_deg"}.get(name)
        if receiver is None:
            receptions[index] = replace(each, **{name: value})
        else:
            receptions[index] = replace(each, receiver=replace(each.receiver, **{receiver: value}))
    with contextlib.suppress(InputError):
        (located,) = locate([vet(replace(make_observation(), receptions=tuple(receptions)))])
        assert located.fix.status in Status
