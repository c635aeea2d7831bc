"""Tracking never stops a training."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from heimdall.learning.run.tracking import Tracker, default_address


def test_a_server_that_is_not_there_costs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with caplog.at_level(logging.INFO):
        tracker = Tracker(f"http://127.0.0.1:{port}", "run")
        tracker.parameters({"recipe": "quick"})
        tracker.metrics(1, {"loss": 1.0})
        tracker.finish("FINISHED")
    assert len(caplog.records) == 1
    assert "MLflow does not answer" in caplog.text
    assert "metrics.jsonl" in caplog.text


def test_switched_off_it_says_where_the_metrics_are(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Tracker("off", "run").metrics(1, {"loss": 1.0})
    assert "metrics.jsonl" in caplog.text


def test_the_address_comes_from_the_environment_or_is_a_file_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert default_address(tmp_path / "home") == f"sqlite:///{tmp_path / 'home' / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert default_address(tmp_path) == "http://mlflow:5000"


# MLflow uses what the current SQLAlchemy deprecates; that is not ours to mend.
@pytest.mark.filterwarnings("ignore")
def test_parameters_and_metrics_of_a_run_stand_in_its_database_also_after_a_resume(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    first = Tracker(address, "run")
    first.parameters({"recipe": "quick"})
    first.metrics(10, {"loss": 2.0})
    first.finish("KILLED")
    again = Tracker(address, "run", first.run_id)
    again.metrics(20, {"loss": 1.0})
    again.finish("FINISHED")
    client = MlflowClient(address)
    run = client.get_run(first.run_id)
    assert (run.data.params["recipe"], run.info.status) == ("quick", "FINISHED")
    history = client.get_metric_history(first.run_id, "loss")
    assert [(each.step, each.value) for each in history] == [(10, 2.0), (20, 1.0)]


@pytest.mark.filterwarnings("ignore")
def test_a_server_that_comes_later_is_told_what_it_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    from heimdall.learning.run import tracking

    away = True

    def reach(address: str) -> None:
        if away:
            raise ConnectionRefusedError("not yet")

    monkeypatch.setattr(tracking, "_check_reachable", reach)
    monkeypatch.setattr(tracking, "_AGAIN_S", 0.0)
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker = Tracker(address, "run")
    tracker.parameters({"recipe": "quick"})
    tracker.metrics(1, {"loss": 2.0})
    away = False
    tracker.metrics(2, {"loss": 1.0})
    tracker.finish("FINISHED")
    run = MlflowClient(address).get_run(tracker.run_id)
    assert (run.data.params["recipe"], run.info.status) == ("quick", "FINISHED")
    history = MlflowClient(address).get_metric_history(tracker.run_id, "loss")
    assert [(each.step, each.value) for each in history] == [(1, 2.0), (2, 1.0)]


def test_a_server_that_is_away_is_not_asked_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    from heimdall.learning.run import tracking

    asked = []

    def reach(address: str) -> None:
        asked.append(address)
        raise ConnectionRefusedError("away")

    monkeypatch.setattr(tracking, "_check_reachable", reach)
    tracker = Tracker("http://127.0.0.1:1", "run")
    for step in range(100):
        tracker.metrics(step, {"loss": 1.0})
    tracker.finish("FINISHED")
    assert len(asked) == 2, "at the start, and once more at the end"
