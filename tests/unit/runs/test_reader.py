"""Whatever a program that may die at any moment has left in its run folder, it can be read."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from heimdall.runs.reader import Progress, Result, RunReader

QUIET = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def folder(tmp_path) -> RunReader:
    return RunReader(tmp_path)


def test_an_empty_folder_has_nothing_to_tell(folder):
    assert folder.progress() is None
    assert folder.result() is None
    assert folder.warnings() == []
    assert folder.metrics() == []
    assert folder.checkpoint_unix_s() is None
    assert folder.log_page().text == ""
    assert not folder.begun


def test_progress_is_read_as_the_contract_writes_it(folder):
    document = {
        "step": 5,
        "steps_total": 10,
        "fraction": 0.5,
        "eta_s": 3.5,
        "loss": 0.25,
        "phase": "train",
        "accelerator": {"requested": "auto", "used": "cpu", "reason": "r", "device": "d", "precision": "fp32"},
        "updated_utc": "2026-01-01T00:00:00Z",
    }
    (folder.path / "progress.json").write_text(json.dumps(document))
    assert folder.progress() == Progress.model_validate(document)
    assert folder.progress().accelerator.reason == "r"


def test_progress_from_before_this_attempt_does_not_count(folder):
    (folder.path / "progress.json").write_text('{"step": 5}')
    assert folder.progress(since_unix_s=(folder.path / "progress.json").stat().st_mtime + 1) is None


@QUIET
@given(content=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_content_of_any_file_is_read_without_an_error_and_its_numbers_are_finite(folder, content):
    for name in ("progress.json", "result.json", "warnings.json", "metrics.jsonl", "log.txt"):
        (folder.path / name).write_bytes(content)
    assert isinstance(folder.progress(), Progress | None)
    assert isinstance(folder.result(), Result | None)
    json.dumps([warning.model_dump() for warning in folder.warnings()], allow_nan=False)
    json.dumps(folder.metrics(), allow_nan=False)
    assert isinstance(folder.last_words(), str)


def test_a_diverged_loss_is_null(folder):
    (folder.path / "progress.json").write_text('{"step": 1, "loss": NaN, "eta_s": Infinity}')
    (folder.path / "result.json").write_text('{"model": null, "scores": {"a": NaN, "b": [1.0, Infinity]}}')
    assert (folder.progress().loss, folder.progress().eta_s) == (None, None)
    assert folder.result().scores == {"a": None, "b": [1.0, None]}


def test_metrics_come_by_step_with_the_last_word_of_a_repeated_step_and_without_half_a_line(folder):
    lines = [
        {"step": 1, "loss": 3.0},
        {"step": 2, "loss": 2.0},
        {"step": 2, "median_m": 9.0},
        {"step": 2, "loss": 2.5},
        {"step": 3, "loss": math.nan},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 4, "lo'
    (folder.path / "metrics.jsonl").write_text(text)
    assert folder.metrics() == [
        {"step": 1, "loss": 3.0},
        {"step": 2, "loss": 2.5, "median_m": 9.0},
        {"step": 3, "loss": None},
    ]
    assert [row["step"] for row in folder.metrics(after_step=2)] == [3]


@QUIET
@given(text=st.text(max_size=300), page=st.integers(1, 50))
def test_the_pages_of_a_log_give_the_whole_log(folder, text, page):
    folder.log.write_bytes(text.encode())
    offset, read = 0, b""
    while (found := folder.log_page(offset, page)).next_offset > offset:
        read += folder.log.read_bytes()[found.offset : found.next_offset]
        offset = found.next_offset
    assert read == text.encode()


def test_a_negative_offset_counts_from_the_end_of_the_log(folder):
    folder.log.write_text("0123456789")
    assert folder.log_page(-3).text == "789"
    assert folder.log_page(-99).offset == 0
    assert folder.log_page(99).text == ""


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("step 1\nheimdall: no such recipe\nbye\n\n", "no such recipe"),
        ("Traceback\nValueError: broken\n", "ValueError: broken"),
        ("", "it said nothing"),
    ],
)
def test_the_last_words_are_the_command_lines_error_or_the_last_line(folder, log, words):
    folder.log.write_text(log)
    assert folder.last_words() == words


def test_the_words_of_an_earlier_attempt_do_not_count(folder):
    folder.log.write_text("heimdall: old\nnew\n")
    assert folder.last_words(since=len("heimdall: old\n")) == "new"


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b"])
def test_a_result_cannot_name_a_file_outside_its_folder(folder, name):
    with pytest.raises(ValueError, match="not inside"):
        folder.member(name)
