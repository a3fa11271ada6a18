"""The bench: rows are edited in place, budgets matched, families made, faults mended."""

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.lab_store import TINY, bench_stacks, lab_of, notices, opened, preset_file
from tests.tui.screen_text import assert_golden, screen_text
from tuilab.spec.comparison import Candidate
from tuilab.spec.errors import LabError
from tuilab.spec.notation import parse
from tuilab.tui.app import LabApp
from tuilab.tui.bench import add, delete, open_bench, select, with_stack
from tuilab.tui.bench_budget import budget_text, held, matched, matched_all, scanned, target, with_budget
from tuilab.tui.budget_rows import budget_pane
from tuilab.tui.screens.why import WhyScreen
from tuilab.tui.widgets.prompt import Prompt

WIDE = (160, 45)


async def edited(tmp_path: Path, keys: list[str]) -> list[str]:
    """The stacks after these keys, typed at the first row of the first candidate, 100 relu."""
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["j", *keys])
        return bench_stacks(app)


async def press(app: LabApp, pilot: Pilot[None], keys: list[str]) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


@pytest.mark.parametrize(
    ("keys", "stack"),
    [
        (["plus", "plus", "minus"], "101 relu"),
        (["7", "2", "enter"], "72 relu"),
        (["d"], "relu"),
        (["c"], "100 100 relu"),
        (["t"], "100"),
        (["A"], "100 leaky_relu"),
        (["J"], "relu 100"),
        (["j", "K"], "relu 100"),
        (["exclamation_mark"], "100! relu"),
        (["b"], "linear(100, bias=false) relu"),
        (["v", "j", "asterisk"], "2*(100 relu)"),
        (["v", "j", "asterisk", "plus"], "3*(100 relu)"),
        (["v", "j", "asterisk", "right_parenthesis"], "100 relu"),
        (["v", "j", "y", "j", "p"], "100 relu 100 relu"),
        (["j", "left_parenthesis"], "100 residual(relu)"),
        (["a", *"7 tanh", "enter"], "100 7 tanh relu"),
        (["enter", "ctrl+u", *"64 gelu", "enter"], "64 gelu relu"),
        (["j", "j", "a", "5", "enter"], "100 relu 5"),
        (["k", "a", "5", "enter"], "5 100 relu"),
        (["d", "d", "u", "u"], "100 relu"),
        (["a", *"7 tanh", "escape"], "100 relu"),
    ],
)
async def test_keys_edit_rows(tmp_path: Path, keys: list[str], stack: str) -> None:
    assert (await edited(tmp_path, keys))[0] == stack


async def test_rows_are_copied_between_candidates(tmp_path: Path) -> None:
    stacks = await edited(tmp_path, ["v", "j", "y", "right_square_bracket", "g", "p"])
    assert stacks == ["100 relu", "100 relu 2*(19 relu)", ""]


async def test_the_input_row_says_that_it_follows_from_the_task(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        for key in ("d", "t", "plus", "asterisk", "c", "J", "b"):
            await press(app, pilot, ["g", key])
            assert bench_stacks(app)[0] == "100 relu"
        assert "input" in notices(app)


@pytest.mark.parametrize(("size", "whole"), [((80, 24), True), ((40, 12), False)])
async def test_a_long_complaint_gets_the_lines_it_needs_where_the_screen_has_them(
    tmp_path: Path, size: tuple[int, int], *, whole: bool
) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path), size=size) as (app, pilot):
        await press(app, pilot, ["a", *"foo"])
        assert "unknown layer 'foo'" in screen_text(app)
        assert ("residual, sum)" in screen_text(app)) == whole


async def test_a_stack_that_does_not_fit_can_still_be_edited_as_text(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["j", "left_parenthesis"])
        assert bench_stacks(app)[0] == "residual(100) relu"
        assert "does not fit" in screen_text(app)
        await press(app, pilot, ["i", "ctrl+u", *"residual(3) 9", "enter"])
        assert bench_stacks(app)[0] == "residual(3) 9"
        await press(app, pilot, ["u", "u"])
        assert "502 params" in screen_text(app)


async def test_a_stack_that_does_not_fit_says_why_and_shows_the_row_to_unwrap(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["j", "a", *"8 leaky_relu", "enter", "k", "left_parenthesis"])
        text = screen_text(app)
        assert bench_stacks(app)[0] == "100 residual(8) leaky_relu relu"
        assert "adds its input 100 features" in text
        assert "A does not fit" in text
        assert "r runs it" not in text.splitlines()[0]
        shown = " ".join(text.split())
        for row in ("1 ■ linear 100 300", "2!↷ residual ?", "3 ■ linear 8 808", "5 ~ relu ?"):
            assert row in shown
        assert "unknown: A does not fit" in text
        await press(app, pilot, ["f"])
        assert "adds its input 100 features" in notices(app)
        await press(app, pilot, ["right_parenthesis"])
        assert bench_stacks(app)[0] == "100 8 leaky_relu relu"
        assert "does not fit" not in screen_text(app)


async def test_no_key_changes_the_bench_while_a_line_of_text_is_open(tmp_path: Path) -> None:
    every = [f"ctrl+{letter}" for letter in "abdefhijklmnrsuvwxyz"] + ["f2", "alt+up", "alt+down", "up", "shift+tab"]
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["j", "plus", "D", "D"])
        before = lab_of(app).bench
        await press(app, pilot, ["i", "ctrl+u", *"7 relu"])
        for key in every:
            await press(app, pilot, [key])
            assert lab_of(app).bench is before, key
        await press(app, pilot, ["ctrl+u", *"7 relu", "enter"])
        assert bench_stacks(app) == ["101 relu", "101 relu", "7 relu", "2*(19 relu)", ""]
        await press(app, pilot, ["u"])
        assert bench_stacks(app) == ["101 relu", "101 relu", "101 relu", "2*(19 relu)", ""]


async def test_a_line_of_text_has_an_undo_of_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["i", "ctrl+u", "7", "ctrl+z", "ctrl+z", "ctrl+z", "ctrl+y", "8", "ctrl+y", "enter"])
        assert bench_stacks(app)[0] == "8"


async def test_what_is_written_goes_to_the_candidate_that_it_was_opened_for(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["right_square_bracket", "i", "ctrl+u", *"7 relu"])
        lab = lab_of(app)
        assert lab.bench is not None
        lab.bench = select(delete(select(lab.bench, 0)), 1)
        await press(app, pilot, ["enter"])
        assert bench_stacks(app) == ["7 relu", ""]
        await press(app, pilot, ["ctrl+r", "ctrl+u", *"gone"])
        lab.bench = delete(lab.bench)
        await press(app, pilot, ["enter"])
        assert "is not on the bench any more" in screen_text(app)
        await press(app, pilot, ["escape"])
        assert bench_stacks(app) == [""]


async def test_help_in_a_line_of_text_lists_the_keys_of_the_line(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["i", "f1"])
        text = screen_text(app)
        assert "Leave everything as it was" in text
        assert "Take back the last change of this line" in text
        for name in ("Rename", "Previous", "More seeds", "Take back the last change of the bench"):
            assert name not in text
        await press(app, pilot, ["escape", "escape", "f1"])
        assert "Add a layer after this row" in screen_text(app)


async def test_quitting_from_a_line_of_text_can_still_save_the_edits(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["j", "plus", "i", "ctrl+q", "s"])
        assert app.screen.query_one(Prompt).kind == "save as"


async def test_matching_brings_the_selected_candidate_to_the_budget(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["right_square_bracket", "i", *" 5 relu", "enter", "m"])
        stack = bench_stacks(app)[1]
        bench = lab_of(app).bench
        assert bench is not None
        count = bench.counts[1]
        assert not isinstance(count, Exception)
        assert abs(count.num_params - 502) < 25, stack
        assert "off the budget" in notices(app)


async def test_the_reference_is_not_matched_to_itself(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["m"])
        assert "the others are matched to this candidate" in notices(app)


def test_where_the_reference_does_not_fit_one_sentence_names_it() -> None:
    data = TINY.model_dump(mode="json")
    stacks = ["residual(3)", "4 relu", "5 relu 5 relu"]
    data["candidates"] = [{"name": name, "stack": stack} for name, stack in zip("xyz", stacks, strict=True)]
    bench = open_bench(TINY.model_validate(data))
    sentence = "x is what the others are matched to, and it does not fit: layer 1: residual adds"
    with pytest.raises(LabError, match=f"^{sentence}"):
        matched_all(bench)
    with pytest.raises(LabError, match=f"^{sentence}"):
        matched(bench, 1)
    rows, title = budget_pane(bench, 40)
    assert title == "Budget unknown: A does not fit"
    assert [rows.line(at, 40)[-1].text.strip() for at in range(3)] == ["cannot be built", "–", "–"]
    assert budget_pane(bench, 23)[1] == "unknown: A does not fit"


async def test_where_there_is_no_budget_the_pane_says_so_and_compares(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        assert "Budget 502 ±15%" in screen_text(app)
        await press(app, pilot, ["B", *"none", "enter"])
        assert "No budget · vs A" in screen_text(app)
        assert "±15%" not in screen_text(app)
        assert budget_text(lab_of(app).shown) == "none"
        await press(app, pilot, ["B", *"5k macs", "enter"])
        assert "Budget 5,000 MACs ±15%" in screen_text(app)


def test_the_budgets_title_and_colours_are_those_of_its_rule() -> None:
    bench = with_budget(open_bench(TINY), "none")
    rows, title = budget_pane(bench, 40)
    assert title == "No budget · compared with A"
    assert {span.role for at in range(len(rows)) for span in rows.line(at, 40)[3:]} == {"dim"}
    rows, title = budget_pane(with_budget(bench, "at most 300"), 40)
    assert title == "Budget ≤ 300 ±15%"
    assert rows.line(0, 40)[3].role == "warn"


async def test_a_held_budget_lets_widths_follow_the_depth(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["right_square_bracket", "L", "a", *"19 relu", "enter"])
        assert len(bench_stacks(app)[1].split()) >= 5
        count = lab_of(app).shown.counts[1]
        assert not isinstance(count, Exception)
        assert abs(count.num_params - 502) / 502 < 0.05


async def test_a_budget_is_written_as_people_say_it(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["B", *"<= 1.2k", "enter", "M"])
        assert "Budget ≤ 1,200" in screen_text(app)
        counts = lab_of(app).shown.counts
        assert all(not isinstance(count, Exception) and count.num_params <= 1200 for count in counts)


async def test_a_scan_turns_a_candidate_into_a_family_at_one_budget(tmp_path: Path) -> None:
    async with opened(tmp_path, size=WIDE, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["S", "d"])
        assert len(bench_stacks(app)) == 7
        assert_golden("bench-scan-160x45", screen_text(app))


async def test_a_linear_chain_is_warned_of_explained_and_mended(tmp_path: Path) -> None:
    async with opened(tmp_path, size=WIDE, path=preset_file(tmp_path)) as (app, pilot):
        await press(app, pilot, ["i", "ctrl+u", *"8 8", "enter"])
        text = screen_text(app)
        assert "w why" in text
        assert "!■" in text
        await press(app, pilot, ["w"])
        assert isinstance(app.screen, WhyScreen)
        assert "linear regions" in screen_text(app)
        await press(app, pilot, ["escape", "f", "1"])
        assert bench_stacks(app)[0] != "8 8"
        assert "w why" not in screen_text(app)


async def test_a_thousand_layers_scroll_and_edit(tmp_path: Path) -> None:
    long = " ".join(["8 relu"] * 2000)
    comparison = TINY.model_validate({**TINY.model_dump(mode="json"), "candidates": [{"name": "long", "stack": long}]})
    async with opened(tmp_path, path=preset_file(tmp_path, comparison, "long")) as (app, pilot):
        await press(app, pilot, ["G", "k", "minus"])
        assert "4000" in screen_text(app)
        await press(app, pilot, ["g"])
        assert "  0 ○ in" in screen_text(app)


async def test_a_huge_stack_is_looked_at_behind_the_keys_and_late_answers_are_dropped(tmp_path: Path) -> None:
    long = " ".join(["8", "8", *["9 relu"] * 300])
    comparison = TINY.model_validate({**TINY.model_dump(mode="json"), "candidates": [{"name": "long", "stack": long}]})
    async with opened(tmp_path, path=preset_file(tmp_path, comparison, "long")) as (app, pilot):
        lab = lab_of(app)
        await press(app, pilot, ["j", "plus"])
        lab._look()
        await press(app, pilot, ["plus"])
        while "no non-linearity between them" not in screen_text(app):
            await pilot.pause()
        assert all(known is lab.shown.candidate for known, _ in lab._late)
        assert bench_stacks(app)[0].startswith("10 8 9 relu")


async def test_a_row_is_found_by_what_it_says_and_found_again(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        view = lab_of(app).stack_view
        await press(app, pilot, ["i", "ctrl+u", *"8 tanh 9 relu 7 tanh", "enter", "g"])
        await press(app, pilot, ["slash", *"tan", "enter"])
        assert view.cursor == 2
        await press(app, pilot, ["slash", "enter"])
        assert view.cursor == 6
        await press(app, pilot, ["slash", "enter"])
        assert view.cursor == 2
        await press(app, pilot, ["slash", *"gelu", "enter"])
        assert "no row says 'gelu'" in screen_text(app)
        await press(app, pilot, ["escape"])
        assert view.cursor == 2


async def test_candidates_are_tabs_over_the_stack_and_brackets_turn_them(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        assert "A wide · B · C" in screen_text(app)
        await press(app, pilot, ["right_square_bracket"])
        assert "A · B deep · C" in screen_text(app)
        await press(app, pilot, ["left_square_bracket", "left_square_bracket"])
        assert "A wide · B · C" in screen_text(app)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("10k", 10_000), ("1.2M", 1_200_000), ("A", 502), ("deep", 477), ("same as deep", 477), ("≥ 300", 300),
     ("5k macs", 5000), ("", 502), ("none", 502), ("10 000", 10_000), ("1e6", 1_000_000), ("at most 1.2M", 1_200_000),
     ("same as candidate 1", 502), ("candidate 2", 477), ("at least 20 000 activations", 20_000),
     ("9k activation memory", 9000), ("nearest same as B", 477)],
)  # fmt: skip
def test_budgets_are_understood_and_written_back_as_they_are_read(text: str, amount: int) -> None:
    bench = with_budget(open_bench(TINY), text)
    assert target(bench) == amount
    again = with_budget(bench, budget_text(bench))
    rules = [each.comparison.protocol.budget.rule for each in (bench, again)]
    assert (target(again), again.goal, rules[1]) == (target(bench), bench.goal, rules[0])


@pytest.mark.parametrize("text", ["-5", "0", "abc", "same as candidate 9", "10kb", "at most ten", "1e99"])
def test_what_is_no_budget_is_said_to_be_none(text: str) -> None:
    with pytest.raises(LabError, match="budget"):
        with_budget(open_bench(TINY), text)


def test_a_name_that_says_the_notation_follows_it_and_any_other_stays() -> None:
    bench = add(open_bench(TINY), Candidate(name="9 relu", stack=parse("9 relu")))
    bench = add(bench, bench.candidate)
    assert bench.candidate.name == "9 relu 2"
    bench = with_budget(bench, "same as 9 relu 2")
    changed = with_stack(bench, parse("9 tanh"))
    assert changed.candidate.name == "9 tanh"
    assert changed.comparison.protocol.budget.reference == "9 tanh"
    assert with_stack(changed, parse("9 relu")).candidate.name == "9 relu 2"
    assert with_stack(changed, parse("")).candidate.name == "linear 2"
    assert with_stack(select(changed, 0), parse("5")).candidate.name == "wide"


async def test_tab_takes_what_is_suggested_and_never_leaves_the_line(tmp_path: Path) -> None:
    assert (await edited(tmp_path, ["i", "ctrl+u", *"64 ta", "tab", *" 9 laye", "tab", "tab", "enter"]))[0] == (
        "64 tanh 9 layernorm"
    )


def test_matching_all_is_one_change_and_says_what_could_not_be() -> None:
    bench = open_bench(TINY)
    made, problems = matched_all(bench)
    assert len(made.past) == 1
    assert [problem.split(":")[0] for problem in problems] == ["linear"]


def test_a_family_of_widths_keeps_the_depth_and_the_candidate_itself() -> None:
    bench = scanned(open_bench(TINY), "widths")
    names = [candidate.name for candidate in bench.comparison.candidates]
    assert names == ["width 50", "wide", "width 200", "deep", "linear"]


def test_holding_changes_nothing_while_it_is_off() -> None:
    bench = open_bench(TINY)
    assert held(bench) is bench
