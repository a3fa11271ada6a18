"""Rows of the store become the state of the screen."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.live_values import (
    COMPARISON,
    SEEDS,
    STEPS,
    experiment,
    final_points,
    final_runs,
    run,
    tuning_points,
    tuning_runs,
)
from tuilab.analysis.result import CandidateResult, Result
from tuilab.store.records import Phase, Point, Status
from tuilab.tui.charts import loss_chart, metric_chart
from tuilab.tui.live import LiveState, empty, reduce, restored
from tuilab.tui.plot import ChartData, SeriesKind


def point(rowid: int, run_id: int, step: int, value: float | None) -> Point:
    return Point(rowid, run_id, step, value, value, value)


def eval_values(state: LiveState, candidate: int = 0) -> tuple[float, ...]:
    return tuple(state.candidates[candidate].curves.eval_loss.curve().values)


def alike(chart: ChartData, other: ChartData) -> bool:
    """Whether charts are the same but for the order in which values were added up."""
    return bare(chart) == bare(other) and all(
        getattr(one, column) == pytest.approx(getattr(two, column), rel=1e-6)
        for one, two in zip(chart.series, other.series, strict=True)
        for column in ("values", "lows", "highs")
    )


def bare(chart: ChartData) -> ChartData:
    """The chart without the heights of its curves."""
    return replace(chart, series=tuple(replace(one, values=(), lows=(), highs=()) for one in chart.series))


@given(st.lists(st.integers(0, 600), max_size=4))
@settings(max_examples=20)
def test_points_in_portions_make_the_same_state_as_at_once(cuts: list[int]):
    points, runs, record = final_points()[:600], final_runs(), experiment()
    at_once = reduce(empty(record), record, runs, points, now=1010.0)
    state = empty(record)
    edges = [0, *sorted(cuts), len(points)]
    for start, end in pairwise(edges):
        state = reduce(state, record, runs, points[start:end], now=1010.0)
    assert alike(loss_chart(state), loss_chart(at_once))
    assert alike(metric_chart(state), metric_chart(at_once))
    assert state.last_rowid == at_once.last_rowid == 600
    assert state.steps_done == at_once.steps_done


def test_the_old_state_stays_as_it_is():
    record, runs = experiment(), final_runs()
    old = reduce(empty(record), record, runs, final_points()[:80], now=1001.0)
    before = loss_chart(old)
    reduce(old, record, runs, final_points()[80:], now=1002.0)
    assert loss_chart(old) == before


def test_the_curve_is_the_mean_over_the_runs_that_report():
    record, runs = experiment(), [run(1), run(2, seed=1)]
    points = [point(1, 1, 0, 1.0), point(2, 2, 0, 3.0), point(3, 1, 1, 2.0), point(4, 2, 1, None), point(5, 1, 2, 5.0)]
    state = reduce(empty(record), record, runs, points, now=1001.0)
    assert eval_values(state) == (2.0, 2.0, 5.0)


def test_points_of_runs_that_are_not_known_yet_wait_for_them():
    record = experiment()
    state = reduce(empty(record), record, [], [point(1, 7, 0, 1.0)], now=1001.0)
    assert eval_values(state) == ()
    assert state.last_rowid == 1
    state = reduce(state, record, [run(7)], [], now=1002.0)
    assert eval_values(state) == (1.0,)
    assert eval_values(reduce(state, record, [run(7)], [], now=1003.0)) == (1.0,)


def test_a_candidate_shows_its_best_tuning_curve_until_its_final_runs_report():
    record, tuning = experiment(), tuning_runs()
    state = reduce(empty(record), record, tuning, tuning_points(), now=1005.0)
    assert [one.lr for one in state.candidates] == [0.03] * 4
    assert {one.phase for one in state.candidates} == {Phase.TUNING}
    assert {series.kind for series in loss_chart(state).series} == {SeriesKind.TUNING}
    finals = [run(5, lr=0.03)]
    state = reduce(state, record, [*tuning, *finals], [], now=1006.0)
    assert state.candidates[0].phase is Phase.FINAL
    assert state.candidates[0].curves_phase is Phase.TUNING
    state = reduce(state, record, [*tuning, *finals], [point(9999, 5, 0, 0.7)], now=1007.0)
    kinds = {series.letter: series.kind for series in loss_chart(state, train=False).series}
    assert kinds == {"A": SeriesKind.EVAL, "B": SeriesKind.TUNING, "C": SeriesKind.TUNING, "D": SeriesKind.TUNING}
    assert eval_values(state) == (0.7,)


def test_tuning_curves_go_once_the_final_runs_of_their_candidate_report():
    runs = [run(1, phase=Phase.TUNING, lr=0.1), run(2, 1, phase=Phase.TUNING, lr=0.1), run(3)]
    before = reduce(
        empty(experiment()), experiment(), runs, [Point(1, 1, 0, 1.0, 1.0, 1.0), Point(2, 2, 0, 1.0, 1.0, 1.0)]
    )
    assert set(before.curves) == {(0, 0.1), (1, 0.1)}
    after = reduce(before, experiment(), runs, [Point(3, 3, 0, 1.0, 1.0, 1.0)])
    assert set(after.curves) == {(0, None), (1, 0.1)}
    assert set(restored(empty(experiment()), 3, {**before.curves, **after.curves}).curves) == set(after.curves)


def test_progress_counts_tuning_and_final_runs():
    record = experiment()
    state = empty(record)
    assert state.steps_planned == 4 * (4 + SEEDS) * STEPS
    assert state.progress == 0.0
    tuning = [replace(one, status=Status.FINISHED, step=STEPS) for one in tuning_runs()]
    state = reduce(state, record, [*tuning, *final_runs()], final_points((1.0, 0.5, 0.0, 0.0)), now=1010.0)
    wide, deep = state.candidates[0], state.candidates[1]
    assert (wide.steps_done, wide.steps_planned) == ((4 + SEEDS) * STEPS,) * 2
    assert (deep.steps_done, deep.steps_planned) == ((4 + SEEDS // 2) * STEPS, (4 + SEEDS) * STEPS)


def test_seeds_and_failures_are_those_of_the_final_runs():
    record = experiment()
    runs = [run(s, seed=s, status=Status.FINISHED if s < 6 else Status.FAILED) for s in range(8)]
    runs += [run(8, seed=8), run(20, phase=Phase.TUNING, status=Status.FAILED)]
    one = reduce(empty(record), record, runs, [], now=1001.0).candidates[0]
    assert (one.seeds_done, one.failures, one.seeds_planned, one.status) == (6, 2, 9, Status.RUNNING)


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        ((Status.FINISHED, Status.FAILED), Status.FINISHED),
        ((Status.FAILED, Status.FAILED), Status.FAILED),
        ((Status.FINISHED, Status.STOPPED), Status.STOPPED),
    ],
)
def test_a_candidate_whose_final_runs_have_ended_says_how(ended: tuple[Status, ...], status: Status):
    runs = [run(k, seed=k, status=one) for k, one in enumerate(ended)]
    record = experiment()
    assert reduce(empty(record), record, runs, [], now=1001.0).candidates[0].status is status


def test_a_candidate_cut_short_says_why_the_experiment_ended():
    record = experiment(Status.LOST, seconds=5.0)
    assert reduce(empty(record), record, [run(1)], [], now=2000.0).candidates[0].status is Status.LOST


def test_the_rate_is_that_of_the_last_seconds_and_time_left_follows_from_it():
    record, runs = experiment(), [run(1)]
    state = empty(record)
    for second in range(1, 31):
        steps = 10 * second if second <= 15 else 150 + 100 * (second - 15)
        state = reduce(state, record, runs, [point(second, 1, steps, 0.5)], now=1000.0 + second)
    assert state.steps_per_second == pytest.approx(100.0)
    assert state.seconds == pytest.approx(30.0)
    assert state.seconds_left == pytest.approx((state.steps_planned - state.steps_done) / 100.0)


def test_a_screen_that_attaches_late_takes_the_rate_since_the_start():
    record = experiment()
    state = reduce(empty(record), record, [run(1)], [point(1, 1, 500, 0.5)], now=1050.0)
    assert state.steps_per_second == pytest.approx(10.0)


def test_an_ended_experiment_keeps_its_numbers():
    record = experiment(Status.FINISHED, seconds=20.0)
    runs = [replace(one, status=Status.FINISHED, step=STEPS) for one in final_runs()]
    first = reduce(empty(record), record, runs, final_points((1.0,) * 4), now=3000.0)
    assert first.seconds == 20.0
    assert first.seconds_left is None
    assert first.progress == 1.0
    assert first.steps_per_second == pytest.approx(4 * SEEDS * STEPS / 20.0)
    assert reduce(first, record, runs, [], now=9000.0).steps_per_second == first.steps_per_second


def test_another_experiment_starts_afresh():
    record, other = experiment(), experiment(identity="x2")
    state = reduce(empty(record), record, final_runs(), final_points(), now=1010.0)
    assert reduce(state, other, [], [], now=1010.0).last_rowid == 0
    assert loss_chart(reduce(state, other, [], [], now=1010.0)).series == ()


def test_bands_are_intervals_or_everything_from_the_lowest_run_to_the_highest():
    state = reduce(empty(experiment()), experiment(), final_runs(), final_points(), now=1010.0)
    interval, everything = loss_chart(state, train=False), loss_chart(state, train=False, band="range")
    for narrow, wide in zip(interval.series, everything.series, strict=True):
        assert narrow.values == wide.values
        assert all(a <= b for a, b in zip(wide.lows[10:], narrow.lows[10:], strict=True))
        assert all(a >= b for a, b in zip(wide.highs[10:], narrow.highs[10:], strict=True))
    assert "band: 95 %" in interval.note
    assert "band: min to max" in everything.note


def test_below_four_seeds_the_band_is_everything_and_the_note_says_so():
    record = experiment()
    few = record.comparison.model_copy(
        update={"protocol": record.comparison.protocol.model_copy(update={"final_seeds": 3})}
    )
    runs = [run for run in final_runs() if run.seed_index < 3]
    kept = {run.id for run in runs}
    points = [point for point in final_points() if point.run in kept]
    state = reduce(empty(replace(record, comparison=few)), replace(record, comparison=few), runs, points, now=1010.0)
    assert loss_chart(state, band="interval") == loss_chart(state, band="range")
    assert "band: min to max" in metric_chart(state).note


def test_the_chart_names_the_loss_and_the_metric():
    state = empty(experiment())
    assert (loss_chart(state).title, loss_chart(state).unit) == ("Eval loss", "cross-entropy")
    assert metric_chart(state).title == "Eval error"
    assert loss_chart(state).x_max == STEPS


def test_the_chart_follows_the_results_metric():
    one = CandidateResult("a", "", 1, 1, None, (), None, None, 0, 123.0)
    record = replace(experiment(), result=Result("nmse", (one,) * len(COMPARISON.candidates), ""))
    state = empty(record)
    assert metric_chart(state).title == "Eval nMSE"
    assert state.candidates[2].steps_per_second == 123.0
