"""A model is listed only if it works, and becomes champion only if it wins the frozen evaluation."""

from __future__ import annotations

import zipfile

import pytest
from sqlalchemy import update

from heimdall.errors import InputError
from heimdall.files.artifacts import open_artifacts
from heimdall.inference.bundle import MANIFEST
from heimdall.service.database.tables import Alias, Job
from heimdall.service.errors import ConflictError
from heimdall.service.models import registry
from heimdall.service.models.model_cache import champion_of
from heimdall.service.queue import jobs
from heimdall.service.queue.jobs import State


@pytest.fixture
def imported(settings, store, make_bundle):
    def make(**values):
        path = make_bundle(**values)
        bundle = registry.check_bundle(path)
        artifacts = open_artifacts(settings.artifact_address)
        return registry.import_bundle(store, artifacts, path, bundle, created_by="test"), bundle

    return make


@pytest.fixture
def promote(settings, store):
    def ask(model_and_bundle):
        model, bundle = model_and_bundle
        with store.writing() as session:
            return registry.promote(session, settings, model.id, bundle, "test")

    return ask


@pytest.fixture
def evaluated(store):
    def end(job_id: str, median_m: float, state: State = State.SUCCEEDED) -> None:
        result = {"scores": {registry.DECIDING: median_m}}
        with store.writing() as session:
            session.execute(update(Job).where(Job.id == job_id).values(state=state, result=result))

    return end


def champion(store):
    with store.reading() as session:
        found = champion_of(session)
        return None if found is None else found.id


def test_a_bundle_that_was_changed_is_refused_with_the_reason(make_bundle, tmp_path):
    path = tmp_path / "broken.heimdall"
    with zipfile.ZipFile(make_bundle()) as good, zipfile.ZipFile(path, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name) if name == MANIFEST else good.read(name)[:-1])
    with pytest.raises(InputError, match="SHA-256") as caught:
        registry.check_bundle(path)
    assert str(tmp_path) not in str(caught.value)


def test_the_same_bundle_is_listed_once(imported):
    imported()
    with pytest.raises(ConflictError, match="already been imported"):
        imported()


def test_without_scores_a_promotion_starts_the_evaluation_and_waits(imported, promote, store):
    model = imported()
    first, second = promote(model), promote(model)
    assert not first.promoted
    assert first.waiting_for == second.waiting_for
    with store.reading() as session:
        job = jobs.get(session, first.waiting_for[0])
    assert (job.kind, job.arguments["model"], job.arguments["scenario"]) == ("evaluate", model[0].id, "matched")
    assert champion(store) is None


def test_the_first_that_was_evaluated_becomes_champion(imported, promote, evaluated, store):
    model = imported()
    evaluated(promote(model).waiting_for[0], 90.0)
    assert promote(model).promoted
    assert champion(store) == model[0].id
    with store.reading() as session:
        assert "90.0 m" in session.get(Alias, "champion").reason["reason"]


def test_a_worse_or_equal_one_is_refused_with_the_figures(imported, promote, evaluated, store):
    best = imported()
    evaluated(promote(best).waiting_for[0], 90.0)
    promote(best)
    for seed, median_m in ((1, 90.0), (2, 120.0)):
        rival = imported(seed=seed)
        evaluated(promote(rival).waiting_for[0], median_m)
        with pytest.raises(ConflictError, match=rf"{median_m:.1f} m .* the champion's 90\.0 m"):
            promote(rival)
    assert champion(store) == best[0].id


def test_a_better_one_takes_its_place(imported, promote, evaluated, store):
    first, better = imported(), imported(seed=1)
    evaluated(promote(first).waiting_for[0], 90.0)
    promote(first)
    evaluated(promote(better).waiting_for[0], 80.0)
    assert promote(better).promoted
    assert champion(store) == better[0].id


@pytest.mark.parametrize("parity", [None, 2e-3, float("nan")])
def test_a_network_that_was_not_proved_is_refused(settings, store, make_bundle, parity):
    path = make_bundle(parity=None if parity != parity else parity)
    bundle = registry.check_bundle(path)
    if parity is not None:
        bundle.training["parity"] = parity
    model = registry.import_bundle(store, open_artifacts(settings.artifact_address), path, bundle, created_by="test")
    with store.writing() as session, pytest.raises(ConflictError, match="not proved"):
        registry.promote(session, settings, model.id, bundle, "test")


def test_a_failed_evaluation_is_started_again(imported, promote, evaluated):
    model = imported()
    first = promote(model).waiting_for[0]
    evaluated(first, 0.0, State.FAILED)
    assert promote(model).waiting_for[0] != first


def test_another_evaluation_than_the_frozen_one_does_not_count(imported, promote, store, settings):
    model = imported()
    with store.writing() as session:
        arguments = {"model": model[0].id, "scenario": "matched", "count": 3, "seed": 0, "data": []}
        job = jobs.create(session, "evaluate", arguments, name="n", created_by="t", attempts_max=1)
        session.execute(
            update(Job).where(Job.id == job.id).values(state="succeeded", result={"scores": {registry.DECIDING: 1.0}})
        )
    with store.reading() as session:
        assert registry.frozen_scores(session, settings, model[0].id) is None
    assert promote(model).waiting_for


def test_a_model_is_renamed_and_deleted_but_not_while_it_is_champion(imported, promote, evaluated, store, settings):
    artifacts = open_artifacts(settings.artifact_address)
    model, bundle = imported()
    with store.writing() as session:
        assert registry.rename(session, model.id, "город v1.2").name == "город v1.2.heimdall"
        assert registry.rename(session, model.id, "site/2 नगर").name == "site-2 नगर.heimdall"
    with store.writing() as session, pytest.raises(InputError, match="needs a name"):
        registry.rename(session, model.id, "  ")
    evaluated(promote((model, bundle)).waiting_for[0], 90.0)
    assert promote((model, bundle)).promoted
    with pytest.raises(ConflictError, match="champion"):
        registry.delete(store, artifacts, model.id)
    other, _ = imported(seed=2)
    registry.delete(store, artifacts, other.id)
    assert artifacts.names(f"models/{other.id}") == []
    with store.reading() as session:
        assert [each.id for each in registry.find(session)] == [model.id]


def test_of_two_imports_at_once_the_database_takes_one(settings, store, make_bundle, monkeypatch):
    path = make_bundle()
    bundle, artifacts = registry.check_bundle(path), open_artifacts(settings.artifact_address)
    registry.import_bundle(store, artifacts, path, bundle, created_by="first")
    monkeypatch.setattr(registry, "_check_new", lambda *_: None)  # both looked before either had written
    with pytest.raises(ConflictError, match="already been imported"):
        registry.import_bundle(store, artifacts, path, bundle, created_by="second")
