"""Nothing that a person wrote is lost by leaving, and what an input refuses stays in it."""

from pathlib import Path

import pytest

from tests.tui.lab_store import bench_stacks, lab_of, notices, opened, preset_file, record
from tests.tui.screen_text import screen_text
from tuilab.store.records import Progress, Status
from tuilab.store.writer import Writer
from tuilab.tui.screens.library import LibraryScreen
from tuilab.tui.screens.question import QuestionScreen
from tuilab.tui.widgets.entry import Entry
from tuilab.tui.widgets.prompt import Prompt

EDIT = ("j", "plus")
"""Makes 101 of the first candidate's 100."""


async def test_leaving_the_lab_keeps_the_edits_of_a_preset(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("enter", *EDIT, "escape")
        await pilot.pause()
        assert isinstance(app.screen, LibraryScreen)
        assert "edits that you left" not in notices(app)
        await pilot.press("enter")
        await pilot.pause()
        assert bench_stacks(app)[0] == "101 relu"
        assert "edited" in screen_text(app)
        assert "here are the edits that you left; u takes them back" in notices(app)
        await pilot.press("u", "escape")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert bench_stacks(app)[0] == "100 relu"


async def test_leaving_the_lab_keeps_the_edits_beside_an_experiment(tmp_path: Path) -> None:
    identity = record(tmp_path)
    async with opened(tmp_path, attach=identity) as (app, pilot):
        await pilot.press(*EDIT, "escape")
        await pilot.pause()
        app.open_experiment(identity)
        await pilot.pause()
        assert bench_stacks(app)[0] == "101 relu"
        assert "edited" in screen_text(app)


@pytest.mark.parametrize("back", [True, False])
async def test_quitting_with_edits_asks_and_can_save_them(tmp_path: Path, back: bool) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press(*EDIT, *(["escape"] if back else []), "q")
        await pilot.pause()
        assert isinstance(app.screen, QuestionScreen)
        assert "has edits" in screen_text(app)
        await pilot.press("c")
        await pilot.pause()
        assert app.is_running
        await pilot.press("q", "s")
        await pilot.pause()
        await pilot.pause()
        prompt = lab_of(app).query_one(Prompt)
        assert prompt.kind == "save as"
        await pilot.press("ctrl+u", *str(tmp_path / "kept.yaml"), "enter")
        await pilot.pause()
        assert "101 relu" in (tmp_path / "kept.yaml").read_text(encoding="utf-8")
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running


async def test_edits_can_be_discarded(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press(*EDIT, "q", "d")
        await pilot.pause()
        assert not app.is_running


async def test_a_path_that_cannot_be_opened_stays_in_its_input(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("o", *"nowhere.yaml", "enter", "q")
        await pilot.pause()
        assert app.screen.query_one(Entry).value == "nowhere.yamlq"
        assert notices(app) == ""


async def test_saving_over_a_file_that_is_no_preset_stays_in_its_input(tmp_path: Path) -> None:
    other = tmp_path / "notes.yaml"
    other.write_text("- not a preset\n", encoding="utf-8")
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("ctrl+s", "ctrl+u", *str(other), "enter")
        await pilot.pause()
        assert app.screen.query_one(Prompt).value == str(other)
        assert "not a preset" in screen_text(app)
    assert other.read_text(encoding="utf-8") == "- not a preset\n"


async def test_a_text_whose_shapes_do_not_fit_keeps_the_counts_and_marks_the_layer(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("i", *" 7 residual(3)")
        await pilot.pause()
        text = screen_text(app)
        lines = text.splitlines()
        typed = next(line for line in lines if "100 relu 7 residual(3)" in line)
        mark = next(line for line in lines if line.strip() == "^")
        assert mark.index("^") == typed.index("residual(3)")
        assert "layer 4" in text
        assert "cannot be built" not in text
        await pilot.press("enter")
        await pilot.pause()
        assert bench_stacks(app)[0] == "100 relu"
        assert app.screen.query_one(Prompt).value == "100 relu 7 residual(3)"


async def test_editing_beside_a_running_experiment_keeps_its_state_in_sight(tmp_path: Path) -> None:
    async with opened(tmp_path, attach=record(tmp_path, Status.RUNNING, part=0.4)) as (app, pilot):
        await pilot.press(*EDIT)
        await pilot.pause()
        first = screen_text(app).splitlines()[0]
        assert "edited" in first
        assert "running 40%" in first


async def test_what_ended_an_experiment_and_the_first_warning_are_in_sight(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    with Writer(tmp_path) as writer:
        writer.write(identity, progress=Progress(Status.FAILED, "out of memory", 1000.0, 1010.0, "cpu"))
    async with opened(tmp_path, attach=identity) as (app, pilot):
        assert "failed: out of memory" in screen_text(app)
        await pilot.press("i", "ctrl+u", *"8 8", "enter")
        await pilot.pause()
        await pilot.pause()
        assert "w why" in screen_text(app)
        await pilot.press("u", "escape")
        await pilot.pause()
        await pilot.press("down")
        await pilot.pause()
        assert "failed: out of memory" in screen_text(app)
        assert "▸ Past experiments" in screen_text(app)


async def test_the_verdict_is_offered_once_there_is_one(tmp_path: Path) -> None:
    async with opened(tmp_path, attach=record(tmp_path)) as (app, _pilot):
        lines = screen_text(app).splitlines()
        assert "V Verdict" in lines[-1]
        assert any("V: deep-3x14 errs less" in line for line in lines)


@pytest.mark.parametrize("size", [(60, 18), (40, 12)])
async def test_an_open_input_says_how_to_leave_it(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, size=size, path=preset_file(tmp_path)) as (app, pilot):
        tabs = screen_text(app).splitlines()[1]
        assert [number for number in "123456" if f" {number} " in f"{tabs} "] == list("123456")
        assert "stack" in tabs
        await pilot.press("i")
        await pilot.pause()
        footer = screen_text(app).splitlines()[-1]
        assert "esc Cancel" in footer
        assert "q Quit" not in footer


async def test_a_zoomed_table_and_a_zoomed_stack_say_what_training_costs(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(160, 45), path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("z")
        await pilot.pause()
        assert "MACs" in screen_text(app)
        assert "outputs" in screen_text(app)
        lab_of(app).query_one("#table").focus()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        text = screen_text(app)
        for column in ("free", "depth", "widths", "FLOPs/step", "training"):
            assert column in text


async def test_help_names_keys_as_they_stand_on_the_keyboard(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(120, 200), path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("question_mark")
        await pilot.pause()
        await pilot.pause()
        text = screen_text(app)
        assert "parenthesis" not in text
        assert "vertical_line" not in text
        assert "Move down" in text


async def test_one_notice_at_a_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        app.notify("first")
        app.notify("[second]")
        await pilot.pause()
        assert notices(app) == "[second]"
