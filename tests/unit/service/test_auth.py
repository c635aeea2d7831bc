"""A token opens what its role covers, and nothing once it is revoked."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from heimdall.errors import InputError
from heimdall.service import auth
from heimdall.service.auth import Principal, Role
from heimdall.service.database.tables import Token
from heimdall.service.settings import Settings


def make(store, role=Role.VIEWER):
    with store.writing() as session:
        return auth.create_token(session, "anna", role)


def who(store, settings, word):
    with store.reading() as session:
        return auth.identify(session, word, settings)


def test_a_token_tells_who_asks(store, settings):
    word = make(store, Role.OPERATOR)
    assert who(store, settings, word) == Principal("anna", Role.OPERATOR)
    assert who(store, settings, word[:-1]) is None
    assert who(store, settings, "") is None
    assert who(store, settings, "ünï") is None


def test_the_word_itself_is_not_in_the_database(store):
    word = make(store)
    with store.reading() as session:
        token = session.scalar(select(Token))
    assert word not in {token.id, token.name, token.sha256}
    assert len({make(store) for _ in range(5)}) == 5


def test_a_revoked_token_opens_nothing(store, settings):
    word = make(store)
    with store.writing() as session:
        (token,) = auth.list_tokens(session)
        auth.revoke_token(session, token.id)
    assert who(store, settings, word) is None


def test_revoking_what_is_not_there_is_told(store):
    with store.writing() as session, pytest.raises(InputError, match="no token"):
        auth.revoke_token(session, "nothing")


@pytest.mark.parametrize(
    ("role", "covers"),
    [
        (Role.VIEWER, {Role.VIEWER}),
        (Role.OPERATOR, {Role.VIEWER, Role.OPERATOR}),
        (Role.ADMIN, set(Role)),
    ],
)
def test_each_role_covers_those_below_it(role, covers):
    assert {needed for needed in Role if role.covers(needed)} == covers


def test_a_configured_admin_token_is_accepted(store):
    settings = Settings(admin_token="a-configured-token-of-length")
    assert who(store, settings, "a-configured-token-of-length").role is Role.ADMIN
    assert who(store, settings, "a-configured-token-of-lengt!") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_a_fresh_installation_on_loopback_gets_one_first_token(store, host):
    settings = Settings(host=host)
    word = auth.first_token(store, settings)
    assert who(store, settings, word).role is Role.ADMIN
    assert auth.first_token(store, settings) is None


@pytest.mark.parametrize(
    "settings", [Settings(host="0.0.0.0"), Settings(host="example.org"), Settings(admin_token="x" * 20)]
)
def test_no_first_token_is_made_where_others_can_reach_it_or_there_is_one(store, settings):
    assert auth.first_token(store, settings) is None
