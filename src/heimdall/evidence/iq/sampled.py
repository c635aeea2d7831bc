"""Evidence from the IQ of one observation: spans, segments, carriers that are off, and one scene in the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heimdall.arrays import shifted
from heimdall.evidence.batch import EvidenceBatch, concatenate
from heimdall.evidence.iq.alignment import Aligned, align, quick_length
from heimdall.evidence.iq.carrier import Carrier, carrier_offset
from heimdall.evidence.iq.correlation import PairPeaks
from heimdall.evidence.iq.drift import without_drift
from heimdall.evidence.iq.from_recordings import (
    Recordings,
    clock_carries_time,
    evidence_and_peaks,
    max_detour_s,
    searched_delay_s,
)
from heimdall.evidence.iq.merging import merge_segments
from heimdall.evidence.iq.narrowing import narrowed
from heimdall.observation import Reception

_SEGMENT_S = 1.0
_MAX_SEGMENTS = 32
_MOST_AT_ONCE = 1 << 21
"""Samples whose arrival times are sought together."""
_LEAST_AGREEMENT = 0.15
"""A pair that reaches less of the coherence that its signals promise may be an alias of a carrier further off than was
searched, of which next to nothing is left."""
_REFERENCES = 2
"""Receivers, the strongest first, with which the carrier of one without an arrival time is compared."""


@dataclass(frozen=True, eq=False)
class Session:
    """What is known of an observation's IQ besides the samples; `known` are the fields of a batch of one."""

    bandwidth_hz: float
    frequency_hz: float
    max_offset_hz: float
    level_sigma_db_N: NDArray[np.float64]
    known: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Sampled:
    """Evidence (a batch of one) of the receivers with IQ, and the carriers and sample rates that were off and are taken off."""

    evidence: EvidenceBatch
    drift_rates: Mapping[int, float]
    carriers: Mapping[int, Carrier] = field(default_factory=dict)


def evidence_from_samples(receptions: Sequence[Reception], session: Session) -> Sampled:
    """Evidence of all receivers with IQ.

    Wide recordings are cut down to their channel, and long ones in segments. Where a good clock gave no arrival time, its
    carrier is looked for further off, and in a mirrored spectrum.
    Raises InputError where no two recordings share a span of time.
    """
    aligned = align(narrowed(receptions, session.bandwidth_hz, session.frequency_hz))
    found = _merged(aligned, session)
    carriers = _carriers(aligned, session, found)
    return _corrected(aligned, session, found, carriers) if carriers else Sampled(found.evidence, found.drift_rates)


@dataclass(frozen=True, eq=False)
class _Found:
    """Evidence, and for each receiver how much of the coherence that its signal promises its best pair reaches, 0 to 1."""

    evidence: EvidenceBatch
    agreement_N: NDArray[np.float64]
    drift_rates: Mapping[int, float]

    def settled(self, index: int) -> bool:
        return bool(self.evidence.has_arrival[0, index] and self.agreement_N[index] >= _LEAST_AGREEMENT)


def _merged(aligned: Sequence[Aligned], session: Session) -> _Found:
    recordings = [_recordings(each, session) for each in aligned]
    both = [evidence_and_peaks(part) for each in recordings for part in _in_parts(each)]
    parts = [_double(evidence) for evidence, _ in both]
    agreement_BN = np.concatenate([_agreement(peaks, evidence) for evidence, peaks in both])
    middle_s, duration_s = np.concatenate([_times(*each) for each in zip(aligned, recordings, strict=True)], axis=1)
    drifts = without_drift(parts[0] if len(parts) == 1 else concatenate(parts), middle_s, aligned[0].first_s_N)
    merged = _uncertain(merge_segments(drifts.segments, duration_s), drifts.sigma_s_N)
    return _Found(merged, np.max(agreement_BN, axis=0), drifts.rates)


def _in_parts(recordings: Recordings) -> Iterator[Recordings]:
    """Some segments at a time: what is computed from them takes ten times their memory."""
    count, *shape = recordings.samples_BNT.shape
    at_once = max(1, _MOST_AT_ONCE // math.prod(shape))
    for first in range(0, count, at_once):
        yield recordings.select(slice(first, first + at_once))


def _times(aligned: Aligned, recordings: Recordings) -> NDArray[np.float64]:
    """(2, segments): the middle of each, on the axis of the stamps, and how long it lasts."""
    count, length_s = len(recordings.samples_BNT), recordings.samples_BNT.shape[-1] / recordings.sample_rate_hz
    return np.array([aligned.begin_s + (np.arange(count) + 0.5) * length_s, np.full(count, length_s)])


def _uncertain(evidence: EvidenceBatch, sigma_s_N: NDArray[np.float64]) -> EvidenceBatch:
    """The evidence with arrival times that are so much more uncertain."""
    return replace(evidence, arrival_sigma_s=np.hypot(evidence.arrival_sigma_s, sigma_s_N))


def _agreement(peaks: PairPeaks, evidence: EvidenceBatch) -> NDArray[np.float64]:
    """(B, N) the best, over the detected pairs, of the coherence over the one that the signal-to-noise ratios promise."""
    promised_BN = evidence.snr / (1 + evidence.snr)
    promised_BP = promised_BN[:, peaks.first_P] * promised_BN[:, peaks.second_P]
    share_BP = np.where(peaks.detected_BP, peaks.coherence_BPK[..., 0] / np.maximum(promised_BP, 1e-9), 0.0)
    best_BN = np.zeros(evidence.snr.shape)
    for pair, (first, second) in enumerate(zip(peaks.first_P, peaks.second_P, strict=True)):
        for receiver in (first, second):
            best_BN[:, receiver] = np.maximum(best_BN[:, receiver], share_BP[:, pair])
    return best_BN


def _recordings(aligned: Aligned, session: Session) -> Recordings:
    segments = _segments(aligned)
    count = len(segments)
    repeated = {name: np.repeat(values, count, axis=0) for name, values in session.known.items()}
    return Recordings(
        samples_BNT=segments,
        sample_rate_hz=aligned.sample_rate_hz,
        bandwidth_hz=min(session.bandwidth_hz, aligned.sample_rate_hz),
        start_s=np.repeat(aligned.start_s_N[None], count, axis=0),
        level_sigma_db=np.repeat(session.level_sigma_db_N[None], count, axis=0),
        max_offset_hz=session.max_offset_hz,
        max_detour_s=max_detour_s(session.frequency_hz),
        **{**repeated, "present": np.repeat(aligned.present_N[None], count, axis=0)},
    )


def _segments(aligned: Aligned) -> NDArray[np.complex64]:
    """(segments, N, samples): a long recording cut so that fading and drift stay outside the coherent sum."""
    total = aligned.samples_NT.shape[1]
    count = min(_MAX_SEGMENTS, max(1, round(aligned.duration_s / _SEGMENT_S)))
    length = quick_length(total // count)
    cut = aligned.samples_NT[:, : count * length].reshape(len(aligned.samples_NT), count, length)
    return np.moveaxis(cut, 1, 0)


def _double(evidence: EvidenceBatch) -> EvidenceBatch:
    return evidence.changed(lambda values: values if values.dtype == bool else values.astype(np.float64))


def _carriers(aligned: Sequence[Aligned], session: Session, found: _Found) -> dict[int, Carrier]:
    """Carriers of the receivers whose clock is good and that have no arrival time to rely on, against the strongest ones."""
    timed = clock_carries_time(np, session.known["clock_sigma_s"], session.known["half_width_m"])[0]
    lost = [index for index in np.flatnonzero(timed).tolist() if not found.settled(index)]
    carriers: dict[int, Carrier] = {}
    for reference in _references(found, timed) if lost else ():
        for index in lost:
            if index not in carriers and index != reference:
                carrier = _carrier(aligned, session, index, reference)
                carriers |= {} if carrier is None else {index: carrier}
        if carriers:
            break
    return carriers


def _references(found: _Found, timed: NDArray[np.bool_]) -> list[int]:
    """Those with an arrival time to rely on, or all where none has one, the strongest first."""
    settled = np.array([found.settled(index) for index in range(len(timed))])
    candidates = settled if settled.any() else timed
    order = np.argsort(np.where(candidates, -found.evidence.snr[0], np.inf), kind="stable")
    return [int(index) for index in order[: min(_REFERENCES, int(candidates.sum()))]]


def _carrier(aligned: Sequence[Aligned], session: Session, index: int, reference: int) -> Carrier | None:
    """The carrier of a receiver against the reference's, further off than was searched before, or mirrored."""
    shared = [each for each in aligned if each.present_N[index] and each.present_N[reference]]
    if not shared:
        return None
    longest = max(shared, key=lambda each: each.duration_s)
    recordings = _recordings(longest, session)
    middle = recordings.samples_BNT[len(recordings.samples_BNT) // 2]
    search = partial(
        carrier_offset,
        reference_T=middle[reference],
        sample_rate_hz=longest.sample_rate_hz,
        bandwidth_hz=recordings.bandwidth_hz,
        frequency_hz=session.frequency_hz,
        max_delay_s=searched_delay_s(recordings),
    )
    found = []
    plain = search(middle[index], searched_hz=session.max_offset_hz)
    if plain is not None and abs(plain.offset_hz) > session.max_offset_hz:
        found.append(plain)
    conjugate = search(np.conj(middle[index]))
    if conjugate is not None:
        near = abs(conjugate.offset_hz) <= session.max_offset_hz
        found.append(replace(conjugate, offset_hz=0.0 if near else conjugate.offset_hz, mirrored=True))
    return max(found, key=lambda each: each.gain, default=None)


def _corrected(aligned: Sequence[Aligned], session: Session, before: _Found, carriers: dict[int, Carrier]) -> Sampled:
    """The evidence with what brought an arrival time undone: carriers that are off, mirrored spectra.

    An oscillator that is off may drive the sampling, too, which is taken to run true: over the recording its arrival times
    drift by as much, so that much is uncertain.
    """
    after = _merged([_shifted(each, carriers) for each in aligned], session)
    useful = {index: carrier for index, carrier in carriers.items() if after.settled(index)}
    if not useful:
        return Sampled(before.evidence, before.drift_rates)
    half_s = 0.5 * sum(each.duration_s for each in aligned)
    sigma_s_N = np.zeros_like(session.level_sigma_db_N)
    for index, carrier in useful.items():
        sigma_s_N[index] = abs(carrier.offset_hz) / session.frequency_hz * half_s
    return Sampled(_uncertain(after.evidence, sigma_s_N), after.drift_rates, useful)


def _shifted(aligned: Aligned, carriers: Mapping[int, Carrier]) -> Aligned:
    samples = aligned.samples_NT.copy()
    for index, carrier in carriers.items():
        shown = np.conj(samples[index]) if carrier.mirrored else samples[index]
        samples[index] = shifted(shown, carrier.offset_hz, aligned.sample_rate_hz)
    return replace(aligned, samples_NT=samples)
