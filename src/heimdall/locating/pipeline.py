"""From observations to checked fixes, whatever the method: evidence, the frame, the method, and whether the receivers agree."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from heimdall.errors import InputError
from heimdall.estimation.integrity.fault_odds import FaultOdds
from heimdall.estimation.integrity.status_check import Relocation, agreements, checked
from heimdall.estimation.model import PropagationModel, model_of
from heimdall.estimation.sites import joined_at_sites
from heimdall.estimation.whole_earth import recentred_on_transmitter
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected, collect
from heimdall.fix import Fix, ReceiverReport, Status
from heimdall.locating.by_likelihood import METHOD, locate_by_likelihood
from heimdall.locating.located import Located
from heimdall.observation import Observation

_CHUNK = 32
"""Scenes computed together: enough to spread the overhead, few enough to stay in the cache."""

LocateGroup = Callable[[Sequence[Collected], PropagationModel], list[Located]]
"""Locates observations that share a propagation model."""


@dataclass(frozen=True, eq=False)
class _Member:
    """An observation of a chunk, and how long its evidence took."""

    index: int
    collected: Collected
    collect_s: float = 0.0


def locate(observations: Sequence[Observation]) -> list[Located]:
    """Locate every observation by the likelihood, in the order given.

    An observation with too few receivers becomes a fix with status `insufficient`, and the others go on.
    """
    return list(locate_each(observations))


def locate_each(
    observations: Sequence[Observation],
    locate_group: LocateGroup = locate_by_likelihood,
    *,
    method: str = METHOD,
    odds: FaultOdds | None = None,
) -> Iterator[Located]:
    """Like `locate`, by any method, chunk by chunk as they are ready.

    `method` is the name that a fix has for which there was too little to locate with. `odds` are shared by methods that locate
    the same observations.
    """
    again = Relocation(_locate_alone, _locate_checked, odds)
    for start in range(0, len(observations), _CHUNK):
        yield from _locate_chunk(observations[start : start + _CHUNK], locate_group, method, again)


def _locate_chunk(
    observations: Sequence[Observation], locate_group: LocateGroup, method: str, again: Relocation
) -> list[Located]:
    results: dict[int, Located] = {}
    groups: dict[PropagationModel, list[_Member]] = {}
    for index, observation in enumerate(observations):
        begun = time.perf_counter()
        found = _evidence_of(observation, method)
        if isinstance(found, Located):
            results[index] = found
            continue
        collected, model = _prepared(found)
        groups.setdefault(model, []).append(_Member(index, collected, time.perf_counter() - begun))
    for model, members in groups.items():
        located = _located_group(members, model, locate_group, again)
        results |= {member.index: each for member, each in zip(members, located, strict=True)}
    return [_with_corrections(results[index], observation) for index, observation in enumerate(observations)]


def _evidence_of(observation: Observation, method: str) -> Collected | Located:
    """The evidence, or the answer that there is too little of it."""
    try:
        collected = collect(observation)
    except InputError as error:
        return Located(_too_few_receivers(observation, str(error), method), None)
    if not _says_where(collected.evidence):
        return Located(_nothing_heard(collected, method), None, collected=collected)
    return joined_at_sites(collected)


def _prepared(collected: Collected) -> tuple[Collected, PropagationModel]:
    """The evidence in the frame to search in, and its propagation model."""
    collected = recentred_on_transmitter(collected)
    return collected, model_of(collected)


def _located_group(
    members: Sequence[_Member], model: PropagationModel, locate_group: LocateGroup, again: Relocation
) -> list[Located]:
    """Observations of one propagation model, located and checked."""
    located = locate_group([member.collected for member in members], model)
    begun = time.perf_counter()
    # At the height that was found, if one was.
    found = [result.collected or member.collected for member, result in zip(members, located, strict=True)]
    agree = agreements([result.fix for result in located], found, model)
    shared_s = (time.perf_counter() - begun) / len(members)
    results = []
    for member, result, collected, agrees in zip(members, located, found, agree, strict=True):
        begun = time.perf_counter()
        fix = checked(result.fix, collected, result.posterior, again, agree=agrees)
        elapsed_ms = fix.elapsed_ms + (member.collect_s + shared_s + time.perf_counter() - begun) * 1e3
        results.append(replace(result, fix=replace(fix, elapsed_ms=elapsed_ms), collected=collected))
    return results


def _locate_alone(collected: Collected) -> Fix:
    collected, model = _prepared(collected)
    return locate_by_likelihood([collected], model)[0].fix


def _locate_checked(collected: Collected) -> Fix:
    collected, model = _prepared(collected)
    return _located_group([_Member(0, collected)], model, locate_by_likelihood, Relocation(_locate_alone))[0].fix


def _with_corrections(located: Located, observation: Observation) -> Located:
    """Its reports say what was taken off of what each receiver gave."""
    taken_off = {each.receiver.name: each.correction for each in observation.receptions if each.correction}
    if not taken_off:
        return located
    reports = tuple(replace(each, correction=taken_off.get(each.name)) for each in located.fix.receivers)
    return replace(located, fix=replace(located.fix, receivers=reports))


def _says_where(evidence: EvidenceBatch) -> bool:
    """Two arrival times or two powers: anything less would be a place read from the prior alone."""
    return int(np.sum(evidence.has_arrival)) >= 2 or int(np.sum(evidence.has_level)) >= 2


def _too_few_receivers(observation: Observation, why: str, method: str) -> Fix:
    """The fix that says why there is none; `why` may begin with the observation's name."""
    why = why.removeprefix(f"{observation.id}: ")
    reports = tuple(
        ReceiverReport(each.receiver.name, False, each.flaw or "too few receivers") for each in observation.receptions
    )
    return Fix(observation.id, Status.INSUFFICIENT, why, method, reports)


def _nothing_heard(collected: Collected, method: str) -> Fix:
    why = (
        "the position cannot be determined: fewer than two receivers have a power above the noise, or an"
        " arrival time from a good enough clock; each receiver is listed with the reason"
    )
    reports = tuple(
        ReceiverReport(reception.receiver.name, False, reason or "alone with its measurement")
        for reception, reason in zip(collected.observation.receptions, collected.reasons, strict=True)
    )
    return Fix(collected.observation.id, Status.INSUFFICIENT, why, method, reports)
