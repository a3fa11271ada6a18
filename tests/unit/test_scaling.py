"""Families, power laws, parameters at a target, and the cost of a plan."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.analysis.plan_cost import plan_cost
from tuilab.analysis.scaling import Family, Reach, Size, equivalence_factor, families, fit, params_at, scaling_sentences
from tuilab.spec.comparison import Comparison

NOISE = (0.98, 0.99, 1.0, 1.01, 1.02)


def power_family(exponent: float = 0.5, sizes: tuple[int, ...] = (100, 200, 400, 800)) -> Family:
    """Metrics 1 / P ** exponent with a few per cent of noise around the exact mean."""
    members = tuple(Size(f"w{size}", size, tuple(size**-exponent * factor for factor in NOISE)) for size in sizes)
    return Family("the one-layer family", 1, members)


def flat_family(level: float = 0.8) -> Family:
    members = tuple(Size(f"w{size}", size, tuple(level * factor for factor in NOISE)) for size in (100, 400, 1600))
    return Family("the one-layer family", 1, members)


@given(st.floats(0.1, 2))
def test_a_power_law_is_found_back(exponent):
    law = fit(power_family(exponent))
    assert law is not None
    assert law.exponent == pytest.approx(exponent, rel=1e-9)
    assert law.at(300) == pytest.approx(300**-exponent, rel=1e-9)
    assert law.half_width == pytest.approx(0, abs=1e-6)


def test_the_exponents_interval_is_that_of_scipy():
    from scipy import stats

    metrics = {100: 0.4, 200: 0.35, 400: 0.2, 800: 0.16, 1600: 0.15}
    law = fit(Family("f", 1, tuple(Size("", size, (value,)) for size, value in metrics.items())))
    line = stats.linregress([log(size) for size in metrics], [log(value) for value in metrics.values()])
    assert law is not None
    assert law.exponent == pytest.approx(-line.slope, rel=1e-9)
    assert law.half_width == pytest.approx(stats.t.ppf(0.975, 3) * line.stderr, rel=1e-9)


def test_a_fit_is_refused_for_two_sizes_and_for_a_perfect_mean():
    assert fit(power_family(sizes=(100, 200))) is None
    assert fit(Family("f", 1, tuple(Size("", size, (0.0, 0.0)) for size in (1, 2, 3)))) is None


def test_parameters_at_a_target_are_interpolated_on_logarithmic_axes():
    answer = params_at(power_family(0.5), 300**-0.5)
    assert answer.reach is Reach.VALUE
    assert answer.value == pytest.approx(300, rel=1e-9)
    assert answer.low is not None
    assert answer.high is not None
    assert 280 < answer.low < 300 < answer.high < 320
    assert "with 300 params [" in answer.sentence


def test_a_target_below_the_family_is_not_reached_and_never_extrapolated():
    answer = params_at(power_family(), 0.01)
    assert (answer.reach, answer.value, answer.high) == (Reach.NOT_REACHED, 800, None)
    assert answer.sentence == "the one-layer family did not reach 0.01 by 800 params"


def test_a_target_above_the_family_is_a_bound_from_above():
    answer = params_at(power_family(), 0.5)
    assert (answer.reach, answer.value) == (Reach.AT_MOST, 100)


def test_too_few_widths_or_seeds_are_refused_with_the_reason():
    two = params_at(power_family(sizes=(100, 200)), 0.08)
    assert two.reach is Reach.REFUSED
    assert two.sentence == "the one-layer family has 2 widths; parameters at a target need at least 3"
    sparse = Family("the one-layer family", 1, tuple(Size("", size, (0.1,)) for size in (1, 2, 3)))
    assert "a width with 1 run" in params_at(sparse, 0.1).sentence
    assert equivalence_factor(power_family(), Size("deep", 50, (0.1,))).reach is Reach.REFUSED
    assert equivalence_factor(power_family(), Size("deep", 50, ())).reach is Reach.REFUSED


def test_families_say_their_exponent_and_their_parameters_at_the_shallowest_ones_best():
    deep = Family("the three-layer family", 3, power_family(1.0, (50, 100, 200)).sizes)
    law, needed, deep_law, deep_needed = scaling_sentences((power_family(), deep), None)
    assert law.startswith("the one-layer family (4 widths, 100 to 800 params): metric ∝ params^−0.5 (exponent ± ")
    assert needed.startswith("the one-layer family reaches 0.0354 with 800 params")
    assert deep_law.startswith("the three-layer family (3 widths, 50 to 200 params): metric ∝ params^−1 (")
    assert deep_needed == "the three-layer family is at 0.0354 already with 50 params"
    assert "did not reach 0.001 by 800 params" in scaling_sentences((power_family(),), 0.001)[1]


def test_families_that_cannot_say_anything_give_the_reason_and_those_without_runs_are_silent():
    small = power_family(sizes=(100, 200))
    assert scaling_sentences((small,), None) == (
        "the one-layer family has 2 widths; parameters at a target need at least 3",
    )
    perfect = Family("f", 1, tuple(Size("", size, (0.0,) * 3) for size in (1, 2, 3)))
    assert (
        scaling_sentences((perfect,), None)[0] == "f (3 widths, 1 to 3 params): no power law goes through a metric of 0"
    )
    assert scaling_sentences((Family("f", 1, (*small.sizes, Size("", 400, ()))),), 0.1) == ()


def test_the_equivalence_factor_is_the_familys_parameters_over_the_rivals():
    rival = Size("deep", 50, tuple(300**-0.5 * factor for factor in NOISE))
    answer = equivalence_factor(power_family(), rival)
    assert answer.reach is Reach.VALUE
    assert answer.value == pytest.approx(6, rel=1e-9)
    assert answer.sentence.startswith("the one-layer family needs 6 times the parameters of deep [5.")


def test_a_rival_that_the_family_never_meets_is_worth_more_than_the_largest_member():
    answer = equivalence_factor(flat_family(), Size("deep", 100, (0.1, 0.1, 0.12)))
    assert answer.reach is Reach.NOT_REACHED
    assert answer.sentence == "the one-layer family would need more than 16 times the parameters of deep"


def test_an_uncertain_crossing_leaves_the_upper_end_open():
    members = tuple(
        Size("", size, values)
        for size, values in [(100, (0.9, 1.0, 1.1)), (200, (0.8, 0.9, 1.0)), (400, (0.2, 0.5, 0.79))]
    )
    answer = params_at(Family("the one-layer family", 1, members), 0.5)
    assert answer.reach is Reach.VALUE
    assert answer.high is None
    assert "not reached]" in answer.sentence


def test_candidates_that_differ_in_width_only_form_a_family_however_they_are_written():
    stacks = ["10 relu", "20 relu", "40 relu", "2*(8 relu)", "5 relu 5 relu", "8 tanh", "2*(12 relu)"]
    named = [{"name": stack, "stack": stack} for stack in stacks]
    comparison = Comparison.model_validate({"title": "t", "task": "radial", "candidates": named})
    found = families(comparison, [71, 141, 281, 129, 66, 57, 229], [[0.1]] * 7)
    assert [(family.label, [size.num_params for size in family.sizes]) for family in found] == [
        ("the one-layer family", [71, 141, 281]),
        ("the two-layer family", [66, 129, 229]),
    ]


def test_differently_trained_candidates_are_no_family():
    named: list[object] = [{"name": "a", "stack": "10 relu"}]
    named.append({"name": "b", "stack": "20 relu", "training": {"steps": 5}})
    comparison = Comparison.model_validate({"title": "t", "task": "radial", "candidates": named})
    assert families(comparison, [71, 141], [[0.1]] * 2) == ()


def test_the_cost_of_a_plan_counts_tuning_final_runs_steps_flops_and_time():
    candidates: list[object] = [{"name": "a", "stack": "10 relu"}]
    candidates.append({"name": "b", "stack": "20 relu", "training": {"lr": 0.1}})
    data = {
        "title": "t",
        "task": "radial",
        "training": {"steps": 100, "batch_size": 32},
        "protocol": {"final_seeds": 5, "tuning_seeds": 2, "lr_grid": [0.01, 0.1, 0.01]},
        "candidates": candidates,
    }
    asked = Comparison.model_validate(data)
    cost = plan_cost(asked, [(71, 60), (141, 120)], [1000.0, 500.0])
    assert (cost.tuning_runs, cost.runs, cost.steps) == (4, 4 + 5 + 5, 1400)
    assert cost.flops == 6 * 32 * (900 * 60 + 500 * 120)
    assert cost.seconds == pytest.approx(0.9 + 1.0)
    assert plan_cost(asked, [(71, 60), (141, 120)], 1000.0).seconds == pytest.approx(1.4)
    assert plan_cost(asked, [(71, 60), (141, 120)], [1000.0, None]).seconds is None


def test_a_full_batch_costs_the_whole_training_set():
    data = {
        "title": "t",
        "task": {"kind": "radial", "num_train": 1000},
        "training": {"steps": 10, "batch_size": "full", "lr": 1},
        "candidates": [{"name": "a", "stack": ""}],
    }
    assert plan_cost(Comparison.model_validate(data), [(6, 5)]).flops == 6 * 5 * 1000 * 10 * 10


def test_the_bootstrap_gives_the_same_answer_twice():
    assert params_at(power_family(), 0.07) == params_at(power_family(), 0.07)
