"""Numbers, lines, columns and rows: text that fits its cells and adds up."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stacks import random_stack
from tests.tui.lab_store import TINY, result
from tests.tui.live_values import COMPARISON
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Linear, Residual
from tuilab.spec.notation import parse
from tuilab.tui import bench as benches
from tuilab.tui import numbers
from tuilab.tui.beside_rows import BesideRows
from tuilab.tui.budget_rows import BudgetRows
from tuilab.tui.columns import Column, fit_columns
from tuilab.tui.comparison_rows import ComparisonRows, Entry
from tuilab.tui.lines import (
    Rows,
    ascii_line,
    bar,
    cell_width,
    clip,
    left,
    plain,
    right,
    spelled,
    spread,
    to_ascii,
    wrap,
)
from tuilab.tui.stack_rows import StackRows
from tuilab.tui.suggest import complete

WIDTHS = st.integers(29, 170)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (numbers.exact(12345), "12,345"),
        (numbers.short(1234567), "1.23M"),
        (numbers.short(999_999), "1M"),
        (numbers.short(175e9), "175B"),
        (numbers.fitting(123456789, 6), "123M"),
        (numbers.tabled(9_999_999_999), "9,999,999,999"),
        (numbers.tabled(174_591_683_585), "174.6B"),
        (numbers.tabled(175_000_000_000_000), "175.0T"),
        (numbers.signed_percent(-0.045), "-4.5%"),
        (numbers.with_half_width(0.01364, 0.00221), "0.0136±0.0022"),
        (numbers.with_half_width(0.0034, 0.00057), "0.0034±0.0006"),
        (numbers.with_half_width(0.5, None), "0.5000"),
        (numbers.with_half_width(0.0, 0.0), "0±0"),
        (numbers.with_half_width(None, None), "–"),
        (numbers.clock(41.4), "0:41"),
        (numbers.clock(3 * 3600 + 250), "3:04:10"),
        (numbers.about(100), "2 min"),
        (numbers.ago(59), "now"),
        (numbers.count_of(1, "layer"), "1 layer"),
        (numbers.size(2.8e12), "2.55 TiB"),
    ],
)
def test_numbers_read_as_people_write_them(text: str, said: str) -> None:
    assert text == said


@given(st.floats(-1e12, 1e12), st.floats(0, 1e9))
def test_no_number_is_a_traceback(mean: float, half_width: float) -> None:
    assert numbers.with_half_width(mean, half_width)
    assert numbers.value(mean)
    assert numbers.value(math.inf) == "∞"


@given(st.text(max_size=60), st.integers(0, 40))
def test_columns_of_text_are_exactly_as_wide_as_asked(text: str, width: int) -> None:
    text = "".join(c for c in text if c.isprintable())
    assert cell_width(clip(text, width)) <= width
    assert cell_width(left(text, width)) == width
    assert cell_width(right(text, width)) == width
    assert to_ascii(text).isascii()
    assert cell_width(to_ascii(text)) == cell_width(text)
    assert spelled(text).isascii()


@pytest.mark.parametrize(
    ("texts", "room", "said"),
    [
        (("a       ", "  0.024±0.081", "   2/2"), 0, ["a       ", " 0.024+-0.081", "   2/2"]),
        (("a", " " * 3, "0.5±0.1", " 2/2"), 0, ["a", "  ", "0.5+-0.1", " 2/2"]),
        (("0.5±0.1", "   2/2"), 0, ["0.5+-0.1", "  2/2"]),
        (("0.5±0.1 2/2",), 0, ["0.5~0.1 2/2"]),
        (("0.5±0.1 2/2",), 1, ["0.5+-0.1 2/2"]),
        (("nmse, mean ± 95 %",), 0, ["nmse, mean +-95 %"]),
        (("cannot…",), 0, ["cann..."]),
        (("a…",), 0, ["a."]),
        (("   ∞",), 0, [" inf"]),
        (("5   ≤3×",), 0, ["5  <=3x"]),
        (("plain",), 9, ["plain"]),
    ],
)
def test_a_line_in_ascii_keeps_its_columns(texts: tuple[str, ...], room: int, said: list[str]) -> None:
    assert ascii_line(texts, room) == said


@given(st.lists(st.text("ab  ±≤…∞✓─1", max_size=12), max_size=5), st.integers(0, 5))
def test_a_line_in_ascii_takes_the_cells_it_took_before_and_the_room_at_most(texts: list[str], room: int) -> None:
    found = ascii_line(texts, room)
    assert len(found) == len(texts)
    assert "".join(found).isascii()
    assert len("".join(texts)) <= len("".join(found)) <= len("".join(texts)) + room


def test_prose_in_ascii_is_spelled_out() -> None:
    assert spelled("✓ 0.1±0.2 ≤ 3…") == "ok 0.1+-0.2 <= 3..."
    assert spelled("metric ∝ params^−0.5 at 70 °C") == "metric ~ params^-0.5 at 70  C"


@given(st.floats(-1, 2), st.integers(0, 40))
def test_a_bar_is_as_wide_as_its_column(share: float, width: int) -> None:
    assert len(bar(share, width)) == width


@given(st.integers(1, 200))
def test_columns_fill_the_room_and_drop_the_least_important_first(width: int) -> None:
    columns = [Column("name", 8, grow=1, text=True), Column("a", 6, rank=1), Column("b", 6, rank=2)]
    widths = fit_columns(columns, width)
    assert "name" in widths
    assert ("b" not in widths) or ("a" in widths)
    if len(widths) > 1:
        assert sum(widths.values()) + len(widths) - 1 == width


def test_lines_wrap_at_spaces_and_keep_paragraphs() -> None:
    assert [plain(line) for line in wrap("one two three\n\nfour", 8)] == ["one two", "three", "", "four"]


def test_what_does_not_fit_at_the_right_end_is_dropped() -> None:
    from tuilab.tui.lines import Span

    assert plain(spread((Span("left"),), (Span("right"),), 12)) == "left   right"
    assert plain(spread((Span("left"),), (Span("right"),), 9)) == "left"


def fits(rows: Rows, width: int) -> bool:
    header = rows.header(width)
    lines = [rows.line(index, width) for index in range(len(rows))]
    return all(cell_width(plain(line)) <= width for line in [*lines, *([header] if header else [])])


@given(st.integers(0, 10**6), WIDTHS)
def test_every_row_of_a_stack_fits_and_its_params_add_up(seed: int, width: int) -> None:
    stack = random_stack(Random(seed), (2,), 6, 2)
    bench = benches.with_stack(benches.open_bench(TINY), stack)
    count = bench.counts[0]
    if isinstance(count, LabError):
        return
    rows = StackRows(count.layers, count.num_params, bench.facts.in_shape, 0)
    assert fits(rows, width)
    assert sum(layer.num_params for layer in count.layers) == count.num_params
    for index in range(1, len(rows)):
        assert rows.row(rows.path(index)) == index
    loose = benches.with_stack(bench, (*stack, Residual((Linear(9999),))))
    assert isinstance(loose.counts[0], LabError)
    misfit = StackRows(loose.rows(loose.candidate), None, bench.facts.in_shape, 0)
    assert fits(misfit, width)
    assert len(misfit) == len(rows) + 2
    assert fits(BesideRows((rows, misfit, rows), ("a", "b", "c"), 2), width)


@pytest.mark.parametrize("width", [29, 43])
def test_a_layer_is_named_in_full_where_a_bar_or_blanks_can_give_way(width: int) -> None:
    stack = parse("64! relu dropout(0.2) 4*(64 relu)")
    bench = benches.with_stack(benches.open_bench(TINY), stack)
    count = bench.counts[0]
    assert not isinstance(count, LabError)
    rows = StackRows(count.layers, count.num_params, bench.facts.in_shape, 0)
    said = [plain(rows.line(index, width)) for index in range(len(rows))]
    assert "linear 64!" in said[1]
    assert "dropout(0.2)" in said[3]
    assert "repeat 4" in said[4]
    assert "  linear" in said[5]
    assert all(cell_width(line) <= width for line in said)
    assert width < 40 or "━" in said[5]


@given(WIDTHS)
def test_the_tables_fit_every_width(width: int) -> None:
    bench = benches.open_bench(COMPARISON)
    entries = tuple(
        Entry(candidate, count, bench.network(candidate), 128, one)
        for candidate, count, one in zip(COMPARISON.candidates, bench.counts, result().candidates, strict=True)
    )
    assert fits(ComparisonRows(entries, bench.reference, "error"), width)
    assert fits(BudgetRows(bench.counts, bench.reference, COMPARISON.protocol.budget), width)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("64 re", "64 relu"), ("64 relu dr", "64 relu dropout("), ("64 relu", None), ("64 ", None), ("RES", "residual(")],
)
def test_layer_names_are_completed(typed: str, completed: str | None) -> None:
    assert complete(typed) == completed


@given(st.lists(st.sampled_from(["add", "delete", "rename", "shift", "stack", "undo", "redo"]), max_size=12))
def test_undoing_everything_returns_to_where_it_began(steps: list[str]) -> None:
    bench = benches.open_bench(TINY)
    for number, step in enumerate(steps):
        before = bench
        try:
            match step:
                case "add":
                    bench = benches.add(bench, bench.candidate)
                case "delete":
                    bench = benches.delete(bench)
                case "rename":
                    bench = benches.rename(bench, f"name {number}")
                case "shift":
                    bench = benches.shift(bench, 1)
                case "stack":
                    bench = benches.with_stack(bench, parse(f"{number + 1} relu"))
                case "undo":
                    bench = benches.undo(bench)
                case _:
                    bench = benches.redo(bench)
        except LabError:
            bench = before
        names = [candidate.name for candidate in bench.comparison.candidates]
        assert len(set(names)) == len(names)
    while bench.past:
        bench = benches.undo(bench)
    assert bench.comparison == TINY


def test_deleting_a_candidate_forgets_what_was_said_about_it() -> None:
    data = TINY.model_dump(mode="json")
    data["protocol"]["budget"]["reference"] = "wide"
    data["expect"] = [{"candidate": "deep", "against": "wide", "verdict": "better"}]
    bench = benches.delete(benches.open_bench(TINY.model_validate(data)))
    assert bench.comparison.expect == ()
    assert bench.comparison.protocol.budget.reference is None


def test_renaming_follows_into_expectations_and_the_budget() -> None:
    data = TINY.model_dump(mode="json")
    data["protocol"]["budget"]["reference"] = "wide"
    data["expect"] = [{"candidate": "deep", "against": "wide", "verdict": "better"}]
    bench = benches.rename(benches.open_bench(TINY.model_validate(data)), "broad")
    assert bench.comparison.expect[0].against == "broad"
    assert bench.comparison.protocol.budget.reference == "broad"
    assert TINY.model_validate(bench.comparison.model_dump(mode="json")) == bench.comparison
