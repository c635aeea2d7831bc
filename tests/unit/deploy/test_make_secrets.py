from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "docker" / "make_secrets.py"


def make(folder: Path) -> dict[str, str]:
    for volume in ("heimdall", "mlflow", "postgres-init"):
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
    assert f"requirepass {files['heimdall/broker_password']}\n" in files["heimdall/valkey.conf"]
    assert f"PASSWORD '{files['mlflow/mlflow_password']}'" in files["postgres-init/mlflow.sql"]


def test_a_folder_half_filled_by_a_killed_start_is_completed(tmp_path: Path) -> None:
    first = make(tmp_path)
    for name in ("mlflow/mlflow_password", "heimdall/valkey.conf"):
        (tmp_path / name).unlink()
    assert make(tmp_path) == first


@pytest.mark.parametrize("name", ["heimdall/database_password", "heimdall/admin_token"])
def test_a_secret_is_too_long_to_guess_and_needs_no_quoting(tmp_path: Path, name: str) -> None:
    word = make(tmp_path)[name]
    assert len(word) == 64
    assert set(word) <= set("0123456789abcdef")
