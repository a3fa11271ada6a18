"""The lab screen: what it shows, how it is edited, how it watches."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from textual.widgets import Static

from tests.tui.lab_store import bench_stacks, lab_of, notices, opened, preset_file, record
from tests.tui.live_values import COMPARISON
from tests.tui.screen_text import assert_golden, screen_text
from tuilab.store import schema
from tuilab.store.home import store_file
from tuilab.store.reader import Reader
from tuilab.store.records import Status
from tuilab.tui.app import LabApp
from tuilab.tui.plot import SeriesKind
from tuilab.tui.screens.lab import LabScreen
from tuilab.tui.screens.library import LibraryScreen
from tuilab.tui.screens.question import QuestionScreen
from tuilab.tui.widgets.chart import Chart

SIZES = [(80, 24), (160, 45), (60, 18)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_comparison_opens_on_the_bench(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, size=size, path=preset_file(tmp_path)) as (app, _pilot):
        assert_golden(f"bench-{size[0]}x{size[1]}", screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_a_finished_experiment_shows_its_curves_and_result(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, size=size, attach=record(tmp_path)) as (app, _pilot):
        assert_golden(f"finished-{size[0]}x{size[1]}", screen_text(app))


async def test_the_metric_chart_has_its_curves_before_it_has_room(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(80, 24), attach=record(tmp_path)) as (app, pilot):
        chart = app.screen.query_one("#metric", Chart)
        assert not chart.size
        assert chart.data is not None
        assert len(chart.data.series) == 4
        await pilot.resize_terminal(160, 45)
        await pilot.pause()
        assert chart.border_title == "Eval error"
        assert "no points yet" not in screen_text(app)


async def test_a_running_experiment_says_how_far_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(160, 45), attach=record(tmp_path, Status.RUNNING, part=0.4)) as (app, pilot):
        await pilot.pause()
        text = screen_text(app)
        assert "▶ running 40%" in text
        assert "0/10" in text


async def test_news_in_the_store_reach_the_screen(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    async with opened(tmp_path, attach=identity) as (app, pilot):
        from tuilab.store.records import Progress
        from tuilab.store.writer import Writer

        assert lab_of(app).running
        with Writer(tmp_path) as writer:
            writer.write(identity, progress=Progress(Status.STOPPED, "stopped by a person", 1000.0, 1010.0, "cpu"))
        lab_of(app).look(now=True)
        await pilot.pause()
        assert not lab_of(app).running
        assert "■ stopped" in screen_text(app)


async def test_typing_shows_at_once_what_a_stack_costs_and_escape_loses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("i", "space", "1", "2", "space", "r", "e", "l", "u")
        await pilot.pause()
        assert "1,538 params" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert bench_stacks(app) == ["100 relu", "2*(19 relu)", ""]
        assert "502 params" in screen_text(app)


async def test_wrong_notation_is_marked_at_its_column_and_keeps_what_was_there(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("i", "space", "r", "e", "l", "o")
        await pilot.pause()
        lines = screen_text(app).splitlines()
        typed = next(line for line in lines if "100 relu relo" in line)
        mark = next(line for line in lines if line.strip() == "^")
        assert mark.index("^") == typed.index("relo")
        assert "did you mean 'relu'?" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert bench_stacks(app)[0] == "100 relu"
        assert "relo" in screen_text(app)


async def test_an_accepted_edit_can_be_undone_and_redone(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("i", "space", "7", "enter")
        await pilot.pause()
        assert bench_stacks(app)[0] == "100 relu 7"
        assert "edited" in screen_text(app)
        await pilot.press("u")
        assert bench_stacks(app)[0] == "100 relu"
        await pilot.press("ctrl+y")
        assert bench_stacks(app)[0] == "100 relu 7"


async def test_candidates_are_added_duplicated_renamed_moved_and_deleted(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("right_square_bracket", "D")
        assert bench_stacks(app) == ["100 relu", "2*(19 relu)", "2*(19 relu)", ""]
        await pilot.press("ctrl+r")
        await pilot.press("ctrl+u", "t", "w", "i", "n", "enter")
        await pilot.pause()
        await pilot.press("greater_than_sign")
        bench = lab_of(app).bench
        assert bench is not None
        assert [c.name for c in bench.comparison.candidates] == ["wide", "deep", "linear", "twin"]
        await pilot.press("x")
        assert bench_stacks(app) == ["100 relu", "2*(19 relu)", ""]
        await pilot.press("n")
        await pilot.press("5", "enter")
        await pilot.pause()
        assert bench_stacks(app) == ["100 relu", "2*(19 relu)", "", "5"]


async def test_a_name_that_is_taken_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("f2", "ctrl+u", "d", "e", "e", "p", "enter")
        await pilot.pause()
        assert "already" in screen_text(app)


async def test_a_finished_experiment_is_not_rewritten_by_editing(tmp_path: Path) -> None:
    identity = record(tmp_path)
    async with opened(tmp_path, attach=identity) as (app, pilot):
        await pilot.press("x")
        await pilot.pause()
        assert "edited" in screen_text(app)
        with Reader(tmp_path) as reader:
            stored = reader.experiment(identity)
        assert stored is not None
        assert stored.comparison == COMPARISON


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_after_an_edit_the_chart_says_that_the_curve_is_that_of_before(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(tmp_path, attach=record(tmp_path), size=size) as (app, pilot):
        before = screen_text(app)
        await pilot.press("j", "plus")
        await pilot.pause()
        loss = lab_of(app).query_one("#loss", Chart).data
        assert loss is not None
        assert {one.letter: one.kind for one in loss.series if one.letter == "A"} == {"A": SeriesKind.BEFORE}
        assert "a: before its edit" in screen_text(app)
        await pilot.press("u", "k")
        await pilot.pause()
        assert screen_text(app) == before


async def test_curves_follow_their_candidates_over_the_bench(tmp_path: Path) -> None:
    async with opened(tmp_path, attach=record(tmp_path)) as (app, pilot):
        await pilot.press("x")
        await pilot.pause()
        metric = lab_of(app).query_one("#metric", Chart).data
        assert metric is not None
        shown = [(one.letter, one.name, one.index, one.kind) for one in metric.series]
        names = ("deep-2x20", "deep-3x14", "linear")
        assert shown == [("ABC"[at], name, at, SeriesKind.EVAL) for at, name in enumerate(names)]
        assert "before" not in metric.note


async def test_every_pane_zooms_to_the_whole_screen_and_back(tmp_path: Path) -> None:
    async with opened(tmp_path, attach=record(tmp_path)) as (app, pilot):
        before = screen_text(app)
        for pane in ("stack", "budget", "loss", "table"):
            lab_of(app).query_one(f"#{pane}").focus()
            await pilot.press("z")
            await pilot.pause()
            assert lab_of(app).query_one(f"#{pane}").outer_size == (80, 22)
            await pilot.press("escape")
            await pilot.pause()
        lab_of(app).query_one("#stack").focus()
        await pilot.pause()
        assert screen_text(app) == before


async def test_on_a_small_screen_the_panes_are_tabs(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(60, 18), attach=record(tmp_path)) as (app, pilot):
        for key, pane in (("3", "loss"), ("5", "table"), ("4", "metric"), ("1", "stack")):
            await pilot.press(key)
            await pilot.pause()
            assert lab_of(app).pane == pane
            assert lab_of(app).query_one(f"#{pane}").outer_size.width == 60
        chart = lab_of(app).query_one("#metric", Chart)
        assert chart.data is not None
        assert chart.data.series


async def test_growing_and_shrinking_the_terminal_ends_where_it_began(tmp_path: Path) -> None:
    async with opened(tmp_path, attach=record(tmp_path)) as (app, pilot):
        before = screen_text(app)
        for size in ((40, 12), (30, 8), (200, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            if size == (30, 8):
                assert "too small" in screen_text(app)
        assert screen_text(app) == before


async def test_leaving_asks_once_while_something_runs_and_enter_leaves_it_running(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    async with opened(tmp_path, attach=identity) as (app, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert isinstance(app.screen, QuestionScreen)
        await pilot.press("enter")
        await pilot.pause()
    with Reader(tmp_path) as reader:
        stored = reader.experiment(identity)
    assert stored is not None
    assert stored.status is Status.RUNNING


def asked(app: LabApp) -> str:
    """The question that is open."""
    assert isinstance(app.screen, QuestionScreen)
    return str(app.screen.query_one(Static).render())


def stopped(app: LabApp) -> bool:
    """Whether the screen says that the experiment has been stopped."""
    return any("■ stopped" in line or "■ deep against wide" in line for line in screen_text(app).splitlines())


async def test_leaving_what_is_paused_says_that_it_waits_and_how_it_goes_on(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.PAUSED, part=0.4)
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("q")
        await pilot.pause()
        text = asked(app)
        assert "Paused: deep against wide. It keeps what it has trained and waits" in text
        assert f"tuilab resume {identity}" in text
        assert "training" not in text
        assert "leave it paused" in screen_text(app)
        await pilot.press("c")
        record(tmp_path, Status.RUNNING, part=0.4)
        await pilot.press("q")
        await pilot.pause()
        text = asked(app)
        assert "Still training: deep against wide. It goes on without this window. Paused, and waiting for R" in text
        await pilot.press("l")
    with Reader(tmp_path) as reader:
        assert {stored.status for stored in reader.experiments()} == {Status.RUNNING, Status.PAUSED}


async def test_a_key_meant_for_what_has_just_ended_starts_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, attach=record(tmp_path)) as (app, pilot):
        for key in ("X", "r", "b", "r", "enter"):
            await pilot.press(key)
            await pilot.pause()
        assert "nothing is running any more" in notices(app)
        await pilot.press("r")
        await pilot.pause()
        assert "another run repeats the same seeds" in asked(app)
        await pilot.press("m")
        await pilot.pause()
        assert "Add final seeds" in screen_text(app)
        await pilot.press("escape")
    with Reader(tmp_path) as reader:
        assert len(reader.experiments()) == 1


async def test_what_ended_before_its_time_goes_on_or_is_left_when_r_asks(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.STOPPED, part=0.4)
    async with opened(tmp_path, attach=identity) as (app, pilot):
        await pilot.press("r")
        await pilot.pause()
        assert "go on where it ended" in screen_text(app)
        await pilot.press("c")
        await pilot.pause()
        assert lab_of(app).unfinished


@pytest.mark.parametrize("in_the_lab", [True, False])
async def test_a_store_that_is_locked_for_a_while_is_said_once_and_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_the_lab: bool
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    with closing(sqlite3.connect(store_file(tmp_path), isolation_level=None)) as blocker:
        blocker.execute("PRAGMA journal_mode=DELETE")
        async with opened(tmp_path, attach=identity if in_the_lab else None) as (app, pilot):
            screen = app.screen
            assert isinstance(screen, LabScreen | LibraryScreen)
            blocker.execute("BEGIN EXCLUSIVE")
            screen.on_screen_resume()
            await pilot.pause()
            assert "has been locked by another process" in notices(app)
            app._notifications.clear()
            for _ in range(3):
                screen.on_screen_resume()
            await pilot.pause()
            assert notices(app) == ""
            assert "deep against wide" in screen_text(app)
            blocker.execute("UPDATE experiments SET status = 'stopped'")
            blocker.execute("COMMIT")
            for _ in range(100):  # the screen's own clock brings the news
                if not stopped(app):
                    await pilot.pause(0.05)
            assert stopped(app)


async def test_escape_returns_to_the_library(tmp_path: Path) -> None:
    async with opened(tmp_path, attach=record(tmp_path)) as (app, pilot):
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, LibraryScreen)


async def test_a_name_full_of_markup_is_shown_as_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("ctrl+r", "ctrl+u", *"[b]x", "enter")
        await pilot.pause()
        assert " A [b]x · B · C ─" in screen_text(app)


async def test_plain_characters_are_all_ascii(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(160, 45), attach=record(tmp_path)) as (app, pilot):
        app.glyphs = "ascii"
        await pilot.pause()
        assert [c for c in screen_text(app) if not c.isascii()] == []


@pytest.mark.parametrize("size", SIZES)
async def test_plain_terminals_get_nothing_but_ascii(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, size=size, attach=record(tmp_path)) as (app, pilot):
        app.glyphs = "ascii"
        for key in ("", "V", "escape", "E", "escape", "question_mark"):
            if key:
                await pilot.press(key)
            await pilot.pause()
            await app.workers.wait_for_complete()
            await pilot.pause()
            shown = screen_text(app)
            assert shown.isascii(), sorted({c for c in shown if not c.isascii()})


async def test_whoever_watches_is_told_why_an_experiment_ends_before_its_time(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    async with opened(tmp_path, attach=identity) as (app, pilot):
        from tuilab.store.records import Progress
        from tuilab.store.writer import Writer

        reason = "the disk is full, and what waits in memory finds no room there any more; free some space"
        with Writer(tmp_path) as writer:
            writer.write(identity, progress=Progress(Status.FAILED, reason, 1000.0, 1010.0, "cpu"))
        lab_of(app).look(now=True)
        await pilot.pause()
        assert reason in notices(app)
