"""The budget rule between candidates."""

import pytest

from tuilab.analysis.budget import budget_error, check_budget, reference_params
from tuilab.spec.comparison import Comparison


def comparison(**budget: object) -> Comparison:
    return Comparison.model_validate(
        {
            "title": "budget",
            "task": "spirals",
            "protocol": {"budget": budget},
            "candidates": [{"name": name, "stack": "4 relu"} for name in ("first", "second", "third")],
        }
    )


def counts(*num_params: int) -> list[tuple[int, int]]:
    return [(number, 1) for number in num_params]


@pytest.mark.parametrize(
    ("budget", "num_params", "kept"),
    [
        ({"rule": "none"}, (500, 1, 10**9), True),
        ({"rule": "at_most"}, (500, 500, 12), True),
        ({"rule": "at_most"}, (500, 477, 501), False),
        ({"rule": "at_most", "reference": "third"}, (500, 477, 501), True),
        ({"rule": "at_least"}, (500, 500, 9000), True),
        ({"rule": "at_least"}, (500, 499, 500), False),
        ({"rule": "nearest", "tolerance": 0.1}, (500, 450, 550), True),
        ({"rule": "nearest", "tolerance": 0.1}, (500, 450, 551), False),
        ({"rule": "nearest", "tolerance": 0.1, "reference": 600}, (540, 600, 660), True),
        ({"rule": "nearest", "tolerance": 0.1, "reference": 600}, (539, 600, 660), False),
    ],
)
def test_a_rule_is_kept_exactly_when_it_says_nothing(budget, num_params, kept):
    assert (check_budget(comparison(**budget), counts(*num_params)) is None) is kept


def test_a_broken_rule_names_the_candidate_the_reference_and_the_error():
    assert check_budget(comparison(rule="at_most", reference="second"), counts(500, 400, 300)) == (
        "candidate first has 500 parameters (+25.0%) but the budget rule allows at most 400, as candidate second has;"
        " change its stack, or the rule in protocol.budget"
    )
    assert check_budget(comparison(rule="nearest", reference=1000), counts(1000, 1200, 1)) == (
        "candidate second has 1,200 parameters (+20.0%) but the budget rule allows within 15% of 1,000;"
        " change its stack, or the rule in protocol.budget"
    )


def test_the_reference_is_the_first_candidate_unless_named():
    assert reference_params(comparison(), counts(7, 8, 9)) == (7, "first")
    assert reference_params(comparison(reference="third"), counts(7, 8, 9)) == (9, "third")
    assert reference_params(comparison(reference=42), counts(7, 8, 9)) == (42, "")


def test_the_budget_error_of_nothing_is_none_or_infinite():
    assert budget_error(0, 0) == 0.0
    assert budget_error(1, 0) == float("inf")
    assert budget_error(453, 502) == pytest.approx(-0.0976, abs=1e-4)
