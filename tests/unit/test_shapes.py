"""Arrays with swapped axes are refused while tests run, in numpy and in torch, and production pays nothing for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError

import shape_checks
from heimdall.estimation.likelihood.arrival_times import arrival_log_likelihood, link_distance_m
from heimdall.estimation.likelihood.power import level_log_likelihood
from heimdall.estimation.model import TERRESTRIAL
from heimdall.evidence.batch import EvidenceBatch

from .conftest import MakeEvidence, ToTorch


@pytest.fixture(params=["numpy", "torch"])
def scenes(request: pytest.FixtureRequest, make_evidence: MakeEvidence, to_torch: ToTorch) -> EvidenceBatch:
    batch = make_evidence()
    return batch if request.param == "numpy" else to_torch(batch)


def _places(batch: EvidenceBatch) -> Any:
    """Nine places of each scene."""
    return batch.position_enu_m[:, [index % 6 for index in range(9)], :2]


def test_places_and_receivers_swapped_are_refused(scenes: EvidenceBatch) -> None:
    place_BG2 = _places(scenes)
    distance_BGN = link_distance_m(place_BG2, scenes, TERRESTRIAL)
    assert level_log_likelihood(place_BG2, distance_BGN, scenes, TERRESTRIAL).shape == (3, 9)
    with pytest.raises(TypeCheckError, match="distance_BGN"):
        level_log_likelihood(place_BG2, distance_BGN.swapaxes(1, 2), scenes, TERRESTRIAL)


def test_an_argument_has_to_fit_the_evidence(scenes: EvidenceBatch) -> None:
    """Numpy would spread one receiver's distances over all receivers."""
    distance_BGN = link_distance_m(_places(scenes), scenes, TERRESTRIAL)
    with pytest.raises(TypeCheckError, match="distance_BGN"):
        arrival_log_likelihood(distance_BGN[..., :1], scenes, TERRESTRIAL)


def test_the_fields_of_a_batch_have_to_agree(scenes: EvidenceBatch) -> None:
    with pytest.raises(TypeCheckError, match="level_db"):
        replace(scenes, level_db=scenes.level_db[:, :1])
    with pytest.raises(TypeCheckError, match="has_level"):
        replace(scenes, has_level=scenes.level_db)


def test_production_loads_neither_jaxtyping_nor_beartype() -> None:
    code = "import sys, heimdall; heimdall.locate; print([m for m in ('beartype', 'jaxtyping', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_wrong_result_is_refused() -> None:
    def log_density(place_BG2: Any) -> Float[Any, "B G"]:
        return place_BG2[..., 0].swapaxes(0, 1)

    with pytest.raises(TypeCheckError, match="return value"):
        shape_checks.checked(log_density, globals())(np.zeros((3, 9, 2)))
