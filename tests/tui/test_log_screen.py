"""The experiment's log in the interface: followed, scrolled, and never obeyed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.lab_store import notices, opened, preset_file, record
from tests.tui.screen_text import screen_text
from tuilab.store.home import log_file, log_folder
from tuilab.store.log_tail import LogTail
from tuilab.store.records import Progress, Status
from tuilab.store.writer import Writer
from tuilab.tui.lines import cell_width, plain
from tuilab.tui.log_lines import is_problem, log_rows
from tuilab.tui.screens.lab import LabScreen
from tuilab.tui.screens.log import LogScreen

STAMP = "2026-11-25 22:31:45,123"


def write(home: Path, identity: str, text: str, part: str = "") -> None:
    log_folder(home).mkdir(exist_ok=True)
    path = log_file(home, identity)
    with path.with_name(path.name + part).open("a") as file:
        file.write(text)


@given(st.text(), st.integers(20, 200))
def test_rows_fit_and_hold_nothing_that_a_terminal_obeys(text: str, width: int) -> None:
    for row in log_rows(text, width):
        assert plain(row).isprintable()
        assert cell_width(plain(row)) <= width


def test_a_narrow_row_has_the_time_and_a_wide_one_the_date() -> None:
    assert plain(log_rows(f"{STAMP} INFO group 1", 78)[0]) == "22:31:45 group 1"
    assert plain(log_rows(f"{STAMP} INFO group 1", 158)[0]) == f"{STAMP} group 1"
    assert plain(log_rows(f"{STAMP} ERROR engine died", 78)[0]) == "22:31:45 ERROR engine died"
    assert [is_problem(log_rows(f"{STAMP} {level} it", 78)[0]) for level in ("INFO", "WARNING", "ERROR")] == [0, 1, 1]
    assert plain(log_rows("  File x, line 3", 78)[0]) == "  File x, line 3"


def test_long_lines_are_broken_at_blanks_and_lose_nothing() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    rows = [plain(row) for row in log_rows(words, 40)]
    assert " ".join(row.strip() for row in rows) == words
    assert "".join(plain(row).strip() for row in log_rows("x" * 300, 40)) == "x" * 300


def test_a_tail_reads_each_part_once_across_a_rotation(tmp_path: Path) -> None:
    with LogTail(tmp_path, "one") as tail:
        assert tail.read() == ""
        write(tmp_path, "one", "oldest\n", part=".1")
        write(tmp_path, "one", "first\n")
    with LogTail(tmp_path, "one") as tail:
        assert tail.read() == "oldest\nfirst\n"
        write(tmp_path, "one", "second\n")
        log_file(tmp_path, "one").replace(log_file(tmp_path, "one").with_suffix(".log.1"))
        write(tmp_path, "one", "third\n")
        assert tail.read() == "second\nthird\n"
        assert tail.read() == ""


async def test_the_log_is_shown_followed_and_scrolled(tmp_path: Path) -> None:
    identity = record(tmp_path, Status.RUNNING, part=0.4)
    write(tmp_path, identity, "".join(f"{STAMP} INFO line {number}\n" for number in range(100)))
    async with opened(tmp_path, attach=identity) as (app, pilot):
        await pilot.press("O")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, LogScreen)
        screen._look()
        await pilot.pause()
        assert "line 99" in screen_text(app)
        assert "100 lines · following" in screen_text(app)
        write(tmp_path, identity, f"{STAMP} ERROR \x1b[2Jline 100\n")
        screen._look()
        await pilot.pause()
        assert "22:31:45 ERROR \\x1b[2Jline 100" in screen_text(app)
        await pilot.press("g")
        write(tmp_path, identity, f"{STAMP} INFO line 101\n")
        screen._look()
        await pilot.pause()
        assert "line 0" in screen_text(app)
        assert "following" not in screen_text(app)
        await pilot.press("w")
        await pilot.pause()
        assert "line 101" in screen_text(app)
        with Writer(tmp_path) as writer:
            writer.write(identity, progress=Progress(Status.FAILED, "it broke", 1000.0, 1010.0, "cpu"))
        screen._look()
        await pilot.pause()
        assert "✗ failed" in screen_text(app)
        assert not screen._clock._active.is_set()
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, LabScreen)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (160, 45)])
async def test_a_log_that_has_not_begun_says_so(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, size=size, attach=record(tmp_path)) as (app, pilot):
        await pilot.press("O")
        await pilot.pause()
        assert "nothing has been logged yet" in screen_text(app)


async def test_without_an_experiment_there_is_no_log_and_a_word_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path, path=preset_file(tmp_path)) as (app, pilot):
        await pilot.press("O")
        assert "nothing has been run here yet" in notices(app)
