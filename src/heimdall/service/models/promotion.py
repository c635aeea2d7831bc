"""Promotions that have to wait for their evaluations, carried out by the service whether or not anybody looks."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.files.artifacts import MissingArtifactError
from heimdall.service.database.store import Store
from heimdall.service.database.tables import Alias, Job
from heimdall.service.errors import ConflictError
from heimdall.service.models import registry
from heimdall.service.models.model_cache import ModelCache, get_model
from heimdall.service.models.registry import Promotion
from heimdall.service.periodic import Periodic
from heimdall.service.queue.jobs import FINAL, State
from heimdall.service.queue.notifications import Notifier
from heimdall.service.queue.submit import provide
from heimdall.service.settings import Settings

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 3.0


class Promoter(Periodic):
    """Asked for promotions by the API; looks by itself after those that wait."""

    def __init__(self, settings: Settings, store: Store, models: ModelCache, notifier: Notifier) -> None:
        super().__init__("promotions that wait", _LOOK_EVERY_S)
        self._settings = settings
        self._store = store
        self._models = models
        self._notifier = notifier

    def ask(self, model_id: str, who: str) -> Promotion:
        """Promote, or start the evaluations that come first and let the model wait for them. Raises ConflictError."""
        with self._store.reading() as session:
            model = get_model(session, model_id)
        bundle = self._models.get(model).bundle
        provide(registry.frozen_request(self._settings, model_id), self._settings)
        with self._store.writing() as session:
            promotion = registry.promote(session, self._settings, model_id, bundle, who)
            registry.set_candidate(session, model_id, who, promotion.waiting_for)
        for job_id in promotion.waiting_for:
            self._notifier.notify(job_id)
        return promotion

    def look(self) -> None:
        """Carry out the promotions whose evaluations have ended."""
        with self._store.reading() as session:
            waiting = [(each, _states(session, each.reason["waiting_for"])) for each in registry.candidates(session)]
        for candidate, states in waiting:
            if all(state in FINAL for state in states):
                self._finish(candidate, all(state is State.SUCCEEDED for state in states))

    def _finish(self, candidate: Alias, evaluated: bool) -> None:
        if not evaluated:
            return self._give_up(candidate.model_id, "its evaluation did not succeed: see the job")
        try:
            promotion = self.ask(candidate.model_id, candidate.moved_by)
            log.info("model %s: %s", candidate.model_id, promotion.reason)
        except (ConflictError, InputError, MissingArtifactError) as error:  # others may go better the next time
            self._give_up(candidate.model_id, str(error))

    def _give_up(self, model_id: str, why: str) -> None:
        log.info("model %s is not promoted: %s", model_id, why)
        with self._store.writing() as session:
            registry.note_refusal(session, model_id, why)
            registry.set_candidate(session, model_id, "", ())


def _states(session: Session, job_ids: list[str]) -> list[State]:
    """A job that was deleted meanwhile counts as cancelled."""
    found = [session.get(Job, job_id) for job_id in job_ids]
    return [State.CANCELLED if job is None else State(job.state) for job in found]
