"""The verdict and the efficiency screen: what they show, how they sort, what they remember and write."""

import dataclasses
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual.pilot import Pilot

from tests.tui.lab_store import notices, opened, preset_file
from tests.tui.screen_text import assert_golden, screen_text
from tuilab.analysis.efficiency import CandidateFacts, RunFacts, efficiency_table
from tuilab.analysis.evidence import FinalRun, summarise
from tuilab.analysis.report_charts import Chart, Curve, Mark, Series
from tuilab.analysis.result import PairVerdict
from tuilab.spec.comparison import Comparison, VerdictKind, dump
from tuilab.store.evidence import report_input
from tuilab.store.reader import Reader
from tuilab.store.records import NewPoint, NewRun, Phase, Progress, Status
from tuilab.store.writer import Writer
from tuilab.tui.app import LabApp
from tuilab.tui.bench import count_of
from tuilab.tui.comparison_rows import table_title
from tuilab.tui.efficiency_table import EfficiencyTable
from tuilab.tui.lines import cell_width, plain, to_ascii
from tuilab.tui.pictures import draw_picture
from tuilab.tui.remembered import TableSettings, load_table, save_table
from tuilab.tui.screens.efficiency import EfficiencyScreen
from tuilab.tui.screens.evidence import EvidenceScreen, write_report
from tuilab.tui.screens.lab import LabScreen
from tuilab.tui.screens.more import seed_choices
from tuilab.tui.screens.question import QuestionScreen
from tuilab.tui.screens.verdict import VerdictScreen
from tuilab.tui.verdict_lines import answer_lines, background_lines, forest
from tuilab.tui.widgets.line_view import LineView
from tuilab.tui.widgets.picture import Picture

SEEDS, STEPS = 6, 200
ASKED = Comparison.model_validate(
    {
        "title": "Depth at 500 parameters",
        "question": "Do more layers beat one layer with the same number of parameters?",
        "hypothesis": "They do.",
        "about": "A first paragraph on folds.\nA second paragraph, on rates.",
        "task": "spirals",
        "training": {"steps": STEPS},
        "protocol": {"final_seeds": SEEDS, "lr_grid": [0.01], "extend_grid": False, "budget": {"rule": "at_most"}},
        "candidates": [
            {"name": "one layer", "stack": "100 relu"},
            {"name": "two layers", "stack": "2*(19 relu)"},
            {"name": "four layers", "stack": "4*(11 relu)"},
        ],
        "expect": [
            {"candidate": "two layers", "against": "one layer", "verdict": "better"},
            {"candidate": "four layers", "against": "one layer", "verdict": "worse"},
        ],
    }
)
MEANS = (0.08, 0.02, 0.06)


def record(home: Path, seeds: int = SEEDS, status: Status = Status.FINISHED, asked: Comparison = ASKED) -> str:
    """An experiment whose first ``seeds`` final runs of each candidate have ended; its id."""
    noise = random.Random(3)
    with Writer(home) as writer:
        identity = writer.create_experiment(asked, "depth")
        runs = writer.add_runs(identity, [NewRun(c, Phase.FINAL, s, 0.01) for c in range(3) for s in range(SEEDS)])
        finished, finals, points = [], [], []
        for run in runs:
            if run.seed_index >= seeds:
                continue
            error = MEANS[run.candidate] * (1 + 0.3 * noise.uniform(-1, 1))
            steps = (0, 50, 100, 150, 200)
            points += [NewPoint(run.id, s, 1.0, 1.0, error + (0.5 - error) * (1 - s / STEPS)) for s in steps]
            finals.append(FinalRun(run.candidate, run.seed_index, 0.01, error, 1000.0))
            finished.append(
                dataclasses.replace(
                    run,
                    status=Status.FINISHED,
                    step=STEPS,
                    train_metric=0.9 * error,
                    val_metric=error,
                    test_metric=error,
                    test_loss=3 * error,
                    dead_fraction=0.1 * run.candidate,
                    seconds=0.5 + 0.25 * run.candidate,
                )
            )
        counts = [count_of(asked.network_of(candidate)) for candidate in asked.candidates]
        result = summarise(asked, [(one.num_params, one.macs) for one in counts], finals) if finals else None
        ended = 1012.0 if status.ended else None
        progress = Progress(status, "", 1000.0, ended, "cpu", 3 * SEEDS * STEPS, 3 * seeds * STEPS, result)
        writer.write(identity, points, finished, progress)
    return identity


@asynccontextmanager
async def shown(home: Path, key: str, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[LabApp, Pilot[None]]]:
    """The newest experiment's lab, and the screen that a key opens over it, once it has read its evidence."""
    with Reader(home) as reader:
        identity = reader.find("last").id
    async with opened(home, size=size, attach=identity) as (app, pilot):
        await pilot.press(key)
        await settled(app, pilot)
        yield app, pilot


async def settled(app: LabApp, pilot: Pilot[None]) -> None:
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.pause()


def steady(home: Path) -> None:
    """Give the newest experiment a name and a date that do not change from run to run."""
    import sqlite3

    connection = sqlite3.connect(home / "lab.sqlite3")
    connection.execute("UPDATE experiments SET id = '1abcdef', created = 0")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
@pytest.mark.parametrize(("key", "name"), [("V", "verdict"), ("E", "efficiency")])
async def test_an_experiments_evidence(
    tmp_path: Path, size: tuple[int, int], key: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuilab.store.evidence._moment", lambda seconds: "1970-01-01 00:00:00 +0000")
    record(tmp_path)
    steady(tmp_path)
    async with shown(tmp_path, key, size) as (app, _pilot):
        assert_golden(f"{name}-{size[0]}x{size[1]}", screen_text(app))


async def test_the_verdict_can_be_scrolled_to_its_end_and_closed(tmp_path: Path) -> None:
    record(tmp_path)
    async with shown(tmp_path, "v") as (app, pilot):
        if isinstance(app.screen, LabScreen):
            await pilot.press("V")
            await settled(app, pilot)
        assert "A second paragraph, on rates." not in screen_text(app)
        await pilot.press("G")
        await pilot.pause()
        assert "A second paragraph, on rates." in screen_text(app)
        await pilot.press("v")
        await pilot.pause()
        assert isinstance(app.screen, LabScreen)


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_the_usual_keys_leave_the_evidence(tmp_path: Path, key: str) -> None:
    record(tmp_path)
    async with shown(tmp_path, "E") as (app, pilot):
        assert isinstance(app.screen, EfficiencyScreen)
        await pilot.press("V")
        await settled(app, pilot)
        assert isinstance(app.screen, VerdictScreen)
        await pilot.press("E")
        await settled(app, pilot)
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, LabScreen)


async def test_an_interim_verdict_says_that_it_is_one_and_follows_the_seeds(tmp_path: Path) -> None:
    identity = record(tmp_path, 3, Status.RUNNING)
    async with shown(tmp_path, "V") as (app, pilot):
        assert "Answer so far" in screen_text(app)
        assert "3/6 seeds" in screen_text(app)
        finish(tmp_path, identity)
        screen = app.screen
        assert isinstance(screen, EvidenceScreen)
        screen.look()
        await settled(app, pilot)
        assert "so far" not in screen_text(app)
        assert "✓ finished" in screen_text(app)


def finish(home: Path, identity: str) -> None:
    """Copy a finished experiment's result into another."""
    other = home / "other"
    record(other)
    with Reader(other) as reader:
        done = reader.find("last")
    with Writer(home) as writer:
        progress = Progress(Status.FINISHED, "", 1000.0, 1012.0, "cpu", done.planned_steps, 0, done.result)
        writer.write(identity, progress=progress)


async def test_without_an_experiment_there_is_nothing_to_judge(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("V")
        await pilot.pause()
        assert isinstance(app.screen, LabScreen)
        assert "r runs this comparison" in notices(app)


async def test_an_experiment_before_its_first_final_run_has_no_answer_yet(tmp_path: Path) -> None:
    record(tmp_path, 0, Status.STOPPED)
    async with shown(tmp_path, "V") as (app, pilot):
        assert "no final run has ended yet" in screen_text(app)
        await pilot.press("E")
        await settled(app, pilot)
        assert "no finished run yet" in screen_text(app)


async def test_plain_characters_are_all_ascii(tmp_path: Path) -> None:
    record(tmp_path)
    for key in ("V", "E"):
        async with shown(tmp_path, key, (160, 45)) as (app, pilot):
            app.glyphs = "ascii"
            await pilot.pause()
            assert [c for c in screen_text(app) if not c.isascii()] == []


# Sorting, and what is remembered --------------------------------------------------------------------------------------


def table_order(app: LabApp) -> str:
    """Letters of the candidates, top row first."""
    rows = app.screen.query_one("#efficiency", LineView).rows
    assert isinstance(rows, EfficiencyTable)
    return "".join("ABC"[index] for index in rows.order)


async def test_the_table_is_sorted_by_a_chosen_column_which_is_remembered(tmp_path: Path) -> None:
    record(tmp_path)
    async with shown(tmp_path, "E") as (app, pilot):
        assert table_order(app) == "ABC"
        await pilot.press("greater_than_sign")
        assert load_table(tmp_path).sort == "params"
        assert table_order(app) == "CBA"
        await pilot.press("r")
        assert table_order(app) == "ABC"
        while load_table(tmp_path).sort != "metric":
            await pilot.press("s")
        assert table_order(app) == "ACB"
    async with shown(tmp_path, "E") as (app, pilot):
        assert table_order(app) == "ACB"
        await pilot.press("r")
        assert table_order(app) == "BCA"


async def test_a_hidden_column_stays_hidden_until_all_are_wanted(tmp_path: Path) -> None:
    record(tmp_path)
    async with shown(tmp_path, "E") as (app, pilot):
        await pilot.press("x")
        assert "choose a column" in notices(app)
        await pilot.press("greater_than_sign", "x")
        await pilot.pause()
        assert "params" not in screen_text(app).split("Metric and")[0]
    async with shown(tmp_path, "E") as (app, pilot):
        assert load_table(tmp_path).hidden == ("params",)
        await pilot.press("a")
        await pilot.pause()
        assert "params" in screen_text(app).split("Metric and")[0]


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"efficiency": 3}', '{"efficiency": {"sort": 1, "hidden": 2}}'])
def test_settings_that_cannot_be_read_are_the_usual_ones(tmp_path: Path, text: str) -> None:
    (tmp_path / "interface.json").write_text(text)
    assert load_table(tmp_path) == TableSettings()


def test_settings_keep_what_others_remember(tmp_path: Path) -> None:
    (tmp_path / "interface.json").write_text('{"theme": "light"}')
    save_table(tmp_path, TableSettings("gap", reverse=True, hidden=("macs",)))
    assert load_table(tmp_path) == TableSettings("gap", reverse=True, hidden=("macs",))
    assert json.loads((tmp_path / "interface.json").read_text())["theme"] == "light"


maybe = st.none() | st.floats(0, 1)


@given(st.lists(maybe, min_size=1, max_size=6), st.booleans())
def test_rows_without_a_value_come_last_either_way(metrics: list[float | None], reverse: bool) -> None:
    facts = [CandidateFacts(f"c{index}", 10, 10, 10, 10, 1) for index in range(len(metrics))]
    runs = [RunFacts(index, 0, 10, test_metric=metric) for index, metric in enumerate(metrics)]
    table = EfficiencyTable(efficiency_table(facts, runs), "error", "metric", reverse)
    values = [table.rows[index].metric for index in table.order]
    known = [value for value in values if value is not None]
    assert sorted(table.order) == list(range(len(metrics)))
    if table.chosen is not None:
        assert values == known + [None] * (len(values) - len(known))
        assert known == sorted(known, reverse=reverse)


@pytest.mark.parametrize("width", [38, 60, 78, 158])
def test_the_chosen_column_is_in_sight_at_every_width(tmp_path: Path, width: int) -> None:
    record(tmp_path)
    with Reader(tmp_path) as reader:
        from tuilab.analysis.report import efficiency_rows

        rows = efficiency_rows(report_input(reader, reader.find("last")))
    every = EfficiencyTable(rows, "error")
    for column in every.columns:
        table = EfficiencyTable(rows, "error", column.key)
        header = table.header(width)
        assert header is not None
        assert column.title in plain(header)
        if width >= 60:
            assert cell_width(plain(header)) <= width
            assert all(cell_width(plain(table.line(index, width))) <= width for index in range(len(table)))


# Pictures ------------------------------------------------------------------------------------------------------------


def text_of(chart: Chart, width: int = 60, height: int = 16) -> list[str]:
    return [to_ascii(row.text) for row in draw_picture(chart, width, height, "ascii")]


def test_letters_lie_where_their_values_are() -> None:
    marks = {"A": (100, 0.1, 0.05, 0.2), "B": (1000, 0.01, 0.008, 0.02)}
    series = tuple(Series(i, n, (Mark(*values),)) for i, (n, values) in enumerate(marks.items()))
    lines = text_of(Chart("points", "t", "params", "error", "", series, True, True, front=(1,)))
    (top,) = (index for index, line in enumerate(lines) if "A" in line)
    (low,) = (index for index, line in enumerate(lines) if "B*" in line)
    assert top < low
    assert lines[top].index("A") < lines[low].index("B")
    bar = [index for index, line in enumerate(lines) if line[lines[top].index("A")] in "Aa'"]
    assert bar[0] < top < bar[-1]


def test_a_fitted_curve_is_dotted_from_its_smallest_to_its_largest_size_and_named() -> None:
    series = tuple(Series(i, f"w{x}", (Mark(x, 10 / x),)) for i, x in enumerate((100, 1000, 10000)))
    points = tuple((float(x), 10 / x) for x in (100, 300, 1000, 3000, 10000))
    wider = Series(3, "deep", (Mark(100000, 0.05),))
    chart = Chart("points", "t", "params", "error", "", (*series, wider), True, True)
    bare, fitted = (
        text_of(chart),
        text_of(dataclasses.replace(chart, curves=(Curve("wide family", (0, 1, 2), points),))),
    )
    assert not any("'" in line for line in bare)
    assert sum("wide family" in line for line in fitted) == 1
    places = {letter: (line.index(letter), row) for row, line in enumerate(bare) for letter in "ABC" if letter in line}
    (first, top), (last, low) = places["A"], places["C"]
    dots = [(x, y) for y, line in enumerate(fitted) for x, character in enumerate(line) if character == "'"]
    assert len(dots) > 8
    for x, y in dots:
        assert first <= x <= last
        assert abs(y - (top + (low - top) * (x - first) / (last - first))) <= 1


def test_a_familys_name_covers_no_letter_and_is_left_out_where_there_is_no_room() -> None:
    series = tuple(Series(i, f"w{x}", (Mark(x, 10 / x),)) for i, x in enumerate((100, 200, 400, 800)))
    curve = Curve("wide family", (0, 1, 2, 3), tuple((float(x), 10 / x) for x in (100, 800)))
    chart = Chart("points", "t", "params", "error", "", series, True, True, curves=(curve,))
    for width, height in ((16, 4), (22, 6), (30, 8), (60, 16)):
        lines = "\n".join(text_of(chart, width, height))
        shown = {
            letter
            for letter in "ABCD"
            if letter in "\n".join(text_of(dataclasses.replace(chart, curves=()), width, height))
        }
        assert shown == {letter for letter in "ABCD" if letter in lines}
        assert ("wide family" in lines) == (width >= 22)


def test_the_mean_of_the_seeds_is_marked_between_them() -> None:
    series = (Series(0, "wide", tuple(Mark(value, 0.0) for value in (1.0, 2.0, 2.0, 3.0))),)
    lines = text_of(Chart("strip", "t", "error", "", "", series, False), height=12)
    dots = next(line for line in lines if "wide" in line)
    mean = next(line for line in lines if "-|-" in line)
    places = [place for place, character in enumerate(dots) if character == "o"]
    assert len(places) == 3
    assert mean.index("|", 8) == places[1]
    assert sum(line.count("o") for line in lines) == 4


@given(
    st.sampled_from(["points", "strip"]),
    st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 1e3), st.floats(0, 10)), max_size=5),
    st.integers(0, 90),
    st.integers(0, 30),
    st.sampled_from(["braille", "quadrant", "ascii"]),
)
@example("points", [(1.0, 5e-324, 0.0)], 16, 4, "braille")
@example("strip", [(5e-324, 0.0, 0.0), (1.0, 0.0, 0.0)], 40, 8, "braille")
def test_every_picture_has_the_size_that_was_asked_for(
    kind: str, values: list[tuple[float, float, float]], width: int, height: int, glyphs: str
) -> None:
    series = tuple(
        Series(i, f"candidate {i}", (Mark(x, y, max(0.0, y - half), y + half),))
        for i, (x, y, half) in enumerate(values)
    )
    chart = Chart(kind, "t", "x", "y", "", series, None if kind == "strip" else True, None)
    rows = draw_picture(chart, width, height, glyphs)  # type: ignore[arg-type]
    if width and height:
        assert [len(row.text) for row in rows] == [width] * height
    else:
        assert rows == ()


async def test_one_rate_for_all_depths_warns_in_both_tables(tmp_path: Path) -> None:
    shared = ASKED.model_copy(update={"training": ASKED.training.model_copy(update={"lr": 0.003})})
    record(tmp_path, asked=shared)
    async with shown(tmp_path, "E", size=(160, 45)) as (app, pilot):
        assert "Efficiency · ! learning rates are not tuned: depth effects may be theirs" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "Comparison · ! learning rates are not tuned" in screen_text(app)


def test_a_warning_in_a_title_is_as_long_as_there_is_room() -> None:
    shared = ASKED.model_copy(update={"training": ASKED.training.model_copy(update={"lr": 0.003})})
    titles = [table_title("Comparison", shared, width) for width in (100, 47, 20)]
    assert [len(title) <= width for title, width in zip(titles, (100, 47, 20), strict=True)] == [True] * 3
    assert titles[1:] == ["Comparison · ! lr not tuned: effects may be its", "Comparison · !"]
    assert table_title("Comparison", ASKED, 100) == "Comparison"


async def test_families_of_growing_width_say_what_a_score_would_cost(tmp_path: Path) -> None:
    widths = [{"name": stack, "stack": stack} for stack in ("5 relu", "10 relu", "20 relu")]
    record(tmp_path, asked=Comparison.model_validate({**dump(ASKED), "candidates": widths, "expect": []}))
    async with shown(tmp_path, "E", size=(160, 45)) as (app, pilot):
        assert "the one-layer family (3 widths, 27 to 102 params)" in screen_text(app)
        drawn = app.screen.query_one("#costs", Picture).chart
        assert drawn is not None
        assert [curve.label for curve in drawn.curves] == ["one-layer family"]
        await pilot.press("v")
        await settled(app, pilot)
        assert isinstance(app.screen, VerdictScreen)
        assert app.screen.report is not None
        lines = "\n".join(plain(line) for line in answer_lines(app.screen.report, 200))
        assert "with 52 params [" in lines


async def test_the_picture_goes_through_the_costs(tmp_path: Path) -> None:
    record(tmp_path)
    async with shown(tmp_path, "E", (160, 45)) as (app, pilot):
        picture = app.screen.query_one("#costs", Picture)
        titles = []
        for _ in range(4):
            titles.append(picture.chart.title if picture.chart else "")
            await pilot.press("c")
            await pilot.pause()
        assert titles == ["Metric and parameters", "Metric and compute", "Metric and time", "Metric and parameters"]


# Lines ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [30, 76, 110])
def test_verdict_lines_fit_and_say_what_was_and_was_not_expected(tmp_path: Path, width: int) -> None:
    record(tmp_path)
    with Reader(tmp_path) as reader:
        report = report_input(reader, reader.find("last"))
    lines = [*answer_lines(report, width), *background_lines(report, width)]
    if width >= 76:
        assert max(cell_width(plain(line)) for line in lines) <= width
    text = " ".join(plain(line).strip() for line in lines)
    assert "✓ two layers against one layer: expected better, found better" in text
    assert "✗ four layers against one layer: expected worse, found" in text or "? four layers" in text
    assert "an example, not a rate" in text
    paragraphs = [plain(line) for line in lines]
    assert paragraphs[paragraphs.index("A first paragraph on folds.") + 1] == ""


finite = st.floats(-1e3, 1e3)


@given(st.lists(finite, min_size=3, max_size=3), finite, finite, st.integers(15, 60))
def test_a_forest_line_has_one_mean_inside_its_interval(
    values: list[float], one: float, other: float, width: int
) -> None:
    low, difference, high = sorted(values)
    pair = PairVerdict("b", "a", VerdictKind.CANNOT_TELL, None, difference, (low, high), None, None, "")
    line = forest(pair, min(0.0, low, one), max(0.0, high, other), width)
    assert len(line) == width
    assert line.count("●") == 1
    assert set(line) <= set(" ─●│")
    assert line.replace("│", "─").replace("●", "─").strip(" ").count(" ") == 0 or "│" in line


# The report ----------------------------------------------------------------------------------------------------------


async def test_a_key_writes_the_report_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = record(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    async with shown(tmp_path, "V") as (app, pilot):
        await pilot.press("P")
        await settled(app, pilot)
        assert f"tuilab-{identity}.md and tuilab-{identity}.html in {tmp_path / 'here'}" in notices(app)
    text = (tmp_path / "here" / f"tuilab-{identity}.md").read_text(encoding="utf-8")
    assert text.startswith("# Depth at 500 parameters")
    assert "A first paragraph on folds.\n\nA second paragraph, on rates." in text
    assert (tmp_path / "here" / f"tuilab-{identity}.html").stat().st_size > 10_000


async def test_the_lab_writes_the_report_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    identity = record(tmp_path)
    async with opened(tmp_path, attach="last") as (app, pilot):
        await pilot.press("P")
        await settled(app, pilot)
        assert f"tuilab-{identity}.md and tuilab-{identity}.html in {tmp_path}" in notices(app)
    assert (tmp_path / f"tuilab-{identity}.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("pane", ["loss", "metric", "table"])
async def test_plus_asks_for_more_seeds_wherever_it_changes_no_number(tmp_path: Path, pane: str) -> None:
    record(tmp_path)
    async with opened(tmp_path, size=(160, 45), attach="last") as (app, pilot):
        app.screen.query_one(f"#{pane}").focus()
        await pilot.pause()
        await pilot.press("plus")
        await pilot.pause()
        assert isinstance(app.screen, QuestionScreen)


def test_a_folder_that_is_gone_sends_the_report_to_the_lab(tmp_path: Path) -> None:
    identity = record(tmp_path)
    with Reader(tmp_path) as reader:
        paths = write_report(report_input(reader, reader.find("last")), tmp_path / "gone", tmp_path)
    assert [path.parent for path in paths] == [tmp_path / "reports"] * 2
    assert [path.name for path in paths] == [f"tuilab-{identity}.md", f"tuilab-{identity}.html"]


# More seeds -----------------------------------------------------------------------------------------------------------


async def test_more_seeds_are_asked_for_and_nothing_happens_without_an_answer(tmp_path: Path) -> None:
    identity = record(tmp_path)
    async with shown(tmp_path, "V") as (app, pilot):
        await pilot.press("plus")
        await pilot.pause()
        assert isinstance(app.screen, QuestionScreen)
        text = screen_text(app)
        assert "11 more: about what would decide at this effect" in text
        assert "6 more: as many again" in text
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, VerdictScreen)
    with Reader(tmp_path) as reader:
        assert reader.find(identity).comparison == ASKED


async def test_a_running_experiment_gets_no_more_seeds(tmp_path: Path) -> None:
    record(tmp_path, 3, Status.RUNNING)
    async with shown(tmp_path, "V") as (app, pilot):
        await pilot.press("plus")
        await pilot.pause()
        assert isinstance(app.screen, VerdictScreen)
        assert "once the experiment has ended" in notices(app)


async def test_the_lab_follows_an_experiment_that_got_more_seeds(tmp_path: Path) -> None:
    identity = record(tmp_path)
    async with shown(tmp_path, "V") as (app, pilot):
        with Writer(tmp_path) as writer:
            assert writer.add_seeds(identity, 4)
        await pilot.press("escape")
        await settled(app, pilot)
        screen = app.screen
        assert isinstance(screen, LabScreen)
        assert screen.running
        assert screen.bench is not None
        assert not screen.bench.edited
        assert screen.bench.comparison.protocol.final_seeds == SEEDS + 4


def test_the_seeds_on_offer_would_decide_or_are_as_many_again(tmp_path: Path) -> None:
    record(tmp_path)
    with Reader(tmp_path) as reader:
        found = reader.find("last")
    assert [choice.id for choice in seed_choices(found)] == ["11", "6", "cancel"]
    assert [choice.id for choice in seed_choices(dataclasses.replace(found, result=None))] == ["6", "cancel"]
    protocol = ASKED.protocol.model_copy(update={"final_seeds": 9_995})
    many = dataclasses.replace(found, comparison=ASKED.model_copy(update={"protocol": protocol}))
    assert [choice.id for choice in seed_choices(many)] == ["cancel"]
