"""A long list is read in pages that neither repeat nor miss a row, whatever comes or goes meanwhile."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from heimdall.service.api import create_app
from heimdall.service.auth import Role, create_token
from heimdall.service.database.tables import Job, Model, RegisteredReceiver, StoredSession

EVERY_DATABASE = True
API = "/api/v1"


def add_rows(store, kind, numbers):
    """Several rows share one time of creation."""
    common = {
        "jobs": lambda n: Job(kind="train", state="queued", arguments={}, created_by="t", attempts_max=1),
        "models": lambda n: Model(artifact="a", sha256="0" * 64, size_bytes=1, scores={}, record={}),
        "sessions": lambda n: StoredSession(created_by="t", size_bytes=1, summary=SUMMARY),
        "receivers": lambda n: RegisteredReceiver(latitude_deg=0.0, longitude_deg=0.0, height_m=0.0, note=""),
    }
    with store.writing() as session:
        for n in numbers:
            row = common[kind](n)
            row.id, row.name, row.created_unix_s = f"{n:016x}", f"n{n:03}", 1000.1 + n // 3
            session.add(row)


SUMMARY = {
    "observations": 1,
    "with_truth": 0,
    "truth": None,
    "carries": ["times"],
    "frequency_hz": [1e6, 1e6],
    "first_utc": None,
    "receivers": [],
    "notes": [],
}


@pytest.fixture
def client(settings, store):
    with store.writing() as session:
        word = create_token(session, "anna", Role.VIEWER)
    return TestClient(create_app(settings, store), headers={"Authorization": f"Bearer {word}"})


def ids(answer, kind):
    return [each["id"] for each in answer.json()[kind]]


@pytest.mark.parametrize("kind", ["jobs", "models", "sessions", "receivers"])
def test_pages_make_up_the_list(client, store, kind):
    add_rows(store, kind, range(10))
    whole = ids(client.get(f"{API}/{kind}"), kind)
    assert len(whole) == 10
    answer = client.get(f"{API}/{kind}", params={"limit": 4})
    read = ids(answer, kind)
    if kind != "receivers":  # the newest come first: what is added now is on no later page
        add_rows(store, kind, [99])
    while "next" in answer.links:
        answer = client.get(answer.links["next"]["url"])
        read += ids(answer, kind)
    assert read == whole
    assert len(ids(answer, kind)) == 2


@pytest.mark.parametrize("kind", ["jobs", "models", "sessions", "receivers"])
def test_a_page_that_holds_the_rest_has_no_next(client, store, kind):
    add_rows(store, kind, range(4))
    assert client.get(f"{API}/{kind}", params={"limit": 4}).links == {}


def test_the_next_page_keeps_the_filter(client, store):
    add_rows(store, "jobs", range(4))
    url = client.get(f"{API}/jobs", params={"limit": 2, "state": "queued"}).links["next"]["url"]
    assert "state=queued" in url
    assert url.startswith(f"{API}/jobs?")


@pytest.mark.parametrize("cursor", ["x", "1.0", "nan_0", "inf_0", "_", "1_2_3"])
@pytest.mark.parametrize("kind", ["jobs", "models", "sessions"])
def test_a_cursor_that_no_answer_gave_is_refused(client, kind, cursor):
    assert client.get(f"{API}/{kind}", params={"cursor": cursor}).status_code == 422
