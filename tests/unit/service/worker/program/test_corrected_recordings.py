"""A job reads what was recorded with the corrections of its receivers, and the recordings stay as they are."""

from __future__ import annotations

import pytest

from heimdall.benchmark.locating_time import session as simulated
from heimdall.formats.readers.read import read_observations
from heimdall.formats.writers.sigmf_write import write_sigmf
from heimdall.service.receivers import registered as rows
from heimdall.service.receivers.registered import Correction, ReceiverFields
from heimdall.service.worker.program.corrected_recordings import prepared

from ...observed import RECEIVERS, table


@pytest.fixture
def registered(store):
    def make(name: str, **correction):
        place = dict(zip(("latitude_deg", "longitude_deg"), RECEIVERS.get(name, (50.0, 9.0)), strict=True))
        with store.writing() as session:
            rows.add(session, ReceiverFields(name=name, **place, correction=Correction(**correction)))
            return rows.find(session)

    return make


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "m.jsonl").write_bytes(table(2))
    return folder


def test_without_registered_receivers_the_recordings_themselves_are_read(source, tmp_path, registered):
    assert prepared(source, tmp_path / "target", []) == source
    assert prepared(source, tmp_path / "target", registered("another", delay_s=1e-6)) == source


def test_times_and_levels_are_corrected_in_a_copy(source, tmp_path, registered):
    before = read_observations(source)
    path = prepared(source, tmp_path / "target", registered("A", delay_s=3e-6, delay_sigma_s=1e-7))
    after = read_observations(path)
    assert [each.id for each in after] == [each.id for each in before]
    moved = [b.toa_s - a.toa_s for a, b in zip(after[0].receptions, before[0].receptions, strict=True)]
    assert moved == pytest.approx([3e-6, 0, 0, 0])
    assert [each.receptions[0].toa_s for each in read_observations(source)] == [
        each.receptions[0].toa_s for each in before
    ]


def test_samples_are_corrected_in_a_copy(tmp_path, registered):
    observation = simulated(3, 256)
    name = observation.receptions[0].receiver.name
    write_sigmf(observation, tmp_path / "source" / "s")
    path = prepared(
        tmp_path / "source",
        tmp_path / "target",
        registered(name, delay_s=1e-6, level_bias_db=6.0, level_bias_sigma_db=0.5),
    )
    (before,), (after,) = read_observations(tmp_path / "source"), read_observations(path)
    shift_s = [
        (b.start_s - a.start_s) - (before.receptions[1].start_s - after.receptions[1].start_s)
        for a, b in zip(after.receptions, before.receptions, strict=True)
    ]
    assert shift_s == pytest.approx([1e-6, 0, 0], abs=1e-11)
    assert abs(before.receptions[0].samples[7] / after.receptions[0].samples[7]) == pytest.approx(10**0.3, rel=1e-5)
    assert after.truth == before.truth


def test_preparing_again_gives_the_same(source, tmp_path, registered):
    known = registered("A", delay_s=3e-6)
    first = read_observations(prepared(source, tmp_path / "target", known))
    second = read_observations(prepared(source, tmp_path / "target", known))
    assert [each.receptions[0].toa_s for each in first] == [each.receptions[0].toa_s for each in second]
