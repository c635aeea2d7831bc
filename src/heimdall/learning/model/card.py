"""The model card: what a bundle is, for the person who is asked to trust it."""

from __future__ import annotations

from typing import Any

from heimdall.inference.calibration import HYBRID, LIKELIHOOD, NETWORK, Calibration

_METHODS = (LIKELIHOOD, NETWORK, HYBRID)


def model_card(name: str, calibration: Calibration, scores: dict[str, float], training: dict[str, Any]) -> str:
    """Markdown: what the model was trained on, what held-out scenes say of it, and where it is not to be used."""
    recipe = training["recipe"]
    lines = [
        f"# {name}",
        "",
        "A network that reads the evidence of several receivers and answers with a density over places.",
        "",
        "## Training",
        "",
        *(f"- {key}: {value}" for key, value in _training_facts(training).items()),
        "",
        "## Held-out scenes",
        "",
        f"{calibration.scenes} scenes of {_listed(recipe['scenes']['calibration_scenarios'])}, which fixed the regions.",
        "",
        *_table(calibration),
        "",
        "## What it is not for",
        "",
        "- Kinds of session that the table does not have: `--method auto` takes the likelihood there.",
        *_limits(training),
        "",
    ]
    return "\n".join(lines)


def _training_facts(training: dict[str, Any]) -> dict[str, object]:
    recipe, accelerator = training["recipe"], training["accelerator"]
    return {
        "recipe": f"{recipe['name']} ({recipe['purpose']})",
        "backbone": f"{recipe['network']['backbone']}, window {recipe['network']['cells']} x {recipe['network']['cells']}",
        "scenes": _listed(recipe["scenes"]["scenarios"]),
        "steps": f"{recipe['steps']} of {recipe['batch_size']} scenes, {training['seconds']} s, seed {recipe['seed']}",
        "accelerator requested": accelerator["requested"],
        "accelerator used": f"{accelerator['used']}, {accelerator['device']}, {accelerator['precision']}",
        "why not the GPU": accelerator["reason"] or "-",
        "started from": training.get("started_from") or "fresh weights",
        "recordings": ", ".join(training.get("recordings", ())) or "-",
        "weights (SHA-256)": training["weights_sha256"],
        "largest difference between onnxruntime and torch": f"{training['parity']:.1e}",
    }


def _limits(training: dict[str, Any]) -> list[str]:
    if training.get("recordings"):
        return [
            "- Other sites than that of its recordings: there its regions are promises about simulated scenes only.",
            "- Its site, once receivers are moved or exchanged under their old names.",
        ]
    return [
        "- Recordings stray from simulated scenes. Until it was fine-tuned on recordings with known transmitters, its",
        "  regions are promises about simulated scenes only.",
    ]


def _table(calibration: Calibration) -> list[str]:
    head = ["| kind of session | scenes | " + " | ".join(f"{method}, median m" for method in _METHODS) + " |"]
    rule = ["|---|---|" + "---|" * len(_METHODS)]
    rows = [
        f"| {kind} | {row['scenes']:.0f} | " + " | ".join(f"{row[method]:.0f}" for method in _METHODS) + " |"
        for kind, row in calibration.kinds.items()
    ]
    return head + rule + rows


def _listed(scenarios: dict[str, float]) -> str:
    total = sum(scenarios.values())
    return ", ".join(f"{name} {share / total:.0%}" for name, share in scenarios.items())
