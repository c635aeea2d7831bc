"""Known transmitters over HTTP: for whom, and what is wrong in one line."""

from __future__ import annotations

import io

import pytest
from fastapi.testclient import TestClient

from heimdall.formats.transmitters import from_bytes, shipped, to_text
from heimdall.service.api import create_app
from heimdall.service.auth import Role, create_token
from heimdall.transmitter import KnownTransmitter

MAST = {"name": "Mast", "latitude_deg": 50.2, "longitude_deg": 10.1, "frequency_hz": 98.3e6, "kind": "fm"}


@pytest.fixture
def client_of(settings, store):
    app = create_app(settings, store)

    def make(role):
        with store.writing() as session:
            word = create_token(session, role, role)
        client = TestClient(app, headers={"Authorization": f"Bearer {word}"}, raise_server_exceptions=False)
        client.base_url = client.base_url.join("/api/v1/")
        return client

    return make


@pytest.fixture
def client(client_of):
    return client_of(Role.OPERATOR)


def sent(client, name, content):
    return client.post("transmitters/import", files={"files": (name, io.BytesIO(content.encode()))})


def names(client, **wanted):
    return [each["name"] for each in client.get("transmitters", params=wanted).json()["transmitters"]]


def test_a_viewer_reads_and_an_operator_changes(client_of, client):
    viewer = client_of(Role.VIEWER)
    assert "DCF77" in names(viewer)
    made = client.post("transmitters", json=MAST)
    assert made.status_code == 201, made.text
    assert made.json()["created_by"] == "operator"
    url = made.headers["Location"].removeprefix("/api/v1/")
    assert viewer.get(url).json() == made.json()
    assert viewer.get("transmitters/export").status_code == 200
    refused = (viewer.post("transmitters", json=MAST), viewer.put(url, json=MAST), viewer.delete(url))
    assert {answer.status_code for answer in (*refused, sent(viewer, "a.csv", ""))} == {403}
    changed = client.put(url, json=MAST | {"name": "Other mast", "height_m": 300.0}).json()
    assert (changed["name"], changed["height_m"], changed["id"]) == ("Other mast", 300.0, made.json()["id"])
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


def test_the_list_has_a_frequency_and_pages(client):
    client.post("transmitters", json=MAST)
    assert names(client, low_hz=98e6, high_hz=99e6) == ["Mast"]
    assert names(client, low_hz=77_000, high_hz=78_000) == ["DCF77"]
    assert names(client, high_hz=1.0) == []
    first = client.get("transmitters", params={"limit": 9})
    following = first.headers["Link"].partition(">")[0].removeprefix("</api/v1/")
    last = client.get(following)
    assert "Link" not in last.headers
    pages = [*first.json()["transmitters"], *last.json()["transmitters"]]
    assert [each["name"] for each in pages] == names(client)


def test_a_name_is_listed_once(client):
    client.post("transmitters", json=MAST)
    again = client.post("transmitters", json=MAST | {"name": "MAST"})
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "a transmitter called MAST is listed already: edit that one",
    )


def test_what_comes_with_heimdall_stays_until_one_of_its_name_is_added(client):
    (dcf77,) = client.get("transmitters", params={"low_hz": 77_500, "high_hz": 77_500}).json()["transmitters"]
    assert (dcf77["shipped"], dcf77["created_by"]) == (True, None)
    for answer in (client.delete(f"transmitters/{dcf77['id']}"), client.put(f"transmitters/{dcf77['id']}", json=MAST)):
        assert answer.status_code == 409
        assert answer.json()["detail"].startswith("DCF77 comes with Heimdall")
    assert client.post("transmitters", json=MAST | {"name": "DCF77", "frequency_hz": 77_500}).status_code == 201
    (own,) = client.get("transmitters", params={"low_hz": 77_500, "high_hz": 77_500}).json()["transmitters"]
    assert own["shipped"] is False


@pytest.mark.parametrize("form", ["csv", "geojson", "json"])
def test_export_gives_what_import_takes(client, form):
    client.post("transmitters", json=MAST)
    answer = client.get("transmitters/export", params={"format": form})
    assert f'filename="transmitters.{form}"' in answer.headers["Content-Disposition"]
    assert {each.name for each in from_bytes(f"a.{form}", answer.content)} == {
        "Mast",
        *(each.name for each in shipped()),
    }
    before = client.get("transmitters").json()
    assert sent(client, f"a.{form}", answer.text).json() == {"count": 1}
    assert client.get("transmitters").json() == before


def test_a_file_with_a_fault_adds_nothing_and_names_the_row(client):
    good = to_text("a.csv", [KnownTransmitter(**MAST)])
    refused = sent(client, "masts.csv", good + "B,95.0,10,,1000000,fm,,30,\n")
    assert refused.status_code == 422
    assert refused.json()["detail"] == "masts.csv: line 3: latitude_deg must be at most 90"
    assert "Mast" not in names(client)
    assert (
        sent(client, "masts.xlsx", good).json()["detail"].startswith("masts.xlsx: transmitters are read and written as")
    )
    assert sent(client, "masts.csv", good).json() == {"count": 1}


A_SESSION = (
    '{"id": "one", "frequency_hz": 98.3e6, "bandwidth_hz": 1e5, "measurements": ['
    '{"receiver": "a", "latitude_deg": 50.0, "longitude_deg": 9.0, "rssi_dbm": -80.0},'
    '{"receiver": "b", "latitude_deg": 50.1, "longitude_deg": 9.1, "rssi_dbm": -90.0}]}'
)


def test_the_truth_of_a_session_is_said_by_a_name(client):
    client.post("transmitters", json=MAST)

    def stored(**query):
        return client.post("sessions", params=query, files={"files": ("one.jsonl", io.BytesIO(A_SESSION.encode()))})

    mast = {"latitude_deg": 50.2, "longitude_deg": 10.1, "height_m": None}
    assert stored(transmitter="mast").json()["summary"]["truth"] == mast
    assert stored(transmitter="mast", latitude_deg=1.0, longitude_deg=1.0).status_code == 422
    assert "no known transmitter is called 'Nobody'" in stored(transmitter="Nobody").json()["detail"]
    url = f"sessions/{stored().json()['id']}"
    assert client.patch(url, json={"transmitter": "MAST"}).json()["summary"]["truth"] == mast
    assert client.patch(url, json={"name": "other", "transmitter": None}).json()["summary"]["truth"] == mast
    both = client.patch(url, json={"transmitter": "MAST", "truth": None})
    assert (both.status_code, both.json()["detail"]) == (422, "body: say truth or transmitter, not both")
    assert client.patch(url, json={"transmitter": "Nobody"}).status_code == 422
    assert client.get(url).json()["summary"]["truth"] == mast


def test_the_documents_examples_are_what_the_route_takes(client):
    body = client.get("openapi.json").json()["paths"]["/api/v1/transmitters"]["post"]["requestBody"]
    for example in body["content"]["application/json"]["examples"].values():
        KnownTransmitter.model_validate(example["value"])
