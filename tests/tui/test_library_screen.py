"""The library: presets by question, and what has been run."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.lab_store import lab_of, notices, opened, record
from tests.tui.screen_text import assert_golden, screen_text
from tuilab.analysis.result import PairVerdict
from tuilab.spec.comparison import VerdictKind
from tuilab.store.reader import Reader
from tuilab.store.records import Status
from tuilab.tui.library_rows import ExperimentRows
from tuilab.tui.screens.help import HelpScreen
from tuilab.tui.screens.lab import LabScreen

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


async def test_the_palette_opens_a_preset_by_name(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("colon", *"open tiny")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.pause()
        assert isinstance(app.screen, LabScreen)
