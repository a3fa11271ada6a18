"""Statistics against scipy, worked numbers, and their own symmetries."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tuilab.analysis.statistics import (
    MAX_SEEDS,
    Contrast,
    a12,
    cohen_d,
    holm,
    mann_whitney,
    mean,
    paired,
    seeds_for_difference,
    seeds_for_equivalence,
    t_half_width,
    t_quantile,
    variance,
    welch,
    welch_log,
)

A = [0.10, 0.12, 0.11, 0.13, 0.09, 0.12]
B = [0.15, 0.14, 0.16, 0.17, 0.15, 0.13]
NINE = 1e-9

errors = st.floats(0, 1, allow_nan=False).map(lambda value: round(value, 4))
samples = st.lists(errors, min_size=2, max_size=20)
spread = samples.filter(lambda values: max(values) - min(values) > 1e-3)


@pytest.mark.parametrize(
    ("df", "quantile"), [(2, 4.302653), (4, 2.776445), (9, 2.262157), (11, 2.200985), (19, 2.093024)]
)
def test_t_quantiles_are_those_of_the_tables(df, quantile):
    assert t_quantile(0.975, df) == pytest.approx(quantile, abs=5e-7)


def test_holm_is_that_of_the_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02), abs=NINE)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_value_and_never_exceeds_bonferroni(ps):
    for before, after in zip(ps, holm(ps), strict=True):
        assert before <= after <= min(1.0, len(ps) * before)


def test_the_worked_pair_gives_its_worked_numbers():
    contrast = welch(A, B)
    assert contrast is not None
    assert contrast.t == pytest.approx(-4.6, abs=NINE)
    assert contrast.p == pytest.approx(0.00098421, abs=5e-9)
    assert cohen_d(A, B) == pytest.approx(-2.655811, abs=5e-7)
    assert a12(A, B) == pytest.approx(1 / 72, abs=NINE)
    assert t_half_width(A) == pytest.approx(0.0154473, abs=5e-8)
    assert t_half_width(B) == pytest.approx(0.0148413, abs=5e-8)


@given(spread, spread)
def test_welch_is_scipys(first, second):
    ours = welch(first, second)
    theirs = stats.ttest_ind(first, second, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert ours is not None
    assert ours.p == pytest.approx(theirs.pvalue, abs=NINE)
    assert ours.df == pytest.approx(theirs.df, rel=NINE)
    assert ours.interval() == pytest.approx((interval.low, interval.high), abs=NINE)


C = [0.0053, 0.0041, 0.0070, 0.0012, 0.0095, 0.0048, 0.0061]
D = [0.0130, 0.0142, 0.0099, 0.0210, 0.0121]


@pytest.mark.parametrize(
    ("first", "second", "t", "p", "df", "low", "high"),
    [
        (A, B, -4.6, 0.0009842140408314413, 9.984025559105431, -0.05690518483245563, -0.01976148183421106),
        (C, D, -4.075633994190501, 0.006239541461635901, 6.132490351005857, -0.0137545659549662, -0.003468291187890944),
        (A, D, 15.507296525526314, 4.874983335575938e-6, 5.952267515304051, 0.08219206286492144, 0.11306127046841193),
    ],
)
def test_welchs_numbers_are_those_of_statsmodels(first, second, t, p, df, low, high):
    """statsmodels 0.15: ``CompareMeans`` with unequal variances."""
    contrast = welch(first, second)
    assert contrast is not None
    assert (contrast.t, contrast.p, contrast.df) == pytest.approx((t, p, df), abs=NINE)
    assert contrast.interval() == pytest.approx((low, high), abs=NINE)


def test_equivalence_pairs_and_holm_are_those_of_statsmodels():
    """statsmodels 0.15: ``ttost_ind``, ``ttost_paired``, ``DescrStatsW``, ``multipletests``."""
    independent, pairs = welch(C, D), paired(A, B)
    assert independent is not None
    assert independent.equivalence_p(0.02) == pytest.approx(0.0007832212549007074, abs=NINE)
    assert pairs is not None
    assert pairs.equivalence_p(0.06) == pytest.approx(0.02052816874010933, abs=NINE)
    assert (pairs.t, pairs.p) == pytest.approx((-4.838086361984223, 0.004722863406675255), abs=NINE)
    assert pairs.interval() == pytest.approx((-0.058700677566859046, -0.01796598909980763), abs=NINE)
    assert t_half_width(C) == pytest.approx(0.0023745999390244275, abs=NINE)
    adjusted = holm([0.021, 0.0004, 0.3, 0.049, 0.0131, 0.0131, 0.74])
    assert adjusted == pytest.approx((0.084, 0.0028, 0.6, 0.147, 0.0786, 0.0786, 0.74), abs=NINE)


@given(spread, spread)
def test_welch_on_logs_is_scipys(first, second):
    ours = welch_log(first, second)
    logs = [[math.log(value + 1e-4) for value in values] for values in (first, second)]
    assert ours is not None
    assert ours.p == pytest.approx(stats.ttest_ind(*logs, equal_var=False).pvalue, abs=NINE)


@given(st.lists(st.tuples(errors, errors), min_size=2, max_size=20))
def test_the_paired_test_is_scipys(pairs):
    differences = [a - b for a, b in pairs]
    ours = paired([a for a, _ in pairs], [b for _, b in pairs])
    assert ours is not None
    if max(differences) - min(differences) > 1e-3:
        assert ours.p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=NINE)


@given(samples, samples)
def test_mann_whitney_is_scipys_unless_ties_make_that_bolder_than_counting_allows(first, second):
    ours = mann_whitney(first, second)
    if len(set(first + second)) == 1:
        assert ours == 1.0
        return
    theirs = stats.mannwhitneyu(first, second).pvalue
    assert ours == pytest.approx(max(theirs, 2 / math.comb(len(first) + len(second), len(first))), abs=NINE)


@given(spread, spread, st.floats(0.01, 0.5))
def test_equivalence_is_two_one_sided_tests_of_scipy(first, second, margin):
    contrast = welch(first, second)
    assert contrast is not None
    above = stats.ttest_ind([value + margin for value in first], second, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind([value - margin for value in first], second, equal_var=False, alternative="less").pvalue
    assert contrast.equivalence_p(margin) == pytest.approx(max(above, below), abs=NINE)


@given(st.lists(st.tuples(errors, errors), min_size=3, max_size=12), st.floats(0.1, 0.5))
def test_the_correction_for_repeated_splits_widens_the_interval_by_its_formula(pairs, ratio):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    plain, corrected = paired(first, second), paired(first, second, ratio)
    assert plain is not None
    assert corrected is not None
    n = len(pairs)
    assert corrected.error == pytest.approx(plain.error * math.sqrt((1 / n + ratio) * n), rel=NINE)
    assert corrected.p >= plain.p - NINE


def test_nadeau_and_bengio_turn_a_naive_p_of_half_a_per_cent_into_a_quarter():
    """25 splits with a quarter as many rows for testing as for training."""
    differences = [1.0, 0.0, -1.0, 0.5, -0.5] * 5
    shift = t_quantile(0.9975, 24) * math.sqrt(variance(differences) / 25)
    first = [difference + shift for difference in differences]
    plain, corrected = paired(first, [0.0] * 25), paired(first, [0.0] * 25, 0.25)
    assert plain is not None
    assert corrected is not None
    assert plain.p == pytest.approx(0.005, abs=NINE)
    assert corrected.p == pytest.approx(2 * stats.t.sf(plain.t / math.sqrt(1 + 25 * 0.25), 24), abs=NINE)
    assert corrected.p == pytest.approx(0.26, abs=0.005)


@given(spread, spread)
def test_cohens_d_is_the_t_of_pooled_variances_rescaled(first, second):
    n, m = len(first), len(second)
    t = stats.ttest_ind(first, second).statistic
    assert cohen_d(first, second) == pytest.approx(t * math.sqrt(1 / n + 1 / m), abs=1e-7)


@given(samples, samples)
def test_a12_is_the_u_statistic_and_its_mirror_adds_to_one(first, second):
    ours, mirror = a12(first, second), a12(second, first)
    assert ours is not None
    assert mirror is not None
    assert ours == pytest.approx(stats.mannwhitneyu(first, second).statistic / (len(first) * len(second)), abs=NINE)
    assert ours + mirror == pytest.approx(1, abs=NINE)


def test_a_single_run_has_a_mean_but_nothing_else():
    assert mean([0.3]) == 0.3
    assert mean([]) is None
    assert t_half_width([0.3]) is None
    assert welch([0.3], [0.2, 0.4]) is None
    assert paired([0.3], [0.2]) is None
    assert mann_whitney([0.3], [0.2, 0.4]) is None
    assert cohen_d([0.3], [0.2, 0.4]) is None
    assert a12([], [0.1]) is None


def test_identical_groups_without_spread_differ_by_nothing_and_p_is_one():
    for contrast in (welch([0.1] * 3, [0.1] * 3), paired([0.1] * 3, [0.1] * 3), welch_log([0.1] * 3, [0.1] * 3)):
        assert contrast is not None
        assert (contrast.difference, contrast.t, contrast.p) == (0, 0, 1)
        assert contrast.interval() == (0, 0)
    assert cohen_d([0.1] * 3, [0.1] * 3) is None


def test_without_spread_the_p_value_counts_arrangements():
    few, many = welch([0.0] * 2, [0.5] * 2), welch([0.0] * 10, [0.5] * 10)
    assert few is not None
    assert many is not None
    assert few.p == pytest.approx(2 / 6)
    assert many.p == pytest.approx(2 / math.comb(20, 10))
    assert many.t == -math.inf
    pairs = paired([0.0] * 10, [0.5] * 10)
    assert pairs is not None
    assert pairs.p == pytest.approx(2 / 2**10)


def test_without_spread_equivalence_needs_four_runs_a_side():
    three, four = welch([0.1] * 3, [0.1] * 3), welch([0.1] * 4, [0.1] * 4)
    assert three is not None
    assert four is not None
    assert three.equivalence_p(0.01) == pytest.approx(0.05)
    assert four.equivalence_p(0.01) == pytest.approx(1 / 70)
    apart = welch([0.1] * 4, [0.2] * 4)
    assert apart is not None
    assert apart.equivalence_p(0.01) == 1.0


def test_rounding_is_no_spread():
    assert variance([0.1 + 0.2, 0.3, 0.3]) == 0
    assert variance([1e-9, 2e-9]) > 0


@pytest.mark.parametrize(("d", "published"), [(0.5, 64), (0.8, 26), (0.2, 394), (1.0, 17)])
def test_the_sample_size_is_that_of_cohens_tables(d, published):
    """Cohen 1988, table 2.4.1: two groups, two-sided .05, power .8 (d = .2 by the noncentral t)."""
    contrast = Contrast(d, 1.0, 10, 0.1, math.sqrt(2), df_per_run=2)
    assert seeds_for_difference(contrast) == published


def test_more_splits_of_one_table_do_not_help_where_the_correction_alone_hides_the_effect():
    assert seeds_for_difference(Contrast(1.0, 1.0, 9, 0.1, 1.0)) == 10
    assert seeds_for_difference(Contrast(1.0, 1.0, 9, 0.1, 1.0, floor=1 / 3)) is None


def test_no_effect_needs_no_answer_and_equivalence_needs_room():
    none = Contrast(0.0, 1.0, 9, 0.1, 1.0)
    assert seeds_for_difference(none) is None
    assert seeds_for_difference(Contrast(0.01, 1.0, 9, 0.1, 1.0)) is None
    found = seeds_for_equivalence(none, 1.0)
    assert found is not None
    assert 2 < found <= MAX_SEEDS
    assert seeds_for_equivalence(Contrast(1.0, 1.0, 9, 0.1, 1.0), 0.5) is None
