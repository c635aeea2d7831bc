"""Clocks from a reference: dongles whose oscillators and start times are off, made sample by sample in numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.estimation.clocks.clock_fit import fit_clock
from heimdall.estimation.clocks.clock_path import path_to
from heimdall.estimation.clocks.synchronise import Synchronised, in_band, synchronise
from heimdall.observation import Observation, Receiver, Reception
from heimdall.transmitter import Kind, KnownTransmitter

CENTER_HZ, RATE_HZ, WIDTH_HZ, OFFSET_HZ = 100e6, 300e3, 90e3, 60e3
DURATION_S = 0.12
MAST = KnownTransmitter(
    name="Mast",
    latitude_deg=50.0,
    longitude_deg=9.0,
    height_m=300.0,
    frequency_hz=CENTER_HZ + OFFSET_HZ,
    kind=Kind.FM,
    bandwidth_hz=WIDTH_HZ,
    position_sigma_m=1.0,
)
PLACES = ((50.1, 9.1), (50.3, 9.0), (49.9, 8.6), (50.2, 9.6))
START_S = (0.010, 0.0123456, 0.007, 0.0151)
"""True times of the first samples."""
ERRORS = (1e-6, -2e-6, 3e-6, 0.5e-6)


def _waveform(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Lines of a noise-like station and their frequencies: exact at any time."""
    rng = np.random.default_rng(seed)
    lines = np.arange(-int(0.45 * WIDTH_HZ), int(0.45 * WIDTH_HZ), 5.0) + OFFSET_HZ
    return lines, (rng.standard_normal(len(lines)) + 1j * rng.standard_normal(len(lines))) / np.sqrt(2 * len(lines))


def _heard(index: int, seed: int = 1, snr: float = 100.0) -> Reception:
    """One dongle: 8 bits, its oscillator's error in tuning and sampling, a stamp that is 5 ms off."""
    rng = np.random.default_rng((seed, index))
    receiver = Receiver(f"R{index}", *PLACES[index], 100.0, None, 2.0)
    count = round(DURATION_S * RATE_HZ)
    fine = 4
    period = round(0.2 * RATE_HZ) * fine
    lines, gain = _waveform(seed)
    spectrum = np.zeros(period, dtype=complex)
    spectrum[np.round(lines * 0.2).astype(int) % period] = gain
    dense = np.fft.ifft(spectrum) * period
    elapsed_s = np.arange(count) / (RATE_HZ * (1 + ERRORS[index]))
    sent = (START_S[index] + elapsed_s - path_to(receiver, MAST).delay_s) * RATE_HZ * fine
    low = np.floor(sent).astype(int)
    around = [dense[(low + k) % period] for k in (-1, 0, 1, 2)]
    u = sent - low
    weights = (
        -u * (u - 1) * (u - 2) / 6,
        (u + 1) * (u - 1) * (u - 2) / 2,
        -(u + 1) * u * (u - 2) / 2,
        (u + 1) * u * (u - 1) / 6,
    )
    samples = sum(w * x for w, x in zip(weights, around, strict=True))
    samples = samples * np.exp(-2j * np.pi * CENTER_HZ * ERRORS[index] * elapsed_s)
    noise = rng.standard_normal(count) + 1j * rng.standard_normal(count)
    samples = np.sqrt(snr) * samples + noise * np.sqrt(0.5 * RATE_HZ / WIDTH_HZ)
    samples = np.round(samples / (4 * np.std(samples)) * 128) / 128
    stamp_s = START_S[index] + 5e-3 * rng.standard_normal()
    return Reception(receiver, samples.astype(np.complex64), RATE_HZ, stamp_s)


def _observation(receptions: list[Reception]) -> Observation:
    return Observation("dongles", CENTER_HZ, 20e3, tuple(receptions))


def _start_errors_s(found: Synchronised) -> dict[str, float]:
    """Of the first sample of each receiver that has a clock, against the hub's."""
    hub = found.clocks.hub
    assert hub is not None
    receptions = found.observation.receptions
    return {
        each.receiver.name: (each.start_s - receptions[hub].start_s) - (START_S[index] - START_S[hub])
        for index, each in enumerate(receptions)
        if found.clocks.reports[index].synchronised
    }


def test_a_reference_gives_dongles_clocks_that_are_as_good_as_claimed() -> None:
    """Offsets of milliseconds and drifts of parts in a million come down to what is claimed."""
    found = synchronise(_observation([_heard(index) for index in range(4)]), MAST, 0.05)
    assert found.clocks.refused is None
    assert found.count == 4
    for index, each in enumerate(found.observation.receptions):
        sigma_s = each.receiver.clock_sigma_s
        assert sigma_s is not None
        assert sigma_s < 150e-9
        assert abs(_start_errors_s(found)[f"R{index}"]) < 4 * sigma_s
    hub = found.clocks.hub
    assert hub is not None
    for index, report in enumerate(found.clocks.reports):
        if index != hub:
            assert report.drift_ppm == pytest.approx((ERRORS[index] - ERRORS[hub]) * 1e6, abs=0.7)
            assert report.carrier_ppm == pytest.approx((ERRORS[index] - ERRORS[hub]) * 1e6, abs=0.3)


def test_who_hears_too_little_or_another_station_is_flagged_and_keeps_no_clock() -> None:
    """Neither is used in silence, and the others go on."""
    heard = [_heard(0), _heard(1), _heard(2, snr=1e-4), _heard(3, seed=9)]
    found = synchronise(_observation(heard), MAST, 0.05)
    reports = {report.receiver: report for report in found.clocks.reports}
    assert reports["R0"].synchronised
    assert reports["R1"].synchronised
    assert "too weakly" in (reports["R2"].reason or "")
    assert "another station" in (reports["R3"].reason or "")
    assert [each.receiver.clock_sigma_s for each in found.observation.receptions[2:]] == [None, None]
    assert any("R3: no clock from Mast" in note for note in found.observation.notes)


def test_receivers_with_gps_find_a_station_that_is_not_where_the_list_says() -> None:
    """Two clocks that know better refuse a wrong place for everybody."""
    heard = [_heard(index) for index in range(4)]
    for index in (0, 1):
        receiver = replace(heard[index].receiver, clock_sigma_s=100e-9)
        heard[index] = replace(heard[index], receiver=receiver, start_s=START_S[index])
    right = synchronise(_observation(heard), MAST, 0.05)
    assert right.clocks.refused is None
    wrong = synchronise(_observation(heard), MAST.model_copy(update={"latitude_deg": 50.4}), 0.05)
    assert "another station, or its place is wrong" in (wrong.clocks.refused or "")
    assert wrong.observation.receptions[2].receiver.clock_sigma_s is None


def test_a_sky_wave_is_no_reference() -> None:
    """Its delay is not known."""
    medium = MAST.model_copy(update={"frequency_hz": 1.0e6, "latitude_deg": 55.0})
    assert "sky wave" in (path_to(_heard(0).receiver, medium).flaw or "")


def test_a_reference_outside_the_recordings_says_so() -> None:
    """The call is wrong, and what to do is said."""
    elsewhere = MAST.model_copy(update={"frequency_hz": 105e6})
    with pytest.raises(InputError, match="not in the recordings"):
        synchronise(_observation([_heard(0), _heard(1)]), elsewhere)


def test_what_is_located_is_no_reference_of_its_own() -> None:
    """By itself only a station beside the channel is taken."""
    observation = _observation([_heard(0), _heard(1)])
    assert in_band(observation, [MAST]) == [MAST]
    assert in_band(replace(observation, bandwidth_hz=150e3), [MAST]) == []


def test_a_law_bends_only_as_much_as_the_readings_ask_for() -> None:
    """A steady clock is a line, one that warms up is not; strays do not count."""
    rng = np.random.default_rng(3)
    time_s = np.linspace(0, 20, 32)
    line = 1e-6 + 2e-9 * time_s
    steady = line + 5e-9 * rng.standard_normal(32)
    steady[5] += 1e-6
    fit = fit_clock(time_s, steady, np.full(32, 5e-9))
    assert fit is not None
    assert len(fit.coefficients) == 2
    assert fit.readings == 31
    np.testing.assert_allclose(fit(time_s), line, atol=6e-9)
    warming = fit_clock(time_s, steady + 2e-9 * (time_s - 10) ** 2, np.full(32, 5e-9))
    assert warming is not None
    assert len(warming.coefficients) >= 3
