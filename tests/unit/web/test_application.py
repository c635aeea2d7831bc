"""What a browser is told about our pages."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from heimdall.errors import InputError
from heimdall.service.serve import _config
from heimdall.service.settings import Settings, load_settings
from heimdall.web.application import SafeHeaders


@pytest.mark.parametrize(
    ("tile_url", "images"),
    [
        (None, "img-src 'self' data: blob:;"),
        ("https://{s}.tiles.example/{z}/{x}/{y}.png", "img-src 'self' data: blob: https://*.tiles.example;"),
    ],
)
def test_a_page_loads_only_what_is_ours_and_the_tiles_that_were_configured(tile_url, images):
    app = FastAPI()
    app.add_middleware(SafeHeaders, tile_url=tile_url)
    policy = TestClient(app).get("/").headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert images in policy
    assert "object-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(("proxy", "seen"), [("10.1.2.3", ["https", "192.0.2.7"]), ("10.9.9.9", ["http", "10.9.9.9"])])
def test_only_a_trusted_proxy_is_believed_when_it_says_https(tmp_path, proxy, seen):
    app = FastAPI()

    @app.get("/")
    def look(request: Request) -> list[str]:
        return [request.url.scheme, request.client.host]

    config = _config(app, Settings(home=tmp_path, trusted_proxies="10.1.2.0/24"))
    config.load()
    client = TestClient(config.loaded_app, client=(proxy, 1))
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    assert client.get("/", headers=said).json() == seen


def test_a_proxy_that_is_no_address_is_refused():
    with pytest.raises(InputError, match="TRUSTED_PROXIES"):
        load_settings(trusted_proxies="proxy.example")
