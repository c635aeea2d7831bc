"""Models: scores, training record, download, import, promotion, comparison."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.params import Path as InPath
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.files.atomic import scratch
from heimdall.service.api.dependencies import Admin, Operator, Parts, UsesParts, Viewer
from heimdall.service.api.http.attachments import ZIP, attachment, documented_file
from heimdall.service.api.http.paged import UsesPage, link_next
from heimdall.service.api.http.problems import documented
from heimdall.service.api.http.uploading import form_of, receive_some
from heimdall.service.database.tables import Model
from heimdall.service.models import registry
from heimdall.service.models.model_cache import champion_of, get_model
from heimdall.service.queue.request_base import Id
from heimdall.service.queue.submit import provide
from heimdall.service.settings import Settings
from heimdall.service.storage.uploads import Upload, model_limits, receiving

router = APIRouter(prefix="/models", tags=["models"], responses=documented(401, 403, 422, 503))

ModelId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
_PIECE_BYTES = 1 << 20


class FrozenView(BaseModel):
    job: str = Field(description="Id of the job that ran the evaluation.")
    scores: dict[str, Any] = Field(examples=[{"hybrid/median_m": 84.0}])


class ModelView(BaseModel):
    id: str
    name: str
    champion: bool = Field(description="Whether it is the model that the service locates with.")
    candidate: bool = Field(description="Whether it becomes champion if it wins its evaluation under way.")
    not_promoted: str | None = Field(description="Why it did not become champion at the last request.")
    created_utc: datetime
    job: str | None = Field(description="Id of the job that made it; null if it was imported or the job was deleted.")
    sha256: str
    size_bytes: int
    scores: dict[str, Any] = Field(description="Scores on its own held-out scenes.")
    frozen: FrozenView | None = Field(description="Result of the frozen evaluation that decides on promotions.")
    record: dict[str, Any] = Field(description="How it was trained, and on what device and why.")


class ModelPage(BaseModel):
    models: list[ModelView]


class ModelChange(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "town, third try"}]})

    name: Annotated[str, Field(min_length=1, max_length=120)]


class EvaluationView(BaseModel):
    job: str = Field(description="Id of the job that runs the evaluation.")


class PromotionView(BaseModel):
    promoted: bool
    reason: str
    waiting_for: list[str] = Field(
        description="Jobs of evaluations under way; the service promotes when they have ended."
    )


class ScoreRow(BaseModel):
    name: str
    a: Any
    b: Any
    difference: float | None = Field(description="b minus a, if both are numbers.")


class ComparisonView(BaseModel):
    a: ModelView
    b: ModelView
    frozen: list[ScoreRow]
    scores: list[ScoreRow]


@router.get("", summary="List models, the newest first")
def find(request: Request, response: Response, who: Viewer, parts: UsesParts, page: UsesPage) -> ModelPage:
    with parts.store.reading() as session:
        found = registry.find_part(session, page)
        views = [view_model(session, parts.settings, model) for model in found.rows]
    link_next(request, response, found)
    return ModelPage(models=views)


@router.post(
    "",
    status_code=201,
    summary="Import a bundle",
    responses=documented(400, 408, 409, 413),
    openapi_extra=form_of("One model bundle, NAME.heimdall."),
)
async def import_bundle(request: Request, response: Response, who: Operator, parts: UsesParts) -> ModelView:
    """The model is listed only if its hashes and format version are right and its network runs."""
    with receiving(parts.settings, model_limits(parts.settings)) as upload:
        await receive_some(request, upload)
        view = await run_in_threadpool(_import, parts, upload, who.name)
    response.headers["Location"] = f"/api/v1/models/{view.id}"
    return view


@router.get("/compare", summary="Two models side by side", responses=documented(404))
def compare(who: Viewer, parts: UsesParts, a: Annotated[Id, Query()], b: Annotated[Id, Query()]) -> ComparisonView:
    with parts.store.reading() as session:
        first, second = (view_model(session, parts.settings, get_model(session, each)) for each in (a, b))
    return ComparisonView(
        a=first,
        b=second,
        frozen=_rows(_frozen(first), _frozen(second)),
        scores=_rows(first.scores, second.scores),
    )


@router.get("/{model_id}", summary="One model", responses=documented(404))
def get(model_id: ModelId, who: Viewer, parts: UsesParts) -> ModelView:
    with parts.store.reading() as session:
        return view_model(session, parts.settings, get_model(session, model_id))


@router.get(
    "/{model_id}/bundle",
    summary="Download a bundle",
    response_class=StreamingResponse,
    responses=documented(404) | {200: documented_file(ZIP)},
)
def download(model_id: ModelId, who: Viewer, parts: UsesParts) -> Response:
    return bundle_file(parts, model_id)


def bundle_file(parts: Parts, model_id: str) -> Response:
    with parts.store.reading() as session:
        model = get_model(session, model_id)
    with ExitStack() as stack:
        path = parts.artifacts.fetch(model.artifact, stack.enter_context(scratch()))
        until_sent = stack.pop_all()
    return attachment(_pieces(path, until_sent), model.name, ZIP, {"Content-Length": str(model.size_bytes)})


@router.patch("/{model_id}", summary="Rename a model", responses=documented(404, 413))
def rename(model_id: ModelId, change: Annotated[ModelChange, Body()], who: Operator, parts: UsesParts) -> ModelView:
    with parts.store.writing() as session:
        return view_model(session, parts.settings, registry.rename(session, model_id, change.name))


@router.delete("/{model_id}", status_code=204, summary="Delete a model", responses=documented(404, 409))
def delete(model_id: ModelId, who: Admin, parts: UsesParts) -> None:
    """Also deletes its file. The champion cannot be deleted; jobs that name the model and have not run fail."""
    registry.delete(parts.store, parts.artifacts, model_id)


@router.post(
    "/{model_id}/evaluate",
    status_code=202,
    summary="Evaluate a model on the frozen set that decides on promotions",
    responses=documented(404),
)
def evaluate(model_id: ModelId, who: Operator, parts: UsesParts) -> EvaluationView:
    """Returns the job that has already done it, if there is one."""
    provide(registry.frozen_request(parts.settings, model_id), parts.settings)
    with parts.store.writing() as session:
        get_model(session, model_id)
        job = registry.evaluate(session, parts.settings, model_id, who.name)
    parts.notifier.notify(job.id)
    return EvaluationView(job=job.id)


@router.post(
    "/{model_id}/promote",
    summary="Make a model champion, if it is the better one",
    response_model=PromotionView,
    responses=documented(404, 409)
    | {202: {"description": "It is evaluated first, and promoted then if it wins.", "model": PromotionView}},
)
def promote(model_id: ModelId, response: Response, who: Admin, parts: UsesParts) -> PromotionView:
    """Refused, with the figures, if the model is not better on the frozen evaluation or its ONNX file was not verified.

    A promotion that has to wait is carried out by the service when the evaluations have ended; `candidate` and `not_promoted`
    of the model say what came of it.
    """
    promotion = parts.promoter.ask(model_id, who.name)
    response.status_code = 200 if promotion.promoted else 202
    return PromotionView(promoted=promotion.promoted, reason=promotion.reason, waiting_for=list(promotion.waiting_for))


def view_model(session: Session, settings: Settings, model: Model) -> ModelView:
    champion = champion_of(session)
    frozen = registry.frozen_scores(session, settings, model.id)
    return ModelView(
        id=model.id,
        name=model.name,
        champion=champion is not None and champion.id == model.id,
        candidate=any(each.model_id == model.id for each in registry.candidates(session)),
        not_promoted=model.record.get(registry.REFUSED),
        created_utc=datetime.fromtimestamp(model.created_unix_s, UTC),
        job=model.job_id,
        sha256=model.sha256,
        size_bytes=model.size_bytes,
        scores=model.scores,
        frozen=None if frozen is None else FrozenView(job=frozen.job_id, scores=frozen.scores),
        record=model.record,
    )


def import_model(parts: Parts, path: Path, who: str) -> Model:
    bundle = registry.check_bundle(path)
    return registry.import_bundle(parts.store, parts.artifacts, path, bundle, created_by=who)


def _import(parts: Parts, upload: Upload, who: str) -> ModelView:
    files = list(upload.folder.iterdir())
    if len(files) != 1:
        raise InputError("send one bundle at a time")
    model = import_model(parts, files[0], who)
    with parts.store.reading() as session:
        return view_model(session, parts.settings, model)


def _pieces(path: Path, until_sent: ExitStack) -> Iterator[bytes]:
    with until_sent, path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _frozen(view: ModelView) -> dict[str, Any]:
    return {} if view.frozen is None else view.frozen.scores


def _rows(a: dict[str, Any], b: dict[str, Any]) -> list[ScoreRow]:
    return [
        ScoreRow(name=name, a=a.get(name), b=b.get(name), difference=_difference(a.get(name), b.get(name)))
        for name in sorted({*a, *b})
    ]


def _difference(a: Any, b: Any) -> float | None:
    return b - a if isinstance(a, int | float) and isinstance(b, int | float) else None
