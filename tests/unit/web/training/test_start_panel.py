"""What is typed into the form becomes a request, or one line that says what is wrong."""

from __future__ import annotations

import pytest

from heimdall.errors import InputError
from heimdall.recipes import RECIPES as KNOWN
from heimdall.service.queue.job_requests import EvaluateRequest, TrainRequest
from heimdall.web.training.start_panel import RECIPES, plan_html, read_changes, read_request

PLAN = {
    "accelerator": {
        "requested": "auto",
        "used": "cpu",
        "reason": "no <driver>",
        "device": "AMD",
        "precision": "32-true",
    },
    "estimated_s": 300.0,
    "steps": 500,
    "batch_size": 64,
    "memory": {"needed_bytes": 1.2e9, "advice": "fits as it is"},
}


def test_the_page_offers_every_recipe_and_no_other():
    assert list(RECIPES) == list(KNOWN)


def test_changes_are_values_as_the_recipe_has_them():
    assert read_changes("steps=100, optimizer.lr=5e-4 network.backbone=convnext_tiny network.pretrained=true") == {
        "steps": 100,
        "optimizer.lr": 5e-4,
        "network.backbone": "convnext_tiny",
        "network.pretrained": True,
    }
    assert read_changes(" ") == {}


@pytest.mark.parametrize("text", ["steps", "=5", "steps 100"])
def test_what_is_no_change_is_refused_with_an_example(text):
    with pytest.raises(InputError, match="steps=100"):
        read_changes(text)


def test_a_number_that_no_field_can_hold_is_named_as_it_was_typed():
    with pytest.raises(InputError, match="steps=1e400"):
        read_changes("steps=1e400")


def test_a_request_is_what_the_api_would_take():
    train = read_request({"kind": "train", "recipe": "quick", "overrides": {"steps": 1}, "accelerator": None})
    assert isinstance(train, TrainRequest)
    evaluate = read_request({"kind": "evaluate", "model": "a" * 16, "scenario": "matched", "count": "25"})
    assert isinstance(evaluate, EvaluateRequest)
    assert evaluate.count == 25


def test_a_wrong_field_is_named():
    with pytest.raises(InputError, match="count"):
        read_request({"kind": "evaluate", "model": "a" * 16, "scenario": "matched", "count": "many"})
    with pytest.raises(InputError, match="no model yet"):
        read_request({"kind": "fine-tune", "recipe": "quick", "model": ""})


def test_a_plan_says_the_device_and_why_before_anything_else():
    html = plan_html(PLAN)
    assert html.index("Not on the GPU: no &lt;driver&gt;") < html.index("CPU, AMD") < html.index("5 min")


def test_a_plan_for_the_gpu_has_no_warning():
    assert "warn" not in plan_html(PLAN | {"accelerator": PLAN["accelerator"] | {"used": "gpu", "reason": None}})
