"""The chart widget on a screen, and what repainting it sends."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, combinations, pairwise

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.screen import Screen

from tests.tui.live_values import experiment, final_points, final_runs, tuning_points, tuning_runs
from tests.tui.screen_text import assert_golden, screen_text
from tuilab.store.records import Status
from tuilab.tui.canvas import Glyphs, Row
from tuilab.tui.charts import loss_chart, metric_chart
from tuilab.tui.drawing import Drawing
from tuilab.tui.letters import places
from tuilab.tui.live import LiveState, empty, reduce
from tuilab.tui.plot import ChartData, Series, SeriesKind
from tuilab.tui.scales import Scale
from tuilab.tui.tight import TightUpdate, tighten
from tuilab.tui.widgets.chart import Chart, changed_runs

GLYPHS: tuple[Glyphs, ...] = ("braille", "quadrant", "ascii")


def draw(
    data: ChartData | None, width: int, height: int, glyphs: Glyphs = "braille", scale: Scale | None = None
) -> tuple[Row, ...]:
    """The chart drawn once, by a drawing that has drawn nothing before."""
    return Drawing().rows(data, width, height, glyphs, scale)


class ChartApp(App[None]):
    """Two charts side by side; keeps what textual would send and what we send instead."""

    CSS = "Chart { width: 2fr; height: 1fr; } #metric { width: 1fr; }"

    def __init__(self, data: ChartData | None = None, glyphs: Glyphs = "braille", *, second: bool = False) -> None:
        super().__init__()
        self.chart = Chart(data, glyphs=glyphs)
        self.second = second
        self.updates: list[tuple[str, str]] = []
        self.paper = Console(force_terminal=True, color_system="truecolor")

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self.chart
            if self.second:
                yield Chart(id="metric")

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, ChopsUpdate | LayoutUpdate):
            loose = renderable.render_segments(self.paper)
            tight = tighten(renderable)
            assert isinstance(tight, TightUpdate)
            self.updates.append((loose, tight.render_segments(self.paper)))
        super()._display(screen, renderable)


def states() -> Iterator[LiveState]:
    """An experiment as it is watched: tuning, then the final runs, a hundredth at a time."""
    record = experiment()
    runs = [*tuning_runs(), *final_runs()]
    state = reduce(empty(record), record, tuning_runs(), tuning_points(), now=1001.0)
    yield state
    points = final_points((1.0,) * 4)
    for start in range(0, len(points), 160):
        state = reduce(state, record, runs, points[start : start + 160], now=1002.0)
        yield state


def final_state() -> LiveState:
    return reduce(empty(experiment()), experiment(), final_runs(), final_points(), now=1010.0)


@pytest.mark.parametrize("glyphs", GLYPHS)
async def test_the_loss_chart_at_80x24(glyphs: Glyphs):
    app = ChartApp(loss_chart(final_state()), glyphs)
    async with app.run_test(size=(80, 24)):
        assert_golden(f"chart-80x24-{glyphs}", screen_text(app))


async def test_tuning_curves_at_80x24():
    app = ChartApp(loss_chart(next(states())))
    async with app.run_test(size=(80, 24)):
        assert_golden("chart-80x24-tuning", screen_text(app))


async def test_a_chart_without_points_says_so():
    app = ChartApp(loss_chart(empty(experiment())))
    async with app.run_test(size=(40, 8)):
        assert "no points yet" in screen_text(app)
        assert "Eval loss" in screen_text(app)


async def test_a_chart_that_will_have_no_points_says_why():
    failed = replace(
        experiment(), status=Status.FAILED, message="there is no CUDA device on this 機 machine; take the CPU"
    )
    app = ChartApp(loss_chart(empty(failed)))
    async with app.run_test(size=(40, 8)):
        shown = screen_text(app)
        assert "no points yet" not in shown
        assert "there is no CUDA device on this" in shown
        assert "machine; take the CPU" in shown


async def test_the_chart_follows_data_glyphs_and_size():
    app = ChartApp(None)
    async with app.run_test(size=(60, 16)) as pilot:
        assert "no points yet" in screen_text(app)
        app.chart.data = loss_chart(final_state())
        await pilot.pause()
        assert "0.05┤" in screen_text(app)
        app.chart.glyphs = "ascii"
        await pilot.pause()
        assert "aaaaA" in screen_text(app)
        await pilot.resize_terminal(30, 10)
        await pilot.pause()
        narrow = screen_text(app)
        assert max(map(len, narrow.splitlines())) == 30
        assert "cccC" in narrow
        app.theme = "textual-light"
        await pilot.pause()
        assert screen_text(app) == narrow


async def test_a_narrow_chart_leaves_out_what_does_not_fit_its_borders():
    app = ChartApp(loss_chart(final_state()))
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        top, *_, bottom = screen_text(app).splitlines()
        assert top.strip("╭╮─ ") == "Eval loss · log"
        assert bottom.strip("╰╯─ ") == "dotted: train"


def picture(screen: pyte.Screen) -> list[list[tuple[object, ...]]]:
    """Character, colours and weight of every cell; blanks have a background only."""
    return [
        [
            (" ", cell.bg) if cell.data == " " else (cell.data, cell.fg, cell.bg, cell.bold, cell.italics)
            for cell in (screen.buffer[y][x] for x in range(screen.columns))
        ]
        for y in range(screen.lines)
    ]


async def test_tight_updates_paint_the_same_picture_as_textuals_in_far_fewer_bytes():
    app = ChartApp(second=True)
    async with app.run_test(size=(100, 30)) as pilot:
        for state in states():
            app.chart.data = loss_chart(state)
            app.query_one("#metric", Chart).data = metric_chart(state)
            await pilot.pause()
    loose, tight = pyte.Screen(100, 30), pyte.Screen(100, 30)
    loose_stream, tight_stream = pyte.Stream(loose), pyte.Stream(tight)
    for ours in app.updates:
        loose_stream.feed(ours[0])
        tight_stream.feed(ours[1])
        assert picture(loose) == picture(tight)
    assert sum(len(ours) for _, ours in app.updates) < 0.3 * sum(len(theirs) for theirs, _ in app.updates)


async def test_an_update_repaints_only_the_cells_that_changed():
    several = list(states())
    app = ChartApp(loss_chart(several[-6]))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.updates.clear()
        app.chart.data = loss_chart(several[-5])
        await pilot.pause()
        assert 0 < sum(len(tight.encode()) for _, tight in app.updates) < 1500
        app.updates.clear()
        app.chart.data = loss_chart(several[-5])
        await pilot.pause()
        assert app.updates == []


@given(st.text("ab ", min_size=40, max_size=40), st.text("ab ", min_size=40, max_size=40))
def test_changed_runs_cover_every_difference_and_begin_and_end_with_one(old: str, new: str):
    before, after = (Row(text, bytes(4 * (c != " ") for c in text)) for text in (old, new))
    if old == new:
        return
    runs = list(changed_runs(before, after))
    different = {x for x in range(40) if old[x] != new[x]}
    covered = {x for start, end in runs for x in range(start, end)}
    assert different <= covered
    assert {start for start, _ in runs} | {end - 1 for _, end in runs} <= different
    assert all(end < start for (_, end), (start, _) in pairwise(runs))


def flat(letter: str, index: int, value: float) -> Series:
    return Series(letter, letter, index, SeriesKind.EVAL, (0.0, 100.0), (value, value))


@st.composite
def watched(draw: st.DrawFn) -> list[ChartData]:
    """Charts of a few curves, each of which grows, changes near its end or somewhere, or starts anew."""
    curves: dict[int, list[tuple[float, float]]] = {}
    charts = []
    for _ in range(draw(st.integers(1, 6))):
        for k in draw(st.sets(st.integers(0, 3), max_size=3)):
            kept = curves.get(k, [])[: draw(st.sampled_from([0, 3, -2, -1, None]))]
            fresh = draw(st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 1)), max_size=12))
            start = kept[-1][0] + 1 if kept else draw(st.floats(0, 90))
            steps = accumulate([gap for gap, _ in fresh], initial=start)
            curves[k] = [*kept, *zip(steps, [value for _, value in fresh], strict=False)]
        charts.append(ChartData("Loss", tuple(grown(k, curve) for k, curve in sorted(curves.items())), 100.0))
    return charts


def grown(k: int, curve: list[tuple[float, float]]) -> Series:
    kind = (SeriesKind.EVAL, SeriesKind.EVAL, SeriesKind.TRAIN, SeriesKind.TUNING)[k]
    steps, values = tuple(step for step, _ in curve), tuple(value for _, value in curve)
    return Series("ABCD"[k], "", k, kind, steps, values, tuple(v / 2 for v in values), tuple(2 * v for v in values))


@given(watched(), st.sampled_from(GLYPHS), st.sampled_from([Scale(0.0, 1.0), Scale(0.1, 0.5, log=True), None]))
def test_a_chart_that_is_drawn_again_and_again_is_the_chart_that_is_drawn_once(
    charts: list[ChartData], glyphs: Glyphs, scale: Scale | None
):
    drawing = Drawing()
    for data in charts:
        assert drawing.rows(data, 50, 12, glyphs, scale) == draw(data, 50, 12, glyphs, scale)


@given(st.integers(0, 60), st.integers(0, 20), st.sampled_from(GLYPHS))
def test_a_chart_of_any_size_has_its_size(width: int, height: int, glyphs: Glyphs):
    rows = draw(loss_chart(final_state()), width, height, glyphs)
    assert [len(row.text) for row in rows] == [len(row.inks) for row in rows] == [width] * len(rows)
    assert len(rows) == (height if width else 0)


@pytest.mark.parametrize("glyphs", GLYPHS)
def test_letters_of_lines_that_end_together_do_not_cover_each_other(glyphs: Glyphs):
    data = ChartData("Loss", tuple(flat(letter, k, 0.5) for k, letter in enumerate("ABCDEFGH")), 100.0)
    text = "\n".join(row.text for row in draw(data, 40, 12, glyphs))
    assert all(text.count(letter) == 1 for letter in "ABCDEFGH")


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(8, 16), st.sampled_from(GLYPHS))
def test_letters_read_from_the_top_in_the_order_in_which_lines_end(values: list[int], height: int, glyphs: Glyphs):
    data = ChartData("Loss", tuple(flat("ABCDEFGH"[k], k, value / 60) for k, value in enumerate(values)), 100.0)
    rows = draw(data, 40, height, glyphs)
    found = [letter for row in rows for letter in row.text if letter in "ABCDEFGH"[: len(values)]]
    assert found == ["ABCDEFGH"[k] for k in sorted(range(len(values)), key=lambda k: (-values[k], k))]


def test_a_letter_with_room_around_it_stands_at_the_end_of_its_line():
    series = tuple(flat(letter, k, value) for k, (letter, value) in enumerate(zip("ABC", (0.9, 0.1, 0.5), strict=True)))
    rows = draw(ChartData("Loss", series, 100.0), 60, 20, "ascii")
    assert [f"{letter.lower()}{letter}" in row.text for row in rows for letter in "ABC" if letter in row.text] == [
        True
    ] * 3


@given(st.lists(st.floats(-3, 15), min_size=1, max_size=6).map(sorted), st.integers(6, 12))
def test_letters_move_as_little_as_their_order_allows(wanted: list[float], rows: int):
    found = places(wanted, rows)
    assert all(a < b for a, b in pairwise([-1, *found, rows]))
    best = min(
        sum((row - want) ** 2 for row, want in zip(spots, wanted, strict=True))
        for spots in combinations(range(rows), len(wanted))
    )
    moved = sum((row - want) ** 2 for row, want in zip(found, wanted, strict=True))
    assert moved <= best + 1e-6


def test_a_band_beyond_the_scale_is_cut_off():
    line = Series("A", "A", 0, SeriesKind.EVAL, (0.0, 100.0), (0.5, 0.6), (5.0, 5.0), (50.0, 90.0))
    rows = draw(ChartData("Loss", (line,), 100.0), 40, 12, scale=Scale(0.0, 1.0))
    bare = Series("A", "A", 0, SeriesKind.EVAL, (0.0, 100.0), (0.5, 0.6))
    assert rows == draw(ChartData("Loss", (bare,), 100.0), 40, 12, scale=Scale(0.0, 1.0))


def test_a_wide_band_leaves_the_lines_most_of_the_chart():
    line = Series("A", "A", 0, SeriesKind.EVAL, (0.0, 100.0), (0.2, 0.8), (-50.0, -50.0), (50.0, 90.0))
    scale = Drawing().fitting(ChartData("Loss", (line,), 100.0))
    assert scale is not None
    assert scale.span <= 2 * 0.6


def test_the_axes_carry_their_ticks():
    rows = draw(ChartData("Loss", (flat("A", 0, 1.0), flat("B", 1, 0.01)), 2000.0, log_y=True), 60, 20)
    assert [row.text.partition("┤")[0].strip() for row in rows if "┤" in row.text] == [
        "1",
        "0.3",
        "0.1",
        "0.03",
        "0.01",
    ]
    assert rows[-1].text.split() == ["0", "500", "1k", "1.5k", "2k"]
