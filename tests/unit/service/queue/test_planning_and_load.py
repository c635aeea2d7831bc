"""A plan is asked for once and told as the program tells it; a machine's load is what the kernel says."""

from __future__ import annotations

import json
import os

import pytest

from heimdall.doctor.program import ProgramOutput
from heimdall.errors import HeimdallError
from heimdall.service.health.load import look, memory_limit_gb
from heimdall.service.queue.job_requests import TrainRequest
from heimdall.service.queue.matching import Needs
from heimdall.service.queue.planning import Planner

QUICK = TrainRequest(kind="train", recipe="quick", overrides={"steps": 5})


def test_a_question_is_asked_once_with_everything_that_matters(settings):
    asked = []

    def run(command, limit_s):
        asked.append(command)
        return ProgramOutput(0, json.dumps({"accelerator": {"used": "cpu"}}))

    planner = Planner(settings, run)
    assert planner.plan(QUICK) == planner.plan(QUICK) == {"accelerator": {"used": "cpu"}}
    planner.plan(QUICK.model_copy(update={"accelerator": "gpu"}))
    assert len(asked) == 2
    assert asked[0][-8:] == ["--plan", "--json", "--recipe", "quick", "--accelerator", "cpu", "--set", "steps=5"]
    assert "gpu" in asked[1]


def test_a_restart_does_not_cost_half_a_minute_of_processor_again(settings):
    asked = []

    def run(command, limit_s):
        asked.append(command)
        return ProgramOutput(0, '{"accelerator": {"used": "cpu"}}')

    first = Planner(settings, run).plan(QUICK)
    assert Planner(settings, run).plan(QUICK) == first
    assert len(asked) == 1
    for path in (settings.data / "plans").iterdir():
        os.utime(path, (0, 0))
    Planner(settings, run).plan(QUICK)
    assert len(asked) == 2, "an old answer is asked for again"


def test_what_the_program_complains_of_is_the_error_and_is_asked_again(settings):
    answers = iter(
        [ProgramOutput(2, "", "heimdall: there is no recipe named 'x'\n"), ProgramOutput(0, '{"accelerator": {}}')]
    )
    planner = Planner(settings, lambda command, limit_s: next(answers))
    with pytest.raises(HeimdallError, match=r"^there is no recipe named 'x'$"):
        planner.plan(QUICK)
    assert planner.plan(QUICK) == {"accelerator": {}}


@pytest.mark.parametrize("stdout", ["", "[]", "{}", "text"])
def test_an_answer_that_is_no_plan_is_an_error(settings, stdout):
    with pytest.raises(HeimdallError, match="says nothing"):
        Planner(settings, lambda command, limit_s: ProgramOutput(0, stdout)).plan(QUICK)


def test_a_training_that_needs_a_gpu_needs_the_memory_of_its_plan_unless_it_says_another(settings):
    planner = Planner(
        settings, lambda command, limit_s: ProgramOutput(0, '{"accelerator": {}, "needed_bytes": 5278774124}')
    )
    unsaid, said = QUICK.model_copy(update={"needs": Needs(gpu=True)}), Needs(gpu=True, gpu_memory_gb=40)
    assert planner.completed(unsaid).needs.gpu_memory_gb == 5.3
    assert planner.completed(QUICK.model_copy(update={"needs": said})).needs == said
    assert planner.completed(QUICK) is QUICK, "nothing is asked for"


def test_without_a_plan_any_gpu_will_do(settings):
    planner = Planner(settings, lambda command, limit_s: ProgramOutput(2, "", "heimdall: no torch"))
    assert planner.completed(QUICK.model_copy(update={"needs": Needs(gpu=True)})).needs == Needs(gpu=True)


@pytest.mark.parametrize(
    ("where", "text", "expected_gb"),
    [
        ("memory.max", "max", 17.18),
        ("memory.max", "4000000000", 4.0),
        ("memory/memory.limit_in_bytes", "9223372036854771712", 17.18),
    ],
)
def test_a_worker_offers_the_machines_memory_or_what_its_container_is_bounded_to(tmp_path, where, text, expected_gb):
    for path, content in (
        ("proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 1 kB\n"),
        (f"sys/fs/cgroup/{where}", text),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    assert memory_limit_gb(tmp_path) == expected_gb


def test_memory_is_total_less_available(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\n")
    found = look(with_gpu=False, root=tmp_path)
    assert (found["memory_total_bytes"], found["memory_used_bytes"], found["gpus"]) == (1_024_000, 614_400, [])


def test_without_a_driver_there_is_no_gpu_to_tell_of_and_no_error(tmp_path):
    found = look(with_gpu=True, root=tmp_path)
    assert (found["memory_total_bytes"], found["processors"] >= 1) == (0, True)
    json.dumps(found)
