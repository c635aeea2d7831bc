"""Metrics to MLflow. Tracking is a witness: it must never stop a training, so every failure ends in one warning."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

EXPERIMENT = "heimdall"
OFF = "off"
_REACH_TIMEOUT_S = 3.0


class Tracker:
    """One MLflow run. With address "off", or after the first failure, it does nothing."""

    def __init__(self, address: str, run_name: str, run_id: str | None = None) -> None:
        self.run_id = run_id
        self._client: Any = None
        self._answers = address != OFF
        if not self._answers:
            log.info("MLflow tracking is off; metrics are in metrics.jsonl")
        self._guard(lambda: self._open(address, run_name))

    def _open(self, address: str, run_name: str) -> None:
        _check_reachable(address)
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from mlflow.tracking import MlflowClient

        client = MlflowClient(address)
        if self.run_id is None:
            found = client.get_experiment_by_name(EXPERIMENT)
            experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
            self.run_id = client.create_run(experiment, run_name=run_name).info.run_id
        else:
            client.update_run(self.run_id, status="RUNNING")
        self._client = client

    def parameters(self, values: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in values.items()]
        self._guard(lambda: self._client.log_batch(self.run_id, params=params))

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        metrics = [Metric(name, value, now_ms, step) for name, value in values.items()]
        self._guard(lambda: self._client.log_batch(self.run_id, metrics=metrics))

    def finish(self, status: str) -> None:
        """FINISHED, FAILED or KILLED."""
        self._guard(lambda: self._client.set_terminated(self.run_id, status))

    def _guard(self, action: Callable[[], None]) -> None:
        if not self._answers:
            return
        try:
            action()
        except Exception as error:
            self._answers = False
            reason = " ".join(str(error).split())[:300]
            log.warning("MLflow does not answer (%s); training goes on, metrics are in metrics.jsonl", reason)


def default_address(home: Path) -> str:
    """What MLFLOW_TRACKING_URI says, else SQLite in the given folder."""
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given:
        return given
    home.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(home / 'mlflow.db').absolute()}"


def _check_reachable(address: str) -> None:
    """MLflow's own client waits for minutes where nobody listens."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https") and parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), _REACH_TIMEOUT_S).close()
