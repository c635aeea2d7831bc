"""Files of the API: their names in any script, and what is in them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient

from heimdall.files.artifacts import open_artifacts
from heimdall.service.api import create_app
from heimdall.service.api.http.attachments import content_disposition
from heimdall.service.auth import Role, create_token
from heimdall.service.database.tables import Model, StoredFix
from heimdall.service.storage import sessions
from heimdall.service.storage.uploads import file_name

NAMES = ("Утро, 77,5 kHz", "two words", 'a "quoted" 100% näme', "пробел в конце ", "日本 €")
A_SESSION = (
    '{"id": "one", "frequency_hz": 1e6, "bandwidth_hz": 1e4, "measurements": ['
    '{"receiver": "a", "latitude_deg": 50.0, "longitude_deg": 9.0, "rssi_dbm": -80.0},'
    '{"receiver": "b", "latitude_deg": 50.1, "longitude_deg": 9.1, "rssi_dbm": -90.0}]}'
)


@pytest.fixture
def client(settings, store):
    app = create_app(settings, store)
    with store.writing() as session:
        word = create_token(session, "op", Role.OPERATOR)
    client = TestClient(app, headers={"Authorization": f"Bearer {word}"}, raise_server_exceptions=False)
    client.base_url = client.base_url.join("/api/v1/")
    return client


def named(answer):
    """The name that a browser keeps the file by."""
    assert answer.status_code == 200, answer.text
    header = answer.headers["content-disposition"]
    assert header.isascii()
    return unquote(header.partition("filename*=UTF-8''")[2], errors="strict")


def put(client, name):
    files = {"files": ("a.jsonl", io.BytesIO(A_SESSION.encode()))}
    return client.post("sessions", params={"name": name}, files=files).json()["id"]


@pytest.mark.parametrize("name", [*NAMES, "line\nbreak\\", "a/b;c=d'e(f)*"])
def test_a_name_in_any_script_is_one_safe_header(name):
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    plain, _, encoded = header.removeprefix("attachment; filename=").partition("; filename*=UTF-8''")
    assert plain.count('"') == 2
    assert "\\" not in plain
    assert unquote(encoded) == name
    assert not set(encoded) & set("()'*;=/ \"")


@pytest.mark.parametrize("name", NAMES)
def test_a_session_is_taken_away_under_its_name_and_can_be_uploaded_again(client, name):
    session_id = put(client, name)
    answer = client.get("sessions/files", params={"session": session_id})
    assert named(answer) == f"{file_name(name.strip())}.zip"
    assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    again = client.post("sessions", files={"files": (named(answer), io.BytesIO(answer.content))})
    assert again.status_code == 201, again.text
    assert again.json()["summary"] == client.get(f"sessions/{session_id}").json()["summary"]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("433 MHz, 2024/05/01 (2)", "433 MHz, 2024-05-01 (2)"),
        ("a\\b", "a-b"),
        ("हिन्दी", "हिन्दी"),
        ("77.5 kHz", "77.5 kHz"),
    ],
)
def test_a_download_is_called_as_the_whole_session_is(client, name, taken):
    session_id = put(client, name)
    assert named(client.get("sessions/files", params={"session": session_id})) == f"{taken}.zip"
    answer = client.post("locate", params={"session": session_id, "format": "kml"})
    assert named(answer) == f"{taken}.kml"


def test_sessions_of_one_name_are_apart_in_one_archive(client):
    chosen = [put(client, "Сеанс"), put(client, "Сеанс")]
    answer = client.get("sessions/files", params={"session": [*chosen, chosen[0]]})
    assert named(answer) == "2 sessions.zip"
    folders = {each.split("/")[0] for each in zipfile.ZipFile(io.BytesIO(answer.content)).namelist()}
    assert folders == {"Сеанс", f"Сеанс {chosen[1]}"}


def test_what_is_not_there_is_said_before_anything_is_sent(client, settings):
    session_id = put(client, "one")
    assert client.get("sessions/files").status_code == 422
    assert client.get("sessions/files", params={"session": "0" * 16}).status_code == 404
    assert client.get("sessions/files", params={"session": ["x"]}).status_code == 422
    sample = next(sessions.folder_of(settings, session_id).iterdir())
    sample.unlink()
    sample.parent.rmdir()
    gone = client.get("sessions/files", params={"session": session_id})
    assert gone.status_code == 422
    assert "are gone from the data folder" in gone.json()["detail"]


def test_a_session_deleted_while_it_waits_to_be_located_is_not_found(client, monkeypatch):
    session_id, read = put(client, "one"), sessions.read

    def late(settings, stored):
        client.delete(f"sessions/{stored.id}", params={"forever": True}).raise_for_status()
        return read(settings, stored)

    monkeypatch.setattr(sessions, "read", late)
    answer = client.post("locate", params={"session": session_id})
    assert answer.status_code == 404
    assert f"no session {session_id}" in answer.json()["detail"]


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_and_fixes_keep_their_names(client, store, settings, name):
    (settings.home / "m").write_bytes(b"bundle")
    open_artifacts(settings.artifact_address).put(settings.home / "m", "models/m")
    with store.writing() as session:
        about = {"artifact": "models/m", "sha256": "0", "size_bytes": 6, "scores": {}, "record": {}}
        session.add(Model(id="a" * 16, name=f"{name}.heimdall", **about))
    answer = client.get(f"models/{'a' * 16}/bundle")
    assert (named(answer), answer.content) == (f"{name}.heimdall", b"bundle")
    session_id = put(client, name)
    fix = client.post("locate", params={"session": session_id, "format": "geojson"})
    assert named(fix).endswith(".geojson")
    assert fix.headers["content-disposition"].startswith("inline")


@pytest.fixture
def kept(store):
    region = {"type": "MultiPolygon", "coordinates": [[[[9, 50], [10, 50], [9, 51], [9, 50]]]]}
    with store.writing() as session:
        for number, place in enumerate([(50.1, 9.2), (None, None)]):
            document = {"advice": "a, b", "region_95": region if place[0] else None}
            given = {"latitude_deg": place[0], "longitude_deg": place[1], "document": document, "status": "ok"}
            session.add(
                StoredFix(
                    id=f"{number:016x}",
                    session_id="b" * 16,
                    name="Утро",
                    at_unix_s=1e9 + number,
                    frequency_hz=77_500.0,
                    **given,
                )
            )


def test_the_history_is_taken_away_for_maps_and_for_tables(client, kept):
    table = client.get("fixes", params={"format": "csv"})
    assert named(table) == "fixes.csv"
    rows = list(csv.DictReader(io.StringIO(table.content.decode())))
    assert [(row["time_utc"], row["latitude_deg"], row["advice"]) for row in rows] == [
        ("2001-09-09T01:46:40+00:00", "50.1", "a, b"),
        ("2001-09-09T01:46:41+00:00", "", "a, b"),
    ]
    places = client.get("fixes", params={"format": "geojson", "until_utc": "2001-09-09T01:46:40Z"})
    assert named(places) == "fixes.geojson"
    features = json.loads(places.content)["features"]
    assert [each["properties"]["kind"] for each in features] == ["estimate", "region"]
    assert features[0]["geometry"]["coordinates"] == [9.2, 50.1]
    assert features[0]["properties"]["name"] == "Утро"
    assert client.get("fixes", params={"format": "xls"}).status_code == 422
