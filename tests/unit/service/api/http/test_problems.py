"""Every error of the API has one shape, and a status that says who can do something about it."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from heimdall.errors import HeimdallError, InputError, TooLargeError
from heimdall.service import errors
from heimdall.service.api.http import problems
from heimdall.service.queue.jobs import JobConflictError, UnknownJobError

Answer = Callable[[Exception], "object"]


@pytest.fixture
def answer() -> Answer:
    """What a route that raises the error answers with."""
    app = FastAPI()
    problems.install(app)
    raised: list[Exception] = []

    @app.get("/raise")
    def fail() -> None:
        raise raised.pop()

    @app.get("/number")
    def read(number: int) -> int:
        return number

    client = TestClient(app, raise_server_exceptions=False)

    def ask(error: Exception | str) -> object:
        if isinstance(error, str):
            return client.get(error)
        raised.append(error)
        return client.get("/raise")

    return ask


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (problems.UnauthenticatedError("no token"), 401),
        (problems.ForbiddenError("needs the role admin"), 403),
        (UnknownJobError("no job 7"), 404),
        (errors.UnknownError("no such receiver"), 404),
        (errors.LateError("too slow"), 408),
        (JobConflictError("it is done"), 409),
        (errors.ConflictError("somebody was first"), 409),
        (TooLargeError("3 GB"), 413),
        (InputError("not a recording"), 422),
        (errors.TooOftenError("slower", 1.0), 429),
        (HeimdallError("broken"), 500),
        (errors.BusyError("later", 1.0), 503),
    ],
)
def test_our_errors_say_what_they_say_under_their_status(answer: Answer, error: Exception, status: int) -> None:
    told = answer(error)
    assert (told.status_code, told.headers["content-type"]) == (status, problems.MEDIA_TYPE)
    assert (told.json()["status"], told.json()["detail"]) == (status, str(error))


def test_who_has_no_token_is_told_how_to_give_one_and_who_is_too_early_when_to_come(answer: Answer) -> None:
    assert answer(problems.UnauthenticatedError("no token")).headers["WWW-Authenticate"] == "Bearer"
    assert answer(errors.BusyError("later", 2.1)).headers["Retry-After"] == "3"


def _full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def _database(error: BaseException) -> OperationalError:
    return OperationalError("INSERT INTO jobs", {"token": "secret"}, error)


def _by(cause: Exception) -> HeimdallError:
    error = HeimdallError("the upload failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("error", [_full(), _by(_full()), _database(_full())])
def test_a_full_disk_is_told_as_such_wherever_it_is_noticed(answer: Answer, error: Exception) -> None:
    told = answer(error)
    assert told.status_code == 507
    assert "disk is full" in told.json()["detail"]
    assert told.headers["Retry-After"] == str(problems.RETRY_AFTER_S)


def test_a_database_that_is_away_is_a_matter_of_time_and_its_statement_stays_inside(answer: Answer) -> None:
    told = answer(_database(sqlite3.OperationalError("unable to open database file")))
    assert (told.status_code, told.headers["Retry-After"]) == (503, str(problems.RETRY_AFTER_S))
    assert "INSERT" not in told.text
    assert "secret" not in told.text


@pytest.mark.parametrize(
    "error", [KeyError("password=hunter2"), PermissionError(errno.EACCES, "denied", "/etc/shadow")]
)
def test_a_bug_names_its_kind_and_nothing_of_what_it_holds(answer: Answer, error: Exception) -> None:
    told = answer(error)
    assert (told.status_code, told.headers["content-type"]) == (500, problems.MEDIA_TYPE)
    assert type(error).__name__ in told.json()["detail"]
    assert "hunter2" not in told.text
    assert "shadow" not in told.text


def test_each_wrong_value_is_named(answer: Answer) -> None:
    told = answer("/number?number=many")
    assert told.status_code == 422
    assert told.json()["errors"][0]["where"] == "query.number"
    assert told.json()["detail"].startswith("query.number: ")


def test_a_path_that_is_none_has_the_same_shape(answer: Answer) -> None:
    told = answer("/nothing")
    assert (told.status_code, told.json()["title"], told.json()["type"]) == (404, "Not Found", "about:blank")
