"""A recording or a watch says at its creation what is wrong with it, becomes the command's words, and never takes a device."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from heimdall.errors import InputError
from heimdall.service.database.tables import OnlineReceiver
from heimdall.service.queue import leases
from heimdall.service.queue.job_requests import JobRequest, command_line, stored_form
from heimdall.service.queue.leases import Claimant
from heimdall.service.queue.request_base import JobPaths
from heimdall.service.queue.submit import submit
from heimdall.service.transmitters import listed as known_transmitters
from heimdall.transmitter import KnownTransmitter

REQUEST = TypeAdapter(JobRequest)
RECORD = {"kind": "record", "frequency_hz": 77500, "bandwidth_hz": 1000, "seconds": 30}
WATCH = RECORD | {"kind": "watch"}
BY_REFERENCE = RECORD | {"frequency_hz": 145e6, "reference": {"transmitter": "feldberg"}, "receivers": ["d10", "d11"]}
FELDBERG = KnownTransmitter(name="Feldberg", latitude_deg=50.2317, longitude_deg=8.4575, frequency_hz=98.5e6, kind="fm")
EVERYTHING = Claimant("one", "a" * 16, "auto", gpu_usable=True)


def no_place(name=""):
    raise AssertionError("a recording names no such thing")


PATHS = JobPaths(
    *(Path("/runs/r"), no_place, no_place, no_place),
    receivers=lambda: Path("/runs/r/inputs/receivers.json"),
    transmitters=lambda: Path("/runs/r/inputs/transmitters.json"),
)


@pytest.fixture
def listed(store):
    """Four receivers: one of them is switched off, another one hears no long wave."""
    bands = {"a": (0.0, 30e6), "b": None, "c": (0.0, 30e6), "uhf": (4e8, 5e8)}
    with store.writing() as session:
        for number, (name, band) in enumerate(bands.items()):
            session.add(
                OnlineReceiver(
                    id=f"{number:016x}",
                    name=name,
                    address=f"kiwi://{name}.example.org:8073",
                    ppm=0.0,
                    enabled=name != "c",
                    note="",
                    created_by="t",
                    state={"usable": True, "band_hz": band and list(band)},
                )
            )


@pytest.fixture
def dongles(store, listed):
    """Three of them, one on VHF alone."""
    with store.writing() as session:
        for number, band in enumerate(((24e6, 1.7e9), None, (100e6, 1.7e9)), 10):
            session.add(
                OnlineReceiver(
                    id=f"{number:016x}",
                    name=f"d{number}",
                    address=f"rtl_tcp://d{number}.example.org:1234",
                    ppm=0.0,
                    enabled=True,
                    note="",
                    created_by="t",
                    state={"usable": True, "band_hz": band and list(band)},
                )
            )
        known_transmitters.add(session, FELDBERG, "t")


def put(store, settings, document):
    return submit(store, REQUEST.validate_python(document), settings, "t")


def words(document):
    request = REQUEST.validate_python(document)
    return command_line(request.kind, stored_form(request), "cpu", PATHS, resume=False)


def test_receivers_are_kept_by_name_whether_named_by_id_or_not_at_all(store, settings, listed):
    assert put(store, settings, RECORD | {"receivers": ["b", f"{0:016x}"]}).arguments["receivers"] == ["b", "a"]
    assert put(store, settings, RECORD).arguments["receivers"] == ["a", "b", "uhf"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"receivers": ["a", "nobody"]}, "no receiver by address is called nobody"),
        ({"receivers": ["a", "c"]}, "c is switched off"),
        ({"receivers": ["a", f"{0:016x}"]}, "a is named twice"),
        ({"receivers": ["a"]}, "1 of at least 2 receivers"),
        ({"receivers": ["a", "uhf"]}, "77.5 kHz is outside the band of uhf: 1 are left"),
        ({"seconds": 3600}, "more than the 128 MB of a session"),
        ({"kind": "watch", "every_s": 60, "until_utc": "2001-01-01T00:00:00Z"}, "until_utc: 2001-01-01.* is over"),
        ({"kind": "watch", "cron": "0 0 31 2 *"}, "no day fits this cron line"),
        ({"kind": "watch", "squelch": {"listeners": ["b"]}, "receivers": ["a", "uhf"], "frequency_hz": 77500}, "band"),
        ({"kind": "watch", "squelch": {"listeners": ["uhf"]}, "receivers": ["a", "b"]}, "uhf is to listen and is not"),
        (BY_REFERENCE | {"reference": {"transmitter": "nobody"}}, "no known transmitter is called 'nobody'"),
        (
            BY_REFERENCE | {"receivers": ["d10", "b"]},
            "Feldberg by a clock that runs on, which leaves out b: 1 are left",
        ),
        (BY_REFERENCE | {"receivers": ["d10", "d12"]}, "98.5 MHz is outside the band of d12: 1 are left"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_one_line(store, settings, dongles, change, said):
    with pytest.raises(InputError, match=said) as caught:
        put(store, settings, RECORD | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (RECORD | {"frequency_hz": 0}, "greater than 0"),
        (RECORD | {"seconds": 0.5}, "greater than or equal to 1"),
        (RECORD | {"receivers": ["--output=/etc"]}, "match pattern"),
        (RECORD | {"accelerator": "gpu"}, "not permitted"),
        (WATCH, "one of every_s, cron and squelch"),
        (WATCH | {"every_s": 60, "cron": "* * * * *"}, "one of every_s, cron and squelch"),
        (WATCH | {"cron": "61 * * * *"}, "minute of the cron line cannot be '61'"),
        (WATCH | {"squelch": {"open_db": 3}}, "close_db is above open_db"),
        (WATCH | {"every_s": 60, "until_utc": "2030-01-01T00:00:00"}, "timezone"),
    ],
)
def test_what_makes_no_sense_is_no_request(document, said):
    with pytest.raises(ValidationError, match=said):
        REQUEST.validate_python(document)


def test_a_request_that_has_ended_meanwhile_can_still_be_read():
    ended = WATCH | {"every_s": 60, "until_utc": (datetime.now(UTC) - timedelta(days=1)).isoformat()}
    assert f"--until={ended['until_utc']}" in words(ended)


def test_it_becomes_the_words_of_the_command():
    listing = "--file /runs/r/inputs/receivers.json --run-dir /runs/r"
    channel = "--frequency=77500.0 --bandwidth=1000.0 --seconds=30.0 --receivers=a,b"
    both = {"receivers": ["a", "b"]}
    assert sorted(words(RECORD | both)) == sorted(f"record {channel} {listing}".split())
    rule = {"squelch": {"level_dbm": -95, "listeners": ["b"]}, "most": 3}
    watched = "--squelch --open-db=10.0 --close-db=6.0 --least=1.0 --level=-95.0 --sentinel=b --cool-down=5.0 --most=3"
    assert sorted(words(WATCH | both | rule)) == sorted(f"watch {channel} {listing} {watched}".split())
    assert "--cron=*/10 6-18 * * *" in words(WATCH | both | {"cron": "*/10 6-18 * * *"})


def test_a_reference_goes_with_the_list_that_it_is_in(store, settings, dongles):
    kept = put(store, settings, BY_REFERENCE)
    assert kept.arguments["reference"] == {"transmitter": "Feldberg", "seconds": 5.0}
    told = " ".join(words({"kind": "record", **kept.arguments}))
    assert "--reference=Feldberg --reference-seconds=5.0 --transmitters /runs/r/inputs/transmitters.json" in told
    assert "--reference" not in " ".join(words(RECORD))


def test_a_recording_takes_no_device_and_a_device_takes_no_recording(store, settings, listed):
    recording, training = put(store, settings, RECORD), put(store, settings, {"kind": "train", "recipe": "quick"})
    for claimant, expected in (
        (replace(EVERYTHING, takes=("gpu", "cpu")), training.id),
        (replace(EVERYTHING, takes=("gpu", "cpu")), None),
        (replace(EVERYTHING, has_device=False, takes=("gpu", "cpu")), None),
        (replace(EVERYTHING, has_device=False), recording.id),
    ):
        with store.writing() as session:
            job = leases.claim(session, claimant, 60.0)
        assert (job and job.id) == expected
