"""Receivers by address, the bin and the history over HTTP: for whom, and what is wrong in one line."""

from __future__ import annotations

import io

import pytest
from fastapi.testclient import TestClient

from heimdall.service.api import create_app
from heimdall.service.auth import Role, create_token
from heimdall.service.receivers.online_schemas import OnlineFields

A_SESSION = (
    '{"id": "one", "frequency_hz": 1e6, "bandwidth_hz": 1e4, "measurements": ['
    '{"receiver": "a", "latitude_deg": 50.0, "longitude_deg": 9.0, "rssi_dbm": -80.0},'
    '{"receiver": "b", "latitude_deg": 50.1, "longitude_deg": 9.1, "rssi_dbm": -90.0}]}'
)


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


def test_only_an_operator_adds_asks_and_changes_receivers(client_of):
    viewer, operator = client_of(Role.VIEWER), client_of(Role.OPERATOR)
    fields = {"address": "kiwi://127.0.0.1:8073", "unchecked": True}
    assert viewer.get("receivers/online").json() == {"receivers": []}
    for answer in (
        viewer.post("receivers/online", json=fields),
        viewer.post("receivers/online/refresh", json={}),
        viewer.get("receivers/online/a/spectrum", params={"frequency_hz": 1e6}),
        viewer.patch("receivers/online/a", json={"enabled": False}),
        viewer.delete("receivers/online/a"),
    ):
        assert answer.status_code == 403
    refused = operator.post("receivers/online", json=fields)
    assert refused.status_code == 422
    assert "its network, 127.0.0.0/8; HEIMDALL_CAPTURE_NETWORKS allows it" in refused.json()["detail"]
    for answer in (operator.get("receivers/online/a"), operator.patch("receivers/online/a", json={"enabled": False})):
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("no receiver by address is called a")


def test_the_documents_examples_are_what_the_route_takes(client_of):
    document = client_of(Role.VIEWER).get("openapi.json").json()
    body = document["paths"]["/api/v1/receivers/online"]["post"]["requestBody"]["content"]["application/json"]
    for example in body["examples"].values():
        OnlineFields.model_validate(example["value"])


def test_a_session_goes_into_the_bin_comes_back_and_is_gone_for_good(client_of):
    client = client_of(Role.OPERATOR)
    files = {"files": ("one.jsonl", io.BytesIO(A_SESSION.encode()))}
    made = client.post("sessions", files=files)
    assert made.status_code == 201, made.text
    url = f"sessions/{made.json()['id']}"

    assert client.patch(url, json={"pinned": True}).json()["pinned"] is True
    assert client.delete(url).status_code == 409
    client.patch(url, json={"pinned": False})
    assert client.delete(url).status_code == 204
    assert client.get(url).json()["detail"].endswith("is in the bin: restore it first")
    assert client.get("sessions").json()["sessions"] == []
    (binned,) = client.get("sessions", params={"bin": True}).json()["sessions"]
    assert binned["deleted_by"] == "operator"
    assert client.get("sessions/usage").json()["bin"]["count"] == 1
    assert client.post(f"{url}/restore").json()["deleted_utc"] is None
    assert client.get(url).status_code == 200
    assert client.delete(url, params={"forever": True}).status_code == 204
    assert client.get("sessions", params={"bin": True}).json()["sessions"] == []
    assert client.post(f"{url}/restore").status_code == 404


def test_a_moment_of_the_history_has_a_zone(client_of):
    client = client_of(Role.VIEWER)
    assert client.get("fixes", params={"since_utc": "2030-01-01T00:00:00Z"}).json() == {"fixes": []}
    assert client.get("fixes", params={"since_utc": "2030-01-01T00:00:00"}).status_code == 422
