"""Halving buckets against plain lists."""

import math
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from tuilab.analysis.buckets import CAPACITY, FEW, Band, Curve, HalvingBuckets
from tuilab.store.curves import Curves
from tuilab.store.records import Point

VALUES = st.floats(1e-6, 1e6) | st.none()


def points(curve: Curve) -> list[tuple[float, ...]]:
    """Step, value, low and high of each point."""
    return list(zip(*curve, strict=True))


POINTS = st.lists(st.tuples(st.integers(0, 500), VALUES), min_size=1, max_size=120)


@given(POINTS, st.integers(2, 16), st.integers(1, 120))
def test_buckets_keep_one_step_and_every_extreme_in_any_portions(
    points: list[tuple[int, float | None]], capacity: int, portion: int
):
    buckets = HalvingBuckets(capacity)
    for start in range(0, len(points), portion):
        part = points[start : start + portion]
        buckets.extend([step for step, _ in part], [value for _, value in part])
    kept: dict[int, list[float]] = {}
    for step, value in points:
        if value is not None:
            kept.setdefault(step // buckets.width, []).append(value)
    curve = buckets.curve()
    assert len(buckets) == len(kept) <= capacity
    for k, (at, values) in enumerate(sorted(kept.items())):
        assert at * buckets.width <= curve.steps[k] < (at + 1) * buckets.width
        assert (curve.lows[k], curve.highs[k]) == (min(values), max(values))


@given(
    st.lists(st.lists(st.floats(1e-3, 1e3), min_size=FEW, max_size=FEW), min_size=1, max_size=60),
    st.integers(2, 16),
    st.integers(1, 7),
    st.permutations(range(FEW)),
)
def test_every_run_takes_part_once_in_a_bucket_however_often_it_reported(
    reports: list[list[float]], capacity: int, stride: int, order: list[int]
):
    buckets = HalvingBuckets(capacity)
    for run in order:
        buckets.extend([stride * k for k in range(len(reports))], [values[run] for values in reports])
    curve = buckets.curve(band="interval")
    assert curve.steps[0] == 0
    for step, mean, high in zip(curve.steps, curve.values, curve.highs, strict=True):
        values = reports[round(step / stride)]
        half = t.ppf(0.975, FEW - 1) * stdev(values) / math.sqrt(FEW)
        assert mean == pytest.approx(fmean(values))
        assert high - mean == pytest.approx(half, rel=1e-4, abs=1e-4)


@given(POINTS, st.integers(2, 40), st.integers(1, 40), st.booleans())
def test_a_curve_that_is_watched_is_the_curve_that_is_looked_at_once(
    points: list[tuple[int, float | None]], capacity: int, portion: int, interval: bool
):
    band: Band = "interval" if interval else "range"
    watched = HalvingBuckets(capacity)
    for start in range(0, len(points), portion):
        steps, values = zip(*points[start : start + portion], strict=True)
        watched = watched.copy()
        watched.extend(steps, values)
        unseen = HalvingBuckets.from_bytes(watched.to_bytes())
        assert watched.curve(log=True, band=band) == unseen.curve(log=True, band=band)


@given(st.integers(0, 10**7))
def test_the_width_is_the_smallest_power_of_two_that_reaches_the_last_step(last: int):
    buckets = HalvingBuckets()
    buckets.add(last, 1.0)
    assert buckets.width * CAPACITY > last
    assert buckets.width == 1 or buckets.width // 2 * CAPACITY <= last


def test_a_spike_survives_a_million_steps():
    buckets = HalvingBuckets()
    steps = range(0, 1_000_000, 97)
    buckets.extend(steps, [5.0 if step == 97 * 4000 else 1.0 for step in steps])
    curve = buckets.curve()
    assert max(curve.highs) == 5.0
    assert len(curve.steps) <= CAPACITY


def test_the_mean_on_a_log_axis_is_geometric():
    buckets = HalvingBuckets()
    buckets.extend([3, 3], [0.1, 10.0])
    assert buckets.curve(log=True).values.tolist() == pytest.approx([1.0])
    assert buckets.curve(log=False).values.tolist() == pytest.approx([5.05])


@given(st.lists(st.floats(0.01, 100), min_size=FEW, max_size=40))
def test_the_interval_is_that_of_student(values: list[float]):
    buckets = HalvingBuckets()
    buckets.extend([5] * len(values), values)
    logs = [math.log(value) for value in values]
    for sample, log in ((values, False), (logs, True)):
        half = t.ppf(0.975, len(sample) - 1) * stdev(sample) / math.sqrt(len(sample))
        wanted = [fmean(sample) - half, fmean(sample) + half]
        curve = buckets.curve(log=log, band="interval")
        found = [curve.lows[0], curve.highs[0]]
        if log:
            found = [math.log(value) for value in found]
        assert found == pytest.approx(wanted, rel=1e-9, abs=2e-3 * half + 1e-5)


@pytest.mark.parametrize("log", [False, True])
def test_a_few_values_show_their_range_instead_of_an_interval_that_spans_the_chart(log: bool):
    buckets = HalvingBuckets()
    buckets.extend([0] * (FEW - 1), [0.3, 0.2, 0.4])
    curve = buckets.curve(log=log, band="interval")
    assert (curve.lows.tolist(), curve.highs.tolist()) == ([0.2], [0.4])


def test_one_run_has_no_interval():
    buckets = HalvingBuckets()
    buckets.add(0, 2.0)
    assert points(buckets.curve(band="interval")) == [(0.0, 2.0, 2.0, 2.0)]


def test_values_that_are_not_finite_are_left_out():
    buckets = HalvingBuckets()
    buckets.extend([0, 1, 2, 3, 4], [None, math.nan, math.inf, -math.inf, 2.0])
    assert points(buckets.curve()) == [(4.0, 2.0, 2.0, 2.0)]
    assert buckets.last_mean == 2.0


def test_a_bucket_without_values_at_the_end_is_forgotten():
    buckets = HalvingBuckets()
    buckets.extend([0, 9], [1.0, None])
    assert buckets.last_mean == 1.0
    assert buckets.curve().steps.tolist() == [0.0]


def test_extended_curves_leave_the_old_ones_alone():
    old = Curves.empty().extended([Point(1, 1, 0, 3.0, 2.0, 1.0)])
    new = old.extended([Point(2, 1, 1, 30.0, None, 10.0)])
    assert old.train_loss.curve().values.tolist() == [3.0]
    assert new.train_loss.curve().values.tolist() == [3.0, 30.0]
    assert new.eval_loss.curve().values.tolist() == [2.0]
    assert new.metric.curve().values.tolist() == [1.0, 10.0]


def test_a_loss_of_exactly_zero_does_not_drag_the_log_mean_out_of_sight():
    buckets = HalvingBuckets()
    buckets.extend([10, 10], [0.0, 1e-2])
    (value,) = buckets.curve(log=True).values
    assert value == pytest.approx(1e-6)
