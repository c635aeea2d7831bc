"""Files of any size for whoever is signed in: streamed, where a page's own connection would hold them in memory."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from heimdall.service.api.dependencies import Parts
from heimdall.service.api.routes.models import bundle_file
from heimdall.service.api.routes.sessions import session_files
from heimdall.service.queue.request_base import Id
from heimdall.web.sign_in import Entry

SESSIONS = "/download/sessions"
MODELS = "/download/models"


def download_routes(entry: Entry) -> APIRouter:
    router = APIRouter(dependencies=[Depends(entry.check_signed_in)])
    parts: Parts = entry.parts

    @router.get(SESSIONS)
    def sessions(session: Annotated[list[Id], Query(min_length=1)]) -> Response:
        return session_files(parts, session)

    @router.get(f"{MODELS}/{{model_id}}")
    def model(model_id: Id) -> Response:
        return bundle_file(parts, model_id)

    return router
