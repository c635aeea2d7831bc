from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "docker" / "make_secrets.py"


def make(folder: Path) -> dict[str, str]:
    for volume in ("heimdall", "api", "training", "postgres", "valkey", "mlflow", "postgres-init"):
        (folder / volume).mkdir(exist_ok=True)
    runpy.run_path(str(SCRIPT))["main"](folder)
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_second_start_keeps_every_secret_and_two_installations_share_none(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = make(tmp_path / "one")
    assert make(tmp_path / "one") == first
    second = make(tmp_path / "two")
    assert first.keys() == second.keys()
    assert not [name for name in first if first[name] == second[name]]


def test_each_service_finds_the_same_word_where_it_looks(tmp_path: Path) -> None:
    files = make(tmp_path)
    assert f"requirepass {files['heimdall/broker_password']}\n" in files["valkey/valkey.conf"]
    assert f"PASSWORD '{files['mlflow/mlflow_password']}'" in files["postgres-init/mlflow.sql"]


def test_a_folder_half_filled_by_a_killed_start_is_completed(tmp_path: Path) -> None:
    first = make(tmp_path)
    for name in ("mlflow/mlflow_password", "valkey/valkey.conf", "training/database_password"):
        (tmp_path / name).unlink()
    assert make(tmp_path) == first


@pytest.mark.parametrize("name", ["heimdall/database_password", "heimdall/admin_token"])
def test_a_secret_is_too_long_to_guess_and_needs_no_quoting(tmp_path: Path, name: str) -> None:
    word = make(tmp_path)[name]
    assert len(word) == 64
    assert set(word) <= set("0123456789abcdef")


def test_each_service_gets_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    words = {name.partition("/")[2]: text for name, text in make(tmp_path).items() if name.startswith("heimdall/")}
    seen = {
        volume: {name for name, word in words.items() if any(word in path.read_text() for path in files)}
        for volume in ("api", "training", "postgres", "valkey", "mlflow", "postgres-init")
        if (files := list((tmp_path / volume).iterdir()))
    }
    assert seen == {
        "api": {"database_password", "broker_password", "admin_token"},
        "training": {"database_password", "broker_password"},
        "postgres": {"database_password"},
        "valkey": {"broker_password"},
        "mlflow": {"mlflow_password"},
        "postgres-init": {"mlflow_password"},
    }


def test_the_passwords_of_an_installation_with_one_volume_for_all_are_taken_over_and_shut(tmp_path: Path) -> None:
    (tmp_path / "heimdall").mkdir()
    (tmp_path / "heimdall" / "database_password").write_text("as-it-was")
    (tmp_path / "heimdall" / "valkey.conf").write_text("requirepass of the release before")
    files = make(tmp_path)
    assert files["api/database_password"] == files["training/database_password"] == "as-it-was"
    assert (tmp_path / "heimdall" / "database_password").stat().st_mode & 0o077 == 0
    assert "heimdall/valkey.conf" not in files
