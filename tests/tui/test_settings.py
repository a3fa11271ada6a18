"""Task, training and protocol, field by field."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input

from tests.tui.lab_store import TINY, lab_of, opened, preset_file
from tests.tui.screen_text import assert_golden, screen_text
from tuilab.spec.comparison import Comparison, dump
from tuilab.spec.errors import LabError
from tuilab.spec.preset_file import load
from tuilab.spec.share import from_line, to_line
from tuilab.spec.training import Precision
from tuilab.tui.screens.help import HelpScreen
from tuilab.tui.settings import settings, stepped, with_setting
from tuilab.tui.widgets.line_view import LineView


def test_every_field_written_back_as_shown_changes_nothing() -> None:
    for setting in settings(TINY):
        assert with_setting(TINY, setting.where, setting.value) == TINY, setting


@pytest.mark.parametrize(
    ("where", "text", "value"),
    [
        (("task", "noise"), "0.3", 0.3),
        (("training", "lr"), "0.01", 0.01),
        (("training", "lr"), "-", None),
        (("training", "batch_size"), "full", "full"),
        (("training", "optimizer", "weight_decay"), "1e-4", 1e-4),
        (("training", "precision"), "bf16", Precision.BF16),
        (("protocol", "lr_grid"), "0.1, 0.2", (0.1, 0.2)),
        (("protocol", "extend_grid"), "false", False),
        (("task", "num_train"), "4,096", 4096),
        (("task", "num_train"), "10 000", 10_000),
        (("task", "num_train"), "1_234_567", 1_234_567),
        (("training", "batch_size"), "2,048", 2048),
        (("training", "steps"), " 2 000 ", 2000),
        (("protocol", "final_seeds"), "1,000", 1000),
    ],
)
def test_a_field_takes_what_is_written(where: tuple[str, ...], text: str, value: object) -> None:
    changed: object = with_setting(TINY, where, text)
    for name in where:
        changed = getattr(changed, name)
    assert changed == value


@pytest.mark.parametrize(
    ("where", "text"),
    [(("task", "noise"), "-1"), (("task", "kind"), "spiral"), (("task", "kind"), ""),
     (("task", "kind"), "csv"), (("training", "steps"), "-5"),
     (("training", "lr"), "fast"), (("training", "precision"), "fp8"), (("protocol", "lr_grid"), ""),
     (("training", "steps"), "1.5"), (("training", "steps"), "1,00"), (("training", "steps"), "10 00"),
     (("training", "steps"), "0,100"), (("task", "noise"), "1,000")],
)  # fmt: skip
def test_what_cannot_be_is_a_sentence(where: tuple[str, ...], text: str) -> None:
    with pytest.raises(LabError) as caught:
        with_setting(TINY, where, text)
    assert "input should" not in str(caught.value).lower()


@pytest.mark.parametrize("text", ["", " ", "-", "0", ",", "9" * 400, "1e999", "nan", "é", "2,048", "{}"])
def test_whatever_is_written_into_any_field_is_a_value_or_a_sentence(text: str) -> None:
    for setting in settings(TINY):
        try:
            changed = with_setting(TINY, setting.where, text)
        except LabError:
            continue
        assert Comparison.model_validate(dump(changed)) == changed


def test_a_batch_larger_than_the_training_set_is_refused_where_it_is_written() -> None:
    with pytest.raises(LabError, match=r"^batch_size 999,999 is more than the 2,048 training examples"):
        with_setting(TINY, ("training", "batch_size"), "999999")
    large = with_setting(TINY, ("training", "batch_size"), "2048")
    with pytest.raises(LabError, match=r"^batch_size 2,048 is more than the 300 training examples"):
        with_setting(large, ("task", "num_train"), "300")
    assert with_setting(TINY, ("task", "num_train"), "100").training == TINY.training
    assert with_setting(large, ("task", "kind"), "diabetes").training.batch_size == 128


def test_a_rate_is_tried_once_and_the_reference_is_a_candidate() -> None:
    with pytest.raises(LabError, match="there is no candidate 'tall'"):
        with_setting(TINY, ("protocol", "budget", "reference"), "tall")
    with pytest.raises(LabError, match=r"^0\.1 is in lr_grid twice"):
        with_setting(TINY, ("protocol", "lr_grid"), "0.1 0.01 0.1")


def test_a_loss_that_does_not_fit_the_new_task_goes_back_to_the_default() -> None:
    classes = with_setting(TINY, ("training", "loss"), "bce")
    numbers = with_setting(classes, ("task", "kind"), "radial")
    assert numbers.training.loss is None


@given(st.data())
def test_stepping_through_values_never_leaves_a_comparison_that_cannot_be(data: st.DataObject) -> None:
    comparison: Comparison = TINY
    for _ in range(5):
        setting = data.draw(st.sampled_from(settings(comparison)))
        try:
            comparison = with_setting(comparison, setting.where, stepped(setting, data.draw(st.sampled_from((-1, 1)))))
        except LabError:
            continue
        assert Comparison.model_validate(dump(comparison)) == comparison
        assert from_line(to_line(comparison)) == comparison


async def test_settings_change_the_bench_at_once_and_can_be_undone(tmp_path: Path) -> None:
    async with opened(tmp_path, size=(120, 34), path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("T")
        await pilot.pause()
        await pilot.pause()
        assert_golden("settings-120x34", screen_text(app))
        await pilot.press("right")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        bench = lab_of(app).bench
        assert bench is not None
        assert bench.comparison.task.kind == "circles"
        await pilot.press("u")
        assert lab_of(app).shown.comparison == TINY


async def test_the_settings_say_where_one_is_and_show_their_own_keys(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("T", "down", "down")
        await pilot.pause()
        await pilot.pause()
        assert f"3 of {len(settings(TINY))} · ←→ change" in screen_text(app)
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        assert "Back to the bench" in screen_text(app)
        await pilot.press("escape", "question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)


async def test_what_is_written_goes_to_the_field_that_the_line_was_opened_for(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        fields = [setting.where for setting in settings(TINY)]
        await pilot.press("T", *["down"] * fields.index(("training", "steps")), "enter", "ctrl+u", *"77")
        await pilot.pause()
        app.screen.query_one("#settings", LineView).cursor = 0
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert lab_of(app).shown.comparison.training.steps == 77
        assert lab_of(app).shown.comparison.task == TINY.task


async def test_a_comparison_is_saved_as_a_file_that_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("ctrl+s", "ctrl+u", *"mine", "enter")
        await pilot.pause()
        assert load(tmp_path / "mine.yaml") == lab_of(app).shown.comparison


async def test_the_share_line_on_the_screen_is_the_comparison(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("Y")
        await pilot.pause()
        text = screen_text(app).replace("\n", "")
        line = text[text.index("tuilab1:") : text.index("esc closes")]
        assert from_line(line) == TINY


async def test_a_candidate_is_written_as_a_module_and_nothing_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        for _ in range(2):
            await pilot.press("C", "ctrl+u", *"net", "enter")
            await pilot.pause()
        text = (tmp_path / "net.py").read_text(encoding="utf-8")
        compile(text, "net.py", "exec")
        assert "import torch" in text
        assert "exists already" in " ".join(screen_text(app).split())


async def test_a_share_line_opens_from_the_library(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("o")
        await pilot.pause()
        app.screen.query_one(Input).value = to_line(TINY)
        await pilot.press("enter")
        await pilot.pause()
        await pilot.pause()
        assert lab_of(app).shown.comparison == TINY
