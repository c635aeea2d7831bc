"""Times by the clock."""

from datetime import UTC, datetime

import pytest

from heimdall.capture.recording.schedule import parse_cron, parse_duration_s
from heimdall.errors import InputError

START = datetime(2026, 2, 27, 23, 58, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("* * * * *", "2026-02-27T23:59"),
        ("*/10 * * * *", "2026-02-28T00:00"),
        ("15 6-18 * * *", "2026-02-28T06:15"),
        ("0 12 1 * *", "2026-03-01T12:00"),
        ("30 4 29 2 *", "2028-02-29T04:30"),
        ("0 0 * * 1", "2026-03-02T00:00"),
        ("0 0 13 * 7", "2026-03-01T00:00"),
        ("5,35 0 * * *", "2026-02-28T00:05"),
        ("10/20 0 * * *", "2026-02-28T00:10"),
    ],
)
def test_the_next_minute_of_a_line_is_crons(line: str, expected: str) -> None:
    assert parse_cron(line).after(START) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("line", ["", "* * * *", "60 * * * *", "* 5-3 * * *", "*/0 * * * *", "x * * * *", "* * 0 * *"])
def test_a_line_that_is_wrong_is_refused(line: str) -> None:
    with pytest.raises(InputError, match="cron"):
        parse_cron(line)


def test_a_day_that_never_comes_is_refused() -> None:
    with pytest.raises(InputError, match="no day fits"):
        parse_cron("0 0 31 2 *").after(START)


def test_durations_have_units() -> None:
    assert [parse_duration_s(text) for text in ("90", "90s", "10m", "1.5h", "1d")] == [90, 90, 600, 5400, 86_400]
    for text in ("", "-5", "0", "5x", "1e9d"):
        with pytest.raises(InputError):
            parse_duration_s(text)
