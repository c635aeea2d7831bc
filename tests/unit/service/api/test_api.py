"""The API does what its document says, for whom it says, and every error is a problem document."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from heimdall.service.api import create_app
from heimdall.service.api.http.body_limit import BODY_LIMIT_BYTES
from heimdall.service.auth import Role, create_token
from heimdall.service.database.tables import Job, Model, Worker, now_unix_s
from heimdall.service.queue import jobs, leases
from heimdall.service.queue.jobs import State
from heimdall.service.queue.leases import Claimant, Ending, Outcome

JOBS = "/api/v1/jobs"
TRAIN = {"kind": "train", "recipe": "quick", "overrides": {"steps": 10}}
UNKNOWN = "f" * 16


@pytest.fixture
def app(settings, store):
    return create_app(settings, store)


@pytest.fixture
def client_of(app, store):
    def make(role: Role) -> TestClient:
        with store.writing() as session:
            word = create_token(session, f"{role} of the test", role)
        return TestClient(app, headers={"Authorization": f"Bearer {word}"}, raise_server_exceptions=False)

    return make


@pytest.fixture
def client(client_of):
    return client_of(Role.ADMIN)


def put(store, job_id, state):
    with store.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(state=state))


def test_a_job_is_created_listed_and_found_again(client):
    answer = client.post(JOBS, json=TRAIN)
    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["Location"] == f"{JOBS}/{job['id']}"
    assert (job["state"], job["name"], job["created_by"]) == ("queued", "quick", "admin of the test")
    assert job["request"] == {"recipe": "quick", "overrides": {"steps": 10}, "on": None, "workers": None}
    assert client.get(JOBS).json() == {"jobs": [job]}
    assert client.get(answer.headers["Location"]).json() == job


def test_a_job_goes_through_pause_resume_and_cancel_and_can_then_be_deleted(client, settings):
    url = f"{JOBS}/{client.post(JOBS, json=TRAIN).json()['id']}"
    assert client.post(f"{url}/pause").json()["state"] == "paused"
    assert client.post(f"{url}/resume").json()["state"] == "queued"
    assert client.post(f"{url}/cancel").json()["state"] == "cancelled"
    assert [event["type"] for event in client.get(f"{url}/history").json()] == [
        "queued",
        "paused",
        "queued",
        "cancelled",
    ]
    folder = settings.runs / url.rsplit("/", 1)[1]
    folder.mkdir(parents=True)
    (folder / "log.txt").touch()
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404
    assert not folder.exists()


@pytest.mark.parametrize("action", ["pause", "resume", "cancel"])
def test_an_action_the_state_does_not_allow_is_a_conflict(client, store, action):
    job_id = client.post(JOBS, json=TRAIN).json()["id"]
    put(store, job_id, State.SUCCEEDED)
    answer = client.post(f"{JOBS}/{job_id}/{action}")
    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "is succeeded" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", "/cancel"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("DELETE", ""),
        ("GET", "/history"),
        ("GET", "/events"),
        ("GET", "/metrics"),
        ("GET", "/log"),
    ],
)
def test_an_unknown_job_is_404_everywhere(client, method, path):
    answer = client.request(method, f"{JOBS}/{UNKNOWN}{path}")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"kind": "train"}, "recipe"),
        ({"kind": "train", "recipe": "--help"}, "recipe"),
        ({"kind": "dance"}, "kind"),
        ({"kind": "train", "recipe": "huge"}, "choose one of: quick, study, base, large"),
        ({"kind": "train", "recipe": "quick", "overrides": {"optimizer.rl": 1}}, "steps, batch_size, seed"),
        ({"kind": "train", "recipe": "quick", "overrides": {"steps": -5}}, "steps"),
        ({"kind": "train", "recipe": "quick", "overrides": {"steps": 10**20}}, "steps"),
        ({"kind": "train", "recipe": "quick", "overrides": {"scenes.scenarios.citty": 1}}, "no field"),
        ({"kind": "fine-tune", "recipe": "quick", "model": UNKNOWN}, f"no model {UNKNOWN}"),
        ({"kind": "evaluate", "model": UNKNOWN, "scenario": "sparse"}, f"no model {UNKNOWN}"),
        ({"kind": "evaluate", "model": UNKNOWN, "scenario": "city"}, "choose one of: matched, clear-sight-1mhz"),
        ({"kind": "evaluate", "model": UNKNOWN, "scenario": "sparse", "needs": {"gpu": True}}, "runs on the CPU"),
    ],
)
def test_a_wrong_request_is_422_and_says_where(client, body, told):
    answer = client.post(JOBS, json=body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert told in answer.json()["detail"]


def test_recipes_and_scenarios_are_listed_with_fields_defaults_and_bounds(client):
    recipes = {each["name"]: each for each in client.get("/api/v1/recipes").json()["recipes"]}
    assert list(recipes) == ["quick", "study", "base", "large"]
    assert all(each["purpose"] for each in recipes.values())
    fields = {each["name"]: each for each in recipes["large"]["fields"]}
    rate = fields["optimizer.lr"]
    assert (rate["type"], rate["default"], rate["minimum"], rate["open_below"]) == ("number", 1e-4, 0.0, True)
    assert (fields["network.cells"]["minimum"], fields["network.cells"]["maximum"]) == (8, 512)
    assert fields["network.cells"]["description"].startswith("Cells of the window")
    scenarios = client.get("/api/v1/scenarios").json()["scenarios"]
    assert scenarios[0] == {"name": "matched", "summary": "the law that the likelihood assumes"}


@pytest.mark.parametrize("recipe", ["quick", "large"])
def test_every_listed_field_is_taken_with_its_default_and_refused_beyond_its_bounds(client, recipe):
    (told,) = [each for each in client.get("/api/v1/recipes").json()["recipes"] if each["name"] == recipe]
    for field in told["fields"]:
        if isinstance(field["default"], dict):
            continue
        for value, status in ((field["default"], 201), (field["minimum"], 422), (field["maximum"], 422)):
            if value is None:
                continue
            beyond = 0 if status == 201 else 1 if value == field["maximum"] else -1
            overrides = {field["name"]: value + beyond if beyond else value}
            answer = client.post(JOBS, json={"kind": "train", "recipe": recipe, "overrides": overrides})
            assert answer.status_code == status, (overrides, answer.text)


def test_a_job_says_who_made_it_when_it_began_and_how_long_it_took(client, store):
    job = client.post(JOBS, json=TRAIN).json()
    assert (job["started_utc"], job["finished_utc"], job["elapsed_s"]) == (None, None, None)
    times = {"started_unix_s": 1000.0, "finished_unix_s": 1312.4, "state": "succeeded"}
    with store.writing() as session:
        session.execute(update(Job).where(Job.id == job["id"]).values(**times))
    job = client.get(f"{JOBS}/{job['id']}").json()
    assert (job["created_by"], job["elapsed_s"], job["finished_utc"][:10]) == ("admin of the test", 312.4, "1970-01-01")


def test_what_a_request_names_must_be_there_when_it_is_made(client, store, settings):
    with store.writing() as session:
        session.add(Model(id=UNKNOWN, name="m", artifact="a", sha256="0", size_bytes=1, scores={}, record={}))
    body = {"kind": "evaluate", "model": UNKNOWN, "data": ["site.jsonl"]}
    assert "no site.jsonl in the data folder" in client.post(JOBS, json=body).json()["detail"]
    settings.data.mkdir(parents=True)
    (settings.data / "site.jsonl").touch()
    assert client.post(JOBS, json=body).status_code == 201


def test_only_a_training_with_a_checkpoint_can_be_exported(client, settings):
    job_id = client.post(JOBS, json=TRAIN).json()["id"]
    assert "no checkpoint" in client.post(JOBS, json={"kind": "export", "job": job_id}).json()["detail"]
    checkpoint = settings.runs / job_id / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    assert client.post(JOBS, json={"kind": "export", "job": job_id}).status_code == 201
    assert client.post(JOBS, json={"kind": "export", "job": UNKNOWN}).status_code == 404


NEEDED = {
    ("GET", JOBS): Role.VIEWER,
    ("GET", f"{JOBS}/{UNKNOWN}/log"): Role.VIEWER,
    ("GET", "/api/v1/system/queue"): Role.VIEWER,
    ("GET", "/api/v1/system/versions"): Role.VIEWER,
    ("POST", JOBS): Role.OPERATOR,
    ("POST", f"{JOBS}/{UNKNOWN}/cancel"): Role.OPERATOR,
    ("POST", f"{JOBS}/{UNKNOWN}/pause"): Role.OPERATOR,
    ("POST", f"{JOBS}/{UNKNOWN}/resume"): Role.OPERATOR,
    ("DELETE", f"{JOBS}/{UNKNOWN}"): Role.ADMIN,
}


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_it_covers_and_nothing_else(client_of, role):
    client = client_of(role)
    for (method, path), needed in NEEDED.items():
        answer = client.request(method, path, json=TRAIN if method == "POST" else None)
        assert (answer.status_code == 403) == (not role.covers(needed)), (method, path)


def test_every_route_of_the_api_wants_a_token(app):
    client = TestClient(app)
    for path, methods in client.get("/api/v1/openapi.json").json()["paths"].items():
        for method in methods:
            answer = client.request(method, path.replace("{job_id}", UNKNOWN))
            assert (answer.status_code == 401) == path.startswith("/api/"), (method, path)
            if answer.status_code == 401:
                assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic YTpi", "Bearer", "heimdall_x"])
def test_a_wrong_token_is_401(app, header):
    assert TestClient(app).get(JOBS, headers={"Authorization": header}).status_code == 401


def test_a_body_above_the_limit_is_refused_whether_or_not_it_tells_its_length(client):
    large = b'{"kind": "train", "recipe": "' + b"a" * BODY_LIMIT_BYTES + b'"}'
    headers = {"Content-Type": "application/json"}
    assert client.post(JOBS, content=large, headers=headers).status_code == 413
    chunks = (large[at : at + 100_000] for at in range(0, len(large), 100_000))
    answer = client.post(JOBS, content=chunks, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")


def test_metrics_warnings_and_log_come_from_the_run_folder(client, settings):
    job_id = client.post(JOBS, json=TRAIN).json()["id"]
    folder = settings.runs / job_id
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": NaN}\n')
    (folder / "warnings.json").write_text('[{"code": "cpu", "message": "no GPU"}]')
    (folder / "log.txt").write_text("hello\n")
    assert client.get(f"{JOBS}/{job_id}/metrics").json() == {
        "metrics": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": None}],
        "warnings": [{"code": "cpu", "message": "no GPU"}],
    }
    assert client.get(f"{JOBS}/{job_id}/metrics", params={"after_step": 1}).json()["metrics"][0]["step"] == 2
    assert client.get(f"{JOBS}/{job_id}/log", params={"offset": -3}).json() == {
        "offset": 3,
        "next_offset": 6,
        "text": "lo\n",
    }


def read_events(client, url, headers=None):
    found = []
    with client.stream("GET", url, headers=headers or {}) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("event: "):
                found.append([line.removeprefix("event: ")])
            if line.startswith("data: "):
                found[-1].append(json.loads(line.removeprefix("data: ")))
    return found


def test_the_event_stream_tells_what_was_and_what_comes_and_ends_with_the_job(client, store):
    job_id = client.post(JOBS, json=TRAIN).json()["id"]

    def work():
        with store.writing() as session:
            job = leases.claim(session, Claimant("w", "a" * 16, "cpu", False), 60.0)
        time.sleep(0.7)
        with store.writing() as session:
            leases.renew(session, job_id, job.lease, step=5, fraction=0.5)
        time.sleep(0.7)
        with store.writing() as session:
            leases.conclude(session, job_id, job.lease, Outcome(Ending.FINISHED, "finished"))

    worker = threading.Thread(target=work)
    worker.start()
    found = read_events(client, f"{JOBS}/{job_id}/events")
    worker.join()
    assert [name for name, _ in found if name != "progress"] == ["queued", "running", "succeeded", "end"]
    assert [data["step"] for name, data in found if name == "progress"][-2:] == [5, 5]
    assert found[-1][1]["state"] == "succeeded"
    seen = found[0][1]["id"]
    again = read_events(client, f"{JOBS}/{job_id}/events", {"Last-Event-ID": str(seen)})
    assert [name for name, _ in again if name != "progress"] == ["running", "succeeded", "end"]


def test_the_event_stream_of_a_deleted_job_ends(client, store, app):
    job_id = client.post(JOBS, json=TRAIN).json()["id"]

    def remove():
        time.sleep(0.3)
        with store.writing() as session:
            jobs.cancel(session, job_id, "t")
            jobs.delete(session, job_id)

    remover = threading.Thread(target=remove)
    remover.start()
    assert read_events(client, f"{JOBS}/{job_id}/events")[-1][0] == "end"
    remover.join()


def test_the_queue_counts_jobs_and_lists_workers(client, store):
    client.post(JOBS, json=TRAIN)
    with store.writing() as session:
        session.add(
            Worker(
                name="w",
                started_unix_s=now_unix_s(),
                heartbeat_unix_s=now_unix_s(),
                accelerator="auto",
                gpu_usable=False,
                gpu_reason="no card",
                devices=[],
                versions={"torch": None},
                doctor={"findings": [], "verdict": "cpu", "reason": "no card"},
            )
        )
    queue = client.get("/api/v1/system/queue").json()
    assert queue["jobs"]["queued"] == 1
    assert [(worker["name"], worker["gpu_reason"]) for worker in queue["workers"]] == [("w", "no card")]
    assert client.get("/api/v1/system/versions").json()["workers"] == {"w": {"torch": None}}


def test_the_doctor_is_asked_here_and_quoted_for_each_worker(client, monkeypatch):
    from heimdall.service.api.routes import system

    asked = []
    document = {"findings": [{"name": "card", "status": "ok"}], "verdict": "cpu", "reason": "none"}
    monkeypatch.setattr(system, "_examiner", system.Examiner())
    monkeypatch.setattr(system.doctor_report, "examine", lambda: asked.append(1) or document)
    assert client.get("/api/v1/system/doctor").json() == {"here": document, "workers": {}}
    client.get("/api/v1/system/doctor")
    assert len(asked) == 1, "asked again only after a while"


def test_health_ready_and_metrics_need_no_token(app):
    with TestClient(app) as client:
        assert client.get("/health").json()["status"] == "ok"
        ready = client.get("/ready")
        names = [dependency["name"] for dependency in ready.json()["dependencies"]]
        assert names == ["database", "broker", "celery", "artifacts", "disk", "gpu", "mlflow"]
        assert "heimdall_build_info" in client.get("/metrics").text


def test_a_database_that_does_not_answer_is_503_with_a_time_to_come_back(client, store, settings):
    client.post(JOBS, json=TRAIN)
    store.close()
    path = settings.home / "heimdall.db"
    os.replace(path, path.with_suffix(".away"))
    path.mkdir()
    answer = client.get(JOBS)
    path.rmdir()
    os.replace(path.with_suffix(".away"), path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert client.get(JOBS).status_code == 200


def test_every_route_is_documented_with_its_answers(client):
    document = client.get("/api/v1/openapi.json").json()
    assert "HTTPValidationError" not in json.dumps(document)
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert route.get("summary"), (method, path)
            if path.startswith("/api/"):
                assert {"401", "403", "422", "503"} <= set(route["responses"]), (method, path)
                content = route["responses"]["401"]["content"]
                assert content["application/problem+json"]["schema"]["$ref"].endswith("/Problem")


def test_two_tokens_of_one_name_have_a_share_each(settings, store):
    app = create_app(settings.model_copy(update={"locate_per_minute": 1}), store)
    with store.writing() as session:
        words = [create_token(session, "same name", Role.VIEWER) for _ in range(2)]
    clients = [TestClient(app, headers={"Authorization": f"Bearer {word}"}) for word in words]
    assert [client.post("/api/v1/locate").status_code for client in (*clients, *clients)] == [422, 422, 429, 429]
