"""Curves beside a bench that has moved on."""

from tests.tui.live_values import COMPARISON
from tuilab.spec.comparison import Candidate
from tuilab.spec.notation import parse
from tuilab.tui.bench import Bench, add, delete, open_bench, rename, select, shift, with_stack
from tuilab.tui.bench_curves import Place, beside_bench, places
from tuilab.tui.plot import ChartData, Series, SeriesKind

CHART = ChartData(
    "Eval loss",
    tuple(
        Series(letter, name, index, kind, (0.0, 9.0), (1.0, 0.5), (0.9, 0.4), (1.1, 0.6))
        for index, (letter, name) in enumerate((("A", "wide"), ("B", "deep"), ("C", "deeper"), ("D", "linear")))
        for kind in (SeriesKind.TRAIN, SeriesKind.EVAL)
    ),
    9.0,
    note="dotted: train",
)


def found(bench: Bench) -> tuple[Place | None, ...]:
    return places(COMPARISON, bench.comparison)


def shown(bench: Bench) -> list[tuple[str, str, SeriesKind]]:
    chart = beside_bench(CHART, found(bench))
    return [(one.letter, one.name, one.kind) for one in chart.series if one.kind is not SeriesKind.TRAIN]


BENCH = open_bench(COMPARISON)


def test_a_chart_of_what_stands_on_the_bench_is_given_back_as_it_is() -> None:
    assert beside_bench(CHART, found(BENCH)) is CHART
    assert beside_bench(CHART, found(select(BENCH, 2))) is CHART


def test_an_edited_candidate_keeps_its_letter_and_loses_all_but_a_faint_curve() -> None:
    chart = beside_bench(CHART, found(with_stack(BENCH, parse("99 relu"))))
    first = [one for one in chart.series if one.index == 0]
    assert [(one.letter, one.kind, one.lows, one.values) for one in first] == [("A", SeriesKind.BEFORE, (), (1.0, 0.5))]
    assert [one for one in chart.series if one.index] == [one for one in CHART.series if one.index]
    assert chart.note == "a: before its edit · dotted: train"


def test_a_candidate_under_another_name_counts_as_edited() -> None:
    assert found(rename(BENCH, "another")) == (Place(0, edited=True), Place(1), Place(2), Place(3))


def test_letters_follow_candidates_that_are_moved_and_removed_and_doubled() -> None:
    train, kinds = SeriesKind.TRAIN, SeriesKind.EVAL
    assert [name for _, name, _ in shown(shift(BENCH, 1))] == ["wide", "deep", "deeper", "linear"]
    assert [letter for letter, _, _ in shown(shift(BENCH, 1))] == ["B", "A", "C", "D"]
    assert shown(delete(select(BENCH, 1))) == [("A", "wide", kinds), ("B", "deeper", kinds), ("C", "linear", kinds)]
    doubled = add(BENCH, BENCH.candidate)
    assert [letter for letter, _, _ in shown(doubled)] == ["A", "C", "D", "E"]
    edited = with_stack(select(doubled, 2), parse("7"))
    assert [(one.letter, one.kind) for one in beside_bench(CHART, found(edited)).series if one.kind is not train] == [
        ("A", kinds),
        ("C", SeriesKind.BEFORE),
        ("D", kinds),
        ("E", kinds),
    ]


def test_without_any_of_its_candidates_a_chart_says_where_its_curves_are() -> None:
    bench = add(BENCH, Candidate(name="new", stack=parse("5")))
    for _ in range(4):
        bench = delete(select(bench, 0 if bench.comparison.candidates[0].name != "new" else 1))
    chart = beside_bench(CHART, found(bench))
    assert chart.series == ()
    assert "not on the bench any more" in chart.empty
