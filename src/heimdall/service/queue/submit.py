"""From a request to a job in the queue, for the API and the command line alike."""

from __future__ import annotations

from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.files.artifacts import open_artifacts
from heimdall.runs import run_archive
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Job, Model
from heimdall.service.queue import job_requests, jobs
from heimdall.service.queue.capture_check import checked
from heimdall.service.queue.capture_requests import RecordRequest
from heimdall.service.settings import Settings
from heimdall.service.storage.run_reader import run_folder


def submit(store: Store, request: job_requests.AnyRequest, settings: Settings, created_by: str) -> Job:
    """Put a job into the queue. What it names has to be there now, rather than be missed when its turn comes."""
    job_requests.check_words(request)
    with store.reading() as session:
        request = _checked(session, request, settings)
    provide(request, settings)
    with store.writing() as session:
        return enter(session, request, settings, created_by)


def provide(request: job_requests.AnyRequest, settings: Settings) -> None:
    """Bring the recordings of a request within reach of every worker. It may take time: never within a transaction."""
    if isinstance(request, job_requests.FineTuneRequest | job_requests.EvaluateRequest):
        _provide_data(request.data, settings)


def enter(session: Session, request: job_requests.AnyRequest, settings: Settings, created_by: str) -> Job:
    """The row of a job whose recordings are within reach."""
    if isinstance(request, job_requests.FineTuneRequest | job_requests.EvaluateRequest):
        _check_model(session, request.model)
    return jobs.create(
        session,
        request.kind,
        job_requests.stored_form(request),
        name=request.title,
        created_by=created_by,
        attempts_max=settings.attempts_max,
        accelerator="gpu" if request.needs.any_gpu else request.accelerator,
        needs=request.needs,
        needs_capture=isinstance(request, RecordRequest),
    )


def _checked(session: Session, request: job_requests.AnyRequest, settings: Settings) -> job_requests.AnyRequest:
    if isinstance(request, RecordRequest):
        return checked(session, request, settings)
    if isinstance(request, job_requests.ExportRequest):
        _check_checkpoint(session, request.job, settings)
    if isinstance(request, job_requests.FineTuneRequest | job_requests.EvaluateRequest):
        _check_model(session, request.model)
    return request


def _check_checkpoint(session: Session, job_id: str, settings: Settings) -> None:
    job = jobs.get(session, job_id)
    if job.carried is None and run_folder(settings, job_id).checkpoint_unix_s() is None:
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
            run_archive.share(settings.data / name, run_archive.data_key(name), artifacts)
