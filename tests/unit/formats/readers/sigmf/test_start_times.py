"""The digits of start times say how exactly they are known."""

from __future__ import annotations

import math

import pytest

from heimdall.formats.readers.sigmf.start_times import written_sigmas_s


@pytest.mark.parametrize(
    ("fractions", "steps_s"),
    [
        (["269000000", "377000000", "120000000"], [1e-3, 1e-3, 1e-3]),
        (["269000", "377000", "000000"], [1e-3, 1e-3, 1e-3]),
        (["269123000", "377456000", "120789000"], [1e-6, 1e-6, 1e-6]),
        (["269000000", "377123456", "120987654"], [1e-3, 1e-9, 1e-9]),
        # Made to begin on a pulse, a half of a second or an eighth, as all of them are.
        (["000000000", "000000000", "000000000"], [0, 0, 0]),
        (["500000000", "250000000", None], [1e-9, 1e-9, 0]),
        (["125000000", "125000000", "125000000"], [1e-9, 1e-9, 1e-9]),
        (["5", "123456789", "00"], [0.1, 1e-9, 0]),
    ],
)
def test_zeros_that_a_program_adds_are_no_digits_of_a_clock(fractions: list[str | None], steps_s: list[float]) -> None:
    assert written_sigmas_s(fractions) == pytest.approx([step_s / math.sqrt(12) for step_s in steps_s])
