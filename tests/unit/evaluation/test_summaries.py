"""The table's figures against their definitions."""

import json
import math

import numpy as np
import pytest

from heimdall.evaluation.comparison import Comparison, Label, ScoredFix
from heimdall.evaluation.summaries import ratio_of_medians, summarise, to_json


def _comparison(count: int = 400, seed: int = 0, bound_m: float = 100.0) -> Comparison:
    """One method that reaches a round bound, and one that errs 1.5 times as much on the same cases."""
    rng = np.random.default_rng(seed)
    ideal = bound_m * np.hypot(*rng.standard_normal((2, count)))
    labels = [
        Label(
            clock=("30 ns", "3 us")[index % 2],
            inside=index % 4 < 3,
            receivers=3 + index % 8,
            blocked_share=(0.0, 0.25, 0.5, math.nan)[index % 4],
            bound_m2=bound_m**2 * np.eye(2),
        )
        for index in range(count)
    ]
    answers = {
        name: [
            ScoredFix(factor * error, (error < bound_m, error < 1.5 * bound_m, True), 0.5, 10 * factor)
            for error in ideal
        ]
        for name, factor in (("likelihood", 1.0), ("least squares", 1.5))
    }
    return Comparison(labels, answers)


def test_a_method_that_reaches_the_bound_has_ratio_one() -> None:
    everything = summarise(_comparison(2000), "likelihood")[0]
    assert everything.bound is not None
    # Median, 68 % and 90 % of a Rayleigh law.
    expected = [100 * math.sqrt(-2 * math.log(1 - q)) for q in (0.5, 0.68, 0.9)]
    assert everything.bound.quantiles_m == pytest.approx(expected, rel=0.02)
    assert everything.scores["likelihood"].bound_ratio == pytest.approx(1, abs=0.07)
    assert everything.scores["least squares"].bound_ratio == pytest.approx(1.5, abs=0.1)


def test_ratios_are_paired() -> None:
    """Errors that differ by a constant factor have that ratio of medians with no uncertainty at all."""
    score = summarise(_comparison(), "likelihood")[0].scores
    assert score["least squares"].reference_ratio == pytest.approx((1.5, 1.5, 1.5))
    assert score["likelihood"].reference_ratio is None


def test_the_interval_of_unrelated_errors_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(60):
        one, other = rng.exponential(2.0, 150), rng.exponential(1.0, 150)
        _, low, high = ratio_of_medians(one, other, rng)
        held += low <= 2 <= high
    assert held >= 51


def test_quantiles_count_failed_fixes_as_infinitely_far_off() -> None:
    comparison = _comparison(20)
    half = [ScoredFix(math.inf, (False,) * 3, 1.0, 1.0)] * 8 + comparison.answers["likelihood"][8:]
    groups = summarise(Comparison(comparison.labels, {"likelihood": half}), "likelihood")
    median, _, largest = groups[0].scores["likelihood"].quantiles_m
    assert math.isfinite(median)
    assert math.isinf(largest)
    assert to_json(groups, "likelihood")["groups"][0]["methods"]["likelihood"]["q90_m"] is None


def test_coverage_is_the_share_of_regions_that_hold_the_truth() -> None:
    comparison = _comparison()
    share = np.mean([answer.covered for answer in comparison.answers["likelihood"]], axis=0)
    assert summarise(comparison, "likelihood")[0].scores["likelihood"].coverage == pytest.approx(tuple(share))


def test_groups_are_by_clock_place_blocking_and_receivers() -> None:
    groups = {(group.by, group.name): group.count for group in summarise(_comparison(), "likelihood")}
    assert groups[("all", "all")] == 400
    assert groups[("clock", "30 ns")] == groups[("clock", "3 us")] == 200
    assert (groups[("place", "inside")], groups[("place", "outside")]) == (300, 100)
    blocked = [groups[("links blocked", name)] for name in ("none", "up to a third", "more")]
    assert blocked == [100, 100, 100]
    assert {name: count for (by, name), count in groups.items() if by == "receivers"} == {
        "2 to 3": 50, "4 to 5": 100, "6 to 8": 150, "9 and more": 100,
    }  # fmt: skip


def test_groups_of_a_handful_are_left_out() -> None:
    names = {group.by for group in summarise(_comparison(10), "likelihood")}
    assert names == {"all"} | {group.by for group in summarise(_comparison(10), "likelihood") if group.count >= 8}
    assert ("clock", "30 ns") not in {(g.by, g.name) for g in summarise(_comparison(10), "likelihood")}


def test_a_group_with_an_unbounded_case_has_no_bound() -> None:
    comparison = _comparison(40)
    labels = [Label("30 ns", True, 5), *comparison.labels[1:]]
    groups = summarise(Comparison(labels, comparison.answers), "likelihood")
    assert groups[0].bound is None
    assert groups[0].scores["likelihood"].bound_ratio is None
    outside = next(group for group in groups if group.name == "outside")
    assert outside.bound is not None


def test_the_ok_and_the_protected_are_counted_by_themselves() -> None:
    def answer(status: str, inside: bool, protected: bool | None) -> ScoredFix:
        return ScoredFix(1.0, (inside, inside, inside), 0.5, 1.0, status, protected)

    answers = [
        answer("ok", True, True),
        answer("ok", False, True),
        answer("ok", False, None),
        answer("ambiguous", True, None),
    ]
    labels = [Label("30 ns", True, 5)] * len(answers)
    score = summarise(Comparison(labels, {"likelihood": answers}), "likelihood")[0].scores["likelihood"]
    assert (score.ok_coverage_95, score.protected) == (pytest.approx(1 / 3), 1.0)


def test_the_document_is_json_without_infinities_and_the_same_every_time() -> None:
    documents = [
        json.dumps(to_json(summarise(_comparison(), "likelihood"), "likelihood"), allow_nan=False) for _ in range(2)
    ]
    assert documents[0] == documents[1]
    methods = json.loads(documents[0])["groups"][0]["methods"]
    assert set(methods["least squares"]) == {
        "median_m", "q68_m", "q90_m", "bound_ratio", "reference_ratio", "coverage", "ms_per_fix", "statuses",
        "ok_coverage_95", "protected",
    }  # fmt: skip
    assert set(methods["least squares"]["coverage"]) == {"50", "68", "95"}
