"""Starting costs what the call needs: a command is loaded when it is called, and a library when it is used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import heimdall.cli
from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.formats.readers.measurements import measurements_text
from heimdall.geometry import geodesic_distance_m
from heimdall.observation import Observation, Receiver, Reception

HEAVY = {
    "torch",
    "lightning",
    "mlflow",
    "ray",
    "nicegui",
    "fastapi",
    "sqlalchemy",
    "celery",
    "matplotlib",
    "onnxruntime",
}
NOT_FOR_A_ROW = HEAVY | {"scipy.signal", "scipy.stats", "scipy.optimize", "scipy.fft", "scipy.ndimage"}
NOT_FOR_A_ROW |= {"jsonschema", "sigmf", "array_api_compat.numpy"}
NOT_FOR_THE_VERSION = HEAVY | {"numpy", "scipy", "typer", "rich"}


def _loaded_by(*arguments: str) -> set[str]:
    """What a fresh interpreter has loaded when the command is done."""
    program = (
        "import json, sys\n"
        f"sys.argv = ['heimdall', *{list(arguments)!r}]\n"
        "from heimdall.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as done:\n    assert not done.code, done.code\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def _heard_at(latitude_deg: float, longitude_deg: float) -> Observation:
    places = {"A": (50.0, 10.0), "B": (50.3, 10.1), "C": (50.1, 10.5), "D": (50.2, 9.8), "E": (49.9, 10.3)}
    return Observation(
        "row",
        400e6,
        1e6,
        tuple(
            Reception(
                Receiver(name, *place, 100.0, clock_sigma_s=1e-7),
                toa_s=geodesic_distance_m(latitude_deg, longitude_deg, *place) / SPEED_OF_LIGHT_M_S,
            )
            for name, place in places.items()
        ),
        transmitter_height_m=100.0,
    )


def test_the_version_needs_no_command_and_no_numbers() -> None:
    assert _loaded_by("--version") & NOT_FOR_THE_VERSION == set()


def test_locating_a_row_loads_no_library_that_a_row_does_not_need(tmp_path: Path) -> None:
    row = tmp_path / "row.jsonl"
    row.write_text(measurements_text([_heard_at(50.12, 10.05)]), encoding="utf-8")
    loaded = _loaded_by("locate", str(row), "--json")
    assert "numpy" in loaded
    assert loaded & NOT_FOR_A_ROW == set()


def test_the_help_lists_every_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["heimdall", "--help"])
    with pytest.raises(SystemExit):
        heimdall.cli.main()
    told = {line.split()[0] for line in capsys.readouterr().out.partition("Commands:")[2].splitlines() if line.strip()}
    modules = {path.stem for folder in heimdall.cli.__path__ for path in Path(folder).glob("*/*.py")}
    commands = {name for name in modules if "_" not in name}
    assert len(commands) > 15
    assert commands <= told


def test_a_command_that_is_not_there_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["heimdall", "lokate"])
    with pytest.raises(SystemExit) as stopped:
        heimdall.cli.main()
    assert stopped.value.code == 2
    assert "lokate" in capsys.readouterr().err
