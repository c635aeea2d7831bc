"""Locating by whichever method is chosen: what the command line, the API and a program call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from heimdall.errors import InputError
from heimdall.locating import Method
from heimdall.locating.located import Located
from heimdall.locating.pipeline import locate_each as locate_each_by_likelihood
from heimdall.observation import Observation

if TYPE_CHECKING:
    from heimdall.locating.by_network import Learned


def locate_each(
    observations: Sequence[Observation], method: Method = Method.AUTO, learned: Learned | None = None
) -> Iterator[Located]:
    """Locate every observation, in the order given, a few at a time as they are ready.

    Raises InputError where the method is `learned` and there is no model.
    """
    if method is Method.LEARNED and learned is None:
        raise InputError("the method `learned` needs a model: give one, or take `auto` or `likelihood`")
    if method is Method.LEAST_SQUARES:
        from heimdall.locating.by_least_squares import locate_each as by_least_squares

        return by_least_squares(observations)
    if method is Method.LIKELIHOOD or learned is None:
        return locate_each_by_likelihood(observations)
    return learned.locate_each(observations, choose=method is Method.AUTO)
