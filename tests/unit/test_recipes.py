"""Recipes are typed: what is set must exist and fit."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from heimdall.errors import InputError
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import shape_of
from heimdall.recipes import RECIPES, recipe, recipe_from, recipe_with
from heimdall.simulation import SCENARIOS


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_goes_by_its_name_and_survives_a_file(name: str) -> None:
    made = recipe(name)
    assert made.name == name
    assert recipe_from(asdict(made)) == made


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_asks_for_scenarios_that_exist(name: str) -> None:
    scenes = recipe(name).scenes
    assert {*scenes.scenarios, *scenes.calibration_scenarios} <= set(SCENARIOS)


def test_large_is_a_convnext_large_of_some_two_hundred_million_parameters_at_batch_32() -> None:
    large = recipe("large")
    with torch.device("meta"):
        network = EvidenceNetwork(shape_of(large.network))
    assert 195e6 < sum(parameter.numel() for parameter in network.parameters()) < 210e6
    assert (large.network.backbone, large.batch_size, large.gpu_precision) == ("convnext_large", 32, "bf16-mixed")


def test_changes_are_set_with_their_types() -> None:
    changed = recipe_with(
        "quick", ["optimizer.lr=3e-4", "steps=7", "network.pretrained=true", "network.backbone=convnext_femto"]
    )
    assert (changed.optimizer.lr, changed.steps) == (3e-4, 7)
    assert (changed.network.pretrained, changed.network.backbone) == (True, "convnext_femto")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("optimizer.speed=1", "no field 'optimizer.speed'"),
        ("steps.more=1", "no field 'steps.more'"),
        ("steps=many", "steps must be a whole number"),
        ("network.cells=13", "network: .*13 cells with a stem of 2"),
        ("network.cells=12", "network: .*at least 8 times"),
        ("steps", "FIELD=VALUE"),
    ],
)
def test_a_change_that_does_not_fit_is_one_line_that_names_it(change: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        recipe_with("quick", [change])


def test_an_unknown_recipe_is_answered_with_those_there_are() -> None:
    with pytest.raises(InputError, match="quick, study, base, large"):
        recipe("huge")


@pytest.mark.parametrize(
    "change",
    [
        "steps=-5",
        "steps=-1",
        "steps=0",
        "steps=100000000000000000000",
        "batch_size=0",
        "optimizer.lr=-1",
        "optimizer.lr=NaN",
        "optimizer.warmup=2",
        "scenes.pool=0",
        "scenes.recorded_share=1.5",
        "validate_every=0",
        "seed=-1",
        "network.cells=0",
        "gpu_precision=nonsense",
        "network.backbone=nonsense",
        "network.backbone=../../etc/passwd",
        "network.backbone=hf_hub:somebody/convnext_tiny",
    ],
)
def test_a_value_out_of_its_bounds_is_named_before_anything_starts(change):
    with pytest.raises(InputError, match=change.partition("=")[0].rpartition(".")[2]):
        recipe_with("quick", [change])
