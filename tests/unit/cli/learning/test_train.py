"""`heimdall train` and `heimdall export` from the outside."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest

from heimdall.cli import main
from heimdall.runs.writer import RunWriter

_SMALL = ["network.cells=16", "network.decoder_width=8", "network.token_width=8", "batch_size=2"]
_SET = [word for change in _SMALL for word in ("--set", change)]


@pytest.fixture(autouse=True)
def _own_logging() -> object:
    """The command configures logging for its process; here the process goes on."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["heimdall", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_plan_says_device_memory_and_time_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(monkeypatch, "train", "--recipe", "quick", *_SET, "--accelerator", "cpu", "--plan", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["accelerator"]["used"] == "cpu"
    assert document["memory"]["fits"] is True
    assert document["needed_bytes"] == document["memory"]["needed_bytes"] > 0
    assert document["estimated_s"] > 0
    assert document["fields"]["batch_size"] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_that_is_resumed_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    RunWriter(tmp_path).write_json("result.json", {"model": "quick.heimdall", "scores": {"hybrid_ratio": 0.99}})
    before = sorted(path.name for path in tmp_path.iterdir())
    assert _run(monkeypatch, "train", "--recipe", "quick", "--resume", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["scores"] == {"hybrid_ratio": 0.99}
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_folder_that_holds_a_run_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    RunWriter(tmp_path).write_json("result.json", {"model": "quick.heimdall", "scores": {}})
    arguments = ("train", "--recipe", "quick", "--accelerator", "cpu", "--run-dir", str(tmp_path))
    assert _run(monkeypatch, *arguments) == 2
    assert f"--resume {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], "name a recipe"),
        (["train", "--recipe", "huge"], "there is no recipe named 'huge'"),
        (["train", "--recipe", "quick", "--set", "speed=1"], "no field 'speed'"),
        (["train", "--recipe", "quick", "--accelerator", "tpu"], "auto, gpu, cpu"),
        (["export"], "name a run to export"),
        (["export", "nowhere"], "not the folder of a finished run"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_2(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(monkeypatch, *arguments) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("heimdall: ")
    assert said in last
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_that_is_required_and_not_there_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("heimdall.learning.accelerator._why_no_gpu", lambda _: "the driver is too old")
    monkeypatch.chdir(tmp_path)
    assert _run(monkeypatch, "train", "--recipe", "quick", "--require-gpu") == 1
    assert "no usable GPU: the driver is too old" in capsys.readouterr().err
