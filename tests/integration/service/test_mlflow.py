"""A real MLflow server takes our models, and is told later what happened while it was away."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heimdall.service.database.migrate import migrate
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Alias, Model
from heimdall.service.health.monitor import Degraded
from heimdall.service.models.mlflow_sync import REGISTERED, MlflowSync, mirror
from heimdall.service.settings import Settings

pytest.importorskip("flask", reason="pip install 'heimdall[tracking]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

_PATIENCE_S = 900.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """As the stack starts it: artifacts are its own."""
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--serve-artifacts"]
    places = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/mlflow.db",
        "--artifacts-destination",
        str(tmp_path / "store"),
    ]
    with (tmp_path / "mlflow.log").open("w") as said:
        program = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options, *places],
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    address, end_s = f"http://127.0.0.1:{port}", time.monotonic() + _PATIENCE_S
    while not _answers(address):
        assert program.poll() is None, (tmp_path / "mlflow.log").read_text()[-2000:]
        assert time.monotonic() < end_s, "MLflow does not start"
        time.sleep(0.5)
    yield address
    program.send_signal(signal.SIGTERM)
    try:
        program.wait(20)
    except subprocess.TimeoutExpired:
        program.kill()


def _answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(f"{address}/health", timeout=2).status == 200
    except OSError:
        return False


@pytest.fixture
def open_on(tmp_path: Path) -> Callable[[str], tuple[Settings, Store]]:
    def make(address: str) -> tuple[Settings, Store]:
        settings = Settings(home=tmp_path / "home", accelerator="cpu", mlflow_tracking_uri=address)
        store = Store(settings.database)
        migrate(store)
        return settings, store

    return make


def add(store: Store, model_id: str) -> None:
    values = {"artifact": "a", "sha256": "0", "size_bytes": 1, "scores": {"hybrid_median_m": 84.0}, "record": {}}
    with store.writing() as session:
        session.add(Model(id=model_id, name=f"{model_id}.heimdall", **values))
        session.flush()
        session.merge(Alias(name="champion", model_id=model_id, moved_by="t", reason={}))


def test_a_server_that_comes_late_has_every_model_every_training_and_the_champion(server, open_on):
    from mlflow.tracking import MlflowClient

    settings, store = open_on(server)
    away, _ = open_on(f"http://127.0.0.1:{free_port()}")
    run = settings.runs / "job1"
    run.mkdir(parents=True)
    rows = [{"step": step, "time_utc": f"2026-01-01T00:00:{step:02d}+00:00", "loss": 9.0 - step} for step in range(3)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run / "recipe.json").write_text(json.dumps({"name": "quick", "seed": 7}))
    (run / "tracking.json").write_text(json.dumps({"run_id": None, "untold": "FINISHED"}))
    add(store, "one")
    with pytest.raises(Degraded, match="sent to it later"):
        MlflowSync(away, store).check()

    assert mirror(settings, store) == "1 models of heimdall, champion is version 1; told of 1 trainings"
    add(store, "two")
    assert mirror(settings, store) == "2 models of heimdall, champion is version 2"

    client = MlflowClient(server)
    found = client.search_model_versions(f"name = '{REGISTERED}'")
    assert sorted(version.tags["heimdall_model"] for version in found) == ["one", "two"]
    assert client.get_model_version_by_alias(REGISTERED, "champion").tags["heimdall_model"] == "two"
    told = json.loads((run / "tracking.json").read_text())
    training = client.get_run(told["run_id"])
    assert (training.info.status, training.data.params["recipe"], told["untold"]) == ("FINISHED", "quick", None)
    assert [each.value for each in client.get_metric_history(told["run_id"], "loss")] == [9.0, 8.0, 7.0]
    MlflowSync(settings, store).check()
    store.close()
