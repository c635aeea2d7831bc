"""Figures are worded for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from heimdall.files.atomic import SCRATCH
from heimdall.web import words
from heimdall.web.page_session import Latest, sentence


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (89, "89 s"), (120, "2 min"), (5400, "1.5 h"), (200_000, "2.3 days")]
)
def test_durations_have_the_unit_people_would_take(seconds: float, text: str) -> None:
    assert words.duration_text(seconds) == text


def test_time_since_then_and_sizes() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert words.ago_text(now.timestamp() - 1, now) == "now"
    assert words.ago_text(now.timestamp() - 600, now) == "10 min ago"
    assert [words.bytes_text(size) for size in (7, 1500, 14_700_000, 3e9)] == ["7 bytes", "1.5 kB", "14.7 MB", "3 GB"]


def test_scores_are_named_for_people() -> None:
    assert words.score_name("hybrid/median_m") == "hybrid, median in m"
    assert words.score_name("coverage_95") == "coverage 95"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("more bytes than allowed", "More bytes than allowed."),
        ("quick.heimdall: not a bundle", "quick.heimdall: not a bundle."),
        ("Done.", "Done."),
    ],
)
def test_a_message_becomes_a_sentence_and_a_file_keeps_its_name(message: str, said: str) -> None:
    assert sentence(message) == said


def test_of_several_requests_the_last_one_counts() -> None:
    latest = Latest()
    first, second = latest.begin(), latest.begin()
    assert (first(), second()) == (False, True)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("no session 12: `GET /api/v1/sessions` lists them", "No session 12."),
        ("start one with `heimdall worker`", "Start one with heimdall worker."),
        (f"/tmp/{SCRATCH}x8_z/m.jsonl line 1: no id", "m.jsonl line 1: no id."),
    ],
)
def test_people_are_not_told_of_curl_or_temporary_folders(message: str, said: str) -> None:
    assert sentence(message) == said


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level_sigma_db: float = Field(0.0, ge=0)
    steps: int = Field(1, le=10)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"level_sigma_db": -1}, "level sigma db must be at least 0"),
        ({"steps": "x"}, "steps must be a whole number"),
        ({"steps": 11}, "steps must be at most 10"),
        ({"stpes": 1}, "stpes is not a known field"),
    ],
)
def test_what_is_wrong_with_a_field_is_said_in_words(values: dict, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Fields.model_validate(values)
    assert words.validation_text(caught.value) == said
