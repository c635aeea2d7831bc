"""In a real browser: learn a site from transmitters whose place is known, and gain where nobody has been."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.real]

ROOT = Path(__file__).parents[3]
EVERY = os.environ.get("HEIMDALL_POWDER_EVERY", "3")
"""Take each n-th row: 1 for the figures of the documentation."""
CHANGES = os.environ.get(
    "HEIMDALL_POWDER_CHANGES", "steps=40 scenes.pool=64 scenes.passes=40 scenes.calibration=32 scenes.validation=32"
)
DONE_S = 1800.0
A_THIRD_LESS = 2 / 3


@pytest.fixture
def powder(real_data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Rows to learn from, and rows of other places."""
    train, test = tmp_path / "walks.jsonl", tmp_path / "unseen.jsonl"
    script = ROOT / "examples" / "powder_to_measurements.py"
    options = ["--held-out", test, "--fold", "4", "--every", EVERY]
    subprocess.run([sys.executable, script, real_data / "powder_rss", train, *options], check=True)
    return train, test


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A model to start from: the one named, or one with fresh weights, which answers like the likelihood."""
    given = os.environ.get("HEIMDALL_POWDER_BASE")
    if given:
        return Path(given)
    path = tmp_path / "base.heimdall"
    subprocess.run([sys.executable, "-m", "heimdall", "export", "--untrained", "quick", "--output", path], check=True)
    return path


def test_fine_tuned_on_a_site_places_it_has_not_seen_are_located_better(open_page, served, powder, base, shoot):
    """POWDER, power alone: a third less median error than with nothing fitted to the site, all by clicks."""
    for path in powder:
        store(served, path)
    page = open_page()
    page.goto(f"{served.address}/models")
    page.set_input_files("input[type=file]", str(base))
    page.wait_for_selector("h2 >> text=quick")
    page.goto(f"{served.address}/training")
    choose(page, "What", "Fine-tune")
    choose(page, "Sessions with known transmitters", "walks")
    page.keyboard.press("Escape")
    page.fill("input[aria-label^=Changes]", CHANGES)
    run(page, "quick")
    page.goto(f"{served.address}/training")
    choose(page, "What", "Evaluate")
    choose(page, "Model", "quick.heimdall")
    choose(page, "Sessions with known transmitters", "unseen")
    page.keyboard.press("Escape")
    run(page, "evaluate")
    shoot(page, "site")
    scores = next(job for job in jobs(served) if job["kind"] == "evaluate")["result"]["scores"]
    print(scores)
    assert scores["hybrid/median_m"] < A_THIRD_LESS * scores["likelihood/median_m"]


def store(served, path: Path) -> None:
    answer = httpx.post(
        f"{served.address}/api/v1/sessions",
        params={"name": path.stem},
        headers={"Authorization": f"Bearer {served.token}"},
        files=[("files", (path.name, path.read_bytes()))],
        timeout=120,
    )
    assert answer.status_code == 201


def jobs(served) -> list[dict]:
    headers = {"Authorization": f"Bearer {served.token}"}
    return httpx.get(f"{served.address}/api/v1/jobs", headers=headers, timeout=60).json()["jobs"]


def choose(page, label: str, option: str) -> None:
    page.click(f".q-select:has-text('{label}')")
    page.click(f".q-menu .q-item:has-text('{option}')")


def run(page, title: str) -> None:
    page.click("role=button[name=Start]")
    page.wait_for_selector(f"h2 >> text={title}")
    page.wait_for_selector("[data-state=succeeded], [data-state=failed]", timeout=DONE_S * 1000)
    assert page.get_attribute("[data-state]", "data-state") == "succeeded"
