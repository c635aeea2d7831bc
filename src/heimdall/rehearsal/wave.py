"""Endless samples of one receiver, made a block at a time.

The transmitter sends noise that repeats after some seconds, so every delay is an exact linear phase over one period and a
receiver's part is one transform; the noise of the receiver itself never repeats. A repetition does no harm: it is thousands
of times longer than any difference of delays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.rehearsal.stage import Site, Stage, reference_delay_s
from heimdall.rehearsal.troubles import Trouble

_OCCUPIED = 0.8
"""Share of the channel that the signal fills."""
PERIOD_S = 4
"""The same for all receivers of a scene, so that they hear the same."""
_NS = 1_000_000_000
_MOVES_EVERY_S = 1.0
REFERENCE_LEVEL_DB = 25.0
"""Level of a reference over the noise in its channel: a station on a high mast is heard well everywhere."""


@dataclass(frozen=True)
class Ear:
    """How a receiver listens: in a period it takes a whole number of samples, so its oscillator's error comes in small steps."""

    center_hz: float
    """Frequency that ends up at zero, errors of the oscillator included."""
    length: int
    """Samples in a period."""

    @classmethod
    def of(cls, center_hz: float, sample_rate_hz: float, error: float = 0.0) -> Ear:
        """`error` of the oscillator that both the rate and the tuning come from: 1e-6 is a part in a million too fast."""
        length = round(sample_rate_hz * (1 + error) * PERIOD_S)
        return cls(center_hz * length / (sample_rate_hz * PERIOD_S), length)

    @property
    def sample_rate_hz(self) -> float:
        return self.length / PERIOD_S

    def sample_at(self, utc_ns: int) -> int:
        """Number, since 1970, of the first sample from a time on."""
        return -(-utc_ns * self.length // (PERIOD_S * _NS))

    def time_ns(self, sample: int) -> int:
        """True UTC of a sample, in ns since 1970."""
        return sample * PERIOD_S * _NS // self.length


class Hearing:
    """What one receiver hears, and hears of itself."""

    def __init__(self, stage: Stage, site: Site, ear: Ear) -> None:
        self._stage, self._site, self._ear = stage, site, ear
        self._chance = np.random.default_rng()
        self._gain = 10 ** (site.gain_db / 20)
        self._noise = self._gain * (ear.sample_rate_hz / stage.bandwidth_hz / 2) ** 0.5
        self._period = np.empty(0, dtype=np.complex64)
        self._moved_s = -np.inf

    def samples(self, first: int, count: int) -> NDArray[np.complex64]:
        """Samples `first` ... of the receiver since 1970; noise of power 1 in the channel, times the receiver's gain."""
        utc_s = self._ear.time_ns(first) / _NS
        self._follow(utc_s)
        index = (first % self._ear.length + np.arange(count)) % self._ear.length
        times_s = utc_s + np.arange(count) / self._ear.sample_rate_hz - self._site.delay_s
        noise = self._chance.standard_normal(2 * count, dtype=np.float32).view(np.complex64)
        return np.asarray(
            noise * np.float32(self._noise) + self._period[index] * self._stage.sends(times_s), dtype=np.complex64
        )

    def level_db(self, samples: NDArray[np.complex64]) -> float:
        """Power of samples over the noise of the channel."""
        return float(10 * np.log10(np.mean(np.abs(samples) ** 2) + 1e-12))

    def _follow(self, utc_s: float) -> None:
        """One period of the transmitter as it is heard here, made anew while the transmitter moves."""
        still = self._stage.velocity_m_s == (0.0, 0.0)
        if len(self._period) and (still or utc_s - self._moved_s < _MOVES_EVERY_S):
            return
        self._moved_s = utc_s
        ear, stage, site = self._ear, self._stage, self._site
        spectrum = np.zeros(ear.length, dtype=np.complex128)
        if site.trouble is not Trouble.DEAF:
            lines, offset_hz = _lines(stage.bandwidth_hz, stage.seed)
            delay_s = stage.delay_s(site, utc_s) + site.path_delay_s
            phase = np.exp(-2j * np.pi * offset_hz[:, None] * delay_s)
            heard = lines * (phase @ site.path_gain) * 10 ** (site.level_db / 20)
            self._put(spectrum, stage.frequency_hz, offset_hz, heard)
            self._put_reference(spectrum)
        self._period = (np.fft.ifft(spectrum) * (ear.length * self._gain)).astype(np.complex64)

    def _put_reference(self, spectrum: NDArray[np.complex128]) -> None:
        reference = self._stage.reference
        if reference is None:
            return
        width_hz = reference.channel_hz
        lines, offset_hz = _lines(width_hz, self._stage.seed + 1)
        # The noise has power 1 in the channel of the stage.
        level = 10 ** (REFERENCE_LEVEL_DB / 20) * (width_hz / self._stage.bandwidth_hz) ** 0.5
        heard = level * lines * np.exp(-2j * np.pi * offset_hz * reference_delay_s(reference, self._site))
        self._put(spectrum, reference.frequency_hz, offset_hz, heard)

    def _put(
        self,
        spectrum: NDArray[np.complex128],
        frequency_hz: float,
        offset_hz: NDArray[np.float64],
        heard: NDArray[np.complex128],
    ) -> None:
        """Lines about a carrier, as far as the receiver's band reaches."""
        length = self._ear.length
        place = np.round((frequency_hz - self._ear.center_hz + offset_hz) * PERIOD_S).astype(np.int64)
        inside = np.abs(place) < length // 2
        spectrum[place[inside] % length] += heard[inside]


def _lines(bandwidth_hz: float, seed: int) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """A transmitter's lines, of total power 1, and their frequencies about its carrier."""
    most = int(_OCCUPIED * bandwidth_hz * PERIOD_S / 2)
    chance = np.random.default_rng(seed)
    lines = chance.standard_normal(2 * most + 1) + 1j * chance.standard_normal(2 * most + 1)
    return lines / np.linalg.norm(lines), np.arange(-most, most + 1) / PERIOD_S
