"""MLflow's registry shows our models and our champion, and its absence disturbs nobody."""

from __future__ import annotations

import pytest

from heimdall.doctor.program import ProgramOutput
from heimdall.errors import HeimdallError
from heimdall.service.database.tables import Alias, Model
from heimdall.service.models.mlflow_sync import REGISTERED, MlflowSync, mirror


@pytest.fixture
def add(store):
    def make(model_id: str) -> None:
        with store.writing() as session:
            session.add(
                Model(
                    id=model_id,
                    name=f"{model_id}.heimdall",
                    artifact="a",
                    sha256="0",
                    size_bytes=1,
                    scores={},
                    record={},
                )
            )

    return make


@pytest.fixture
def promote(store):
    def move(model_id: str) -> None:
        with store.writing() as session:
            session.merge(Alias(name="champion", model_id=model_id, moved_by="t", reason={}))

    return move


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_each_model_is_one_version_and_the_alias_follows_the_champion(settings, store, add, promote):
    from mlflow.tracking import MlflowClient

    add("one")
    add("two")
    promote("one")
    mirror(settings, store)
    client = MlflowClient(settings.mlflow_address, settings.mlflow_address)
    assert client.get_model_version_by_alias(REGISTERED, "champion").tags["heimdall_model"] == "one"
    promote("two")
    add("three")
    said = mirror(settings, store)
    found = client.search_model_versions(f"name = '{REGISTERED}'")
    assert sorted(version.tags["heimdall_model"] for version in found) == ["one", "three", "two"]
    champion = client.get_model_version_by_alias(REGISTERED, "champion")
    assert champion.tags["heimdall_model"] == "two"
    assert said == f"3 models of heimdall, champion is version {champion.version}"


def test_a_server_that_is_gone_is_told_at_once(settings, store):
    away = settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    with pytest.raises(HeimdallError, match="does not answer"):
        mirror(away, store)


def test_it_is_done_once_for_each_change_and_again_after_a_failure(settings, store, add, promote):
    codes, runs = [0, 1, 0], []

    def run(command, limit_s):
        runs.append(command)
        return ProgramOutput(codes[len(runs) - 1], "done\n", "MLflow is away\n")

    watch = MlflowSync(settings, store, run)
    assert watch.look()
    assert runs == []
    add("one")
    assert [watch.look(), watch.look()] == [True, True]
    assert len(runs) == 1
    promote("one")
    assert not watch.look()
    assert watch.said == "MLflow is away"
    assert watch.look()
    assert (len(runs), watch.said) == (3, "done")
