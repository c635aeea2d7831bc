"""`heimdall benchmark gpu` measures the card, says why it cannot, or runs small on a CPU."""

from __future__ import annotations

import json
import sys

import pytest

from heimdall.benchmark import gpu_measured
from heimdall.cli import main
from heimdall.learning import accelerator


def _run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["heimdall", "benchmark", "gpu", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_without_a_card_one_line_says_why_and_what_still_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(accelerator, "_why_no_gpu", lambda count: "the driver and its library differ: reboot")
    assert _run(monkeypatch) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert said == [
        "heimdall: no usable GPU: the driver and its library differ: reboot. "
        "To see that the benchmark runs, without figures: --device cpu"
    ]


@pytest.mark.parametrize("words", [("--device", "tpu"), ("--device", "cpu", "--recipes", "huge")])
def test_a_wrong_call_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert _run(monkeypatch, *words) == 2
    assert "choose one of" in capsys.readouterr().err


@pytest.mark.slow
def test_on_a_cpu_it_runs_small(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # The start is a whole process, which the script benchmarks/gpu.sh runs.
    monkeypatch.setattr(gpu_measured, "first_step_s", lambda device, effort: 1.5)
    assert _run(monkeypatch, "--device", "cpu", "--recipes", "quick", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    row = document["recipes"]["quick"]
    assert document["small"] is True
    assert row["ratio_to_bare"] == pytest.approx(row["steps_per_s"] / row["bare_steps_per_s"], rel=1e-3)
    assert 0 < row["batch_wait_share"] < 1
    assert (row["memory_used_gib"], document["counters"]) == (None, None)
    assert document["scenes_per_s"] > 0
    assert row["memory_planned_gib"] > 0
