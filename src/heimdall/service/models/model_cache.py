"""Models in memory: loaded once, kept while they are used."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy.orm import Session

from heimdall.errors import InputError
from heimdall.files.artifacts import Artifacts
from heimdall.files.atomic import held, sweep
from heimdall.locating.by_network import Learned
from heimdall.service.database.tables import Alias, Model
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


class _Entry:
    """A model that is held, or about to be."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Two that ask for the same model must not both load it; those who ask for another do not wait."""
        self.learned: Learned | None = None
        self.path: Path | None = None
        self.uses = ExitStack()


class ModelCache:
    """The models that were used last. Safe to use from several threads."""

    def __init__(self, artifacts: Artifacts, folder: Path) -> None:
        """`folder` is for bundles that are brought from elsewhere."""
        self._artifacts = artifacts
        self._folder = folder
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def get(self, model: Model) -> Learned:
        entry = self._entry(model)
        with entry.lock:
            if entry.learned is None:
                entry.learned = self._load(model, self._bundle(model, entry))
            return entry.learned

    def path(self, model: Model) -> Path:
        """The bundle on this machine. It may be gone once other models were asked for."""
        entry = self._entry(model)
        with entry.lock:
            return self._bundle(model, entry)

    def _entry(self, model: Model) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(model.id, _Entry())
            self._entries.move_to_end(model.id)
            gone = [self._entries.popitem(last=False)[1] for _ in range(len(self._entries) - _KEPT)]
        for each in gone:
            each.uses.close()
        return entry

    def _bundle(self, model: Model, entry: _Entry) -> Path:
        if entry.path is None:
            folder = self._folder / model.id
            folder.mkdir(parents=True, exist_ok=True)
            entry.uses.enter_context(held(folder))
            sweep(self._folder, "*")
            entry.path = self._artifacts.fetch(model.artifact, folder)
        return entry.path

    def _load(self, model: Model, path: Path) -> Learned:
        try:
            return Learned.load(path, threads=THREADS)
        except InputError as error:
            raise InputError(f"model {model.name} cannot be used: {error}") from error
