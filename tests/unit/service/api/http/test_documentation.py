"""The API describes itself, without anything from another host, in words that a generated client can use."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from heimdall.service.api import create_app


@pytest.fixture
def client(settings, store):
    return TestClient(create_app(settings, store))


def test_the_page_loads_only_what_is_here(client):
    page = client.get("/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    for address in loaded:
        assert address.startswith("/")
        answer = client.get(address)
        assert (answer.status_code, len(answer.content) > 1000) == (200, True)
    assert "/api/v1/openapi.json" in page.text


def test_operations_have_readable_names_of_their_own(client):
    document = client.get("/api/v1/openapi.json").json()
    operations = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(operations) == len(set(operations))
    assert {"jobs_create", "models_promote", "locate", "receivers_calibrate", "system_queue"} <= set(operations)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", each) for each in operations)


def test_every_reference_of_the_document_leads_somewhere(client):
    document = client.get("/api/v1/openapi.json")
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', document.text)):
        assert name in document.json()["components"]["schemas"]
