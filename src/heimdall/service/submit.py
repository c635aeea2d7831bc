"""From a request to a job in the queue, for the API and the command line alike."""

from __future__ import annotations

from sqlalchemy.orm import Session

from heimdall.artifacts import open_artifacts
from heimdall.errors import InputError
from heimdall.service import carriage, jobs, kinds, launch
from heimdall.service.settings import Settings
from heimdall.service.store import Job, Model


def submit(session: Session, request: kinds.AnyRequest, settings: Settings, created_by: str) -> Job:
    """What the request names has to be there now, rather than fail when its turn comes."""
    if isinstance(request, kinds.ExportRequest):
        _check_checkpoint(session, request.job, settings)
    if isinstance(request, kinds.FineTuneRequest | kinds.EvaluateRequest):
        _check_model(session, request.model)
        _provide_data(request.data, settings)
    return jobs.create(
        session,
        request.kind,
        kinds.stored_form(request),
        name=request.title,
        created_by=created_by,
        attempts_max=settings.attempts_max,
        accelerator="gpu" if request.needs.any_gpu else request.accelerator,
        needs=request.needs,
    )


def _check_checkpoint(session: Session, job_id: str, settings: Settings) -> None:
    job = jobs.get(session, job_id)
    if job.carried is None and launch.run_folder(settings, job_id).checkpoint_unix_s() is None:
        raise InputError(f"job {job_id} has no checkpoint to export yet")


def _check_model(session: Session, model_id: str) -> None:
    if session.get(Model, model_id) is None:
        raise InputError(f"no model {model_id}")


def _provide_data(names: list[str], settings: Settings) -> None:
    """Within reach of every worker; where they share no folder, through the artifact store."""
    for name in names:
        if not (settings.data / name).exists():
            raise InputError(f"no {name} in the data folder (`data` in HEIMDALL_HOME)")
    if names and settings.carries:
        artifacts = open_artifacts(settings.artifact_address)
        for name in names:
            carriage.share(settings.data / name, launch.data_key(name), artifacts)
