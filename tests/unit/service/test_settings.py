"""Settings come from the environment or from files, and a wrong one is told by its name."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url

from heimdall.errors import InputError
from heimdall.service.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch, tmp_path):
    import os

    for name in [name for name in os.environ if name.startswith("HEIMDALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_with_nothing_configured_everything_lies_below_var(tmp_path):
    settings = load_settings()
    home = tmp_path / "var"
    assert settings.embedded
    assert settings.database.render_as_string() == f"sqlite:///{home / 'heimdall.db'}"
    assert settings.broker is None
    assert settings.artifact_address == str(home / "artifacts")
    assert settings.mlflow_address == f"sqlite:///{home / 'mlflow.db'}"
    assert (settings.host, settings.health_host) == ("127.0.0.1", "127.0.0.1")


def test_a_secret_may_come_from_a_file_whose_last_newline_is_not_part_of_it(monkeypatch, tmp_path):
    (tmp_path / "password").write_text("s3/cr@t\n")
    monkeypatch.setenv("HEIMDALL_DATABASE_URL", "postgresql://heimdall@db/heimdall")
    monkeypatch.setenv("HEIMDALL_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    url = load_settings().database
    assert (url.drivername, url.password, url.host) == ("postgresql+psycopg", "s3/cr@t", "db")


def test_the_variable_wins_over_its_file(monkeypatch, tmp_path):
    (tmp_path / "port").write_text("1")
    monkeypatch.setenv("HEIMDALL_PORT_FILE", str(tmp_path / "port"))
    assert load_settings().port == 1
    monkeypatch.setenv("HEIMDALL_PORT", "2")
    assert load_settings().port == 2
    assert load_settings(port=3).port == 3


def test_a_password_is_put_into_the_broker_address_and_quoted(monkeypatch):
    monkeypatch.setenv("HEIMDALL_BROKER_URL", "redis://valkey:6379/0")
    monkeypatch.setenv("HEIMDALL_BROKER_PASSWORD", "a/b")
    assert load_settings().broker == "redis://:a%2Fb@valkey:6379/0"


@pytest.mark.parametrize("address", ["postgresql://db/heimdall", "postgresql://user@db/heimdall"])
def test_a_password_reaches_the_driver_with_and_without_a_user_in_the_address(monkeypatch, address):
    monkeypatch.setenv("HEIMDALL_DATABASE_URL", address)
    monkeypatch.setenv("HEIMDALL_DATABASE_PASSWORD", "a/b")
    url = load_settings().database
    assert url.translate_connect_args()["password"] == "a/b"
    assert make_url(url.render_as_string(hide_password=False)).password == "a/b"


@pytest.mark.parametrize(("given", "expected"), [("gpu", ("gpu",)), ("gpu, cpu", ("gpu", "cpu"))])
def test_what_a_worker_takes_is_a_list_with_commas(monkeypatch, given, expected):
    monkeypatch.setenv("HEIMDALL_TAKES", given)
    assert load_settings().takes == expected


def test_secrets_are_not_printed(monkeypatch):
    monkeypatch.setenv("HEIMDALL_DATABASE_URL", "postgresql://u:hidden@db/x")
    monkeypatch.setenv("HEIMDALL_ADMIN_TOKEN", "hidden-hidden-hidden-hidden")
    settings = load_settings()
    assert "hidden" not in repr(settings)
    assert "hidden" not in repr(settings.database)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PORT", "many", "HEIMDALL_PORT"),
        ("ACCELERATOR", "tpu", "HEIMDALL_ACCELERATOR"),
        ("DATABASE_URL", "not an address", "HEIMDALL_DATABASE_URL"),
        ("ADMIN_TOKEN", "short", "HEIMDALL_ADMIN_TOKEN"),
        ("ADMIN_TOKEN_FILE", "/nonexistent/token", "HEIMDALL_ADMIN_TOKEN_FILE"),
        ("LEASE_S", "3", "heartbeat"),
        ("TAKES", "tpu", "HEIMDALL_TAKES"),
        ("TAKES", "", "HEIMDALL_TAKES"),
        ("MEMORY_GB", "-1", "HEIMDALL_MEMORY_GB"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable_and_not_the_value_of_a_secret(
    monkeypatch, name, value, told
):
    monkeypatch.setenv(f"HEIMDALL_{name}", value)
    with pytest.raises(InputError, match=told) as caught:
        _ = load_settings().database
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("word", ["gpu-ids", "gpu-cdi"])
def test_the_words_by_which_compose_reserves_a_gpu_mean_gpu(word):
    assert Settings(accelerator=word).accelerator == "gpu"
