"""The commands `token` and `jobs` on a database of their own."""

from __future__ import annotations

import json
import os

import pytest
from sqlalchemy import update

from heimdall.service.auth import Role, identify
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Token
from heimdall.service.settings import load_settings


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("HEIMDALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HEIMDALL_HOME", str(tmp_path / "home"))


def test_a_token_made_by_the_command_opens_the_api(heimdall):
    code, word, _ = heimdall("token", "create", "--name", "anna", "--role", "operator")
    assert code == 0
    settings = load_settings()
    store = Store(settings.database)
    with store.reading() as session:
        assert identify(session, word.strip(), settings).role is Role.OPERATOR
    store.close()


def test_a_listed_token_can_be_revoked(heimdall):
    heimdall("token", "create", "--name", "anna")
    (token,) = json.loads(heimdall("token", "list", "--json")[1])["tokens"]
    assert (token["name"], token["role"], token["revoked_utc"]) == ("anna", "viewer", None)
    assert heimdall("token", "revoke", token["id"])[0] == 0
    assert json.loads(heimdall("token", "list", "--json")[1])["tokens"][0]["revoked_utc"]


def test_a_token_may_expire(heimdall, monkeypatch):
    code, word, _ = heimdall("token", "create", "--name", "guest", "--days", "2")
    assert code == 0
    (token,) = json.loads(heimdall("token", "list", "--json")[1])["tokens"]
    assert (token["revoked_utc"], token["expires_utc"] > token["created_utc"]) == (None, True)
    settings = load_settings()
    store = Store(settings.database)
    for days_ago, known in ((0, True), (3, False)):
        with store.writing() as session:
            session.execute(update(Token).values(revoked_unix_s=Token.revoked_unix_s - days_ago * 86_400))
        with store.reading() as session:
            assert (identify(session, word.strip(), settings) is not None) is known
    store.close()
    (token,) = json.loads(heimdall("token", "list", "--json")[1])["tokens"]
    assert (token["expires_utc"], token["revoked_utc"] is not None) == (None, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["token", "create", "--name", "a", "--role", "king"], "viewer, operator, admin"),
        (["token", "create", "--name", " "], "needs a name"),
        (["token", "revoke", "nothing"], "no token nothing"),
        (["jobs", "show", "nothing"], "no job nothing"),
        (["jobs", "submit", "--set", "nonsense"], "KEY=VALUE"),
        (["jobs", "submit", "--recipe", "No!"], "recipe"),
        (["jobs", "submit", "--init", "0" * 16], "no model"),
        (["worker", "--health-port", "99999"], "HEALTH_PORT"),
    ],
)
def test_a_wrong_call_is_exit_2_with_one_line(heimdall, arguments, told):
    code, _, said = heimdall(*arguments)
    assert code == 2
    assert told in said
    assert len(said.strip().splitlines()) == 1


def test_a_job_is_submitted_shown_paused_resumed_and_cancelled(heimdall):
    code, out, _ = heimdall("jobs", "submit", "--set", "optimizer.lr=0.001", "--set", "name=quick one", "--json")
    job = json.loads(out)
    assert (code, job["state"]) == (0, "queued")
    assert job["request"]["overrides"] == {"optimizer.lr": 0.001, "name": "quick one"}
    for action, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        assert heimdall("jobs", action, job["id"])[1] == f"{job['id']} {state}\n"
    assert [found["id"] for found in json.loads(heimdall("jobs", "list", "--json")[1])["jobs"]] == [job["id"]]
    history = json.loads(heimdall("jobs", "show", job["id"], "--json")[1])["history"]
    assert [told["type"] for told in history] == ["queued", "paused", "queued", "cancelled"]
    assert heimdall("jobs", "pause", job["id"])[0] == 1


def test_the_list_in_a_file_is_not_cut_and_says_who_and_when(heimdall):
    name = "a very long name of a training that an eighty column terminal has no room for at all, whatever it does"
    job_id = heimdall("jobs", "submit", "--name", name)[1].split()[0]
    listed = heimdall("jobs", "list")[2]
    assert all(word in listed for word in (job_id, name, "the command line", "started (UTC)", "elapsed"))


def test_a_job_that_nobody_can_take_says_so_when_it_is_submitted_and_when_it_is_shown(heimdall):
    code, out, _ = heimdall("jobs", "submit", "--gpu-memory-gb", "24", "--memory-gb", "64")
    assert (code, out.split(maxsplit=1)[1].strip()[:34]) == (0, "queued, waiting: no worker runs; s")
    (job,) = json.loads(heimdall("jobs", "list", "--json")[1])["jobs"]
    assert job["waiting"].startswith("waiting: no worker runs")
    assert job["needs"] == {"gpu": True, "gpu_memory_gb": 24.0, "memory_gb": 64.0}
    assert job["accelerator"]["asked"] == "gpu"


def test_a_database_that_does_not_answer_is_one_line_without_its_password(heimdall, monkeypatch):
    monkeypatch.setenv("HEIMDALL_DATABASE_URL", "postgresql://u:hidden@127.0.0.1:1/x")
    code, _, said = heimdall("token", "list")
    assert code == 1
    assert "does not answer" in said
    assert "hidden" not in said
