"""The web application: routes, errors, health. The page is put on top of it by whoever calls `create_app`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from celery import Celery
from fastapi import APIRouter, FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry

from heimdall import __version__
from heimdall.files.artifacts import open_artifacts
from heimdall.service.about import about
from heimdall.service.api.dependencies import Parts
from heimdall.service.api.http import documentation, problems
from heimdall.service.api.http.body_limit import BODY_LIMIT_BYTES, BodyLimit
from heimdall.service.api.http.methods import HeadAsGet
from heimdall.service.api.http.requests import HEADER, Observed
from heimdall.service.api.recording_locator import RecordingLocator
from heimdall.service.api.retention_task import RetentionTask
from heimdall.service.api.routes import (
    catalogue,
    fixes,
    jobs,
    locate,
    models,
    online_receivers,
    receivers,
    sessions,
    system,
    transmitters,
)
from heimdall.service.concurrent_locating import Locator
from heimdall.service.database.store import Store
from heimdall.service.health import metrics, probes
from heimdall.service.health.monitor import Health
from heimdall.service.health.statistics import DiskRoom
from heimdall.service.models.mlflow_sync import MlflowSync
from heimdall.service.models.model_cache import ModelCache
from heimdall.service.models.promotion import Promoter
from heimdall.service.queue import notifications
from heimdall.service.queue.jobs import QueueStatistics
from heimdall.service.queue.planning import Planner
from heimdall.service.rate_limit import RateLimit
from heimdall.service.receivers.refresher import Refresher
from heimdall.service.settings import Settings
from heimdall.service.storage import leftovers
from heimdall.service.storage import sessions as sessions_of
from heimdall.service.storage.run_reader import RunFolders

log = logging.getLogger(__name__)

PREFIX = "/api/v1"
_UPLOADS_TOGETHER = 2
"""Uploads of the largest size that may be under way at the same time; of smaller ones as many more."""
_UPLOADS = (f"{PREFIX}/locate", f"{PREFIX}/sessions", f"{PREFIX}/transmitters/import")
_MODELS = (f"{PREFIX}/models", "/_nicegui/client/")
"""The page sends whatever it sends to one address; it has the limits of each form itself."""


# Tokens travel in a header, so no cookie has to: another site never acts with what a browser holds.
_CORS: Any = {
    "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": ["Authorization", "Content-Type", "Last-Event-ID", HEADER],
    "expose_headers": ["Location", "Retry-After", HEADER],
}


def create_app(settings: Settings, store: Store) -> FastAPI:
    """The database has to be migrated already."""
    celery = notifications.make_celery(settings)
    statistics, disk = QueueStatistics(), DiskRoom()
    parts = _parts(settings, store, celery, statistics, disk)
    health = parts.health
    app = FastAPI(
        title="Heimdall",
        version=__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # FastAPI's own pages come from another host
        redoc_url=None,
        generate_unique_id_function=documentation.operation_id,
        lifespan=_lifespan(parts, health),
    )
    app.state.parts = parts
    limit_bytes = _body_limit(settings)
    together_bytes = _UPLOADS_TOGETHER * limit_bytes(_MODELS[0])
    app.add_middleware(BodyLimit, limit_bytes=limit_bytes, limit_s=settings.upload_s, together_bytes=together_bytes)
    registry = metrics.registry_of(metrics.Sources(health, lambda: statistics, disk=disk))
    app.add_middleware(HeadAsGet)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **_CORS)
    app.add_middleware(Observed, registry=registry, prefix=PREFIX)  # the last one is the outermost
    problems.install(app)
    # Receivers by address come before `receivers/{receiver_id}`.
    for routes in (jobs, catalogue, locate, sessions, fixes, online_receivers, receivers, transmitters, models, system):
        app.include_router(routes.router, prefix=PREFIX)
    app.include_router(_health_routes(health, registry))
    documentation.install(app)
    return app


def _parts(settings: Settings, store: Store, celery: Celery, statistics: QueueStatistics, disk: DiskRoom) -> Parts:
    artifacts = open_artifacts(settings.artifact_address)
    models = ModelCache(artifacts, settings.home / "warm")
    notifier = notifications.Notifier(celery)
    locator = Locator(settings, store, models)
    mirror = MlflowSync(settings, store)
    both = probes.of_both(settings, store, artifacts, celery, statistics, disk)
    return Parts(
        settings=settings,
        store=store,
        artifacts=artifacts,
        folders=RunFolders(settings, artifacts),
        notifier=notifier,
        models=models,
        locator=locator,
        rate=RateLimit(settings.locate_per_minute),
        planner=Planner(settings),
        health=Health([*both, *probes.of_api(store, settings.lease_s, mirror.check)]),
        mirror=mirror,
        promoter=Promoter(settings, store, models, notifier),
        refresher=Refresher(settings, store),
        recording_locator=RecordingLocator(settings, store, locator),
        retention=RetentionTask(settings, store),
    )


def _body_limit(settings: Settings) -> Callable[[str], int]:
    """Bytes that a request to a path may have; an upload comes in an envelope of its own."""
    upload_bytes = int(settings.upload_mb * 1e6) + BODY_LIMIT_BYTES
    model_bytes = max(upload_bytes, int(settings.model_mb * 1e6) + BODY_LIMIT_BYTES)

    def limit_bytes(path: str) -> int:
        if path.startswith(_MODELS):
            return model_bytes
        return upload_bytes if path.startswith(_UPLOADS) else BODY_LIMIT_BYTES

    return limit_bytes


def _lifespan(parts: Parts, health: Health) -> Any:
    @asynccontextmanager
    async def run(_app: FastAPI) -> AsyncIterator[None]:
        if orphans := sessions_of.remove_orphans(parts.store, parts.settings):
            log.info("deleted %d folders of sessions that a crash had left without a row", orphans)
        leftovers.clear(parts.settings, parts.artifacts)
        beside = (parts.mirror, parts.promoter, parts.refresher, parts.recording_locator, parts.retention)
        health.start()
        for thread in beside:
            thread.start()
        yield
        health.stop()
        for thread in beside:
            thread.stop()
        parts.notifier.close()
        parts.locator.close()

    return run


def _health_routes(health: Health, registry: CollectorRegistry) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/health", summary="Whether the service is alive")
    def alive() -> dict[str, str | None]:
        return {"status": "ok", **about()}

    @router.get(
        "/ready",
        summary="Whether the service is ready to work",
        responses={503: {"description": "Not ready, with the same document."}},
    )
    def ready() -> JSONResponse:
        readiness = health.readiness()
        return JSONResponse(readiness.document(), 200 if readiness.ready else 503)

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    def collect() -> Response:
        return Response(metrics.render(registry), media_type=metrics.CONTENT_TYPE)

    return router
