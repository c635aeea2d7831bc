"""Sessions, receivers and models over HTTP: what is put in comes out, for whom it may, and refusals say why."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from heimdall.files.artifacts import MissingArtifactError
from heimdall.service.auth import Role
from heimdall.service.database.tables import Job
from heimdall.service.models.registry import DECIDING

from .conftest import RECEIVERS, TRUTH

KNOWN = {"latitude_deg": TRUTH[0], "longitude_deg": TRUTH[1]}
RECEIVER = {"name": "A", "latitude_deg": RECEIVERS["A"][0], "longitude_deg": RECEIVERS["A"][1]}


@pytest.fixture
def store_session(client, measurements):
    def make(count: int = 2, late_s=None, **query):
        files = [("files", ("m.jsonl", measurements(count, late_s=late_s)))]
        return client.post("sessions", params=query, files=files)

    return make


@pytest.fixture
def import_model(client, make_bundle):
    def make(**values):
        path = make_bundle(**values)
        return client.post("models", files=[("files", (path.name, path.read_bytes()))])

    return make


def end_in(store, job_id: str, state: str) -> None:
    with store.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(state=state))


def finish(store, job_id: str, median_m: float) -> None:
    with store.writing() as session:
        result = {"scores": {DECIDING: median_m}}
        session.execute(update(Job).where(Job.id == job_id).values(state="succeeded", result=result))


def test_a_session_is_stored_listed_changed_and_deleted(client, store_session):
    answer = store_session(name="two")
    assert answer.status_code == 201
    stored = answer.json()
    assert answer.headers["Location"] == f"/api/v1/sessions/{stored['id']}"
    assert client.get(f"sessions/{stored['id']}").json() == stored
    assert (stored["name"], stored["summary"]["observations"], stored["data"]) == (
        "two",
        2,
        f"sessions/{stored['id']}",
    )
    assert client.get("sessions").json() == {"sessions": [stored]}
    changed = client.patch(f"sessions/{stored['id']}", json={"name": "known", "truth": KNOWN}).json()
    assert (changed["name"], changed["summary"]["with_truth"]) == ("known", 2)
    fixes = client.post("locate", params={"session": stored["id"]}).json()["fixes"]
    assert all(fix["truth"]["inside_95"] for fix in fixes)
    assert client.patch(f"sessions/{stored['id']}", json={"truth": None}).json()["summary"]["with_truth"] == 0
    assert client.delete(f"sessions/{stored['id']}").status_code == 204
    assert client.get(f"sessions/{stored['id']}").status_code == 404


def test_a_truth_can_come_with_the_upload_but_not_half_of_one(store_session):
    assert store_session(**KNOWN).json()["summary"]["truth"]["latitude_deg"] == TRUTH[0]
    assert store_session(latitude_deg=50.0).status_code == 422


def test_a_stored_session_can_be_evaluated_on(client, store_session, import_model):
    data, model = store_session(**KNOWN).json()["data"], import_model().json()["id"]
    answer = client.post("jobs", json={"kind": "evaluate", "model": model, "data": [data]})
    assert answer.status_code == 201
    assert client.post("jobs", json={"kind": "evaluate", "model": model, "data": ["sessions/none"]}).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [("post", "sessions"), ("post", "models"), ("post", "receivers"), ("delete", "sessions/" + "a" * 16)],
)
def test_a_viewer_changes_nothing(client_of, method, path):
    assert client_of(Role.VIEWER).request(method, path).status_code == 403


def test_an_operator_promotes_nothing(client_of, import_model):
    model = import_model().json()
    assert client_of(Role.OPERATOR).post(f"models/{model['id']}/promote").status_code == 403


def test_a_receiver_is_registered_edited_and_forgotten(client):
    answer = client.post("receivers", json=RECEIVER)
    assert answer.status_code == 201
    station = answer.json()
    assert answer.headers["Location"] == f"/api/v1/receivers/{station['id']}"
    assert client.get(f"receivers/{station['id']}").json() == station
    assert client.post("receivers", json=RECEIVER).status_code == 409
    edited = client.put(f"receivers/{station['id']}", json=RECEIVER | {"clock_sigma_s": 5e-8}).json()
    assert edited["clock"] == "100 ns or better"
    assert client.delete(f"receivers/{station['id']}").status_code == 204
    assert client.get("receivers").json() == {"receivers": []}


def test_what_is_exported_can_be_imported(client):
    client.post("receivers", json=RECEIVER | {"note": "mast"})
    listed = client.get("receivers/export").json()
    listed["receivers"][0]["note"] = "roof"
    assert client.post("receivers/import", json=listed).json() == {"count": 1}
    assert client.get("receivers").json()["receivers"][0]["note"] == "roof"


def test_calibration_finds_a_delay_keeps_it_and_locating_uses_it(client, store_session):
    session = store_session(4, {"A": 5e-6}, **KNOWN).json()["id"]
    wanted = {"sessions": [session]}
    found = client.post("receivers/calibrate", json=wanted).json()
    delays = {each["name"]: each["correction"]["delay_s"] for each in found["receivers"]}
    assert delays["A"] - delays["B"] == pytest.approx(5e-6, abs=2e-7)
    assert not found["stored"]
    assert client.get("receivers").json() == {"receivers": []}
    before = client.post("locate", params={"session": session}).json()["fixes"][0]
    kept = client.post("receivers/calibrate", json=wanted | {"store": True}).json()
    assert kept["stored"]
    assert {station["name"] for station in client.get("receivers").json()["receivers"]} == set(RECEIVERS)
    itself = client.post("locate", params={"session": session}).json()["fixes"][0]
    assert itself["truth"]["error_m"] == before["truth"]["error_m"], (
        "a session is not scored with what was fitted to it"
    )
    another = store_session(4, {"A": 5e-6}, **KNOWN).json()["id"]
    after = client.post("locate", params={"session": another}).json()["fixes"][0]
    assert after["truth"]["error_m"] < 0.2 * before["truth"]["error_m"]


def test_calibrating_again_finds_the_same(client, store_session):
    """The second time the first correction is there already, and must not be taken off before."""
    session = store_session(4, {"A": 5e-6}, **KNOWN).json()["id"]
    found = [client.post("receivers/calibrate", json={"sessions": [session], "store": True}).json() for _ in range(2)]
    delays = [[each["correction"]["delay_s"] for each in one["receivers"]] for one in found]
    assert delays[0] == pytest.approx(delays[1])


def test_calibration_without_a_known_transmitter_says_what_is_missing(client, store_session):
    answer = client.post("receivers/calibrate", json={"sessions": [store_session().json()["id"]]})
    assert answer.status_code == 422
    assert "say where the transmitter was" in answer.json()["detail"]


def test_a_bundle_is_imported_listed_and_downloaded_unchanged(client, import_model, make_bundle):
    answer = import_model()
    assert answer.status_code == 201
    model = answer.json()
    assert not model["champion"]
    assert client.get("models").json() == {"models": [model]}
    assert client.get(f"models/{model['id']}/bundle").content == make_bundle().read_bytes()
    assert import_model().status_code == 409


def test_a_broken_bundle_is_not_listed_and_the_reason_is_told(client, make_bundle):
    content = bytearray(make_bundle().read_bytes())
    content[content.index(b"log_background")] ^= 1  # a name inside the network
    for broken in (bytes(content), b"junk"):
        answer = client.post("models", files=[("files", ("x.heimdall", broken))])
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("x.heimdall: ")
    assert client.get("models").json() == {"models": []}


def test_a_champion_is_won_lost_and_compared(client, import_model, store):
    first, second = import_model().json()["id"], import_model(seed=1).json()["id"]
    waiting = client.post(f"models/{first}/promote")
    assert (waiting.status_code, waiting.json()["promoted"]) == (202, False)
    finish(store, waiting.json()["waiting_for"][0], 90.0)
    assert client.post(f"models/{first}/promote").json()["promoted"]
    finish(store, client.post(f"models/{second}/promote").json()["waiting_for"][0], 95.0)
    refused = client.post(f"models/{second}/promote")
    assert refused.status_code == 409
    assert "95.0 m" in refused.json()["detail"]
    assert "90.0 m" in refused.json()["detail"]
    compared = client.get("models/compare", params={"a": first, "b": second}).json()
    assert compared["frozen"] == [{"name": DECIDING, "a": 90.0, "b": 95.0, "difference": 5.0}]
    assert [compared[each]["champion"] for each in "ab"] == [True, False]


def test_the_champion_locates(client, import_model, store, measurements):
    model = import_model().json()["id"]
    finish(store, client.post(f"models/{model}/promote").json()["waiting_for"][0], 90.0)
    client.post(f"models/{model}/promote")
    answer = client.post("locate", params={"method": "learned"}, files=[("files", ("m.jsonl", measurements()))]).json()
    assert answer["model"] == model
    assert answer["fixes"][0]["method"] == "hybrid"


def test_a_model_whose_name_is_in_another_script_is_downloaded_renamed_and_deleted(client, import_model):
    model = import_model(name="город").json()
    answer = client.get(f"models/{model['id']}/bundle")
    assert answer.status_code == 200
    assert "filename*=UTF-8''%D0%B3" in answer.headers["content-disposition"]
    assert client.patch(f"models/{model['id']}", json={"name": "town"}).json()["name"] == "town.heimdall"
    assert client.delete(f"models/{model['id']}").status_code == 204
    assert client.get(f"models/{model['id']}").status_code == 404


def test_a_model_whose_file_is_gone_waits_no_longer_and_keeps_nobody_waiting(
    app, client, import_model, store, monkeypatch
):
    promoter = app.state.parts.promoter
    lost, whole = (import_model(seed=seed).json()["id"] for seed in range(2))
    for each in (lost, whole):
        finish(store, client.post(f"models/{each}/promote").json()["waiting_for"][0], 90.0)
    get = promoter._models.get

    def get_unless_lost(model):
        if model.id == lost:
            raise MissingArtifactError(f"nothing is stored under {model.artifact}")
        return get(model)

    monkeypatch.setattr(promoter._models, "get", get_unless_lost)
    promoter.look()
    told, champion = (client.get(f"models/{each}").json() for each in (lost, whole))
    assert (told["candidate"], "nothing is stored" in told["not_promoted"]) == (False, True)
    assert champion["champion"]


@pytest.mark.parametrize("changes", [{"upload_mb": 0.0001}])
def test_a_bundle_has_a_limit_of_its_own(import_model):
    assert import_model(name="larger than an upload may be").status_code == 201


def test_a_promotion_that_waits_is_carried_out_by_the_service(app, client, import_model, store):
    promoter = app.state.parts.promoter
    first, second, third = (import_model(seed=seed).json()["id"] for seed in range(3))
    waiting = client.post(f"models/{first}/promote").json()["waiting_for"]
    promoter.look()
    assert client.get(f"models/{first}").json()["candidate"]
    finish(store, waiting[0], 90.0)
    promoter.look()
    model = client.get(f"models/{first}").json()
    assert (model["champion"], model["candidate"], model["not_promoted"]) == (True, False, None)
    for rival, end in (
        (second, lambda job: finish(store, job, 95.0)),
        (third, lambda job: end_in(store, job, "failed")),
    ):
        end(client.post(f"models/{rival}/promote").json()["waiting_for"][0])
    promoter.look()
    told = [client.get(f"models/{rival}").json() for rival in (second, third)]
    assert [each["candidate"] for each in told] == [False, False]
    assert "95.0 m" in told[0]["not_promoted"]
    assert "did not succeed" in told[1]["not_promoted"]
    assert client.get(f"models/{first}").json()["champion"]


def test_the_frozen_evaluation_can_be_asked_for_by_itself_and_is_done_once(client, import_model, store):
    model = import_model().json()["id"]
    job = client.post(f"models/{model}/evaluate").json()["job"]
    assert client.post(f"models/{model}/evaluate").json()["job"] == job
    finish(store, job, 90.0)
    assert client.get(f"models/{model}").json()["frozen"]["job"] == job
    assert client.post(f"models/{model}/evaluate").json()["job"] == job


def test_stored_sessions_tell_which_receiver_is_bad(client, client_of, store_session):
    """Named, with how late it is, for whoever may look; a session that is not there is said so."""
    late = next(iter(RECEIVERS))
    session = store_session(8, {late: 20e-6}, **KNOWN).json()["id"]
    found = client_of(Role.VIEWER).get("receivers/check", params={"session": session, "most": 6}).json()
    assert (found["observations"], found["checked"], found["unreadable"]) == (8, 6, [])
    assert {each["name"] for each in found["receivers"]} == set(RECEIVERS)
    first = found["receivers"][0]
    assert first["name"] == late
    assert "late by" in first["suspicion"]
    assert client.get("receivers/check").json()["observations"] == 8
    assert client.get("receivers/check", params={"session": "a" * 16}).status_code == 404
