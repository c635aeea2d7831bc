"""Evidence from IQ: a batch of scenes, every receiver recorded over the same span."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heimdall.arrays import Array, ArrayNamespace, array_namespace
from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.evidence.batch import WORST_CLOCK_S, EvidenceBatch
from heimdall.evidence.iq.arrival import reconcile
from heimdall.evidence.iq.channel_spectrum import ChannelSpectrum, channel_spectrum
from heimdall.evidence.iq.correlation import PairPeaks, pair_peaks

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

DEFAULT_LEVEL_SIGMA_DB = 2.0
"""Calibration of a receiver's level when nobody states it."""
_DETECTION_SIGMAS = 3.0
_CLOCK_SLACK_SIGMAS = 3.0
_MOST_OF_AREA = 0.25
"""A clock that is worse than this share of the half width, in what light travels meanwhile, says nothing about where."""
_EXTRA_DELAY_S = 40e-6
"""Room in the delay search for detours of the signal."""
_SKY_DELAY_S = ((300e3, 0.2e-3), (3e6, 1e-3), (30e6, 4e-3))
"""The same where waves also come by the ionosphere, up to each frequency: one low hop, one hop, several hops."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """IQ of B scenes with N receivers over T samples, and what is known of the receivers. See `EvidenceBatch`."""

    samples_BNT: Array
    sample_rate_hz: float
    bandwidth_hz: float
    start_s: Float[Array, "B N"]
    """Time of the first sample by the receiver's clock, on an axis common to the scene."""
    position_enu_m: Float[Array, "B N 3"]
    present: Bool[Array, "B N"]
    clock_sigma_s: Float[Array, "B N"]
    """Infinite for a receiver without a clock."""
    level_sigma_db: Float[Array, "B N"]
    curvature_per_m: Float[Array, "B coefficients"]
    transmitter_height_m: Float[Array, " B"]
    half_width_m: Float[Array, " B"]
    max_offset_hz: float = 45.0
    """Largest difference of carrier offset between two receivers."""
    max_detour_s: float = _EXTRA_DELAY_S
    """How much later than straight a signal may come, see `max_detour_s`."""

    def select(self, some: slice) -> Recordings:
        """Those scenes alone."""
        return replace(self, **{name: getattr(self, name)[some] for name in _OF_EACH_SCENE})


_OF_EACH_SCENE = (
    "samples_BNT",
    "start_s",
    "position_enu_m",
    "present",
    "clock_sigma_s",
    "level_sigma_db",
    "curvature_per_m",
    "transmitter_height_m",
    "half_width_m",
)


def evidence_from_recordings(recordings: Recordings) -> EvidenceBatch:
    """Correlate, reconcile, and measure levels: IQ to evidence, in numpy or torch."""
    return evidence_and_peaks(recordings)[0]


def searched_delay_s(recordings: Recordings) -> float:
    """The largest delay between two records of receivers with clocks that carry time."""
    xp = array_namespace(recordings.present)
    timed_BN = recordings.present & clock_carries_time(xp, recordings.clock_sigma_s, recordings.half_width_m)
    return _max_delay_s(xp, recordings, timed_BN)


def evidence_and_peaks(recordings: Recordings) -> tuple[EvidenceBatch, PairPeaks]:
    """The evidence, and the correlation peaks that its arrival times were reconciled from."""
    xp = array_namespace(recordings.samples_BNT)
    timed_BN = recordings.present & clock_carries_time(xp, recordings.clock_sigma_s, recordings.half_width_m)
    spectrum = channel_spectrum(
        recordings.samples_BNT, recordings.present, recordings.sample_rate_hz, recordings.bandwidth_hz
    )
    peaks = pair_peaks(
        spectrum,
        recordings.present,
        recordings.sample_rate_hz,
        recordings.bandwidth_hz,
        _max_delay_s(xp, recordings, timed_BN),
        recordings.max_offset_hz,
    )
    arrivals = reconcile(peaks, spectrum, timed_BN, recordings.sample_rate_hz, recordings.bandwidth_hz)
    level_db, level_sigma_db, has_level = _levels(xp, spectrum, recordings)
    silent = recordings.present & ~has_level
    evidence = EvidenceBatch(
        position_enu_m=recordings.position_enu_m,
        present=recordings.present,
        arrival_s=arrivals.arrival_s_BN + recordings.start_s,
        arrival_sigma_s=arrivals.sigma_s_BN,
        clock_sigma_s=xp.clip(recordings.clock_sigma_s, 0.0, WORST_CLOCK_S),
        has_arrival=arrivals.valid_BN & timed_BN,
        level_db=level_db,
        level_sigma_db=level_sigma_db,
        has_level=has_level,
        snr=spectrum.snr_BN,
        bandwidth_hz=xp.full_like(recordings.half_width_m, recordings.bandwidth_hz),
        curvature_per_m=recordings.curvature_per_m,
        transmitter_height_m=recordings.transmitter_height_m,
        half_width_m=recordings.half_width_m,
        silent=silent if bool(xp.any(silent)) else None,
    )
    return evidence, peaks


def clock_carries_time(xp: ArrayNamespace, clock_sigma_s_BN: Array, half_width_m_B: Array) -> Bool[Array, "B N"]:
    """Whether the clock is good enough for the area searched."""
    return clock_sigma_s_BN * SPEED_OF_LIGHT_M_S < _MOST_OF_AREA * half_width_m_B[:, None]


def max_detour_s(frequency_hz: float) -> float:
    """How much later by one path than by another a signal of that frequency may come."""
    return next((delay_s for most_hz, delay_s in _SKY_DELAY_S if frequency_hz < most_hz), _EXTRA_DELAY_S)


def _max_delay_s(xp: ArrayNamespace, recordings: Recordings, timed_BN: Array) -> float:
    """The largest delay between two records: the network's diagonal, the start times, the clocks, and detours."""
    horizontal = recordings.position_enu_m[..., :2] * recordings.present[..., None]
    diagonal_m = float(xp.max(xp.max(horizontal, axis=1) - xp.min(horizontal, axis=1))) * math.sqrt(2)
    start_s = recordings.start_s * recordings.present
    clock_s = float(xp.max(xp.where(timed_BN, recordings.clock_sigma_s, xp.zeros_like(recordings.clock_sigma_s))))
    spread_s = float(xp.max(start_s) - xp.min(start_s))
    return diagonal_m / SPEED_OF_LIGHT_M_S + spread_s + 2 * _CLOCK_SLACK_SIGMAS * clock_s + recordings.max_detour_s


def _levels(xp: ArrayNamespace, spectrum: ChannelSpectrum, recordings: Recordings) -> tuple[Array, Array, Array]:
    """Received power in dB with its uncertainty, and where there is any to speak of; elsewhere the least that would be heard."""
    samples = spectrum.independent_share * recordings.samples_BNT.shape[-1]
    cells = samples * min(1.0, recordings.bandwidth_hz / recordings.sample_rate_hz)
    least_snr = _DETECTION_SIGMAS / math.sqrt(cells)
    snr_BN = xp.clip(spectrum.snr_BN, 1e-4, None)
    heard = recordings.present & (snr_BN > least_snr)
    decibel = 10 / math.log(10)
    noise_sigma_db = decibel * (1 + 1 / xp.clip(snr_BN, least_snr, None)) / math.sqrt(cells)
    level_db = decibel * xp.log(spectrum.signal_power_BN * xp.clip(least_snr / snr_BN, 1.0, None))
    return level_db, xp.sqrt(recordings.level_sigma_db**2 + noise_sigma_db**2), heard
