"""Ranges and ticks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.tui.scales import Scale, fit, format_value, x_ticks, y_ticks

POSITIVE = st.floats(1e-12, 1e12)


def labels(scale: Scale, most: int) -> list[str]:
    return [tick.label for tick in y_ticks(scale, most)]


def test_ticks_of_two_decades_are_ones_and_threes():
    assert labels(Scale(0.01, 1.0, log=True), 8) == ["0.01", "0.03", "0.1", "0.3", "1"]


def test_ticks_of_many_decades_are_powers_that_fit():
    assert labels(Scale(1e-6, 1.0, log=True), 4) == ["1e-6", "1e-4", "0.01", "1"]


def test_ticks_of_less_than_a_decade_are_round_numbers():
    assert labels(Scale(0.4, 1.0, log=True), 4) == ["0.4", "0.6", "0.8", "1.0"]


def test_linear_ticks_share_their_decimals():
    assert labels(Scale(0.4, 1.0), 7) == ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]
    assert labels(Scale(0.0, 0.5), 3) == ["0", "0.2", "0.4"]


def test_steps_are_marked_in_thousands():
    assert [tick.label for tick in x_ticks(2000, 5)] == ["0", "500", "1k", "1.5k", "2k"]
    assert [tick.label for tick in x_ticks(3, 9)] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.03, "0.03"), (2.5e-5, "2.5e-5"), (12000.0, "12k"), (1e7, "1e7"), (-0.5, "-0.5")]
)
def test_values_are_written_short(value: float, text: str):
    assert format_value(value) == text


@given(st.lists(POSITIVE, min_size=1, max_size=40))
def test_a_log_range_holds_every_value_but_runaways(values: list[float]):
    scale = fit([values], None, log=True)
    typical = sorted(values)[math.ceil(0.95 * (len(values) - 1))]
    assert scale.low <= min(values) * (1 + 1e-6)
    assert scale.high >= min(max(values), typical) * (1 - 1e-6)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40), st.integers(2, 12))
def test_a_linear_range_holds_every_value_but_runaways_and_has_ticks(values: list[float], most: int):
    scale = fit([values], None, log=False)
    typical = sorted(values)[math.ceil(0.95 * (len(values) - 1))]
    room = 1e-6 * max(1e-9, *(abs(value) for value in values))
    assert scale.low <= min(values) + room
    assert scale.high >= typical - room
    ticks = [tick.value for tick in y_ticks(scale, most)]
    assert len(ticks) <= most + 1
    assert all(scale.low - room <= tick <= scale.high + room for tick in ticks)


@given(st.lists(POSITIVE, min_size=1, max_size=40), st.integers(2, 12))
def test_log_ticks_lie_on_their_scale_and_are_not_too_many(values: list[float], most: int):
    scale = fit([values], None, log=True)
    ticks = [tick.value for tick in y_ticks(scale, most)]
    assert len(ticks) <= most + 1
    assert all(scale.low * 0.999 <= tick <= scale.high * 1.001 for tick in ticks)


def test_a_run_that_diverges_does_not_flatten_the_others():
    falling = [math.exp(-k / 30) for k in range(100)]
    assert fit([falling, [*falling[:97], 1e30, 1e60, 1e90]], None, log=True).high < 100
    assert fit([falling, [*falling[:97], 1e30, 1e60, 1e90]], None, log=False).high < 10


def test_a_range_stays_while_values_move_a_little():
    assert fit([[0.71, 0.0334]], None, log=True) == fit([[0.7, 0.031]], None, log=True)
    assert fit([[0.71, 0.113]], None, log=False) == fit([[0.72, 0.108]], None, log=False)


def test_a_scale_stays_until_it_wastes_much_or_does_not_fit():
    before = Scale(0.01, 1.0, log=True)
    assert Scale(0.02, 1.0, log=True).steady(before) == before
    assert Scale(0.02, 2.0, log=True).steady(before) == Scale(0.01, 2.0, log=True)
    assert Scale(0.1, 1.0, log=True).steady(before) == Scale(0.1, 1.0, log=True)
    assert Scale(0.0, 1.0).steady(before) == Scale(0.0, 1.0)
    assert Scale(0.1, 0.9).steady(None) == Scale(0.1, 0.9)


def test_bands_widen_a_range_by_a_quarter_at_most():
    lines = [[1.0, 0.01]]
    assert fit(lines, (1e-9, 1.0), log=True).low == pytest.approx(10**-2.6)
    assert fit(lines, (0.009, 1.0), log=True).low == pytest.approx(10**-2.2)


def test_a_quantity_that_is_never_negative_keeps_its_axis_above_zero():
    assert fit([[0.5, 0.01]], (-0.2, 0.6), log=False).low == 0.0
    assert fit([[0.5, -0.1]], (-0.2, 0.6), log=False).low < -0.1


def test_equal_values_still_make_a_range():
    for log in (False, True):
        scale = fit([[0.5, 0.5]], (0.5, 0.5), log=log)
        assert scale.low < 0.5 < scale.high


@given(st.floats(1e-6, 1e6), st.booleans(), st.integers(2, 200))
def test_high_is_the_first_row_and_low_the_last(low: float, log: bool, rows: int):
    scale = Scale(low, low * 100, log)
    assert scale.rows([scale.high, scale.low], rows) == pytest.approx([0, rows - 1], abs=1e-6)
    assert scale.rows([scale.high * 1e3, -1.0, 0.0], rows)[0] == -1.0
    assert scale.rows([scale.high * 1e3, -1.0, 0.0], rows)[1:] == [rows - 1, rows - 1]
