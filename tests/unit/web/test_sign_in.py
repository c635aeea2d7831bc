"""A token becomes a cookie; without one there is only the way in, and links lead nowhere else."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from heimdall.service.api import create_app
from heimdall.service.api.http.problems import UnauthenticatedError
from heimdall.service.auth import Role, create_token, identify, list_tokens, revoke_token
from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.database.tables import SignIn, now_unix_s
from heimdall.service.settings import Settings
from heimdall.web.sign_in import COOKIE, TRIES_PER_MINUTE, Entry, local_path


@pytest.fixture
def store(tmp_path):
    store = Store(Settings(home=tmp_path).database)
    migrate(store)
    yield store
    store.close()


def entry_for(store, tmp_path, host="127.0.0.1") -> Entry:
    return Entry(create_app(Settings(home=tmp_path, host=host, accelerator="cpu"), store).state.parts)


@pytest.fixture
def entry(store, tmp_path):
    return entry_for(store, tmp_path)


@pytest.fixture
def client(entry):
    app = FastAPI()
    app.include_router(entry.routes())
    return TestClient(app, follow_redirects=False)


@pytest.fixture
def word(store):
    with store.writing() as session:
        return create_token(session, "someone", Role.OPERATOR)


def test_a_token_becomes_a_cookie_that_scripts_cannot_read(client, entry, word):
    answer = client.post("/sign-in", data={"token": f" {word} ", "next": "/models?model=1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/models?model=1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    who = entry.identify(answer.cookies[COOKIE])
    assert (who.name, who.role) == ("someone", Role.OPERATOR)


def test_a_wrong_token_is_told_and_sets_nothing(client):
    answer = client.post("/sign-in", data={"token": "heimdall_wrong"})
    assert answer.status_code == 401
    assert "unknown, revoked or expired" in answer.text
    assert "set-cookie" not in answer.headers


def test_signing_out_takes_the_cookie_away(client):
    answer = client.post("/sign-out")
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]


def test_the_address_on_loopback_signs_in_as_admin(client, entry):
    address = urlsplit(entry.address())
    assert address.hostname == "127.0.0.1"
    (token,) = parse_qs(address.query)["token"]
    answer = client.get("/sign-in", params={"token": token})
    assert entry.identify(answer.cookies[COOKIE]).role is Role.ADMIN


def test_elsewhere_there_is_no_such_address(store, tmp_path):
    elsewhere = entry_for(store, tmp_path, host="0.0.0.0")
    (token,) = parse_qs(urlsplit(elsewhere.address()).query)["token"]
    app = FastAPI()
    app.include_router(elsewhere.routes())
    assert TestClient(app).get("/sign-in", params={"token": token}).status_code == 401
    assert elsewhere.identify(token) is None
    assert elsewhere.identify("") is None


@given(st.text(max_size=60))
def test_the_way_on_stays_on_this_site(target):
    """A path of ours, or the first page."""
    found = urlsplit(local_path(target))
    assert (found.scheme, found.netloc) == ("", "")
    assert found.path.startswith("/")


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", ""])
def test_a_way_that_leads_elsewhere_is_not_gone(client, word, target):
    answer = client.post("/sign-in", data={"token": word, "next": target})
    assert answer.headers["location"] == "/"


def test_what_came_with_the_address_is_escaped(client):
    assert '"><script>' not in client.get("/sign-in", params={"next": '/"><script>'}).text


def sign_in(client, word):
    return client.post("/sign-in", data={"token": word})


def test_the_cookie_is_a_session_of_its_own_and_not_the_token(client, entry, store, word):
    first, second = (sign_in(client, word).cookies[COOKIE] for _ in range(2))
    assert len({word, first, second}) == 3
    with store.reading() as session:
        assert identify(session, first, entry.parts.settings) is None, "a stolen cookie must not open the API"


def test_only_who_has_a_session_gets_past_the_check(client, entry, word):
    def asked_with(cookie):
        headers = [(b"cookie", f"{COOKIE}={cookie}".encode())]
        return Request({"type": "http", "headers": headers})

    entry.check_signed_in(asked_with(sign_in(client, word).cookies[COOKIE]))
    with pytest.raises(UnauthenticatedError):
        entry.check_signed_in(asked_with(word))


def test_signing_out_ends_the_session_itself(client, entry, word):
    kept = sign_in(client, word).cookies[COOKIE]
    client.post("/sign-out")
    assert entry.identify(kept) is None


def test_a_session_ends_with_its_token_and_with_its_time(client, entry, store, word):
    kept = sign_in(client, word).cookies[COOKIE]
    with store.writing() as session:
        session.execute(update(SignIn).values(expires_unix_s=now_unix_s() - 1))
    assert entry.identify(kept) is None
    kept = sign_in(client, word).cookies[COOKIE]
    with store.writing() as session:
        revoke_token(session, list_tokens(session)[0].id)
    assert entry.identify(kept) is None


def test_a_session_of_the_configured_admin_ends_when_that_token_is_changed(store, tmp_path):
    def entry_with(secret):
        settings = Settings(home=tmp_path, accelerator="cpu", admin_token=secret)
        return Entry(create_app(settings, store).state.parts)

    app = FastAPI()
    app.include_router(entry_with("first" * 5).routes())
    kept = sign_in(TestClient(app, follow_redirects=False), "first" * 5).cookies[COOKIE]
    assert entry_with("first" * 5).identify(kept).role is Role.ADMIN
    assert entry_with("other" * 5).identify(kept) is None


def test_guessing_tokens_is_slowed_down_and_logged(client, word, caplog):
    caplog.set_level("INFO")
    answers = [sign_in(client, f"heimdall_{n}") for n in range(TRIES_PER_MINUTE + 1)]
    assert [answer.status_code for answer in answers] == [401] * TRIES_PER_MINUTE + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert sign_in(client, word).status_code == 429
    assert "refused from testclient" in caplog.text
    assert "heimdall_0" not in caplog.text


def test_signing_in_often_is_no_guessing(client, word, caplog):
    caplog.set_level("INFO")
    assert {sign_in(client, word).status_code for _ in range(TRIES_PER_MINUTE + 1)} == {303}
    assert "someone (operator) signed in from testclient" in caplog.text
