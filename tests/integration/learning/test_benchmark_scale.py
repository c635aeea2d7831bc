"""`heimdall benchmark scale` tells apart what it measured and what it assumes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_the_document_has_what_the_paper_quotes() -> None:
    """The gradient that is exchanged is four bytes a parameter, and an assumption changes no measurement's bytes."""
    words = ["benchmark", "scale", "--recipe", "quick", "--scenes", "1", "--sessions", "16", "--price", "2", "--json"]
    done = subprocess.run([sys.executable, "-m", "heimdall", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    measured, training = document["measured"], document["training"]
    assert measured["gradient_exchange"]["bytes"] == 4 * measured["recipes"]["quick"]["parameters"]
    assert set(measured["recipes"]) == {"quick", "study", "base", "large"}
    assert 12 < measured["checkpoint_bytes_per_parameter"] < 13
    assert min(measured["locates_per_s"].values()) > 0
    assert [row["gpus"] for row in training["batch_grows"]] == [1, 2, 4, 8, 16, 32, 64]
    assert training["same_batch"][0]["efficiency"] == 1.0
    assert training["same_batch"][0]["price"] == pytest.approx(2 * training["same_batch"][0]["gpu_hours"], abs=0.2)
    assert [row["receivers"] for row in document["network"]] == [1000, 10_000, 100_000]
