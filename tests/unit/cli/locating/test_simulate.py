"""`heimdall simulate` from the outside."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from heimdall.cli import main
from heimdall.formats.readers.read import read_observations
from heimdall.simulation import scenario, scenes, to_observation


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["heimdall", "simulate", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_sessions_written_are_the_scenes_of_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, str(tmp_path), "--scenario", "sparse", "--count", "2", "--seed", "9", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert {key: document[key] for key in ("scenario", "seed", "count")} == {
        "scenario": "sparse",
        "seed": 9,
        "count": 2,
    }
    (batch,) = scenes(scenario("sparse"), 9, 2)
    for index, folder in enumerate(document["sessions"]):
        (read,) = read_observations(Path(folder))
        made = to_observation(batch, index)
        assert read.truth is not None
        assert made.truth is not None
        assert read.truth.latitude_deg == pytest.approx(made.truth.latitude_deg, abs=1e-9)
        assert read.bandwidth_hz == pytest.approx(made.bandwidth_hz)
        samples = {reception.receiver.name: reception.samples for reception in read.receptions}
        for reception in made.receptions:
            assert reception.samples is not None
            assert np.array_equal(samples[reception.receiver.name], reception.samples)


def test_stamps_and_clocks_survive_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, str(tmp_path), "--scenario", "rough-receivers", "--seed", "1") == 0
    (read,) = read_observations(tmp_path)
    (batch,) = scenes(scenario("rough-receivers"), 1, 1)
    made = {reception.receiver.name: reception for reception in to_observation(batch, 0).receptions}
    assert len(read.receptions) == len(made)
    origin_s = [reception.start_s - made[reception.receiver.name].start_s for reception in read.receptions]
    assert np.ptp(origin_s) < 1e-9
    for reception in read.receptions:
        assert reception.receiver.clock_sigma_s == pytest.approx(made[reception.receiver.name].receiver.clock_sigma_s)


def test_what_is_there_already_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, str(tmp_path), "--scenario", "sparse") == 0
    before = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*"))
    assert _run(monkeypatch, str(tmp_path), "--scenario", "sparse", "--count", "2") == 2
    assert "is there already" in capsys.readouterr().err
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "nowhere"], "choose one of: matched"),
        (["--count", "0"], "--count"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_a_wrong_call_is_one_clear_line_and_exit_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(monkeypatch, str(tmp_path / "out"), *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder_to_write_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("")
    assert _run(monkeypatch, str(tmp_path / "out")) == 2
    assert "give a folder" in capsys.readouterr().err
