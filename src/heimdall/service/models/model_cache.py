"""Models in memory: loaded once, kept while they are used."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from sqlalchemy.orm import Session

from heimdall.artifacts import Artifacts
from heimdall.errors import InputError
from heimdall.locating.by_network import Learned
from heimdall.service.database.store import Alias, Model
from heimdall.service.errors import UnknownError

CHAMPION = "champion"
_KEPT = 2
THREADS = 1
"""Cores that one run of a network takes: several requests run side by side."""


def champion_of(session: Session) -> Model | None:
    alias = session.get(Alias, CHAMPION, populate_existing=True)
    return None if alias is None else session.get(Model, alias.model_id)


def get_model(session: Session, model_id: str) -> Model:
    model = session.get(Model, model_id, populate_existing=True)
    if model is None:
        raise UnknownError(f"no model {model_id}: `GET /api/v1/models` lists them")
    return model


class ModelCache:
    """The models that were used last. Safe to use from several threads."""

    def __init__(self, artifacts: Artifacts, folder: Path) -> None:
        self._artifacts = artifacts
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Learned] = OrderedDict()
        self._paths: dict[str, Path] = {}

    def get(self, model: Model) -> Learned:
        # Under one lock: two that ask for the same model must not both load it.
        with self._lock:
            if model.id not in self._loaded:
                self._loaded[model.id] = self._load(model)
            self._loaded.move_to_end(model.id)
            while len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
            return self._loaded[model.id]

    def _load(self, model: Model) -> Learned:
        path = self._artifacts.fetch(model.artifact, self._folder / model.id)
        try:
            learned = Learned.load(path, threads=THREADS)
        except InputError as error:
            raise InputError(f"model {model.name} cannot be used: {error}") from error
        self._paths[model.id] = path
        return learned

    def path(self, model: Model) -> Path:
        """The bundle on this machine of a model that `get` gave."""
        return self._paths[model.id]
