"""The library: presets by question, and what has been run."""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from tests.tui.lab_store import lab_of, notices, opened, record
from tests.tui.screen_text import assert_golden, screen_text
from tuilab.analysis.result import PairVerdict
from tuilab.spec.comparison import VerdictKind
from tuilab.store.reader import Reader
from tuilab.store.records import Command, Progress, Status
from tuilab.store.writer import Writer
from tuilab.tui.catalog import load_presets
from tuilab.tui.library_rows import ExperimentRows
from tuilab.tui.screens.help import INTRODUCTION, HelpScreen
from tuilab.tui.screens.lab import LabScreen
from tuilab.tui.widgets.line_view import LineView

SIZES = [(80, 24), (160, 45)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_first_visit_explains_itself(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, size=size) as (app, _pilot):
        assert_golden(f"library-first-{size[0]}x{size[1]}", screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_past_experiments_are_listed_with_state_and_result(tmp_path: Path, size: tuple[int, int]) -> None:
    record(tmp_path)
    record(tmp_path, Status.STOPPED, part=0.3)
    async with opened(tmp_path, size=size) as (app, _pilot):
        assert_golden(f"library-{size[0]}x{size[1]}", screen_text(app))


def test_a_past_experiment_says_in_its_row_who_beat_whom_and_how_long_ago_that_was(tmp_path: Path) -> None:
    identity = record(tmp_path)
    with Reader(tmp_path) as reader:
        found = reader.find(identity)
    assert found.result is not None
    names = [candidate.name for candidate in found.comparison.candidates]
    kinds = {3: VerdictKind.CANNOT_TELL, 2: VerdictKind.BETTER, 1: VerdictKind.BETTER}
    pairs = tuple(PairVerdict(names[i], names[0], kind, 0.01, -1.0, None, None, None, "") for i, kind in kinds.items())
    told = replace(found, result=replace(found.result, pairs=pairs))
    row = ExperimentRows((told,), told.created + 300)
    text = "".join(span.text for span in row.line(0, 96))
    assert "vs A: D cannot tell, B C better" in text
    assert text.endswith("5 min ago ")
    assert len(text) <= 96


async def test_what_a_waiting_experiment_waits_for_is_said_in_its_row_and_in_the_lab(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.QUEUED, part=0.0)
    waits = Progress(Status.QUEUED, "waits for a free slot behind 1abc", None, None, "cpu", 100, 0, None)
    with Writer(tmp_path) as writer:
        writer.write(identity, [], [], waits)
    async with opened(tmp_path, size=(160, 45)) as (app, pilot):
        assert "queued    waits for a free slot behind 1abc" in screen_text(app)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert "queued: waits for a free slot behind 1abc" in screen_text(app)


async def test_moving_past_the_end_of_the_presets_enters_the_experiments(tmp_path: Path) -> None:
    identity = record(tmp_path)
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("down")
        await pilot.pause()
        assert identity in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        live = lab_of(app).live
        assert live is not None
        assert live.experiment.id == identity


def test_presets_that_ask_the_same_stand_together_and_the_two_source_questions_come_early() -> None:
    presets, problems = load_presets()
    assert problems == ()
    asked = [preset.comparison.question for preset in presets]
    assert [question for question, _ in groupby(asked)] == list(dict.fromkeys(asked))
    assert presets[0].name == "spirals-depth"
    assert "Does stacking more of the same few neurons help?" in list(dict.fromkeys(asked))[:2]


async def test_a_list_says_which_of_how_many_rows_is_selected_and_what_it_is_filtered_by(tmp_path: Path) -> None:
    record(tmp_path)
    record(tmp_path)
    async with opened(tmp_path) as (app, pilot):
        assert screen_text(app).count("1 of ") == 2
        await pilot.press("down", "down")
        await pilot.pause()
        assert "2 of 2" in screen_text(app)
        await pilot.press("slash", *"wide")
        await pilot.pause()
        assert "/wide  2 of 2" in screen_text(app)


async def test_enter_opens_a_preset_with_its_name_as_the_source(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("enter")
        await pilot.pause()
        bench = lab_of(app).bench
        assert bench is not None
        assert bench.source == "tiny"


async def test_deleting_an_experiment_asks_first(tmp_path: Path) -> None:
    record(tmp_path)
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("down", "d")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        with Reader(tmp_path) as reader:
            assert len(reader.experiments()) == 1
        await pilot.press("d")
        await pilot.pause()
        await pilot.press("d")
        await pilot.pause()
        with Reader(tmp_path) as reader:
            assert reader.experiments() == []
        assert "none has run yet" in screen_text(app)


async def test_a_running_experiment_is_not_deleted(tmp_path: Path) -> None:
    record(tmp_path, Status.RUNNING, part=0.2)
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("down", "d")
        await pilot.pause()
        assert "stop it first" in notices(app)


async def test_a_held_experiment_is_resumed_from_the_list_and_one_that_runs_is_left_alone(tmp_path: Path) -> None:
    held = record(tmp_path, Status.PAUSED, part=0.2)
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("R")
        await pilot.pause()
        assert "choose one of the past experiments first" in notices(app)
        await pilot.press("down", "R")
        await pilot.pause()
        assert "going on" in notices(app)
    with Writer(tmp_path) as writer:
        (left,) = writer.waiting_commands(held)
        assert left.command is Command.RESUME
        writer.write(held, progress=Progress(Status.RUNNING, "", 1000.0, None, "cpu"))
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("down", "R")
        await pilot.pause()
        assert "it is running already" in notices(app)


async def test_a_finished_experiment_says_what_lets_it_go_on(tmp_path: Path) -> None:
    record(tmp_path)
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("down", "R")
        await pilot.pause()
        assert "N lets it go on" in notices(app)


@pytest.mark.parametrize("size", SIZES)
async def test_what_ended_an_experiment_stands_beside_the_key_that_resumes_it(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    with Writer(tmp_path) as writer:
        writer.write(identity, progress=Progress(Status.STOPPED, "you stopped it", 1000.0, 1010.0, "cpu"))
    async with opened(tmp_path, size=size) as (app, pilot):
        await pilot.press("down")
        await pilot.pause()
        assert "stopped: you stopped it" in screen_text(app)
        assert "R resumes it from its last checkpoint" in screen_text(app)


async def test_a_light_theme_is_chosen_by_name_and_remembered(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        assert app.current_theme.dark
        await pilot.press("ctrl+p", *"light theme")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await pilot.pause()
        assert not app.current_theme.dark
    async with opened(tmp_path) as (app, pilot):
        assert not app.current_theme.dark
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert app.current_theme.dark
    async with opened(tmp_path) as (app, pilot):
        assert app.current_theme.dark


async def test_the_filter_keeps_what_contains_every_word(tmp_path: Path) -> None:
    record(tmp_path)
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("slash", *"wide deep")
        await pilot.pause()
        text = screen_text(app)
        assert "deep against wide" in text
        assert "Tiny spirals" not in text
        await pilot.press("escape")
        await pilot.pause()
        assert "Tiny spirals" in screen_text(app)


async def test_help_lists_the_keys_of_the_place(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        assert "Open the selected preset or experiment" in screen_text(app)


async def test_in_a_small_terminal_help_loses_no_words(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(40, 12)) as (app, pilot):
        await pilot.press("question_mark")
        await pilot.pause()
        await pilot.pause()
        view = app.screen.query_one(LineView)
        lines = ["".join(span.text for span in view.rows.line(i, 200)).rstrip() for i in range(len(view.rows))]
        assert max(map(len, lines)) <= view.content_size.width
        told = " ".join(" ".join(lines).split())
        assert INTRODUCTION in told
        assert "Enter Open Open the selected preset or experiment" in told.replace("⏎", "Enter")


async def test_the_palette_opens_a_preset_by_name(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("colon", *"open tiny")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.pause()
        assert isinstance(app.screen, LabScreen)
