"""Locating is bounded: so many side by side, so many waiting, so many a minute; and what is too late is refused."""

from __future__ import annotations

import threading
import time

import pytest

from heimdall.errors import InputError, TooLargeError
from heimdall.files.artifacts import open_artifacts
from heimdall.formats.readers.measurements import read_measurements
from heimdall.locating import Method
from heimdall.locating.method import locate_each
from heimdall.service import concurrent_locating
from heimdall.service.concurrent_locating import Deadline, Locator
from heimdall.service.database.tables import Alias
from heimdall.service.errors import BusyError, TooOftenError, UnknownError
from heimdall.service.models import registry
from heimdall.service.models.model_cache import CHAMPION, ModelCache
from heimdall.service.rate_limit import RateLimit
from heimdall.service.receivers import registered
from heimdall.service.receivers.registered import Correction, ReceiverFields
from heimdall.service.transmitters import listed
from heimdall.transmitter import KnownTransmitter

from .observed import RECEIVERS, TRUTH, table


@pytest.fixture
def locator(settings, store):
    artifacts = open_artifacts(settings.artifact_address)
    few = settings.model_copy(update={"locate_slots": 1, "locate_queue": 2})
    made = Locator(few, store, ModelCache(artifacts, settings.home / "warm"))
    yield made
    made.close()


@pytest.fixture
def imported(settings, store, make_bundle):
    path = make_bundle()
    bundle = registry.check_bundle(path)
    model = registry.import_bundle(store, open_artifacts(settings.artifact_address), path, bundle, created_by="test")
    with store.writing() as session:
        session.add(Alias(name=CHAMPION, model_id=model.id, moved_by="test", reason={}))
    return model


def observations(**values):
    return read_measurements("m", table(**values))


def test_beyond_slots_and_queue_it_says_come_back(locator):
    gate = threading.Event()
    running = [locator.run(gate.wait) for _ in range(3)]
    with pytest.raises(BusyError) as caught:
        locator.run(gate.wait)
    assert caught.value.retry_after_s > 0
    gate.set()
    assert all(future.result(10) for future in running)
    assert locator.run(lambda: 7).result(10) == 7


def test_work_whose_time_is_over_is_not_begun(locator):
    gate, begun = threading.Event(), []
    blocked = locator.run(gate.wait)
    late = locator.run(lambda: begun.append(1), Deadline(0.0))
    gate.set()
    blocked.result(10)
    with pytest.raises(BusyError, match="longer than a request may"):
        late.result(10)
    assert begun == []


def test_an_error_of_the_work_is_its_own_and_frees_its_place(locator):
    def fail():
        raise InputError("wrong")

    for _ in range(5):
        with pytest.raises(InputError, match="wrong"):
            locator.run(fail).result(10)
    assert locator.waiting == 0


def test_without_a_champion_the_likelihood_locates(locator):
    answer = locator.locate(observations())
    assert answer.model is None
    assert answer.fixes[0].method == "likelihood"
    assert answer.fixes[0].latitude_deg == pytest.approx(TRUTH[0], abs=1e-3)
    with pytest.raises(InputError, match="no model is champion"):
        locator.locate(observations(), Method.LEARNED)


def test_the_champion_is_asked_and_stays_loaded(locator, imported, monkeypatch):
    first = locator.locate(observations(), Method.LEARNED)
    monkeypatch.setattr(ModelCache, "_load", lambda *_: pytest.fail("loaded twice"))
    second = locator.locate(observations(), Method.LEARNED, imported.id)
    assert first.model.id == second.model.id == imported.id
    assert {fix.method for fix in (*first.fixes, *second.fixes)} == {"hybrid"}
    assert first.fixes[0].latitude_deg == pytest.approx(TRUTH[0], abs=2e-3)
    assert locator.locate(observations(), Method.LIKELIHOOD).model is None


def test_a_model_that_is_not_there_is_unknown(locator):
    with pytest.raises(UnknownError):
        locator.locate(observations(), Method.AUTO, "f" * 16)


def test_a_registered_correction_is_applied(locator, store):
    late = {"A": 5e-6}
    place = dict(zip(("latitude_deg", "longitude_deg"), RECEIVERS["A"], strict=True))
    before = locator.locate(observations(late_s=late, truth=TRUTH)).fixes[0].truth.error_m
    with store.writing() as session:
        registered.add(
            session, ReceiverFields(name="A", **place, correction=Correction(delay_s=5e-6, delay_sigma_s=1e-8))
        )
    after = locator.locate(observations(late_s=late, truth=TRUTH)).fixes[0].truth.error_m
    assert after < 20 < before


def test_a_fix_names_the_known_transmitter_that_it_may_well_be(locator, store):
    assert locator.locate(observations()).fixes[0].near is None
    place = {"latitude_deg": TRUTH[0], "longitude_deg": TRUTH[1]}
    with store.writing() as session:
        for name, frequency_hz in (("Mast", 150e6), ("Other channel", 151e6)):
            listed.add(session, KnownTransmitter(name=name, frequency_hz=frequency_hz, **place), "me")
    fix = locator.locate(observations()).fixes[0]
    assert fix.near.name == "Mast"
    assert fix.to_json()["near"]["distance_m"] < 100


@pytest.mark.parametrize("suffix", [".json", ".geojson", ".kml", ".cot", ".html", ".png"])
def test_an_answer_is_written_in_every_form(locator, suffix):
    assert len(locator.locate(observations()).to_bytes(suffix)) > 300


def test_so_many_a_minute_for_each():
    now = [0.0]
    rate = RateLimit(2, lambda: now[0])
    rate.check("a")
    now[0] = 10.0
    rate.check("a")
    rate.check("b")
    with pytest.raises(TooOftenError) as caught:
        rate.check("a")
    assert caught.value.retry_after_s == pytest.approx(50.0)
    now[0] = 60.5
    rate.check("a")


def test_work_that_nobody_waits_for_ends_at_the_next_observation_and_frees_its_slot(locator, monkeypatch):
    deadline, seen = Deadline(60.0), []

    def slow(portion, *way):
        seen.append(len(portion))
        deadline.abandon()
        return locate_each(portion, *way)

    monkeypatch.setattr(concurrent_locating, "locate_each", slow)
    work = locator.run(lambda: locator.locate(observations(count=100), deadline=deadline), deadline)
    with pytest.raises(BusyError, match="no longer waits"):
        work.result(60)
    assert seen == [32]
    assert locator.waiting == 0


def test_more_observations_than_a_request_may_have_are_refused_before_any_is_located(locator, monkeypatch):
    few = locator._settings.model_copy(update={"locate_observations": 3})
    monkeypatch.setattr(locator, "_settings", few)
    monkeypatch.setattr(concurrent_locating, "locate_each", lambda *_: pytest.fail("located"))
    with pytest.raises(TooLargeError, match="heimdall locate"):
        locator.locate(observations(count=4))


def test_one_observation_of_more_receivers_than_can_be_located_in_time_is_refused(locator, monkeypatch):
    few = locator._settings.model_copy(update={"locate_receivers": 3})
    monkeypatch.setattr(locator, "_settings", few)
    monkeypatch.setattr(concurrent_locating, "locate_each", lambda *_: pytest.fail("located"))
    with pytest.raises(TooLargeError, match="m0: 4 receivers are more than the 3"):
        locator.locate(observations())


def test_a_deadline_is_looked_at_as_often_as_there_are_many_receivers(locator, monkeypatch):
    monkeypatch.setattr(concurrent_locating, "_PORTION_RECEPTIONS", 10)
    seen = []

    def watched(portion, *way):
        seen.append(len(portion))
        return locate_each(portion, *way)

    monkeypatch.setattr(concurrent_locating, "locate_each", watched)
    locator.locate(observations(count=7))
    assert seen == [3, 3, 1]


def test_requests_at_the_same_time_share_a_helper_and_get_the_same_fixes(locator, imported):
    """The helper is of use once it has started; until then, and while it is busy, a request is located here."""
    beside, start = [], locator._helper.start

    def watched(work, item):
        future = start(work, item)
        beside.append(future is not None)
        return future

    locator._helper.start = watched
    alone = locator.locate(observations(), Method.LEARNED).fixes[0]
    assert beside == []
    locator._waiting += 2
    end = time.monotonic() + 60
    while not any(beside):
        assert time.monotonic() < end
        answer = locator.locate(observations(), Method.LEARNED)
        time.sleep(0.05)
    locator._waiting -= 2
    fix = answer.fixes[0]
    assert (fix.latitude_deg, fix.longitude_deg) == (alone.latitude_deg, alone.longitude_deg)
    assert answer.to_bytes(".geojson")
