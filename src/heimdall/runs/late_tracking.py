"""What a training could not tell MLflow, because it was away to the end, told from the run folder when it is back."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from heimdall.files.atomic import replace_text
from heimdall.runs.reader import RunReader

log = logging.getLogger(__name__)

EXPERIMENT = "heimdall"
TRACKING = "tracking.json"
_AT_ONCE = 500
"""MLflow takes at most 1000 metrics a request."""


class Tracking(BaseModel):
    """The document `tracking.json`: the run that MLflow knows this training as, and how it ended, if that has to be told."""

    model_config = ConfigDict(extra="ignore")

    run_id: str | None = None
    untold: str | None = None
    """FINISHED, FAILED or KILLED: the training has ended so, and MLflow has not heard all of it."""


def read_tracking(folder: RunReader) -> Tracking:
    try:
        return Tracking.model_validate_json((folder.path / TRACKING).read_bytes())
    except (OSError, ValidationError):
        return Tracking()


def untold(runs: Path) -> tuple[str, ...]:
    """The run folders on this machine of which MLflow has something to hear."""
    found = [path.parent for path in runs.glob(f"*/{TRACKING}")]
    return tuple(sorted(folder.name for folder in found if read_tracking(RunReader(folder)).untold))


def tell_later(client: Any, runs: Path) -> int:
    """Tell MLflow what it missed of each; how many there were."""
    names = untold(runs)
    for name in names:
        _tell(client, RunReader(runs / name))
    return len(names)


def experiment_of(client: Any) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    return str(found.experiment_id if found else client.create_experiment(EXPERIMENT))


def _tell(client: Any, folder: RunReader) -> None:
    known = read_tracking(folder)
    run_id = known.run_id or client.create_run(experiment_of(client), run_name=folder.path.name).info.run_id
    # At once: a second failure must not make a second run.
    replace_text(folder.path / TRACKING, known.model_copy(update={"run_id": run_id}).model_dump_json())
    told = client.get_run(run_id).data
    metrics = list(_metrics(folder, _last_step(client, run_id, told.metrics)))
    for start in range(0, len(metrics), _AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + _AT_ONCE])
    if not told.params:
        client.log_batch(run_id, params=_parameters(folder))
    client.set_terminated(run_id, known.untold)
    replace_text(folder.path / TRACKING, Tracking(run_id=run_id).model_dump_json())


def _last_step(client: Any, run_id: str, names: Any) -> int:
    return max((each.step for name in names for each in client.get_metric_history(run_id, name)), default=-1)


def _metrics(folder: RunReader, after_step: int) -> Iterator[Any]:
    from mlflow.entities import Metric

    for row in folder.metrics(after_step):
        time_ms = _time_ms(row.get("time_utc"))
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float):
                yield Metric(name, float(value), time_ms, row["step"])
    result = folder.result()
    if result is not None:
        steps = max((row["step"] for row in folder.metrics()), default=0)
        for name, value in result.scores.items():
            if isinstance(value, int | float):
                yield Metric(name, float(value), _time_ms(None), steps)


def _parameters(folder: RunReader) -> list[Any]:
    from mlflow.entities import Param

    try:
        recipe = json.loads((folder.path / "recipe.json").read_bytes())
    except (OSError, ValueError):
        recipe = {}
    progress = folder.progress()
    values = {"recipe": recipe.get("name"), "seed": recipe.get("seed")}
    values |= {} if progress is None else progress.accelerator.model_dump()
    return [Param(name, str(value)) for name, value in values.items()]


def _time_ms(time_utc: object) -> int:
    try:
        moment = datetime.fromisoformat(str(time_utc))
    except ValueError:
        moment = datetime.now(UTC)
    return int(moment.timestamp() * 1000)
