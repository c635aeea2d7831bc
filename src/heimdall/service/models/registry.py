"""Models: what each scores, which one is champion, and what it takes to become it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.files.artifacts import Artifacts, fingerprint
from heimdall.inference.bundle import SUFFIX, Bundle
from heimdall.locating.by_network import Learned
from heimdall.service.database.paging import Page, Part, newest_first
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Alias, Job, Model, now_unix_s
from heimdall.service.errors import ConflictError
from heimdall.service.models.model_cache import CHAMPION, champion_of, get_model
from heimdall.service.queue import job_requests
from heimdall.service.queue.jobs import LEASED, State
from heimdall.service.queue.submit import enter
from heimdall.service.settings import Settings
from heimdall.service.storage.uploads import file_name

PARITY_MOST = 1e-3
"""Largest difference between onnxruntime and torch that a network may have been exported with."""
_CANDIDATE = "candidate:"
"""How the alias of a model that waits to become champion begins; its id follows."""
REFUSED = "not_promoted"
"""In a model's record."""
DECIDING = "hybrid/median_m"
"""The figure of the frozen evaluation that decides: the median error of what `learned` answers."""
_UNDER_WAY = (State.QUEUED, State.PAUSED, *LEASED)


@dataclass(frozen=True)
class Frozen:
    """A model's scores on the frozen evaluation, and the job that found them."""

    job_id: str
    scores: dict[str, float]


@dataclass(frozen=True)
class Promotion:
    """What came of asking for one."""

    promoted: bool
    reason: str
    waiting_for: tuple[str, ...] = ()
    """Evaluation jobs that have to end first."""


def find(session: Session) -> Sequence[Model]:
    """The newest first."""
    return find_part(session, Page()).rows


def find_part(session: Session, page: Page) -> Part[Model]:
    return newest_first(session, select(Model), Model, page)


def check_bundle(path: Path) -> Bundle:
    """Read a bundle and run its network once: hashes, format version, inputs. Raises InputError with what is wrong."""
    try:
        return Learned.load(path, threads=1).bundle
    except InputError as error:
        raise InputError(str(error).replace(f"{path.parent}/", "")) from error


def import_bundle(store: Store, artifacts: Artifacts, path: Path, bundle: Bundle, *, created_by: str) -> Model:
    """List a checked bundle. Raises ConflictError where it is listed already."""
    sha256 = fingerprint(path)
    # An id made of the content: of two imports of one bundle at the same moment the database takes one.
    model_id = sha256[:16]
    name = f"{file_name(bundle.name).removesuffix(SUFFIX)}{SUFFIX}"
    key = f"models/{model_id}/{name}"
    with store.reading() as session:
        _check_new(session, sha256)
    artifacts.put(path, key)
    model = Model(
        id=model_id,
        name=name,
        job_id=None,
        artifact=key,
        sha256=sha256,
        size_bytes=path.stat().st_size,
        scores=dict(bundle.scores),
        record={"imported_by": created_by, "training": bundle.training},
    )
    try:
        with store.writing() as session:
            _check_new(session, sha256)
            session.add(model)
            session.flush()
            session.refresh(model)
    except ConflictError:
        raise ConflictError(f"this bundle has already been imported, as model {model_id}") from None
    return model


def _check_new(session: Session, sha256: str) -> None:
    known = session.scalar(select(Model).where(Model.sha256 == sha256))
    if known is not None:
        raise ConflictError(f"this bundle has already been imported, as model {known.id} ({known.name})")


def rename(session: Session, model_id: str, name: str) -> Model:
    """Raises InputError for no name."""
    plain = file_name(name).removesuffix(SUFFIX) if name.strip() else ""
    if not plain:
        raise InputError("a model needs a name")
    model = get_model(session, model_id)
    model.name = f"{plain}{SUFFIX}"
    session.flush()
    return model


def delete(store: Store, artifacts: Artifacts, model_id: str) -> None:
    """Forget a model and its file. Raises ConflictError for the champion."""
    with store.writing() as session:
        model = get_model(session, model_id)
        champion = champion_of(session)
        if champion is not None and champion.id == model.id:
            raise ConflictError(f"{model.name} is the champion: promote another before you delete it")
        session.execute(delete_rows(Alias).where(Alias.model_id == model.id))
        session.delete(model)
    artifacts.delete(model.artifact)


def frozen_request(settings: Settings, model_id: str) -> job_requests.EvaluateRequest:
    """The evaluation that every candidate and the champion are held against each other on."""
    source: dict[str, Any] = {"data": settings.evaluation_data}
    if not settings.evaluation_data:
        source = {
            "scenario": settings.evaluation_scenario,
            "count": settings.evaluation_count,
            "seed": settings.evaluation_seed,
        }
    return job_requests.EvaluateRequest(kind="evaluate", model=model_id, name="frozen evaluation", **source)


def frozen_scores(session: Session, settings: Settings, model_id: str) -> Frozen | None:
    job = next(iter(_evaluations(session, settings, model_id, (State.SUCCEEDED,))), None)
    return None if job is None else Frozen(job.id, (job.result or {}).get("scores", {}))


def promote(session: Session, settings: Settings, model_id: str, bundle: Bundle, who: str) -> Promotion:
    """Make a model champion if it is the better one; start the evaluations that have to be done first.

    What they read has to be within reach (`submit.provide`). Raises ConflictError, with the figures, where it is not better
    or its network was not proved to be what was trained.
    """
    model, champion = get_model(session, model_id), champion_of(session)
    if champion is not None and champion.id == model.id:
        return Promotion(True, f"{model.name} is champion already")
    _check_parity(model, bundle)
    rivals = [model] if champion is None else [model, champion]
    waiting = [job for each in rivals if (job := _evaluate(session, settings, each, who)) is not None]
    if waiting:
        return Promotion(False, "it is being evaluated on the frozen set; ask again when that is done", tuple(waiting))
    figures = {each.id: _deciding(session, settings, each) for each in rivals}
    reason = _verdict(model, champion, figures)
    _point(session, model, who, {"reason": reason, "figures": figures})
    return Promotion(True, reason)


def candidates(session: Session) -> Sequence[Alias]:
    """The models that wait to be promoted: `reason["waiting_for"]` are the evaluations that have to end first."""
    return session.scalars(select(Alias).where(Alias.name.startswith(_CANDIDATE)).order_by(Alias.moved_unix_s)).all()


def set_candidate(session: Session, model_id: str, who: str, waiting_for: Sequence[str]) -> None:
    """Let a model wait for its promotion; with nothing to wait for it waits no longer."""
    name = f"{_CANDIDATE}{model_id}"
    session.execute(delete_rows(Alias).where(Alias.name == name))
    if waiting_for:
        note_refusal(session, model_id, None)
        session.add(Alias(name=name, model_id=model_id, moved_by=who, reason={"waiting_for": list(waiting_for)}))
    session.flush()


def note_refusal(session: Session, model_id: str, why: str | None) -> None:
    """Why a model was not promoted when it was last asked for, for whoever looks later; None: forget it."""
    model = get_model(session, model_id)
    kept = {name: value for name, value in model.record.items() if name != REFUSED}
    model.record = kept if why is None else kept | {REFUSED: why}


def evaluate(session: Session, settings: Settings, model_id: str, who: str) -> Job:
    """The frozen evaluation of a model: the job that did it or is at it, or else a new one (see `submit.provide`)."""
    known = _evaluations(session, settings, model_id, (State.SUCCEEDED, *_UNDER_WAY))
    return next(iter(known), None) or enter(session, frozen_request(settings, model_id), settings, who)


def _verdict(model: Model, champion: Model | None, figures: dict[str, float]) -> str:
    mine_m = figures[model.id]
    if champion is None:
        return f"median error {mine_m:.1f} m on the frozen evaluation; there was no champion"
    words = f"median error {mine_m:.1f} m on the frozen evaluation, the champion's {figures[champion.id]:.1f} m"
    if mine_m >= figures[champion.id]:
        raise ConflictError(f"{model.name} is not better than the champion {champion.name}: {words}")
    return words


def _check_parity(model: Model, bundle: Bundle) -> None:
    parity = bundle.training.get("parity")
    if not isinstance(parity, int | float) or not parity <= PARITY_MOST:
        found = "not recorded" if parity is None else f"{parity:.2g}"
        raise ConflictError(
            f"{model.name} was not proved to be what was trained: the difference between ONNX and torch is {found}, "
            f"at most {PARITY_MOST:g} is allowed"
        )


def _evaluate(session: Session, settings: Settings, model: Model, who: str) -> str | None:
    """The job whose end has to be waited for, started if need be; None where the scores are there."""
    if frozen_scores(session, settings, model.id) is not None:
        return None
    running = next(iter(_evaluations(session, settings, model.id, _UNDER_WAY)), None)
    return running.id if running is not None else enter(session, frozen_request(settings, model.id), settings, who).id


def _evaluations(session: Session, settings: Settings, model_id: str, states: Sequence[State]) -> Sequence[Job]:
    """Jobs of the frozen evaluation of a model, the newest first."""
    wanted = job_requests.stored_form(frozen_request(settings, model_id))
    query = select(Job).where(Job.kind == "evaluate", Job.state.in_(states)).order_by(Job.created_unix_s.desc())
    return [job for job in session.scalars(query) if job.arguments == wanted]


def _deciding(session: Session, settings: Settings, model: Model) -> float:
    frozen = frozen_scores(session, settings, model.id)
    assert frozen is not None, "it was evaluated, or waited for"
    value = frozen.scores.get(DECIDING)
    if not isinstance(value, int | float):
        raise ConflictError(
            f"the evaluation of {model.name} (job {frozen.job_id}) has no {DECIDING}: evaluate it again"
        )
    return float(value)


def _point(session: Session, model: Model, who: str, reason: dict[str, Any]) -> None:
    alias = session.get(Alias, CHAMPION, populate_existing=True)
    if alias is None:
        session.add(Alias(name=CHAMPION, model_id=model.id, moved_by=who, reason=reason))
    else:
        alias.model_id, alias.moved_by, alias.reason = model.id, who, reason
        alias.moved_unix_s = session.scalar(select(now_unix_s())) or alias.moved_unix_s
    session.flush()
