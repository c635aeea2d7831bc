"""Delays that calibration found, taken off again; receivers that were never heard together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heimdall.correction import Correction, corrected
from heimdall.errors import InputError
from heimdall.estimation.receivers.receiver_bias import corrections_from, site_biases
from heimdall.formats.corrections import corrections_text, read_corrections
from heimdall.observation import Observation, Place

PLACES = [Place(50.02, 10.05, 0.0), Place(50.1, 10.2, 0.0), Place(49.95, 9.9, 0.0)]


def _late(observation: Observation, delays_s: dict[str, float], prefix: str = "") -> Observation:
    receptions = tuple(
        replace(
            each,
            receiver=replace(each.receiver, name=prefix + each.receiver.name),
            toa_s=each.toa_s + delays_s.get(each.receiver.name, 0.0),
        )
        for each in observation.receptions
    )
    return replace(observation, receptions=receptions)


def test_corrections_take_off_what_was_found(make_observation, tmp_path: Path) -> None:
    """Written to a file and read again, they leave a twentieth of the delay: what three narrow signals cannot vouch for."""
    observations = [_late(make_observation(truth=place), {"R2": 300e-9}) for place in PLACES]
    path = tmp_path / "corrections.json"
    path.write_text(corrections_text(corrections_from(site_biases(observations))))
    mended = corrected(observations[0], read_corrections(path))
    exact = make_observation(truth=PLACES[0])
    off_s = [a.toa_s - b.toa_s for a, b in zip(mended.receptions, exact.receptions, strict=True)]
    assert max(off_s) - min(off_s) < 15e-9
    assert all(
        a.receiver.clock_sigma_s >= b.receiver.clock_sigma_s
        for a, b in zip(mended.receptions, exact.receptions, strict=True)
    )


def test_receivers_never_heard_together_do_not_spoil_each_other(make_observation) -> None:
    """Two networks in one calibration: each is known as well as alone, and not to a millisecond."""
    here = [_late(make_observation(truth=place), {"R2": 300e-9}) for place in PLACES]
    there = [_late(make_observation(truth=place), {"R1": -200e-9}, "far ") for place in PLACES]
    alone = {bias.name: bias for bias in site_biases(here).delays_s}
    both = {bias.name: bias for bias in site_biases(here + there).delays_s}
    assert both["R2"].group != both["far R2"].group
    assert both["R2"].sigma_in_group == pytest.approx(alone["R2"].sigma_in_group, rel=0.1)
    assert both["R2"].sigma < 10e-6
    assert both["R2"].value - both["R0"].value == pytest.approx(300e-9, abs=20e-9)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_is_read_however_an_editor_saved_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "corrections.json"
    path.write_text(corrections_text({"north": Correction(delay_s=1e-7)}), encoding=encoding)
    assert read_corrections(path) == {"north": Correction(delay_s=1e-7)}


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"fixes": []}')
    with pytest.raises(InputError, match="not a file of corrections"):
        read_corrections(path)


@pytest.mark.parametrize("sigma", ["-1e-7", "NaN", "Infinity"])
@pytest.mark.parametrize("field", ["delay_sigma_s", "delay_sigma_in_group_s", "level_bias_sigma_db"])
def test_an_uncertainty_that_cannot_be_right_is_refused(tmp_path: Path, field: str, sigma: str) -> None:
    """Added to a receiver's own by squares, a negative one would count as a positive one."""
    path = tmp_path / "corrections.json"
    path.write_text(f'{{"receivers": {{"north": {{"delay_s": 1e-7, "level_bias_db": 3, "{field}": {sigma}}}}}}}')
    with pytest.raises(InputError, match=f"north: its {field} of .* cannot be right"):
        read_corrections(path)
