"""A recording under two names is one recording."""

from __future__ import annotations

import numpy as np

from heimdall.evidence.iq.copies import copied
from heimdall.observation import Receiver, Reception

_RNG = np.random.default_rng(5)


def _heard(name: str, samples: np.ndarray) -> Reception:
    return Reception(Receiver(name, 47.0, 8.0), samples=samples.astype(np.complex64), sample_rate_hz=12_000.0)


def _noise(count: int) -> np.ndarray:
    return _RNG.normal(size=count) + 1j * _RNG.normal(size=count)


def test_a_copy_and_what_it_was_made_from_are_both_named() -> None:
    """Whose place is the right one cannot be told; one that was cut short is a copy as well."""
    noise = _noise(1000)
    found = copied([_heard("a", noise), _heard("b", _noise(1000)), _heard("c", noise[:600])])
    assert sorted(found) == [0, 2]
    assert "those of c" in found[0]
    assert "those of a" in found[2]


def test_recordings_that_begin_alike_are_no_copies() -> None:
    """Receivers that wait for the start may begin with the same zeros, or say nothing at all."""
    silent = np.zeros(500)
    late = [np.concatenate([silent, _noise(500)]) for _ in range(2)]
    assert copied([_heard("a", late[0]), _heard("b", late[1])]) == {}
    assert copied([_heard("a", silent), _heard("b", silent)]) == {}
