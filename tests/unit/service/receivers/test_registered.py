"""Registered receivers lend their place to recordings without one, and their corrections come off what they recorded."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from heimdall.formats.readers.measurements import read_measurements
from heimdall.formats.writers.geojson import features_of
from heimdall.formats.writers.page import html
from heimdall.locating.pipeline import locate
from heimdall.observation import Reception
from heimdall.service.errors import ConflictError, UnknownError
from heimdall.service.receivers import registered as rows
from heimdall.service.receivers.registered import Correction, ReceiverFields, RegisteredReceivers
from heimdall.validation.reception import vet

from ..observed import table

HERE = ReceiverFields(name="A", latitude_deg=50.2, longitude_deg=10.1, height_m=5.0)


@pytest.fixture
def registered(store):
    def make(**values):
        with store.writing() as session:
            return rows.add(session, HERE.model_copy(update=values))

    return make


def observation():
    return read_measurements("m", table())[0]


def first(observation) -> Reception:
    return observation.receptions[0]


def test_a_name_is_registered_once(registered, store):
    row = registered()
    with pytest.raises(ConflictError, match="A is registered"):
        registered()
    with store.writing() as session:
        assert rows.change(session, row.id, HERE.model_copy(update={"note": "mast"})).note == "mast"
        rows.delete(session, row.id)
        with pytest.raises(UnknownError):
            rows.get(session, row.id)


def test_import_adds_and_replaces_what_export_wrote(registered, store):
    registered(note="before")
    new = HERE.model_copy(update={"name": "B", "correction": Correction(delay_s=1e-6, delay_sigma_s=1e-8)})
    listed = RegisteredReceivers(receivers=[HERE.model_copy(update={"note": "after"}), new])
    with store.writing() as session:
        assert rows.import_all(session, listed) == 2
    with store.reading() as session:
        assert [rows.fields_of(row) for row in rows.find(session)] == listed.receivers


def test_without_registered_receivers_nothing_changes():
    before = observation()
    assert rows.corrected([before], []) == [before]


def test_a_delay_comes_off_the_time_and_its_uncertainty_is_added(registered):
    row = registered(correction=Correction(delay_s=2e-6, delay_sigma_s=1.2e-7))
    before = observation()
    (after,) = rows.corrected([before], [row])
    assert first(after).toa_s == pytest.approx(first(before).toa_s - 2e-6)
    assert first(after).receiver.clock_sigma_s == pytest.approx(math.hypot(5e-8, 1.2e-7))
    assert [each.toa_s for each in after.receptions[1:]] == [each.toa_s for each in before.receptions[1:]]


def test_a_level_bias_comes_off_powers_and_samples_alike(registered):
    row = registered(correction=Correction(level_bias_db=6.0, level_bias_sigma_db=0.5))
    heard = replace(
        first(observation()), rssi_dbm=-80.0, samples=np.ones(100, np.complex64) * (1 + 1j), sample_rate_hz=1e4
    )
    before = replace(observation(), receptions=(heard, *observation().receptions[1:]))
    after = first(rows.corrected([before], [row])[0])
    assert after.rssi_dbm == pytest.approx(-86.0)
    assert 10 * np.log10(np.mean(np.abs(after.samples) ** 2) / 2) == pytest.approx(-6.0, abs=1e-4)
    assert after.samples.dtype == np.complex64
    assert after.receiver.level_sigma_db == 0.5


def test_a_recording_without_a_place_gets_the_registered_one(registered):
    row = registered()
    lost = replace(first(observation()).receiver, latitude_deg=math.nan, longitude_deg=math.nan)
    flawed = replace(first(observation()), receiver=lost, flaw="no position: write it into A.txt")
    before = replace(observation(), receptions=(flawed, *observation().receptions[1:]))
    after = first(rows.corrected([before], [row])[0])
    assert (after.receiver.latitude_deg, after.receiver.longitude_deg, after.flaw) == (50.2, 10.1, None)


@pytest.mark.parametrize("place", [(math.nan, math.nan), (0.0, 0.0), (95.0, 8.0)])
def test_a_registered_place_answers_what_vetting_found_wrong(registered, place):
    """A position that is missing, (0, 0) or off the globe is flagged when it is read; the registered one replaces it."""
    lost = replace(first(observation()).receiver, latitude_deg=place[0], longitude_deg=place[1])
    read = vet(
        replace(observation(), receptions=(replace(first(observation()), receiver=lost), *observation().receptions[1:]))
    )
    assert first(read).flaw is not None
    after = first(rows.corrected([read], [registered()])[0])
    assert (after.receiver.latitude_deg, after.receiver.longitude_deg, after.flaw) == (50.2, 10.1, None)


def test_another_complaint_is_not_answered_by_a_place(registered):
    lost = replace(first(observation()).receiver, latitude_deg=math.nan)
    flawed = replace(first(observation()), receiver=lost, flaw="its data file is missing")
    before = replace(observation(), receptions=(flawed, *observation().receptions[1:]))
    assert first(rows.corrected([before], [registered()])[0]).flaw == "its data file is missing"


def test_a_corrections_uncertainty_is_added_to_the_stated_ones(registered):
    """3 dB of scatter with a bias known to 4 dB are 5 dB; a stated calibration of 3 dB likewise."""
    row = registered(level_sigma_db=3.0, correction=Correction(level_bias_db=6.0, level_bias_sigma_db=4.0))
    heard = replace(first(observation()), rssi_dbm=-80.0, rssi_sigma_db=3.0)
    before = replace(observation(), receptions=(heard, *observation().receptions[1:]))
    after = first(rows.corrected([before], [row])[0])
    assert after.rssi_sigma_db == pytest.approx(5.0)
    assert after.receiver.level_sigma_db == pytest.approx(5.0)


def test_a_place_that_a_recording_brings_is_kept(registered):
    row = registered(latitude_deg=10.0)
    assert first(rows.corrected([observation()], [row])[0]).receiver.latitude_deg == 50.2


def test_what_was_taken_off_is_said_with_what_it_was_fitted_to(registered):
    found = Correction(delay_s=3e-6, delay_sigma_s=1e-7, sessions={"1" * 16: "morning"})
    row = registered(correction=found)
    (corrected,) = rows.corrected([observation()], [row])
    assert first(corrected).correction == "delay +3 ± 0.1 µs taken off, fitted to morning"
    (fix,) = [each.fix for each in locate([corrected])]
    assert fix.to_json()["receivers"][0]["correction"] == first(corrected).correction
    properties = [each["properties"] for each in features_of(fix, corrected)]
    assert first(corrected).correction in [each.get("correction") for each in properties]
    assert "fitted to morning" in html([(fix, corrected, ())])


def test_a_bias_within_its_uncertainty_is_called_not_significant(registered):
    row = registered(correction=Correction(delay_s=1.5e-6, delay_sigma_s=3.3e-6))
    (corrected,) = rows.corrected([observation()], [row])
    assert "not significant" in first(corrected).correction


def test_a_session_is_not_scored_with_what_was_fitted_to_it(registered):
    """A correction fitted to a session makes its own error look far smaller than it is."""
    row = registered(correction=Correction(delay_s=3e-6, delay_sigma_s=1e-7, sessions={"1" * 16: "morning"}))
    before = observation()
    (own,) = rows.corrected([before], [row], session_ids=["1" * 16])
    (other,) = rows.corrected([before], [row], session_ids=["2" * 16])
    assert first(own).toa_s == first(before).toa_s
    assert "left out" in first(own).correction
    assert first(other).toa_s == pytest.approx(first(before).toa_s - 3e-6)
