from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from heimdall.deploy.accelerator_choice import Choice, HostView
from heimdall.deploy.compose.engine import Engine, EngineReply
from heimdall.deploy.compose.ports import check_ports
from heimdall.deploy.lock import one_at_a_time
from heimdall.deploy.start import UNDECIDED, Outcome, Starter
from heimdall.deploy.training_container import gpu_trouble, running_jobs
from heimdall.errors import HeimdallError
from heimdall.service.health.probes import look_at_gpu

HOST = HostView("", ("sudo nvidia-ctk cdi generate",), None)
NO_DRIVER = EngineReply(
    1, 'Error response from daemon: could not select device driver "nvidia" with capabilities: [[gpu]]'
)


def ready(ok: bool, detail: str, jobs: int = 0) -> EngineReply:
    supervisor = {"name": "supervisor", "ok": True, "detail": f"{jobs} jobs running"}
    report: dict[str, Any] = {"dependencies": [supervisor, {"name": "gpu", "ok": ok, "detail": detail}]}
    return EngineReply(0 if ok else 1, json.dumps(report))


@dataclass(frozen=True)
class Script:
    """Answers of `docker compose up` by accelerator, of /ready, of the doctor in a fresh container, of a dry run."""

    up: dict[str, EngineReply]
    ready: EngineReply = field(default_factory=lambda: ready(True, "1 usable"))
    build: EngineReply = field(default_factory=lambda: EngineReply(0, ""))
    proof: EngineReply = field(default_factory=lambda: EngineReply(0, '{"verdict": "gpu"}'))
    plan: str = " DRY-RUN MODE -  Container heimdall-training  Recreate"


class FakeEngine(Engine):
    script: Script
    commands: list[tuple[str, ...]]

    def follow_compose(self, *arguments: str) -> EngineReply:
        self.commands.append((self.environment["HEIMDALL_ACCELERATOR"], *arguments))
        if arguments[0] == "build":
            return self.script.build
        return self.script.up.get(self.environment["HEIMDALL_ACCELERATOR"], EngineReply(0, ""))

    def compose(self, *arguments: str, timeout_s: float = 60) -> EngineReply:
        if arguments[0] == "exec":
            return self.script.ready
        if arguments[0] == "run":
            self.commands.append((self.environment["HEIMDALL_ACCELERATOR"], *arguments))
            return self.script.proof
        if "--dry-run" in arguments:
            return EngineReply(0, "", self.script.plan)
        if arguments[0] == "config":
            return EngineReply(0, '{"services": {}}')
        return EngineReply(
            0, json.dumps({"Service": "training", "State": "running", "Health": "healthy", "ExitCode": 0})
        )

    def with_environment(self, extra: Any) -> Engine:
        return make_engine(self.project, self.script, self.commands, dict(extra), self.tell)


def make_engine(
    project: Path, script: Script, commands: list[tuple[str, ...]], environment: dict[str, str], tell: Any = print
) -> FakeEngine:
    engine = FakeEngine(project, tell, environment)
    object.__setattr__(engine, "script", script)
    object.__setattr__(engine, "commands", commands)
    return engine


def start(
    project: Path, way: Any, script: Script, tell: Any = print, **options: Any
) -> tuple[Outcome, list[tuple[str, ...]]]:
    commands: list[tuple[str, ...]] = []
    starter = Starter(make_engine(project, script, commands, {}, tell), HOST, ["training"], 1.0)
    return starter.start(Choice(way, None, "because"), **options), commands


def environment_file(project: Path) -> str:
    return (project / ".env").read_text()


def test_a_gpu_that_works_is_started_once_and_written_down(tmp_path: Path) -> None:
    outcome, commands = start(tmp_path, "gpu-cdi", Script({}))
    steps = [("gpu-cdi", "build"), ("gpu-cdi", "run"), ("gpu-cdi", "up")]
    assert [(command[0], command[1]) for command in commands] == steps
    assert outcome.healthy
    assert outcome.choice.way == "gpu-cdi"
    assert environment_file(tmp_path) == "HEIMDALL_ACCELERATOR=gpu-cdi\n"


def test_limits_of_this_host_are_written_beside_the_choice(tmp_path: Path) -> None:
    starter = Starter(make_engine(tmp_path, Script({}), [], {}), HOST, [], 1.0, {"HEIMDALL_TRAINING_MEMORY": "11g"})
    starter.start(Choice("cpu", None, "because"))
    assert environment_file(tmp_path) == "HEIMDALL_ACCELERATOR=cpu\nHEIMDALL_TRAINING_MEMORY=11g\n"


def test_a_reservation_docker_refuses_costs_the_gpu_and_not_the_service(tmp_path: Path) -> None:
    outcome, commands = start(tmp_path, "gpu", Script({"gpu": NO_DRIVER}), build=False)
    assert [command[:2] for command in commands if command[1] == "up"] == [("gpu", "up"), ("cpu", "up")]
    assert outcome.healthy
    assert 'could not select device driver "nvidia" with capabilities: [[gpu]]' in outcome.choice.reason
    assert outcome.choice.fix == HOST.fix
    assert environment_file(tmp_path) == "HEIMDALL_ACCELERATOR=cpu\n"


def test_a_gpu_the_worker_cannot_use_is_given_up_with_the_workers_words(tmp_path: Path) -> None:
    outcome, commands = start(tmp_path, "gpu", Script({}, ready(False, "cuInit says 999")), build=False)
    assert [command[:2] for command in commands if command[1] == "up"] == [("gpu", "up"), ("cpu", "up")]
    assert outcome.choice.reason == "cuInit says 999"


def test_a_gpu_that_a_fresh_container_cannot_use_costs_the_running_training_one_start_and_not_two(tmp_path) -> None:
    script = Script({}, proof=EngineReply(1, '{"verdict": "cpu", "reason": "cuInit says 999"}'))
    outcome, commands = start(tmp_path, "gpu", script, build=False)
    assert [command[:2] for command in commands] == [("gpu", "run"), ("cpu", "up")]
    assert (outcome.choice.way, outcome.choice.reason) == ("cpu", "cuInit says 999")
    note = json.loads((tmp_path / "docker/host/training.json").read_text())
    assert (note["reason"], note["fix"]) == ("cuInit says 999", list(HOST.fix))


def test_a_training_that_has_the_gpu_already_is_neither_proved_again_nor_replaced(tmp_path: Path) -> None:
    _, commands = start(tmp_path, "gpu", Script({}, plan=" Container heimdall-training  Running"), build=False)
    assert [command[:2] for command in commands] == [("gpu", "up")]
    assert json.loads((tmp_path / "docker/host/training.json").read_text())["reason"] == ""


@pytest.mark.parametrize(("jobs", "told"), [(0, ""), (1, "1 job "), (3, "3 jobs ")])
def test_a_running_job_is_not_interrupted_without_a_word(tmp_path: Path, jobs: int, told: str) -> None:
    lines: list[str] = []
    start(tmp_path, "cpu", Script({}, ready(True, "", jobs)), lines.append, build=False)
    said = [line for line in lines if "replaced" in line]
    assert [told in line for line in said] == ([True] if told else [])
    assert running_jobs(EngineReply(1, "", "connection refused")) == ""


def test_a_port_that_somebody_has_ends_it_before_the_build_and_names_the_variable(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    commands: list[tuple[str, ...]] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        entry = {"host_ip": "127.0.0.1", "published": str(number), "target": 8002}
        project = {"services": {"training": {"ports": [entry]}, "api": {"ports": []}}}
        engine = make_engine(tmp_path, Script({}), commands, {})
        monkeypatch.setattr(FakeEngine, "compose", lambda *_, **__: EngineReply(0, json.dumps(project)))
        monkeypatch.setattr("heimdall.deploy.compose.ports._published_by_us", lambda engine: set())
        with pytest.raises(HeimdallError, match=f"port {number} .* training .* HEIMDALL_HEALTH_PORT"):
            Starter(engine, HOST, [], 1.0).start(Choice("cpu", None, ""))
        check_ports(engine, ["api"])
        monkeypatch.setattr("heimdall.deploy.compose.ports._published_by_us", lambda engine: {number})
        check_ports(engine, [])
    assert commands == []


def test_two_starts_in_one_folder_come_one_after_the_other(tmp_path: Path) -> None:
    lines: list[str] = []
    engine = make_engine(tmp_path, Script({}), [], {}, lines.append)
    entered = threading.Event()

    def second() -> None:
        with one_at_a_time(engine):
            entered.set()

    thread = threading.Thread(target=second)
    with one_at_a_time(engine):
        thread.start()
        assert not entered.wait(0.3)
    thread.join(5)
    assert entered.is_set()
    assert lines == ["Another heimdall up works here: waiting for it."]


def test_a_start_that_fails_without_the_gpu_too_is_an_error_and_keeps_the_choice(tmp_path: Path) -> None:
    taken = EngineReply(1, "Error response from daemon: port is already allocated")
    with pytest.raises(HeimdallError, match=r"port is already allocated \(set HEIMDALL_PORT or"):
        start(tmp_path, "gpu", Script({"gpu": taken, "cpu": taken}), build=False)
    assert environment_file(tmp_path) == "HEIMDALL_ACCELERATOR=gpu\n"


def test_images_that_cannot_be_built_end_it_before_anything_is_started(tmp_path: Path) -> None:
    commands: list[tuple[str, ...]] = []
    script = Script({}, build=EngineReply(1, "ERROR: failed to solve: no space left on device"))
    with pytest.raises(HeimdallError, match="no space left"):
        Starter(make_engine(tmp_path, script, commands, {}), HOST, [], 1.0).start(Choice("gpu", None, ""))
    assert [command[1] for command in commands] == ["build"]


def test_the_words_of_a_worker_that_does_not_know_yet_are_the_ones_the_start_waits_for() -> None:
    class Unproved:
        state = None

        def start(self) -> None: ...

        def stop(self) -> None: ...

    with pytest.raises(HeimdallError) as undecided:
        look_at_gpu("gpu", Unproved())()  # type: ignore[arg-type]
    assert str(undecided.value).startswith(UNDECIDED)


def test_only_the_file_of_the_user_is_copied(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    outcome, _ = start(tmp_path, "gpu", Script({"gpu": NO_DRIVER}), build=False)
    copies = list(tmp_path.glob(".env.backup*"))
    assert copies == [outcome.backup]
    assert copies[0].read_text() == "A=1\n"


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (ready(True, "1 usable"), ""),
        (ready(False, "CUDA 13 needs driver 580"), "CUDA 13 needs driver 580"),
        (EngineReply(1, "connection refused"), "the worker does not answer /ready: connection refused"),
        (EngineReply(0, '{"dependencies": []}'), "the worker's /ready says nothing about the GPU"),
    ],
)
def test_the_workers_word_about_its_gpu_is_read_from_ready(answer: EngineReply, trouble: str) -> None:
    assert gpu_trouble(answer) == trouble
