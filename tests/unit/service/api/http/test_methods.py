"""Each address answers a wrong method with those it has, HEAD as GET without the body, and other sites only by setting."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from heimdall.service.api import create_app
from heimdall.service.api.http.methods import add_catch_all
from heimdall.service.auth import Role, create_token
from heimdall.service.settings import Settings

JOBS = "/api/v1/jobs"


@pytest.fixture(params=["alone", "with the page"])
def client(settings, store, request) -> TestClient:
    return make(settings, store, request.param == "with the page")


def make(settings, store, with_page=False):
    app = create_app(settings, store)
    if with_page:  # what the page puts behind the API
        add_catch_all(app)
        app.mount("/", FastAPI())
    with store.writing() as session:
        word = create_token(session, "anna", Role.VIEWER)
    return TestClient(app, headers={"Authorization": f"Bearer {word}"}, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        (JOBS, "DELETE", "GET, HEAD, OPTIONS, POST"),
        (f"{JOBS}/{'f' * 16}", "PUT", "DELETE, GET, HEAD, OPTIONS"),
        ("/api/v1/locate", "GET", "OPTIONS, POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(client, path, method, allowed):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"
    options = client.options(path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allowed, b"")


@pytest.mark.parametrize("method", ["PUT", "TRACE"])
def test_a_page_at_every_other_address_answers_no_wrong_method(settings, store, method):
    app = create_app(settings, store)
    add_catch_all(app)
    app.mount("/", PlainTextResponse("a page"))
    answer = TestClient(app).request(method, JOBS)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_where_there_is_nothing_no_method_helps(client, method):
    assert client.request(method, "/api/v1/nothing").status_code == 404


def test_head_is_get_without_the_body(client):
    got, headed = client.get(JOBS), client.head(JOBS)
    assert (headed.status_code, headed.content) == (200, b"")
    for name in ("content-type", "content-length"):
        assert headed.headers[name] == got.headers[name]
    assert client.head(f"{JOBS}/{'f' * 16}").status_code == 404


def test_other_sites_may_ask_only_where_that_is_set(settings, store, tmp_path):
    site = {"Origin": "https://map.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in make(settings, store).options(JOBS, headers=site).headers
    opened = make(Settings(home=tmp_path / "home", accelerator="cpu", cors_origins="https://map.example"), store)
    asked = opened.options(JOBS, headers=site | {"Access-Control-Request-Headers": "authorization"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "https://map.example")
    assert "access-control-allow-credentials" not in asked.headers
    assert opened.options(JOBS, headers=site | {"Origin": "https://evil.example"}).status_code == 400
