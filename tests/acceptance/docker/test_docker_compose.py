"""On a host without a GPU everything runs, says why it is on the CPU, and keeps what it was given."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from .conftest import PROJECT

pytestmark = [pytest.mark.docker, pytest.mark.slow]

TINY_TRAINING = {
    "kind": "train",
    "recipe": "quick",
    "overrides": {
        "steps": 24,
        "checkpoint_every_s": 0.5,
        "batch_size": 8,
        "validate_every": 24,
        "scenes.pool": 32,
        "scenes.passes": 2,
        "scenes.validation": 16,
        "scenes.calibration": 64,
    },
}
READ_BUNDLE = """
import pathlib, sys, zipfile
(path,) = pathlib.Path("/var/lib/heimdall/runs", sys.argv[1]).glob("*.heimdall")
with zipfile.ZipFile(path) as bundle:
    sys.stdout.buffer.write(bundle.read(sys.argv[2]))
"""
RUN_AS_A_JOB = """
import pathlib, sys, tempfile
from heimdall.service.worker.program.launch import Slot, start
from heimdall.runs.reader import RunReader
from heimdall.service.settings import load_settings
from heimdall.service.database.tables import Job
folder = RunReader(pathlib.Path(tempfile.mkdtemp(), "run"))
folder.make()
job = Job(id="0", arguments={}, lease="0")
process = start([sys.executable, "-c", sys.argv[1]], job, Slot("cpu"), folder, load_settings())
while process.wait(0.2) is None:
    process.beat()
print(folder.log.read_text())
"""
TRY_TO_READ = """
import glob, os
words = []
for path in glob.glob("/run/*/*") + glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/root/run/*/*"):
    try:
        text = open(path).read()
    except OSError:
        continue
    words += [path] if "secrets" in path or "PASSWORD" in text else []
print(*words or ["nothing"])
"""
HARDENED = ("training", "api", "mlflow", "postgres", "valkey")


def member(running, job: dict, name: str) -> str:
    """A file of the model that the job made."""
    return running.compose("exec", "-T", "training", "python", "-c", READ_BUNDLE, job["id"], name)


def weights(running, job: dict) -> str:
    return json.loads(member(running, job, "manifest.json"))["training"]["weights_sha256"]


@pytest.fixture(scope="module")
def trained(everything) -> dict:
    job = everything.api("/jobs", TINY_TRAINING)
    return everything.wait_for_job(job["id"], lambda seen: seen["finished_utc"] is not None)


def test_compose_as_typed_in_a_fresh_clone_brings_every_service_to_healthy(running) -> None:
    assert running.states() == dict.fromkeys(HARDENED, "healthy")
    assert running.inspect("secrets")["State"]["ExitCode"] == 0


def test_the_worker_is_ready_and_names_the_missing_gpu_as_a_degradation(running) -> None:
    status, report = running.worker_ready()
    assert status == 200, report
    gpu = next(check for check in report["dependencies"] if check["name"] == "gpu")
    assert gpu["status"] == "degraded"
    assert "GPU" in gpu["detail"]


def test_celery_answers_a_ping(running) -> None:
    assert "pong" in running.compose(
        "exec", "-T", "training", "celery", "-A", "heimdall.service.worker", "inspect", "ping"
    )


def test_a_training_runs_to_a_model_on_the_cpu_and_every_record_of_it_says_why(running, trained) -> None:
    assert trained["state"] == "succeeded", trained["error"]
    accelerator = trained["accelerator"]
    assert (accelerator["requested"], accelerator["used"]) == ("auto", "cpu")
    reason = accelerator["reason"]
    assert "GPU" in reason
    assert reason in running.api(f"/jobs/{trained['id']}/log")["text"]
    record = json.loads(member(running, trained, "manifest.json"))["training"]["accelerator"]
    assert (record["requested"], record["used"], record["reason"]) == ("auto", "cpu", reason)
    assert reason in member(running, trained, "MODEL_CARD.md")


def test_a_training_whose_container_is_killed_goes_on_and_ends_with_the_same_weights(running, trained) -> None:
    job = running.api("/jobs", TINY_TRAINING)
    running.wait_for_job(job["id"], lambda seen: seen["checkpoint"] is not None)
    os.kill(running.inspect("training")["State"]["Pid"], signal.SIGKILL)
    job = running.wait_for_job(job["id"], lambda seen: seen["finished_utc"] is not None)
    assert job["state"] == "succeeded", job["error"]
    assert job["attempts"] == 2
    assert weights(running, job) == weights(running, trained)


def test_nothing_is_published_beyond_the_loopback_and_what_has_no_sign_in_not_at_all(running) -> None:
    published = {
        service: [
            binding["HostIp"]
            for ports in running.inspect(service)["HostConfig"]["PortBindings"].values()
            for binding in ports
        ]
        for service in HARDENED
    }
    assert published == {
        "training": ["127.0.0.1"],
        "api": ["127.0.0.1"],
        "mlflow": [],
        "postgres": [],
        "valkey": [],
    }


@pytest.mark.parametrize("service", HARDENED)
def test_each_container_is_read_only_without_capabilities_bounded_and_restarted(running, service: str) -> None:
    host = running.inspect(service)["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert bool(host["CapAdd"]) == (service == "postgres")
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize("service", ["training", "api", "mlflow", "postgres", "valkey"])
def test_no_server_runs_as_root(running, service: str) -> None:
    processes = running.compose("top", service).splitlines()
    servers = [line for line in processes if any(word in line for word in ("python", "postgres", "valkey-server"))]
    assert servers
    # An init or an entrypoint may be root; what listens may not.
    assert not [line for line in servers if " root " in line and "docker-init" not in line]


def test_the_training_has_the_shared_memory_its_loaders_need_and_time_for_a_checkpoint(running) -> None:
    training = running.inspect("training")
    assert training["Name"] == "/heimdall-training"
    assert training["HostConfig"]["ShmSize"] == 2 * 1024**3
    assert training["Config"]["StopTimeout"] >= 60


def test_secrets_are_made_here_long_and_in_no_environment(running) -> None:
    folder = "/run/heimdall-secrets"
    script = f"cat {folder}/database_password; echo; cat {folder}/broker_password; echo; cat {folder}/admin_token"
    words = running.compose("exec", "-T", "api", "sh", "-c", script).split()
    assert len(set(words)) == 3
    assert min(map(len, words)) == 64
    environments = " ".join(" ".join(running.inspect(service)["Config"]["Env"]) for service in HARDENED)
    assert not [word for word in words if word in environments]


def test_each_container_holds_the_secrets_it_needs_and_no_other(running) -> None:
    held = {
        service: set(running.compose("exec", "-T", service, "sh", "-c", "ls /run/*-secrets").split())
        for service in HARDENED
    }
    assert held == {
        "api": {"database_password", "broker_password", "admin_token"},
        "training": {"database_password", "broker_password"},
        "postgres": {"database_password"},
        "valkey": {"broker_password", "valkey.conf"},
        "mlflow": {"mlflow_password"},
    }


def test_a_jobs_program_in_the_worker_can_read_none_of_them(running) -> None:
    assert running.compose("exec", "-T", "training", "python", "-c", RUN_AS_A_JOB, TRY_TO_READ).split() == ["nothing"]


@pytest.mark.parametrize("service", ["training", "api"])
def test_no_container_reaches_the_world_unless_told_to(running, service) -> None:
    host = running.run("docker", "network", "inspect", f"{PROJECT}_closed", "--format", "{{json .Options}}")
    assert json.loads(host)["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    networks = running.inspect(service)["NetworkSettings"]["Networks"]
    assert set(networks) == {f"{PROJECT}_backend", f"{PROJECT}_closed"}
    opened = json.loads(running.compose("config", "--format", "json", HEIMDALL_EGRESS="open"))
    assert set(opened["services"][service]["networks"]) == {"backend", "open"}


def test_api_and_worker_start_and_train_while_mlflow_is_down(running) -> None:
    running.compose("stop", "mlflow")
    running.compose("up", "-d", "--no-deps", "--force-recreate", "training")
    try:
        job = running.api("/jobs", TINY_TRAINING)
        job = running.wait_for_job(job["id"], lambda seen: seen["finished_utc"] is not None)
        assert job["state"] == "succeeded", job["error"]
    finally:
        running.compose("up", "-d")
        running.wait_until_healthy()


def test_a_backup_of_the_running_service_comes_back_on_an_installation_that_lost_everything(running, trained) -> None:
    token = running.compose("exec", "-T", "api", "cat", "/run/heimdall-secrets/admin_token")
    before = weights(running, trained)
    folder = running.folder / "backups"
    folder.mkdir(exist_ok=True)
    tool = ["run", "--rm", "-T", "-v", f"{folder}:/backup", "backup", "heimdall"]
    job = running.api("/jobs", TINY_TRAINING)
    running.wait_for_job(job["id"], lambda seen: seen["checkpoint"] is not None)
    running.compose(*tool, "backup", "/backup/all.tar")
    running.compose("down", "--volumes")
    running.compose("up", "-d", "--wait", "postgres")
    refused = running.try_run("docker", "compose", *tool, "restore", "/backup/none.tar")
    assert refused.returncode == 2, refused.stderr
    running.compose(*tool, "restore", "/backup/all.tar")
    running.compose("up", "-d")
    running.wait_until_healthy()
    assert running.compose("exec", "-T", "api", "cat", "/run/heimdall-secrets/admin_token") == token
    assert running.api(f"/jobs/{trained['id']}") == trained
    assert weights(running, trained) == before
    job = running.wait_for_job(job["id"], lambda seen: seen["finished_utc"] is not None)
    assert job["state"] == "succeeded", job["error"]
    assert weights(running, job) == before, "it went on from its checkpoint"


def test_down_and_up_keeps_jobs_models_and_passwords(running, trained) -> None:
    before = weights(running, trained)
    running.compose("down")
    running.compose("up", "-d")
    running.wait_until_healthy()
    assert running.api(f"/jobs/{trained['id']}") == trained
    assert weights(running, trained) == before


def test_an_accelerator_that_does_not_exist_is_a_clear_error(deployment) -> None:
    done = deployment.try_run("docker", "compose", "up", "-d", "training", HEIMDALL_ACCELERATOR="cuda")
    assert done.returncode != 0
    # Compose names whichever of the two services it comes to first.
    assert re.search('service "(standby-)?cuda" not found in docker/accelerators.yml', done.stderr)


def test_a_reservation_the_host_cannot_serve_fails_aloud_and_the_rest_of_the_service_stays(running) -> None:
    before = running.started()
    done = running.try_run("docker", "compose", "up", "-d", "training", HEIMDALL_ACCELERATOR="gpu")
    assert done.returncode == 1
    assert 'could not select device driver "nvidia"' in done.stderr
    after = running.started()
    assert {service for service in before if before[service] != after[service]} == {"training"}
