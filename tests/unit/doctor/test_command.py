"""Both doors: `heimdall doctor`, and `python3 -m heimdall.doctor` on a bare host."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from heimdall.cli.app import app
from heimdall.cli.operating.doctor import doctor as doctor_command
from heimdall.doctor import command, examination
from heimdall.doctor.__main__ import main
from heimdall.doctor.command import Options, ask_person, run_doctor
from heimdall.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[3]


def _bare_host(*arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """The interpreter without its site-packages, from the source tree, as a host has it that can install nothing."""
    environment = {"PYTHONPATH": str(REPOSITORY / "src"), "PATH": path or os.environ["PATH"]}
    line = [sys.executable, "-S", "-m", "heimdall.doctor", *arguments]
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_bare_host_needs_nothing_but_the_source_tree(machine: Any) -> None:
    done = _bare_host("--json", "--root", str(machine.root))
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert document["verdict"] == "gpu"


def test_a_fault_is_exit_code_1_through_both_doors_with_the_same_document(machine: Any) -> None:
    machine.libraries("580.105.08")
    machine.on_disk("580.105.08")
    bare = _bare_host("--json", "--root", str(machine.root))
    installed = CliRunner().invoke(app, ["doctor", "--json", "--root", str(machine.root)], standalone_mode=False)
    assert bare.returncode == 1
    assert installed.return_value == 1
    assert json.loads(bare.stdout) == json.loads(installed.stdout)
    assert json.loads(bare.stdout)["findings"][0]["name"] == "driver_library_mismatch"


def test_captured_answers_replay_what_programs_said(machine: Any) -> None:
    """A support bundle: the files of a host, and at its top what its programs had printed."""
    machine.write("/docker-info.json", json.dumps({"ServerVersion": "28.5.1", "Runtimes": {"runc": {}}}))
    machine.remove("/usr/bin/nvidia-container-runtime-hook")
    done = _bare_host("--json", "--root", str(machine.root))
    faults = [finding["name"] for finding in json.loads(done.stdout)["findings"] if finding["status"] == "fault"]
    assert faults == ["container_toolkit_missing"]


def test_the_text_shows_evidence_commands_and_verdict(machine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    machine.remove("/dev/nvidia-uvm")
    assert run_doctor(Options(root=machine.root)) == 1
    text = capsys.readouterr().out
    assert "fault    nvidia_uvm: " in text
    assert "seen: /dev/nvidia-uvm is missing" in text
    assert "$ sudo nvidia-modprobe -c 0 -u" in text
    assert text.rstrip().splitlines()[-1].startswith("verdict  cpu: ")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(root=Path("/no/such/folder")), "is not a folder"),
        (Options(fix=True, as_json=True), "does not go with --json"),
        (Options(fix=True, root=Path("/proc")), "leave one of them out"),
        (Options(plan_json=Path("/no/such/file")), "cannot be read"),
        (Options(log=Path("/no/such/file")), "cannot be read"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(options: Options, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        run_doctor(options)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "no JSON", "[1]"])
def test_a_plan_that_is_no_plan_is_a_wrong_call(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(InputError, match="give the output of heimdall train --plan --json"):
        run_doctor(Options(root=tmp_path, plan_json=tmp_path / "plan.json"))


def test_the_bare_door_prints_a_wrong_call_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", "/no/such/folder"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "heimdall doctor: --root /no/such/folder is not a folder: give the top of the tree to examine\n"


def test_a_plan_and_a_log_are_taken_into_account(
    machine: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.json").write_text('{"recipe": "large", "needed_bytes": 8000000000}')
    (tmp_path / "log").write_text("RuntimeError: CUDA error: device-side assert triggered\n")
    code = run_doctor(Options(True, machine.root, plan_json=tmp_path / "plan.json", log=tmp_path / "log"))
    names = {finding["name"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert code == 1
    assert {"memory_plan", "cuda_context_poisoned"} <= names


def test_both_doors_have_the_same_options() -> None:
    from heimdall.doctor.__main__ import _options

    here = set(vars(_options([])))
    there = {"as_json" if name == "json" else name for name in doctor_command.__annotations__} - {"return"}
    assert here == there


class Fixing:
    """`--fix` on a machine of files instead of this one."""

    def __init__(self, machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.asked: list[str] = []
        monkeypatch.setattr(command, "examine", lambda *args, **kwargs: machine.report())
        monkeypatch.setattr(command, "Host", machine.host)
        monkeypatch.setattr("heimdall.doctor.repair.steps.run_step", self._perform)
        self.machine = machine

    def _perform(self, argv: Any) -> int:
        self.done.append(" ".join(argv))
        self.machine.cuda()
        self.machine.nodes("nvidia-uvm")
        return 0

    def run(self, answer: bool) -> int:
        return run_doctor(Options(fix=True), lambda question: self.asked.append(question) or answer)


@pytest.fixture
def fixing(machine: Any, monkeypatch: pytest.MonkeyPatch) -> Fixing:
    machine.remove("/dev/nvidia-uvm")
    machine.cuda(999)
    return Fixing(machine, monkeypatch)


def test_fix_shows_its_plan_asks_does_it_and_examines_once_more(
    fixing: Fixing, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fixing.run(True) == 0
    assert fixing.asked == ["Do these 1 steps?"]
    assert [line.removeprefix("sudo ") for line in fixing.done] == ["nvidia-modprobe -c 0 -u"]
    said = capsys.readouterr()
    assert "To be done now:" in said.err
    assert said.out.count("verdict") == 2


def test_without_a_yes_nothing_is_done(fixing: Fixing) -> None:
    assert fixing.run(False) == 1
    assert fixing.done == []


def test_with_nothing_to_do_nobody_is_asked(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fixing = Fixing(bare, monkeypatch)
    assert fixing.run(True) == 0
    assert (fixing.asked, fixing.done) == ([], [])


@pytest.mark.parametrize(("typed", "answer"), [("y", True), ("Yes", True), ("", False), ("n", False), (None, False)])
def test_only_yes_is_yes_and_who_cannot_be_asked_means_no(
    typed: str | None, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def type_it() -> str:
        if typed is None:
            raise EOFError
        return typed

    monkeypatch.setattr("builtins.input", type_it)
    assert ask_person("Do it?") is answer


def test_the_sources_are_python_39_for_hosts_that_are_old() -> None:
    """Debian 11's and RHEL 9's python3 must be able to read them."""
    for path in sorted((REPOSITORY / "src/heimdall/doctor").rglob("*.py")):
        ast.parse(path.read_text(), feature_version=(3, 9))


def test_the_sources_import_nothing_but_the_standard_library() -> None:
    allowed = set(sys.stdlib_module_names) | {"heimdall"}
    inside_guards = {"torch", "pynvml"}
    for path in sorted((REPOSITORY / "src/heimdall/doctor").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            outside = {name.partition(".")[0] for name in names} - allowed
            assert outside <= (inside_guards if path.parent.name == "probes" else set()), path


def test_examining_this_machine_ends_with_a_verdict() -> None:
    assert examination.examine().verdict in ("cpu", "gpu")


@pytest.mark.parametrize("program", [["-m", "heimdall.doctor"], ["-m", "heimdall", "doctor"]])
def test_a_reader_that_leaves_early_is_no_error(program: list[str], machine: Any) -> None:
    """`heimdall doctor --json | head -c 300`: the other end of the pipe is closed before anything is written."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    line = [sys.executable, *program, "--json", "--root", str(machine.root)]
    done = subprocess.run(line, stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    os.close(write_end)
    assert done.stderr == ""


def test_nothing_of_a_tree_is_run_and_nothing_of_the_environment_counts(
    machine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "was-run"
    names = ("nvidia-smi", "docker", "modinfo", "journalctl", "dmesg", "nvidia-ctk")
    for folder in (machine.root / "usr/bin", tmp_path / "path"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
            (folder / name).chmod(0o755)
    before = examination.examine(machine.root)
    monkeypatch.setenv("PATH", str(tmp_path / "path"), prepend=os.pathsep)
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere/lib")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("HEIMDALL_ACCELERATOR", "gpu")
    assert examination.examine(machine.root) == before
    assert not mark.exists()


def test_a_mounted_healthy_host_has_no_fault(machine: Any) -> None:
    """/proc/self and /proc/mounts are those of the process that looks, in the container that it runs in."""
    machine.remove("/proc/mounts")
    machine.link("/proc/mounts", "self/mounts")
    machine.write("/proc/self/mounts", "shm /dev/shm tmpfs rw,size=65536k 0 0\n")
    machine.write("/proc/1/mounts", "tmpfs /dev/shm tmpfs rw,size=16384000k 0 0\n")
    report = examination.examine(machine.root)
    assert [finding.name for finding in report.findings if finding.status == "fault"] == []
    assert report.verdict == "gpu"


def test_a_disk_mounted_alone_is_not_judged(machine: Any) -> None:
    """Without /proc, /sys and /dev nothing is known about the hardware, and nothing of it is a fault."""
    machine.write(
        "/etc/cdi/nvidia.yaml",
        "kind: nvidia.com/gpu\ndevices:\n- name: all\n  containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia0\n",
    )
    machine.remove("/proc", "/sys", "/dev", "/run")
    report = examination.examine(machine.root)
    assert [finding.status for finding in report.findings if finding.name == "card"] == ["unknown"]
    assert report.exit_code == 0
