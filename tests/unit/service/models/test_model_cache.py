"""Models are loaded once, nobody waits for another's model, and what is no longer used leaves the disk."""

from __future__ import annotations

import os
import shutil
import threading
import time
from types import SimpleNamespace

import pytest

from heimdall.locating.by_network import Learned
from heimdall.service.models.model_cache import ModelCache


class SlowStore:
    """Brings files, as a remote store does, and waits where it is told to."""

    def __init__(self, source):
        self.source = source
        self.gate = threading.Event()
        self.fetched = []

    def fetch(self, key, folder):
        self.fetched.append(key)
        if key == "slow":
            assert self.gate.wait(20)
        return shutil.copy(self.source, folder / key)


@pytest.fixture
def store(make_bundle):
    return SlowStore(make_bundle())


@pytest.fixture
def cache(store, tmp_path, monkeypatch):
    monkeypatch.setattr(Learned, "load", lambda path, threads=None: SimpleNamespace(path=path))
    return ModelCache(store, tmp_path / "warm")


def model(name):
    return SimpleNamespace(id=name, name=name, artifact=name)


def test_one_that_is_fetched_slowly_keeps_nobody_waiting_who_wants_another(cache, store):
    asked = [threading.Thread(target=cache.get, args=(model("slow"),)) for _ in range(3)]
    for each in asked:
        each.start()
    try:
        begun_s = time.monotonic()
        assert cache.get(model("quick")) is cache.get(model("quick"))
        assert time.monotonic() - begun_s < 5
    finally:
        store.gate.set()
    for each in asked:
        each.join()
    assert sorted(store.fetched) == ["quick", "slow"]


def test_the_folder_keeps_only_what_is_held(cache, tmp_path):
    for name in ("a", "b", "c", "d"):
        assert cache.get(model(name)).path == cache.path(model(name))
        for folder in (tmp_path / "warm").iterdir():
            os.utime(folder, (0, 0))
    assert {folder.name for folder in (tmp_path / "warm").iterdir()} == {"c", "d"}


def test_the_path_of_a_model_is_known_before_it_was_loaded(cache, tmp_path):
    assert cache.path(model("a")).parent == tmp_path / "warm" / "a"
