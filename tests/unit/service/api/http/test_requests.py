"""Each request is numbered, logged with who asked, and counted, and nothing from outside becomes a label."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from heimdall.service import logs
from heimdall.service.api import create_app
from heimdall.service.api.http.requests import HEADER, Observed
from heimdall.service.auth import Role, create_token

JOBS = "/api/v1/jobs"
TRAIN = {"kind": "train", "recipe": "quick", "overrides": {"steps": 10}}


@pytest.fixture
def app(settings, store):
    return create_app(settings, store)


@pytest.fixture
def client(app, store):
    with store.writing() as session:
        word = create_token(session, "anna", Role.ADMIN)
    return TestClient(app, headers={"Authorization": f"Bearer {word}"}, raise_server_exceptions=False)


def test_a_request_keeps_the_number_it_came_with_and_else_gets_one(client):
    assert client.get(JOBS, headers={HEADER: "abc-1"}).headers[HEADER] == "abc-1"
    first, second = (client.get(JOBS).headers[HEADER] for _ in range(2))
    assert first != second
    for bad in ("a b", "x" * 65, 'a"'):
        assert client.get(JOBS, headers={HEADER: bad}).headers[HEADER] != bad


def test_an_error_carries_its_number_too(client, app):
    def break_down():
        raise RuntimeError("secret")

    app.add_api_route("/broken", break_down)
    answer = client.get("/broken", headers={HEADER: "abc-2"})
    assert (answer.status_code, "abc-2" in answer.json()["detail"]) == (500, True)


def test_who_changed_what_stands_in_the_audit_log(client, caplog):
    caplog.set_level("INFO")
    job = client.post(JOBS, json=TRAIN).json()["id"]
    client.get(JOBS)
    client.post(f"{JOBS}/{job}/cancel")
    client.delete(f"{JOBS}/{'f' * 16}")
    told = [record.getMessage() for record in caplog.records if record.name == "heimdall.audit"]
    assert [line.split(" in ")[0] for line in told] == [f"POST {JOBS} 201", f"POST {JOBS}/{job}/cancel 200"]
    assert all("for anna from testclient" in line for line in told)


def test_a_client_that_leaves_before_its_page_is_no_fault_of_ours():
    """As NiceGUI's pages do it, whose middleware has nothing to answer then."""

    async def page(scope, receive, send):
        await receive()  # the body
        assert (await receive())["type"] == "http.disconnect"
        raise RuntimeError("No response returned.")

    registry = CollectorRegistry()
    heard = iter([{"type": "http.request", "body": b""}, {"type": "http.disconnect"}])

    async def receive():
        return next(heard)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    asyncio.run(Observed(page, registry, "/api/v1")(scope, receive, pytest.fail))
    labels = {"method": "GET", "route": "unknown", "status": "4xx"}
    assert registry.get_sample_value("heimdall_request_seconds_count", labels) == 1


def test_requests_are_counted_by_route_and_not_by_what_was_asked(client):
    client.get(f"{JOBS}/{'f' * 16}")
    client.get("/api/v1/nothing-of-the-kind")
    client.request("BREW", JOBS)
    body = client.get("/metrics").text
    assert 'heimdall_request_seconds_count{method="GET",route="/api/v1/jobs/{job_id}",status="4xx"} 1.0' in body
    assert 'heimdall_request_seconds_count{method="GET",route="unknown",status="4xx"} 1.0' in body
    assert "nothing-of-the-kind" not in body
    assert "BREW" not in body


@pytest.mark.parametrize("kind", [logs.TextLines, logs.JsonLines])
def test_a_line_of_the_log_has_zone_and_request_and_is_one_line(kind):
    logs.request_id.set("abc-3")
    line = kind().format(logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": "one\nERROR two"}))
    logs.request_id.set(None)
    assert "\n" not in line
    assert "abc-3" in line
    time = json.loads(line)["time"] if kind is logs.JsonLines else line.split()[0]
    assert time.endswith("Z")
