"""Metrics to MLflow. Tracking is a witness: it must never stop a training, so a failure costs one warning."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from heimdall.runs.late_tracking import experiment_of

log = logging.getLogger(__name__)

OFF = "off"
_REACH_TIMEOUT_S = 3.0
_AGAIN_S = 60.0
"""After a failure; it costs the training no more than five seconds a minute."""
_KEPT = 10_000
"""Records that wait for a server that is away; of more than that the oldest are in metrics.jsonl alone."""


class Tracker:
    """One MLflow run. A server that is away is asked again now and then, and told what it missed; off, it does nothing."""

    def __init__(self, address: str, run_name: str, run_id: str | None = None) -> None:
        self.run_id = run_id
        self._address, self._run_name = address, run_name
        self._client: Any = None
        self._waiting: deque[Callable[[], None]] = deque(maxlen=_KEPT)
        self._not_before_s = 0.0
        self._warned = False
        self._off = address == OFF
        if self._off:
            log.info("MLflow tracking is off; metrics are in metrics.jsonl")
        self._tell()

    def _open(self) -> None:
        _check_reachable(self._address)
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from mlflow.tracking import MlflowClient

        client = MlflowClient(self._address)
        if self.run_id is None:
            self.run_id = client.create_run(experiment_of(client), run_name=self._run_name).info.run_id
        else:
            client.update_run(self.run_id, status="RUNNING")
        self._client = client

    def parameters(self, values: Mapping[str, Any]) -> None:
        pairs = {name: str(value) for name, value in values.items()}

        def log_them() -> None:
            from mlflow.entities import Param

            self._client.log_batch(self.run_id, params=[Param(*pair) for pair in pairs.items()])

        self._tell(log_them)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        now_ms, seen = int(time.time() * 1000), dict(values)

        def log_them() -> None:
            from mlflow.entities import Metric

            metrics = [Metric(name, value, now_ms, step) for name, value in seen.items()]
            self._client.log_batch(self.run_id, metrics=metrics)

        self._tell(log_them)

    @property
    def behind(self) -> bool:
        """Something was not told."""
        return bool(self._waiting)

    def finish(self, status: str) -> None:
        """FINISHED, FAILED or KILLED."""
        if self._warned:
            self._not_before_s = 0.0  # the last time to tell it what it missed
        self._tell(lambda: self._client.set_terminated(self.run_id, status))

    def _tell(self, *actions: Callable[[], None]) -> None:
        """These, after what waits; what fails is kept for the next time."""
        if self._off:
            return
        self._waiting.extend(actions)
        if time.monotonic() < self._not_before_s:
            return
        try:
            if self._client is None:
                self._open()
            while self._waiting:
                self._waiting[0]()
                self._waiting.popleft()
        except Exception as error:
            self._client = None
            self._not_before_s = time.monotonic() + _AGAIN_S
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            reason = " ".join(str(error).split())[:300]
            log.warning("MLflow does not answer (%s); training goes on, metrics are in metrics.jsonl", reason)
        self._warned = True


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
