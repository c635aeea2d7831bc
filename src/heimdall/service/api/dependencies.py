"""What every route may use, and who may use the route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from heimdall.files.artifacts import Artifacts
from heimdall.service.api.http.problems import ForbiddenError, UnauthenticatedError
from heimdall.service.api.recording_locator import RecordingLocator
from heimdall.service.api.retention_task import RetentionTask
from heimdall.service.auth import Principal, Role, identify
from heimdall.service.concurrent_locating import Locator
from heimdall.service.database.store import Store
from heimdall.service.health.monitor import Health
from heimdall.service.models.mlflow_sync import MlflowSync
from heimdall.service.models.model_cache import ModelCache
from heimdall.service.models.promotion import Promoter
from heimdall.service.queue.notifications import Notifier
from heimdall.service.queue.planning import Planner
from heimdall.service.rate_limit import RateLimit
from heimdall.service.receivers.refresher import Refresher
from heimdall.service.settings import Settings
from heimdall.service.storage.run_reader import RunFolders


@dataclass(frozen=True)
class Parts:
    settings: Settings
    store: Store
    artifacts: Artifacts
    folders: RunFolders
    notifier: Notifier
    models: ModelCache
    locator: Locator
    rate: RateLimit
    planner: Planner
    health: Health
    mirror: MlflowSync
    promoter: Promoter
    refresher: Refresher
    recording_locator: RecordingLocator
    retention: RetentionTask


def parts_of(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


_bearer = HTTPBearer(auto_error=False, description="A token from `heimdall token create`.")
_Given = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
UsesParts = Annotated[Parts, Depends(parts_of)]


def _require(needed: Role) -> Callable[..., Principal]:
    def check(request: Request, given: _Given, parts: UsesParts) -> Principal:
        if given is None:
            raise UnauthenticatedError("send a token: `Authorization: Bearer ...` (`heimdall token create` makes one)")
        with parts.store.reading() as session:
            principal = identify(session, given.credentials, parts.settings)
        if principal is None:
            raise UnauthenticatedError(
                "the token is unknown, revoked or expired: `heimdall token create` makes a new one"
            )
        request.state.who = principal.name
        if not principal.role.covers(needed):
            raise ForbiddenError(
                f"this needs the role {needed}; the token {principal.name!r} has the role {principal.role}"
            )
        return principal

    return check


Viewer = Annotated[Principal, Depends(_require(Role.VIEWER))]
Operator = Annotated[Principal, Depends(_require(Role.OPERATOR))]
Admin = Annotated[Principal, Depends(_require(Role.ADMIN))]
