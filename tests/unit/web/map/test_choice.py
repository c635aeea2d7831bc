"""An address leads back to what was looked at."""

from __future__ import annotations

import pytest

from heimdall.locating import Method
from heimdall.web.map.choice import Choice

CHOICES = [
    Choice(),
    Choice("a1"),
    Choice("a1", index=3),
    Choice("a1", every=True),
    Choice("a1", 2, Method.LIKELIHOOD, corrected=False),
    Choice(history=True),
]


@pytest.mark.parametrize("choice", CHOICES)
def test_the_address_of_a_choice_names_it(choice: Choice) -> None:
    assert Choice.of_address(choice.address.removeprefix("/")) == choice


@pytest.mark.parametrize(
    "query",
    [
        "?fix=0&session=a",
        "?fix=-4&session=a",
        "?fix=x&session=a",
        "?fix=²&session=a",
        f"?fix={'9' * 5000}&session=a",
        "?method=none&session=a",
    ],
)
def test_what_an_address_cannot_mean_is_ignored(query: str) -> None:
    assert Choice.of_address(query) == Choice("a")
