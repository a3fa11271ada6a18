"""The spirals comparison from an empty bench, by keyboard, in under sixty keys."""

from pathlib import Path

from textual import events
from textual.keys import _character_to_key

from tests.tui.lab_store import bench_stacks, lab_of, opened
from tuilab.spec.notation import format_stack

KEYS = [
    "n",  # an empty bench: the spirals task and one linear candidate
    *("i", *"100 relu", "enter"),
    *("n", *"2*(19 relu)", "enter"),
    *("n", *"3*(14 relu)", "enter"),
    *("n", *"4*(11 relu)", "enter"),
]
MATCHED = [
    "n",
    *("i", *"100 relu", "enter"),
    *("S", "d"),  # depths 1, 2, 4, 8, 16 at the same budget
]


async def test_the_spirals_comparison_takes_less_than_sixty_keys(tmp_path: Path) -> None:
    assert len(KEYS) < 60
    async with opened(tmp_path) as (app, pilot):
        await pilot.press(*KEYS)
        await pilot.pause()
        bench = lab_of(app).bench
        assert bench is not None
        stacks = [format_stack(candidate.stack) for candidate in bench.comparison.candidates]
        assert stacks == ["100 relu", "2*(19 relu)", "3*(14 relu)", "4*(11 relu)"]
        assert [count.num_params for count in bench.counts if not isinstance(count, Exception)] == [502, 477, 492, 453]


async def test_a_family_of_depths_takes_a_dozen_keys(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        for key in MATCHED:
            await pilot.press(key)
            await pilot.pause()
        assert len(MATCHED) <= 13
        counts = lab_of(app).shown.counts
        assert len(counts) == 5
        assert all(not isinstance(c, Exception) and abs(c.num_params - 502) < 16 for c in counts)


async def test_keys_typed_ahead_go_where_the_keys_before_them_led(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        for key in [*KEYS, "S", "c", "[", "x", "i", "escape", "j", "plus", "T", "q", "tab"]:
            name = key if len(key) > 1 else _character_to_key(key)
            app.post_message(events.Key(name, key if len(key) == 1 else None))
        await pilot.pause()
        await pilot.pause()
        assert bench_stacks(app) == ["100 relu", "2*(19 relu)", "5*(11 relu)"]
        assert app.focused is not None
        assert app.focused.id == "budget"
