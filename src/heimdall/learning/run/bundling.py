"""From what a training leaves in its run folder to a model bundle."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from heimdall.errors import InputError
from heimdall.inference.bundle import SUFFIX, Bundle
from heimdall.inference.calibration import Calibration
from heimdall.learning.calibration.fit import scores_of
from heimdall.learning.model.card import model_card
from heimdall.learning.model.export import check_parity, to_onnx, weights_sha256
from heimdall.learning.run.checkpoint import read_checkpoint
from heimdall.learning.run.module import EvidenceModule
from heimdall.recipes import Recipe, recipe_from
from heimdall.runs.writer import RunWriter

CALIBRATION, TRAINING = "calibration.json", "training.json"


def recipe_of_run(folder: RunWriter) -> Recipe | None:
    """The recipe that the run in this folder was started with."""
    document = folder.read_json("recipe.json")
    return None if document is None else recipe_from(document)


def make_bundle(module: EvidenceModule, name: str, calibration: Calibration, training: dict[str, Any]) -> Bundle:
    """Export, hold against torch, and put together with what is known about the model."""
    network = module.network.cpu().float()
    content = to_onnx(network)
    training = training | {"weights_sha256": weights_sha256(network), "parity": check_parity(network, content)}
    scores = scores_of(calibration)
    card = model_card(name, calibration, scores, training)
    return Bundle(name, content, module.recipe.network.cells, calibration, scores, training, card)


def export_run(source: Path, output: Path | None) -> Path:
    """The bundle of a finished run once more; `source` is its folder or its checkpoint."""
    folder = RunWriter(source if source.is_dir() else source.parent.parent)
    recipe = recipe_of_run(folder)
    calibration, training = folder.read_json(CALIBRATION), folder.read_json(TRAINING)
    if recipe is None or calibration is None or training is None:
        raise InputError(
            f"{folder.path}: not the folder of a finished run; to continue it: heimdall train --resume {folder.path}"
        )
    fitted = _fitted_calibration(folder, calibration)
    module = EvidenceModule(recipe)
    module.load_state_dict(read_checkpoint(folder.checkpoint)["state_dict"])
    path = output or folder.path / f"{recipe.name}{SUFFIX}"
    bundle = make_bundle(module, recipe.name, fitted, training)
    replace(bundle, radio_map=folder.read_radio_map()).save(path)
    return path


def _fitted_calibration(folder: RunWriter, document: dict[str, Any]) -> Calibration:
    try:
        return Calibration.from_json(document)
    except ValueError as error:
        raise InputError(
            f"{folder.path}: calibrated by another version of heimdall; delete its result.json and calibrate it again: "
            f"heimdall train --resume {folder.path}"
        ) from error


def export_untrained(recipe: Recipe, output: Path | None) -> Path:
    """A bundle with fresh weights: right in size and speed, and worth nothing as an answer."""
    training = {
        "recipe": asdict(recipe) | {"steps": 0},
        "accelerator": {"requested": "cpu", "used": "cpu", "reason": None, "device": "none", "precision": "32-true"},
        "seconds": 0.0,
    }
    path = output or Path(f"{recipe.name}-untrained{SUFFIX}")
    make_bundle(EvidenceModule(recipe), f"{recipe.name}-untrained", Calibration(), training).save(path)
    return path
