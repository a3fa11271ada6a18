"""The efficiency table, the Pareto front, and comparison at equal compute and time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.analysis.columns import columns, filled
from tuilab.analysis.counting import count
from tuilab.analysis.efficiency import (
    CandidateFacts,
    RunFacts,
    candidate_facts,
    common_target,
    efficiency_table,
    pareto_front,
    steps_to_target,
)
from tuilab.analysis.equal_cost import at_equal_flops, at_equal_seconds
from tuilab.analysis.scaling import Family, Reach, Size, equivalences
from tuilab.spec.comparison import Comparison

WIDE = CandidateFacts("wide", 502, 402, 400, 102, 10)
DEEP = CandidateFacts("deep", 453, 409, 800, 46, 10)
FALLING = ((0, 0.5), (10, 0.2), (20, 0.1))


def run(candidate: int, seed: int, metric: float | None, seconds: float = 2.0, **more: object) -> RunFacts:
    known: dict[str, object] = {
        "candidate": candidate,
        "seed_index": seed,
        "steps": 20,
        "failed": metric is None,
        "seconds": seconds,
        "test_metric": metric,
        "train_metric": None if metric is None else metric / 2,
        "test_loss": metric,
        "curve": FALLING if metric is not None else (),
    }
    return RunFacts(**(known | more))  # type: ignore[arg-type]


def test_a_row_adds_up_what_its_runs_say():
    runs = [run(0, 0, 0.1), run(0, 1, 0.3), run(0, 2, None), run(1, 0, 0.05, dead_fraction=0.25)]
    wide, deep = efficiency_table([WIDE, DEEP], runs, target=0.2)
    assert wide.metric == pytest.approx(0.2)
    assert wide.half_width == pytest.approx(12.706204736 * math.sqrt(0.02 / 2))
    assert wide.gap == pytest.approx(0.1)
    assert wide.failure_rate == pytest.approx(1 / 3)
    assert wide.flops == 6 * 400 * 10 * 60
    assert wide.loss_per_param == pytest.approx(0.2 / 0.502)
    assert (wide.steps_to_target, wide.seconds_to_target, wide.reached) == (10, 1.0, (2, 3))
    assert (deep.half_width, deep.dead_fraction) == (None, 0.25)


def test_a_target_that_fewer_than_half_of_the_runs_reach_has_no_median():
    runs = [run(0, 0, 0.1), run(0, 1, None), run(0, 2, None)]
    (row,) = efficiency_table([WIDE], runs, target=0.2)
    assert (row.steps_to_target, row.reached) == (None, (1, 3))


def test_nothing_run_is_a_row_of_nothing_and_not_an_error():
    (row,) = efficiency_table([WIDE], [])
    assert (row.metric, row.failure_rate, row.on_front, row.reached) == (None, None, None, (0, 0))
    assert {column.text(row) for column in columns("error")} >= {"wide", "–", "502"}


def test_the_common_target_is_where_the_worst_candidate_ends_on_average():
    runs = [run(0, 0, 0.1, curve=((5, 0.4), (9, None))), run(0, 1, 0.1, curve=((5, 0.2),)), run(1, 0, 0.1)]
    assert common_target(2, runs) == pytest.approx(0.3)
    assert common_target(2, [run(0, 0, None)]) is None


def test_the_first_step_at_the_target_counts_even_if_the_curve_rises_again():
    assert steps_to_target(((0, 0.5), (1, None), (2, 0.1), (3, 0.4)), 0.2) == 2
    assert steps_to_target(FALLING, 0.01) is None


def test_the_front_keeps_points_whose_intervals_overlap():
    clear = [(100.0, 0.10, 0.01), (200.0, 0.50, 0.01), (300.0, 0.05, 0.01)]
    assert pareto_front(clear) == (True, False, True)
    vague = [(100.0, 0.10, 0.2), (200.0, 0.15, 0.01), (300.0, None, None)]
    assert pareto_front(vague) == (True, True, None)


@given(st.lists(st.tuples(st.floats(1, 9), st.floats(0, 1), st.floats(0, 0.1)), min_size=1, max_size=8))
def test_the_best_and_some_cheapest_point_are_always_on_the_front(points):
    front = pareto_front(points)
    best = min(range(len(points)), key=lambda index: points[index][1])
    cheapest = min(range(len(points)), key=lambda index: (points[index][0], points[index][1]))
    assert front[best]
    assert front[cheapest]


def test_at_equal_flops_the_dearer_candidate_is_read_earlier():
    wide, deep = at_equal_flops([WIDE, DEEP], [run(0, 0, 0.1), run(1, 0, 0.1)])
    assert (wide.metric, wide.spent) == (0.1, 6 * 400 * 10 * 20)
    assert (deep.metric, deep.spent) == (0.2, 6 * 800 * 10 * 10)


def test_at_equal_time_the_slower_candidate_is_read_earlier():
    wide, deep = at_equal_seconds([WIDE, DEEP], [run(0, 0, 0.1, seconds=1.0), run(1, 0, 0.1, seconds=2.0)])
    assert (wide.metric, deep.metric, deep.spent) == (0.1, 0.2, 1.0)
    assert at_equal_seconds([WIDE], [run(0, 0, None)]) == ()


def test_columns_without_anything_to_show_are_left_out():
    rows = efficiency_table([WIDE, DEEP], [run(0, 0, 0.1), run(1, 0, 0.2)])
    keys = [column.key for column in filled(rows, "error")]
    assert "regions" not in keys
    assert "equivalence" not in keys
    assert keys[:3] == ["name", "params", "dof"]
    assert len({column.key for column in columns("nmse")}) == len(columns("nmse"))


def test_equivalence_is_asked_of_the_shallowest_family_with_enough_widths():
    few = Family("the linear family", 0, (Size("a", 1, (0.9,) * 3),))
    members = tuple(Size(f"w{size}", size, (0.8, 0.79, 0.81)) for size in (100, 400, 1600))
    shallow = Family("the one-layer family", 1, members)
    found = equivalences([few, shallow], [members[0], Size("deep", 100, (0.1, 0.1, 0.1))])
    assert list(found) == ["deep"]
    assert found["deep"].reach is Reach.NOT_REACHED
    (row,) = efficiency_table([CandidateFacts("deep", 100, 100, 90, 10, 1)], [run(0, 0, 0.1)], None, found)
    column = next(column for column in columns("nmse") if column.key == "equivalence")
    assert column.text(row) == ">16×"
    assert equivalences([few], [members[0]]) == {}


def test_facts_of_candidates_are_those_of_the_counter():
    named = [{"name": "wide", "stack": "100 relu"}, {"name": "deep", "stack": "4*(11 relu)"}]
    comparison = Comparison.model_validate({"title": "t", "task": "spirals", "candidates": named})
    wide, deep = candidate_facts(comparison)
    counted = count(comparison.network_of(comparison.candidates[1]))
    assert (wide.num_params, wide.macs, wide.batch) == (502, 400, 128)
    assert (deep.num_params, deep.macs, deep.degrees_of_freedom) == (453, counted.macs, counted.degrees_of_freedom)
