"""What is sent is located, in the form asked for, within the limits, and not kept."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import threading
import zipfile
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from heimdall.service.api.http.body_limit import BodyLimit
from heimdall.service.auth import Role
from heimdall.service.concurrent_locating import Deadline, Locator

from .conftest import RECEIVERS, TRUTH

MEASUREMENTS = "m.jsonl"


def send(client, content: bytes, name: str = MEASUREMENTS, **query):
    return client.post("locate", params=query, files=[("files", (name, content))])


def test_measurements_become_a_fix_for_a_viewer(client_of, measurements):
    answer = send(client_of(Role.VIEWER), measurements(known=True))
    assert answer.status_code == 200
    (fix,) = answer.json()["fixes"]
    assert (fix["status"], fix["method"], answer.json()["model"]) == ("ok", "likelihood", None)
    assert fix["latitude_deg"] == pytest.approx(TRUTH[0], abs=1e-3)
    assert fix["region_95"]["type"] == "MultiPolygon"
    assert fix["truth"]["inside_95"]


@pytest.mark.real
def test_kiwisdr_recordings_are_located_from_their_files(client, real_data):
    files = [("files", (path.name, path.read_bytes())) for path in sorted((real_data / "kiwisdr_dcf77").iterdir())]
    (fix,) = client.post("locate", files=files).json()["fixes"]
    assert fix["latitude_deg"] == pytest.approx(50.0155, abs=0.05)
    assert fix["longitude_deg"] == pytest.approx(9.0108, abs=0.08)
    assert all(receiver["used"] for receiver in fix["receivers"])


def test_each_form_is_what_it_says(client, measurements):
    content = measurements()
    geojson = send(client, content, format="geojson")
    assert geojson.headers["content-type"] == "application/geo+json"
    assert {feature["properties"]["kind"] for feature in geojson.json()["features"]} == {
        "estimate",
        "region",
        "receiver",
    }
    assert ElementTree.fromstring(send(client, content, format="kml").content).tag.endswith("kml")
    assert ElementTree.fromstring(send(client, content, format="cot").content).tag == "event"
    assert send(client, content, format="png").content.startswith(b"\x89PNG")
    assert b"<html" in send(client, content, format="html").content


def test_an_answer_says_what_was_heard_when_and_where_and_how_well_it_could_be_known(client, measurements):
    (fix,) = send(client, measurements()).json()["fixes"]
    assert fix["frequency_hz"] == 150e6
    assert fix["time_utc"] is None
    assert {each["name"]: (each["latitude_deg"], each["longitude_deg"]) for each in fix["receivers"]} == RECEIVERS
    assert 1 < fix["bound_m"] < 500


def test_measurements_may_be_sent_as_json(client, measurements):
    row = json.loads(measurements().splitlines()[0])
    sent = client.post("locate", json={"observations": [row]})
    assert sent.status_code == 200
    (fix,), (same,) = sent.json()["fixes"], send(client, measurements()).json()["fixes"]
    assert fix["latitude_deg"] == same["latitude_deg"]


def test_arrival_times_in_json_keep_the_digits_that_a_float_has_not(client, measurements):
    row = json.loads(measurements().splitlines()[0])
    text = json.dumps(row)
    for each in row["measurements"]:
        text = text.replace(f'"toa_s": {each["toa_s"]}', f'"toa_s": {1_700_000_000 + Decimal(each["toa_s"]):.12f}')
    body = f'{{"observations": [{text}]}}'
    fix = client.post("locate", content=body, headers={"Content-Type": "application/json"}).json()["fixes"][0]
    assert fix["latitude_deg"] == pytest.approx(
        send(client, measurements()).json()["fixes"][0]["latitude_deg"], abs=1e-5
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "not JSON"),
        ("[]", "body is wrong"),
        ('{"observation": []}', "observation"),
        ('{"observations": [{}]}', "observations.jsonl line 1"),
        ('{"sessions": ["x"]}', "sessions.0"),
        ("{}", "nothing to locate"),
    ],
)
def test_a_wrong_json_body_is_one_line(client, body, said):
    answer = client.post("locate", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.text


def test_a_picture_of_many_fixes_is_refused_before_they_are_located(client, measurements, monkeypatch):
    monkeypatch.setattr(Locator, "locate", lambda *_, **__: pytest.fail("located"))
    answer = send(client, measurements(3), format="png")
    assert (answer.status_code, "one fix, not 3" in answer.json()["detail"]) == (422, True)


def test_archives_are_read_by_their_content(client, measurements):
    packed, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("folder/m.jsonl", measurements())
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        member = tarfile.TarInfo("m.jsonl")
        member.size = len(measurements(2))
        archive.addfile(member, io.BytesIO(measurements(2)))
    assert len(send(client, packed.getvalue(), "a.zip").json()["fixes"]) == 1
    assert len(send(client, tarred.getvalue(), "a.tar.gz").json()["fixes"]) == 2


def test_a_spreadsheet_is_located_as_the_lines_that_say_the_same(client, measurements):
    row = json.loads(measurements())
    keys = ["receiver", "latitude_deg", "longitude_deg", "toa_s", "clock_sigma_s", "rssi_dbm"]
    cells = [[row["frequency_hz"], row["bandwidth_hz"], *map(each.get, keys)] for each in row["measurements"]]
    lines = [
        ["frequency_hz", "bandwidth_hz", *keys],
        *[["" if cell is None else repr(cell).strip("'") for cell in each] for each in cells],
    ]
    table = "\n".join(map(";".join, lines)).replace(".", ",")
    fix, same = (
        send(client, each, name).json()["fixes"][0] for each, name in ((table, "m.csv"), (measurements(), "m.jsonl"))
    )
    assert (fix["status"], fix["latitude_deg"]) == (same["status"], pytest.approx(same["latitude_deg"], abs=1e-6))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.jsonl", b"{}\n", "m.jsonl line 1"),
        ("m.csv", b"receiver,lat,lon\na,50,9\n", "m.csv: there is no column frequency_hz"),
        ("a.zip", b"PK\x03\x04 junk", "a.zip: the archive cannot be read"),
        ("20200813T065220Z_77500_X_iq.wav", b"RIFF", "at least 2 are needed"),
        ("photo.jpg", b"\xff\xd8\xff", "nothing in it is recognised"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(client, name, content, said):
    answer = send(client, content, name)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert "/tmp" not in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_nothing_sent_says_what_to_send(client):
    for answer in (client.post("locate"), client.post("locate", files=[("other", ("a", b"x"))])):
        assert answer.status_code == 422
        assert "files" in answer.json()["detail"]


def test_a_fix_without_a_position_cannot_be_a_cot_event(client, measurements):
    row = json.loads(measurements())
    for measurement in row["measurements"][1:]:
        measurement |= {"latitude_deg": 0.0, "longitude_deg": 0.0}
    content = json.dumps(row).encode()
    assert send(client, content).json()["fixes"][0]["status"] == "insufficient"
    assert send(client, content, format="cot").status_code == 422


def test_stored_sessions_are_located_by_name(client, measurements):
    stored = client.post("sessions", files=[("files", (MEASUREMENTS, measurements(2)))]).json()
    answer = client.post("locate", params={"session": stored["id"]})
    assert [fix["id"] for fix in answer.json()["fixes"]] == ["m0", "m1"]
    assert client.post("locate", params={"session": "f" * 16}).status_code == 404


def test_without_a_token_the_body_is_not_even_read(app, client, measurements):
    answer = client.post("locate", headers={"Authorization": ""}, files=[("files", (MEASUREMENTS, measurements()))])
    assert answer.status_code == 401


def test_a_line_that_cannot_be_read_is_told_beside_the_fixes_of_the_others(client, measurements):
    answer = send(client, measurements(3)[:-20]).json()
    assert [fix["id"] for fix in answer["fixes"]] == ["m0", "m1"]
    assert any(note.startswith("not read: m.jsonl line 3") for note in answer["fixes"][1]["notes"])


@pytest.mark.parametrize("changes", [{"upload_mb": 0.01}])
def test_more_bytes_than_allowed_are_refused(client, measurements):
    assert send(client, measurements(20)).status_code == 413
    assert send(client, measurements() + b"\n" * 2_000_000).status_code == 413
    assert send(client, measurements(2)).status_code == 200


@pytest.mark.parametrize("changes", [{"upload_observations": 3}])
def test_more_lines_than_allowed_are_refused(client, measurements):
    answer = send(client, measurements(4))
    assert answer.status_code == 413
    assert "more than 3 lines" in answer.json()["detail"]


@pytest.mark.parametrize("changes", [{"locate_per_minute": 2}])
def test_more_requests_than_allowed_are_told_when_to_come_back(client, client_of, measurements):
    assert [send(client, measurements()).status_code for _ in range(3)] == [200, 200, 429]
    late = send(client, measurements())
    assert 0 < int(late.headers["Retry-After"]) <= 60
    assert send(client_of(Role.VIEWER), measurements()).status_code == 200


@pytest.mark.parametrize("changes", [{"locate_slots": 1, "locate_queue": 1}])
def test_a_full_queue_says_come_back(app, client, measurements):
    gate = threading.Event()
    waiting = [app.state.parts.locator.run(gate.wait) for _ in range(2)]
    answer = send(client, measurements())
    gate.set()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert all(future.result(10) for future in waiting)
    assert send(client, measurements()).status_code == 200


@pytest.mark.parametrize("changes", [{"locate_slots": 1, "locate_s": 0.3}])
def test_what_takes_too_long_is_given_up(app, client, measurements):
    gate = threading.Event()
    blocked = app.state.parts.locator.run(gate.wait, Deadline(60.0))
    answer = send(client, measurements())
    gate.set()
    blocked.result(10)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def test_uploads_together_are_bounded_and_their_room_comes_back():
    """Two of 100 bytes fit into 250, a third does not, until one of them is done."""
    limit = BodyLimit(held_open, limit_bytes=lambda path: 100, together_bytes=250)

    async def run() -> list[int]:
        first, second = (asyncio.create_task(send_body(limit, 100)) for _ in range(2))
        await asyncio.sleep(0.05)
        third = await send_body(limit, 100)
        GATE.set()
        both = [await first, await second]
        return [third, *both, await send_body(limit, 100)]

    GATE.clear()
    assert asyncio.run(run()) == [503, 200, 200, 200]


GATE = asyncio.Event()


async def held_open(scope, receive, send):
    """An application that has read the body and is not done with it before the gate opens."""
    try:
        await receive()
    except HTTPException as error:
        return await PlainTextResponse("", error.status_code)(scope, receive, send)
    await GATE.wait()
    await PlainTextResponse("")(scope, receive, send)


async def send_body(app, size: int) -> int:
    told = []

    async def receive():
        return {"type": "http.request", "body": b"x" * size, "more_body": False}

    async def send(message):
        told.append(message)

    await app({"type": "http", "path": "/", "headers": [], "method": "POST"}, receive, send)
    return told[0]["status"]
