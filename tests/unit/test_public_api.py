"""What `import heimdall` offers: quick to import, no torch, and answers that a person can read."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import heimdall
from heimdall.errors import InputError

ROCKET = Path(__file__).resolve().parents[2] / "examples" / "rocket.jsonl"
_WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "lightning", "timm", "nicegui", "fastapi", "celery"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""


def _python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def test_importing_it_takes_hardly_any_time_and_loads_nothing_large() -> None:
    program = "import time, sys; begun = time.process_time(); import heimdall; print(time.process_time() - begun)"
    assert float(_python(program)) < 0.3
    assert (
        _python("import sys, heimdall; print('numpy' in sys.modules, 'scipy' in sys.modules)").split() == ["False"] * 2
    )


def test_everything_that_is_offered_is_there() -> None:
    for name in heimdall.__all__:
        assert getattr(heimdall, name).__module__.startswith("heimdall."), name
    assert set(heimdall.__all__) <= set(dir(heimdall))
    with pytest.raises(AttributeError, match="'heimdall' has no attribute 'lokate'"):
        heimdall.lokate  # noqa: B018 # asking for it is the test


def test_a_file_is_located_and_printed_where_torch_is_not_installed(tmp_path: Path) -> None:
    first = tmp_path / "first.jsonl"
    first.write_text("".join(ROCKET.read_text().splitlines(keepends=True)[:2]))
    told = _python(f"{_WITHOUT_TORCH}import heimdall\nprint(heimdall.locate({str(first)!r}))").splitlines()
    assert told[0].split() == ["id", "status", "place", "95", "%", "within", "error", "method"]
    assert [line.split()[1] for line in told[1:]] == ["ok", "ok"]


def test_what_of_a_file_cannot_be_read_is_warned_of(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    cut.write_text("".join(ROCKET.read_text().splitlines(keepends=True)[:2])[:-40])
    with pytest.warns(UserWarning, match="not read: cut.jsonl line 2: Invalid JSON"):
        fixes = heimdall.locate(cut)
    for name in ("fixes.geojson", "fixes.json", "fixes.kml"):
        fixes.write(tmp_path / name)
        assert "not read: cut.jsonl line 2" in (tmp_path / name).read_text()


def test_a_known_transmitter_is_named() -> None:
    """As `heimdall locate` names it."""
    observation = heimdall.read_observations(ROCKET)[0]
    (fix,) = heimdall.locate(replace(observation, frequency_hz=77_500.0, bandwidth_hz=500.0))
    assert "DCF77, known on this frequency, is" in fix.advice


def test_fixes_are_a_sequence_that_can_be_written(tmp_path: Path) -> None:
    observations = heimdall.read_observations(str(ROCKET))[:3]
    fixes = heimdall.locate(observations, method="likelihood")
    assert [fix.id for fix in fixes] == [observation.id for observation in observations]
    assert fixes[0].status is heimdall.Status.OK
    assert repr(fixes[0]).startswith(f"<Fix {fixes[0].id}: ok, 40.8")
    assert "95%" in repr(fixes[0].region_95)
    fixes.write(tmp_path / "fixes.kml")
    heimdall.write_fixes(fixes, observations, tmp_path / "fixes.geojson")
    for name in ("fixes.kml", "fixes.geojson"):
        assert observations[2].id in (tmp_path / name).read_text()


def test_one_observation_is_enough_and_a_long_table_is_cut() -> None:
    observation = heimdall.read_observations(ROCKET)[0]
    one = heimdall.locate(observation)
    assert len(one) == 1
    many = heimdall.Fixes(one.observations * 30, one.located * 30)
    assert str(many).splitlines()[-1] == "... and 10 more"


def test_what_cannot_be_read_or_done_is_one_line() -> None:
    with pytest.raises(InputError, match="no such file"):
        heimdall.locate("nowhere.jsonl")
    with pytest.raises(InputError, match=r"method `guess`.*auto, likelihood, learned, least-squares"):
        heimdall.locate([], method="guess")
    with pytest.raises(InputError, match="needs a model"):
        heimdall.locate([], method="learned")


def test_the_simulated_example_is_located_near_its_truth() -> None:
    (fix,) = heimdall.locate(ROCKET.with_name("simulated-session"))
    assert fix.truth is not None
    assert fix.truth.error_m < 100
