"""What commands say while they work."""

from __future__ import annotations

import pytest

from heimdall.cli import output


def test_a_total_that_was_guessed_too_low_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a folder whose recordings turn out to be several takes."""
    monkeypatch.setattr(output, "_LINE_EVERY_S", 0.0)
    monkeypatch.setattr(output, "console", output.plain_console())
    with output.progress("locating", 2, hide=False) as report:
        for done in (1, 2, 3):
            report(done)
    said = capsys.readouterr().err.splitlines()
    assert said == ["locating: 1 of 2, 0 s left", "locating: 2 of 2, 0 s left", "locating: 3 of ?"]
