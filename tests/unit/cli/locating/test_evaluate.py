"""`heimdall evaluate` and `heimdall benchmark` from the outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from heimdall.cli import main

_PLACES = ((50.2, 10.1), (49.8, 10.3), (50.1, 9.6), (49.9, 9.7))


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["heimdall", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def _table(path: Path, truths: list[tuple[float, float] | None]) -> Path:
    """Arrival times that fit each truth to some metres, on a spherical earth."""
    lines = []
    for number, truth in enumerate(truths):
        at = truth or (50.0, 10.0)
        measurements = [
            {
                "receiver": f"R{index}",
                "latitude_deg": latitude,
                "longitude_deg": longitude,
                "height_m": 0,
                "toa_s": float(np.hypot(latitude - at[0], 0.643 * (longitude - at[1])) * 111.2e3 * 1.0003 / 299792458),
                "clock_sigma_s": 1e-7,
                "rssi_dbm": None,
                "rssi_sigma_db": None,
            }
            for index, (latitude, longitude) in enumerate(_PLACES)
        ]
        known = None if truth is None else {"latitude_deg": truth[0], "longitude_deg": truth[1], "height_m": 0}
        lines.append({"id": f"m{number}", "time_utc": None, "frequency_hz": 150e6, "bandwidth_hz": 25e3, "height_m": 0})
        lines[-1] |= {"measurements": measurements, "truth": known}
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_a_scenario_is_compared_with_every_method_and_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = _run(monkeypatch, "evaluate", "--scenario", "sparse", "--count", "3", "--seed", "2", "--json")
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (document["scenario"], document["seed"], document["count"]) == ("sparse", 2, 3)
    everything = document["groups"][0]
    assert everything["bound"]["median_m"] > 0
    assert set(everything["methods"]) == {"least squares", "likelihood"}
    assert everything["methods"]["likelihood"]["ms_per_fix"] > 0
    assert everything["methods"]["least squares"]["reference_ratio"]["value"] > 0


def test_recordings_are_compared_where_the_transmitter_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = _table(tmp_path / "table.jsonl", [(50.02, 10.0), None, (50.05, 9.95)])
    table.write_text(table.read_text() + '\n{"id": "cut')
    assert _run(monkeypatch, "evaluate", str(table), "--json") == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["count"] == 2
    assert "1 observation has no truth and is left out" in captured.err
    assert "not read: table.jsonl line 4: Invalid JSON" in captured.err
    assert document["groups"][0]["bound"] is None
    assert document["groups"][0]["methods"]["likelihood"]["median_m"] < 1000


def test_a_run_folder_gets_progress_table_pictures_and_last_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table, run = _table(tmp_path / "table.jsonl", [(50.02, 10.0)]), tmp_path / "run"
    assert _run(monkeypatch, "evaluate", str(table), "--run-dir", str(run)) == 0
    result = json.loads((run / "result.json").read_text())
    assert result["model"] is None
    assert result["scores"]["likelihood/median_m"] > 0
    assert json.loads((run / result["report"]).read_text())["count"] == 1
    progress = json.loads((run / "progress.json").read_text())
    assert (progress["phase"], progress["fraction"], progress["accelerator"]["used"]) == ("done", 1.0, "cpu")
    assert {path.name for path in (run / "plots").iterdir()} == {"errors.png", "coverage.png"}
    assert "likelihood" in capsys.readouterr().err
    before = (run / "result.json").stat().st_mtime_ns
    assert _run(monkeypatch, "evaluate", str(table), "--run-dir", str(run)) == 0
    assert (run / "result.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("arguments", [[], ["--scenario", "sparse", "some.jsonl"]])
def test_either_a_scenario_or_paths_must_be_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert _run(monkeypatch, "evaluate", *arguments) == 2
    assert "give either --scenario NAME or paths" in capsys.readouterr().err


def test_nothing_with_a_truth_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "evaluate", str(_table(tmp_path / "table.jsonl", [None]))) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("heimdall: nothing to evaluate")


def test_a_model_that_is_not_there_is_said_before_any_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "evaluate", "--scenario", "matched", "--model", "none.heimdall") == 2
    assert "none.heimdall: no such file" in capsys.readouterr().err


def test_terminating_it_stops_it_at_once_and_says_that_it_can_begin_anew(tmp_path: Path) -> None:
    """Exit 75 is what a supervisor takes for stopped and resumable; no result is left."""
    run = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "heimdall",
        "evaluate",
        "--scenario",
        "dense",
        "--count",
        "5000",
        "--run-dir",
        str(run),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while process.poll() is None and not (run / "progress.json").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 75
    assert errors.splitlines()[-1] == "heimdall: stopped"
    assert not (run / "result.json").exists()


def test_the_benchmark_names_the_machine_and_times_every_part(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "benchmark", "--receivers", "3", "--samples", "1024", "--repeats", "3", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert {"samples_to_fix", "evidence", "search"} <= set(document["timings"])
    assert document["session"] == {"receivers": 3, "samples": 1024}
    assert document["machine"]["cores"] >= 1
    assert document["machine"]["packages"]["numpy"] == np.__version__
    assert document["simulation_scenes_per_s"] > 0
    assert document["peak_memory_mb"] > 50
