"""Each kind of job becomes the command line of the contract, and nothing a request holds can become an option."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from heimdall.service.queue.job_requests import JobRequest, command_line, stored_form
from heimdall.service.queue.request_base import JobPaths

MODEL, JOB = "0" * 16, "1" * 16
PATHS = JobPaths(
    Path("/runs/r"),
    lambda job: Path("/runs") / job,
    lambda name: Path("/data") / name,
    lambda model: Path("/models") / f"{model}.heimdall",
    lambda: Path("/runs/r/inputs/receivers.json"),
    lambda: Path("/runs/r/inputs/transmitters.json"),
)
REQUEST = TypeAdapter(JobRequest)


def line(document, *, resume=False, accelerator="auto"):
    request = REQUEST.validate_python(document)
    return command_line(request.kind, stored_form(request), accelerator, PATHS, resume=resume)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"kind": "train", "recipe": "quick"},
            "train --recipe quick --accelerator auto --run-dir /runs/r",
        ),
        (
            {"kind": "train", "recipe": "quick", "overrides": {"optimizer.lr": 0.001, "name": "a b"}},
            'train --recipe quick --accelerator auto --run-dir /runs/r --set optimizer.lr=0.001 --set name="a b"',
        ),
        (
            {"kind": "train", "recipe": "large", "on": "ray", "workers": "2:8"},
            "train --recipe large --accelerator auto --run-dir /runs/r --on ray --workers 2:8",
        ),
        (
            {"kind": "fine-tune", "recipe": "quick", "model": MODEL, "data": ["powder/a", "b.jsonl"]},
            f"train --recipe quick --accelerator auto --run-dir /runs/r --init /models/{MODEL}.heimdall"
            " --data /data/powder/a --data /data/b.jsonl",
        ),
        (
            {"kind": "evaluate", "model": MODEL, "scenario": "city", "count": 5, "seed": 7},
            f"evaluate --model /models/{MODEL}.heimdall --run-dir /runs/r --scenario city --count 5 --seed 7",
        ),
        (
            {"kind": "evaluate", "model": MODEL, "data": ["a"]},
            f"evaluate --model /models/{MODEL}.heimdall --run-dir /runs/r /data/a",
        ),
        ({"kind": "export", "job": JOB}, f"export /runs/{JOB} --run-dir /runs/r"),
    ],
)
def test_each_kind_becomes_its_command_line(document, expected):
    assert " ".join(line(document)) == expected


def test_a_training_that_was_begun_is_resumed_and_an_export_is_simply_done_again():
    assert line({"kind": "train", "recipe": "quick"}, resume=True)[-2:] == ["--resume", "/runs/r"]
    assert "--resume" not in line({"kind": "export", "job": JOB}, resume=True)


def test_a_job_that_needs_a_gpu_refuses_to_run_without_one():
    arguments = command_line("train", {"recipe": "quick"}, "gpu", PATHS, resume=True, require_gpu=True)
    assert arguments[-3:] == ["--require-gpu", "--resume", "/runs/r"]
    assert "--require-gpu" not in command_line("export", {"job": JOB}, "gpu", PATHS, resume=False, require_gpu=True)


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "train"},
        {"kind": "train", "recipe": "quick", "accelerator": "cpu", "needs": {"gpu": True}},
        {"kind": "train", "recipe": "quick", "needs": {"gpu_memory_gb": 0}},
        {"kind": "train", "recipe": "quick", "needs": {"gpus": 2}},
        {"kind": "dance", "recipe": "quick"},
        {"kind": "train", "recipe": "--help"},
        {"kind": "train", "recipe": "../quick"},
        {"kind": "train", "recipe": "quick", "more": 1},
        {"kind": "train", "recipe": "quick", "accelerator": "tpu"},
        {"kind": "train", "recipe": "quick", "workers": "2"},
        {"kind": "train", "recipe": "quick", "on": "ray://elsewhere:10001"},
        {"kind": "train", "recipe": "quick", "on": "ray", "workers": "2 --resume x"},
        {"kind": "train", "recipe": "quick", "on": "ray", "workers": "5:2"},
        {"kind": "train", "recipe": "quick", "overrides": {"-x": 1}},
        {"kind": "train", "recipe": "quick", "overrides": {"a=b": 1}},
        {"kind": "train", "recipe": "quick", "overrides": {"a": float("nan")}},
        {"kind": "train", "recipe": "quick", "overrides": {"a": {"b": 1}}},
        {"kind": "evaluate", "model": MODEL},
        {"kind": "evaluate", "model": MODEL, "scenario": "city", "data": ["a"]},
        {"kind": "fine-tune", "recipe": "quick", "model": MODEL, "data": ["../secret"]},
        {"kind": "fine-tune", "recipe": "quick", "model": MODEL, "data": ["/etc/passwd"]},
        {"kind": "export", "job": "../.."},
    ],
)
def test_a_wrong_request_is_refused(document):
    with pytest.raises(ValidationError):
        REQUEST.validate_python(document)


@given(name=st.text(max_size=30))
def test_no_data_name_leaves_the_data_folder_or_looks_like_an_option(name):
    try:
        arguments = line({"kind": "evaluate", "model": MODEL, "data": [name]})
    except ValidationError:
        return
    assert Path(arguments[-1]).resolve().is_relative_to("/data")
    assert not arguments[-1].startswith("-")
