"""Verdicts: what is said of pairs, of failures, of too little, and in which words."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.analysis.evidence import FinalRun, planned_pairs, split_ratio, summarise
from tuilab.analysis.expectations import check_expectations, exit_code, find_pair
from tuilab.analysis.result import Result, result_from_json, result_to_json
from tuilab.spec.comparison import Comparison, VerdictKind
from tuilab.spec.task import facts

COUNTS = [(502, 400), (453, 407), (477, 437)]
WIDE = [0.0136, 0.0110, 0.0152, 0.0147, 0.0120, 0.0131, 0.0149, 0.0141, 0.0128, 0.0125]
DEEP = [0.0051, 0.0043, 0.0032, 0.0071, 0.0060, 0.0049, 0.0038, 0.0042, 0.0055, 0.0081]


def comparison(**changes: object) -> Comparison:
    data: dict[str, object] = {
        "title": "Spirals",
        "task": "spirals",
        "candidates": [{"name": "wide", "stack": "100 relu"}, {"name": "deep", "stack": "4*(11 relu)"}],
    }
    return Comparison.model_validate(data | changes)


def finals(*metrics: Sequence[float | None]) -> list[FinalRun]:
    return [
        FinalRun(candidate, seed, 0.01, metric, 1000.0)
        for candidate, values in enumerate(metrics)
        for seed, metric in enumerate(values)
    ]


def said(result: Result) -> str:
    return " ".join([result.verdict, *result.comparisons, *result.caveats, *(pair.sentence for pair in result.pairs)])


def test_the_verdict_is_one_sentence_with_shapes_params_means_and_p():
    result = summarise(comparison(), COUNTS, finals(WIDE, DEEP))
    assert result.verdict == (
        "deep (4×11, 453 params) errs 0.52 % ± 0.11 against 1.34 % ± 0.10 for wide (100, 502 params): "
        "better, p < .0001, d = 5.7"
    )
    assert result.complete
    assert result.metric == "error"


def test_two_candidates_of_the_same_runs_cannot_be_told_apart():
    result = summarise(comparison(), COUNTS, finals(WIDE, WIDE))
    assert result.pairs[0].kind is VerdictKind.CANNOT_TELL
    assert result.pairs[0].p == 1
    assert result.pairs[0].more_seeds is None


def test_equal_runs_are_equivalent_once_a_margin_says_what_equal_means():
    result = summarise(comparison(protocol={"margin": 0.01}), COUNTS, finals(WIDE, WIDE))
    assert result.pairs[0].kind is VerdictKind.EQUIVALENT
    assert "equivalent within 1 point (TOST p < .0001)" in result.verdict


def test_a_significant_difference_inside_the_margin_is_negligible():
    result = summarise(comparison(protocol={"margin": 0.02}), COUNTS, finals(WIDE, DEEP))
    assert result.pairs[0].kind is VerdictKind.EQUIVALENT
    assert result.pairs[0].negligible
    assert "different but negligible" in result.verdict


def test_every_test_of_the_protocol_sees_a_clear_difference():
    for test in ("welch_log", "welch", "mann_whitney", "paired", "nadeau_bengio"):
        result = summarise(comparison(protocol={"test": test}), COUNTS, finals(WIDE, DEEP))
        assert result.pairs[0].kind is VerdictKind.BETTER, test


def test_holm_counts_every_pair_against_the_reference_and_every_expected_one():
    expect = [{"candidate": "two", "against": "deep", "verdict": "cannot tell"}]
    three = [{"name": "wide", "stack": "100 relu"}, {"name": "deep", "stack": "4*(11 relu)"}]
    three.append({"name": "two", "stack": "19 relu 19 relu"})
    asked = comparison(candidates=three, expect=expect)
    assert planned_pairs(asked) == (("deep", "wide"), ("two", "wide"), ("two", "deep"))
    alone = summarise(comparison(), COUNTS, finals(WIDE, DEEP)).pairs[0].p
    result = summarise(asked, COUNTS, finals(WIDE, DEEP, WIDE))
    pair = find_pair(result, "deep", "wide")
    assert alone is not None
    assert pair is not None
    assert pair.p == pytest.approx(3 * alone)
    assert "Holm" in pair.sentence
    assert result.pairs[0].candidate == "two", "the expected pair comes first"
    assert "of 2 more pairs: 1 better, 1 cannot tell" in result.verdict


def test_the_reference_is_the_budgets():
    asked = comparison(protocol={"budget": {"reference": "deep"}})
    assert planned_pairs(asked) == (("wide", "deep"),)
    assert summarise(asked, COUNTS, finals(WIDE, DEEP)).pairs[0].kind is VerdictKind.WORSE


def test_an_interim_verdict_says_so_and_how_many_more_seeds_it_wants():
    result = summarise(comparison(), COUNTS, finals([0.013, 0.014, 0.02], [0.012, 0.010, 0.019]))
    assert result.verdict.startswith("so far (3 of 10 seeds): ")
    assert not result.complete
    more = result.pairs[0].more_seeds
    assert more is not None
    assert f"cannot tell yet, p = .54, d = 0.47; about {more} more seeds would decide at this effect" in result.verdict
    assert any("Interim" in caveat for caveat in result.caveats)


def test_one_run_of_each_is_too_few_for_a_test_and_none_is_too_few_for_a_verdict():
    assert "a test needs at least two runs of each" in summarise(comparison(), COUNTS, finals([0.1], [0.2])).verdict
    nothing = summarise(comparison(), COUNTS, [])
    assert nothing.verdict == "no final run has ended yet"
    assert nothing.pairs == ()


def test_failed_runs_count_as_networks_that_have_learnt_nothing():
    survivors: list[float | None] = [*DEEP[:4], None, None, None, None, None, None]
    result = summarise(comparison(), COUNTS, finals(WIDE, survivors))
    assert result.candidates[1].failures == 6
    assert result.candidates[1].mean == pytest.approx(sum(DEEP[:4]) / 4)
    assert result.pairs[0].difference == pytest.approx((sum(DEEP[:4]) + 6 * 0.5) / 10 - sum(WIDE) / 10)
    assert result.pairs[0].kind is not VerdictKind.BETTER
    assert "(6 of 10 runs failed)" in result.verdict
    assert any("6 of 10 of deep" in caveat for caveat in result.caveats)


def test_seeds_that_were_added_after_a_look_are_told() -> None:
    planned, extended = (summarise(comparison(), COUNTS, finals(WIDE, DEEP), added_seeds=n) for n in (0, 4))
    assert set(extended.caveats) - set(planned.caveats) == {extended.caveats[0]}
    assert extended.caveats[0].startswith("4 of the 10 final seeds were added after the others had been seen")


def test_a_candidate_whose_every_run_failed_is_worse_and_is_said_to_have_failed():
    result = summarise(comparison(), COUNTS, finals(WIDE, [None] * 10))
    assert result.pairs[0].kind is VerdictKind.WORSE
    assert "deep (4×11, 453 params) failed in all of its 10 runs" in result.verdict
    assert result.candidates[1].mean is None
    both = summarise(comparison(), COUNTS, finals([None] * 10, [None] * 10))
    assert both.pairs[0].kind is VerdictKind.CANNOT_TELL


def test_perfect_scores_without_spread_are_compared_without_a_nan():
    result = summarise(comparison(), COUNTS, finals([0.25] * 10, [0.0] * 10))
    assert result.pairs[0].kind is VerdictKind.BETTER
    assert result.pairs[0].d is None
    assert "errs 0 % ± 0 against 25 % ± 0" in result.verdict
    tied = summarise(comparison(), COUNTS, finals([0.0] * 10, [0.0] * 10))
    assert "no run of either differs" in tied.verdict
    inside = summarise(comparison(protocol={"margin": 0.01}), COUNTS, finals([0.0] * 10, [0.0] * 10))
    assert inside.pairs[0].kind is VerdictKind.EQUIVALENT


def test_when_typical_runs_and_the_mean_point_opposite_ways_nothing_is_decided():
    often_perfect = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3]
    result = summarise(comparison(), COUNTS, finals(WIDE, often_perfect))
    pair = result.pairs[0]
    assert pair.p is not None
    assert pair.p < 0.05
    assert pair.kind is VerdictKind.CANNOT_TELL
    assert "opposite ways" in pair.sentence


def test_one_shared_learning_rate_for_different_depths_is_warned_of_first():
    shared = summarise(comparison(training={"lr": 0.003}), COUNTS, finals(WIDE, DEEP))
    assert "learning rate 0.003" in shared.caveats[0]
    assert "an effect of the learning rate" in shared.caveats[0]
    assert "learning rate" not in " ".join(summarise(comparison(), COUNTS, finals(WIDE, DEEP)).caveats)
    same_depth = comparison(
        training={"lr": 0.003},
        candidates=[{"name": "a", "stack": "10 relu"}, {"name": "b", "stack": "20 relu"}],
    )
    assert "were fixed by the preset" in summarise(same_depth, COUNTS, finals(WIDE, DEEP)).caveats[0]


def test_splits_of_one_table_are_corrected_or_warned_of():
    digits = comparison(task="digits", protocol={"test": "nadeau_bengio"})
    assert split_ratio(digits, facts(digits.task)) == pytest.approx(1 / 3, abs=2e-3)
    capped = comparison(task={"kind": "digits", "num_train": 359}, protocol={"test": "nadeau_bengio"})
    assert split_ratio(capped, facts(capped.task)) == pytest.approx(1, abs=5e-3)
    noisy_pairs = finals(WIDE, [value - 0.003 if index % 2 else value for index, value in enumerate(WIDE)])
    corrected = summarise(digits, COUNTS, noisy_pairs).pairs[0]
    naive = summarise(comparison(task="digits", protocol={"test": "paired"}), COUNTS, noisy_pairs)
    assert naive.pairs[0].kind is VerdictKind.BETTER
    assert corrected.kind is VerdictKind.CANNOT_TELL
    assert "corrected for overlapping splits" in corrected.sentence
    assert any("splits of one table" in caveat for caveat in naive.caveats)


def test_regression_speaks_of_its_metric_and_a_lone_candidate_has_no_rival():
    alone = comparison(task="radial", candidates=[{"name": "14 relu", "stack": "14 relu"}])
    result = summarise(alone, [(57, 42)], finals([0.86, 0.84, 0.88]))
    assert result.verdict.endswith(
        "14 relu (57 params) has a test nmse of 0.860 ± 0.050 over 3 seeds; there is no rival"
    )


def test_a_result_survives_json():
    result = summarise(comparison(protocol={"margin": 0.001}), COUNTS, finals(WIDE, [None, *DEEP[1:]]))
    assert result_from_json(result_to_json(result)) == result


def expectation(verdict: str, sign: str = "either", candidate: str = "deep", against: str = "wide") -> dict[str, str]:
    return {"candidate": candidate, "against": against, "verdict": verdict, "sign": sign}


@pytest.mark.parametrize(
    ("expected", "runs", "code"),
    [
        (expectation("better"), finals(WIDE, DEEP), 0),
        (expectation("worse", candidate="wide", against="deep"), finals(WIDE, DEEP), 0),
        (expectation("worse"), finals(WIDE, DEEP), 1),
        (expectation("better"), finals(WIDE, WIDE), 3),
        (expectation("cannot tell"), finals(WIDE, WIDE), 0),
        (expectation("cannot tell"), finals(WIDE, DEEP), 1),
        (expectation("cannot tell", "lower"), finals(WIDE, [WIDE[0] - 0.001, *WIDE[1:]]), 0),
        (expectation("cannot tell", "higher"), finals(WIDE, [WIDE[0] - 0.001, *WIDE[1:]]), 1),
        (expectation("better"), [], 3),
    ],
)
def test_verify_exits_by_whether_the_result_is_as_expected(expected, runs, code):
    asked = comparison(expect=[expected])
    assert exit_code(check_expectations(asked, summarise(asked, COUNTS, runs))) == code


def test_the_sign_can_be_right_before_the_verdict_is():
    asked = comparison(expect=[expectation("better")])
    (outcome,) = check_expectations(asked, summarise(asked, COUNTS, finals([0.02, 0.01], [0.019, 0.009])))
    assert outcome.agrees is None
    assert outcome.sign_agrees is True


@given(
    st.lists(st.none() | st.floats(0, 1), max_size=12),
    st.lists(st.none() | st.floats(0, 1), max_size=12),
    st.sampled_from(["welch_log", "welch", "mann_whitney", "paired", "nadeau_bengio"]),
    st.sampled_from([None, 0.01]),
)
def test_whatever_the_runs_the_answer_is_in_words_and_never_nan(first, second, test, margin):
    asked = comparison(task="digits", protocol={"test": test, "margin": margin})
    result = summarise(asked, COUNTS, finals(first, second))
    assert "nan" not in said(result)
    assert "inf" not in said(result).replace("information", "")
    assert result_from_json(result_to_json(result)) == result


def test_swapping_reference_and_candidate_mirrors_the_verdict():
    rng = random.Random(3)
    for _ in range(30):
        a, b = ([rng.lognormvariate(-4, 1) for _ in range(6)] for _ in range(2))
        one = summarise(comparison(), COUNTS, finals(a, b))
        other = summarise(comparison(), COUNTS, finals(b, a))
        turned = find_pair(other, "wide", "deep")
        assert turned is not None
        assert turned.kind is one.pairs[0].kind
        assert turned.p == pytest.approx(one.pairs[0].p)
        assert turned.difference == pytest.approx(one.pairs[0].difference)
