"""The table of what a step takes says what measuring says, for every recipe's network and any batch."""

from __future__ import annotations

import sys

import pytest

from heimdall.learning.model.fake_step import measure
from heimdall.learning.model.shape import shape_of
from heimdall.learning.model.step_costs import Line, Peak, step_costs
from heimdall.recipes import RECIPES, recipe


@pytest.mark.parametrize("name", RECIPES)
def test_the_table_knows_each_recipes_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "heimdall.learning.model.fake_step", None)  # importing it fails
    plan = recipe(name)
    assert step_costs(shape_of(plan.network), plan.batch_size, plan.gpu_precision).parameters > 3e6


@pytest.mark.parametrize(("name", "batch_size"), [("quick", 3), pytest.param("large", 24, marks=pytest.mark.slow)])
def test_the_table_says_what_is_measured_also_between_its_batches(name: str, batch_size: int) -> None:
    plan = recipe(name)
    shape = shape_of(plan.network)
    told, measured = step_costs(shape, batch_size, plan.gpu_precision), measure(shape, plan.gpu_precision, [batch_size])
    assert (told.parameters, told.flops_per_scene) == (measured.parameters, measured.flops_per_scene)
    assert told.plain.at(batch_size) == pytest.approx(measured.plain.at(batch_size), rel=0.03)
    assert told.recomputing.at(batch_size) == pytest.approx(measured.recomputing.at(batch_size), rel=0.03)


def test_another_network_is_measured_and_its_largest_batch_is_no_promise_that_a_card_breaks() -> None:
    """The line through a small batch and its double told more scenes than fit."""
    plan = recipe("quick", {"network.cells": "16"})
    shape = shape_of(plan.network)
    other = step_costs(shape, 2, plan.gpu_precision)
    assert other.plain.at(8) < step_costs(shape_of(recipe("quick").network), 8, plan.gpu_precision).plain.at(8)
    many = other.recomputing.largest_batch(int(1e9))
    assert measure(shape, plan.gpu_precision, [many]).recomputing.at(many) == pytest.approx(1e9, rel=0.01)


def test_the_fullest_moment_depends_on_the_batch() -> None:
    peak = Peak((Line(100, 1), Line(60, 5)))
    assert [peak.at(1), peak.at(10), peak.at(100)] == [101, 110, 560]
    assert [peak.largest_batch(104), peak.largest_batch(110), peak.largest_batch(560)] == [4, 10, 100]
    assert peak.largest_batch(90) == 0
