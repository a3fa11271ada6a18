"""Opening by path, recent files, presets and share lines."""

from pathlib import Path

from textual.widgets import Static

from tests.tui.lab_store import TINY, lab_of, opened, preset_file
from tests.tui.screen_text import screen_text
from tuilab.spec.share import to_line
from tuilab.tui.opening import PathSuggester, bench_of, completed, short_path
from tuilab.tui.remembered import MOST_FILES, recent_files, remember_file
from tuilab.tui.screens.opening import OpenScreen


async def test_a_path_is_opened_from_the_lab_too_and_remembered(tmp_path: Path) -> None:
    other = preset_file(tmp_path, TINY.model_copy(update={"title": "Another"}), "another")
    home = tmp_path / "home"
    async with opened(home, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("o", *str(other), "enter")
        await pilot.pause()
        assert lab_of(app).shown.comparison.title == "Another"
        assert lab_of(app).shown.source == str(other)
        assert [path.name for path in recent_files(home)] == ["another.yaml", "tiny.yaml"]


async def test_recent_files_are_a_list_that_typing_filters_in_the_next_visit_and_in_the_palette(tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        remember_file(tmp_path, preset_file(tmp_path, TINY.model_copy(update={"title": name}), name))
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("o")
        await pilot.pause()
        shown = screen_text(app)
        assert shown.index("third.yaml") < shown.index("second.yaml") < shown.index("first.yaml")
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert lab_of(app).shown.comparison.title == "first"
        await pilot.press("o", *"seco", "enter")
        await pilot.pause()
        assert lab_of(app).shown.comparison.title == "second"
        await pilot.press("ctrl+p")
        for key in "third":
            await pilot.press(key)
        await pilot.pause(0.3)
        assert "Open third" in screen_text(app)


async def test_what_cannot_be_opened_is_kept_with_the_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("o", *"nowhere.yaml", "enter")
        await pilot.pause()
        assert isinstance(app.screen, OpenScreen)
        assert "nowhere.yaml: no such file" in str(app.screen.query_one(Static).render())
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, OpenScreen)


async def test_a_share_line_is_opened_where_paths_are(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await pilot.press("o", *to_line(TINY), "enter")
        await pilot.pause()
        assert lab_of(app).shown.comparison == TINY


async def test_saving_remembers_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    async with opened(tmp_path) as (_app, pilot):
        await pilot.press("n", "ctrl+s", "ctrl+u", *str(path), "enter")
        await pilot.pause()
        assert recent_files(tmp_path) == (path,)


def test_only_files_that_are_there_are_recalled_and_not_too_many(tmp_path: Path) -> None:
    paths = [preset_file(tmp_path, name=f"file-{number}") for number in range(MOST_FILES + 5)]
    for path in [*paths, paths[-3]]:
        remember_file(tmp_path, path)
    assert recent_files(tmp_path)[:3] == (paths[-3], paths[-1], paths[-2])
    assert len(recent_files(tmp_path)) == MOST_FILES
    paths[-3].unlink()
    assert recent_files(tmp_path)[0] == paths[-1]


def test_presets_of_the_lab_are_not_remembered(tmp_path: Path) -> None:
    bench, path = bench_of("spirals-depth")
    assert (bench.source, path) == ("spirals-depth", None)
    assert recent_files(tmp_path) == ()


async def test_paths_and_names_are_completed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    preset_file(tmp_path / "folder", name="deep-1")
    preset_file(tmp_path / "folder", name="deep-2")
    (tmp_path / "folder" / "notes.txt").write_text("")
    start = str(tmp_path / "fol")
    assert completed(start) == str(tmp_path / "folder") + "/"
    assert completed(str(tmp_path / "folder" / "d")) == str(tmp_path / "folder" / "deep-")
    assert completed(str(tmp_path / "folder" / "n")) is None
    assert completed(str(tmp_path / "nowhere" / "d")) is None
    assert await PathSuggester(("spirals-depth",)).get_suggestion("spi") == "spirals-depth"
    assert short_path(Path("~/x.yaml").expanduser()) == "~/x.yaml"
