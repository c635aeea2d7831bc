"""The model registry of MLflow, kept like ours: a version for each model, and the alias `champion`.

Our database decides, MLflow shows: a promotion has to be right also while MLflow is down. The work is done in a process of
its own, `python -m heimdall.service.models.mlflow_sync`, since MLflow's client is large and waits long for a server that is gone.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from heimdall.doctor.program import ProgramOutput, run_program
from heimdall.errors import HeimdallError
from heimdall.execution.own_program import PYTHON
from heimdall.runs.late_tracking import experiment_of, read_tracking, tell_later, untold
from heimdall.service.database.migrate import opened
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Model
from heimdall.service.health.monitor import Degraded
from heimdall.service.models import registry
from heimdall.service.models.model_cache import CHAMPION, champion_of
from heimdall.service.settings import Settings, load_settings
from heimdall.service.storage.run_reader import run_folder

log = logging.getLogger(__name__)

REGISTERED = "heimdall"
"""Name of the registered model."""
_ID = "heimdall_model"
_LIMIT_S = 180.0
_LOOK_EVERY_S = 5.0
_AGAIN_S = 120.0
_REACH_S = 3.0
Seen = tuple[tuple[str, ...], str | None, tuple[str, ...]]
"""Ids of the models, of the champion, and of the trainings that MLflow has not heard the end of."""


class MlflowSync(threading.Thread):
    """Starts the mirroring when models or the champion have changed, and again later where it failed."""

    def __init__(
        self, settings: Settings, store: Store, run: Callable[[Sequence[str], float], ProgramOutput] = run_program
    ) -> None:
        super().__init__(name="mirror", daemon=True)
        self._settings = settings
        self._store = store
        self._run = run
        self._done: Seen | None = ((), None, ())
        self._failed = False
        self._stop_asked = threading.Event()
        self.said = "nothing to send to MLflow yet"

    def run(self) -> None:
        while not self._stop_asked.wait(_LOOK_EVERY_S):
            if not self.look():
                self._stop_asked.wait(_AGAIN_S)

    def stop(self) -> None:
        self._stop_asked.set()

    def look(self) -> bool:
        """Mirror if something is new; False where that failed."""
        seen = self._seen()
        if seen is None or seen == self._done:
            return True
        answer = self._run([*PYTHON, "-m", "heimdall.service.models.mlflow_sync"], _LIMIT_S)
        worked = answer.code == 0
        lines = (answer.stdout if worked else answer.stderr).strip().splitlines()
        self.said = lines[-1] if lines else f"exit {answer.code}"
        log.log(logging.INFO if worked else logging.WARNING, "mlflow: %s", self.said)
        self._done = seen if worked else self._done
        self._failed = not worked
        return worked

    def check(self) -> str:
        """For whoever asks about health. Raises Degraded while MLflow is away: nothing waits for it."""
        try:
            _check_reachable(self._settings.mlflow_address)
        except HeimdallError as error:
            raise Degraded(f"{error}; models and figures are sent to it later") from error
        if self._failed:
            raise Degraded(f"models and figures are sent to it later: {self.said}")
        return self.said

    def _seen(self) -> Seen | None:
        try:
            with self._store.reading() as session:
                champion = champion_of(session)
                models = tuple(sorted(model.id for model in registry.find(session)))
        except Exception as error:  # whatever the database has: the next look may find it well again
            log.debug("no look at the models: %s", error)
            return None
        return models, None if champion is None else champion.id, untold(self._settings.runs)


def mirror(settings: Settings, store: Store) -> str:
    """Bring MLflow's registry to ours; what it is now, as a line."""
    _check_reachable(settings.mlflow_address)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(settings.mlflow_address, settings.mlflow_address)
    with store.reading() as session:
        models, champion = list(registry.find(session)), champion_of(session)
    if not client.search_registered_models(f"name = '{REGISTERED}'"):
        client.create_registered_model(REGISTERED, description="Networks that locate transmitters")
    versions = _versions(client)
    for model in reversed(models):
        if model.id not in versions:
            versions[model.id] = _create(client, settings, model)
    if champion is not None:
        client.set_registered_model_alias(REGISTERED, CHAMPION, versions[champion.id])
    told = tell_later(client, settings.runs)
    words = "no champion" if champion is None else f"champion is version {versions[champion.id]}"
    return f"{len(models)} models of {REGISTERED}, {words}" + (f"; told of {told} trainings" if told else "")


def _versions(client: Any) -> dict[str, str]:
    found = client.search_model_versions(f"name = '{REGISTERED}'")
    return {version.tags[_ID]: version.version for version in found if _ID in version.tags}


def _create(client: Any, settings: Settings, model: Model) -> str:
    """Its source is a run: MLflow takes neither a folder that it does not own nor the address of another server."""
    host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host
    bundle = f"http://{host}:{settings.port}/api/v1/models/{model.id}/bundle"
    run_id = _mlflow_run(client, settings, model) or _run_for(client, model)
    version = client.create_model_version(
        name=REGISTERED,
        source=f"runs:/{run_id}/{model.name}",
        run_id=run_id,
        tags={_ID: model.id, "sha256": model.sha256, "name": model.name, "bundle": bundle},
        description=f"{model.name}, {json.dumps(model.scores)}",
    )
    return str(version.version)


def _mlflow_run(client: Any, settings: Settings, model: Model) -> str | None:
    """The run that the training told its metrics to; None where this MLflow has none."""
    from mlflow.exceptions import MlflowException

    run_id = None if model.job_id is None else read_tracking(run_folder(settings, model.job_id)).run_id
    try:
        return None if run_id is None else client.get_run(run_id).info.run_id
    except MlflowException:
        return None


def _run_for(client: Any, model: Model) -> str:
    """A run for a model that comes from elsewhere."""
    run = client.create_run(experiment_of(client), run_name=model.name, tags={_ID: model.id})
    for name, score in model.scores.items():
        if isinstance(score, int | float):
            client.log_metric(run.info.run_id, name, float(score))
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _check_reachable(address: str) -> None:
    """MLflow's own client waits for minutes where nobody listens."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return
    try:
        socket.create_connection(
            (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)), _REACH_S
        ).close()
    except OSError as error:
        raise HeimdallError(f"{address} does not answer: {error.strerror or error}") from None


def main() -> int:
    """Exit 0, or 1 with one line that says why not."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    settings = load_settings()
    try:
        with opened(settings) as store:
            print(mirror(settings, store))
    except Exception as error:
        print(" ".join(str(error).split())[:300] or type(error).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
