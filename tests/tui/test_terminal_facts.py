"""What is chosen for a terminal, and that it is what the interface then does."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from rich.console import Console

from tuilab.tui.palette import default_glyphs
from tuilab.tui.terminal_facts import Choice, choices

NAMES = {"truecolor": "16.7 million", "256": "256", "standard": "16"}


def chosen(
    environment: Mapping[str, str] = MappingProxyType({}), columns: int = 80, rows: int = 24, encoding: str = "utf-8"
) -> dict[str, Choice]:
    found = choices({"TERM": "xterm", **environment}, columns, rows, is_terminal=True, encoding=encoding)
    return {choice.what: choice for choice in found}


@pytest.mark.parametrize("colorterm", ["", "truecolor", "24bit", "yes"])
@pytest.mark.parametrize(
    "term", ["xterm", "xterm-256color", "screen-256color", "tmux-256color", "linux", "vt100", "xterm-16color", "kitty"]
)
def test_colours_are_those_that_are_painted_with(term: str, colorterm: str) -> None:
    environment = {"TERM": term, "COLORTERM": colorterm}
    painted = Console(force_terminal=True, _environ=environment).color_system
    assert painted is not None
    assert chosen(environment)["colours"].chosen == NAMES[painted]


def test_no_color_means_none_and_an_empty_one_nothing() -> None:
    assert chosen({"NO_COLOR": "1"})["colours"].chosen == "none"
    assert chosen({"NO_COLOR": ""})["colours"].chosen == "16"


@pytest.mark.parametrize(
    ("environment", "encoding", "characters", "why"),
    [
        ({"TERM": "xterm-256color", "LANG": "en_US.UTF-8"}, "utf-8", "Unicode", "allow"),
        ({"TERM": "linux"}, "utf-8", "ASCII only", "TERM=linux"),
        ({"TERM": "vt100"}, "utf-8", "ASCII only", "TERM=vt100"),
        ({"TERM": "xterm", "LANG": "C"}, "utf-8", "ASCII only", "locale"),
        ({"TERM": "xterm"}, "latin-1", "ASCII only", "latin-1"),
    ],
)
def test_characters_follow_from_terminal_locale_and_encoding(
    environment: dict[str, str], encoding: str, characters: str, why: str
) -> None:
    choice = chosen(environment, encoding=encoding)["characters"]
    assert choice.chosen == characters
    assert why in choice.because
    assert (default_glyphs(environment, encoding) == "ascii") == (characters == "ASCII only")


def test_over_ssh_curves_are_drawn_less_often() -> None:
    assert chosen()["curves drawn"].chosen == "up to 4 a second"
    assert chosen({"SSH_CONNECTION": "1 2 3 4"})["curves drawn"].chosen == "up to 2 a second"


@pytest.mark.parametrize(
    ("columns", "rows", "layout"),
    [(160, 45, "full"), (80, 24, "compact"), (60, 24, "one pane, with tabs"), (39, 24, "none"), (0, 0, "unknown")],
)
def test_the_layout_follows_from_the_size(columns: int, rows: int, layout: str) -> None:
    assert chosen(columns=columns, rows=rows)["layout"].chosen == layout


@pytest.mark.parametrize("term", ["", "dumb", "unknown"])
def test_where_the_cursor_cannot_be_moved_there_is_no_interface(term: str) -> None:
    found = chosen({"TERM": term})
    assert list(found) == ["interface"]
    assert found["interface"].chosen == "no"


def test_a_pipe_has_no_interface() -> None:
    assert choices({"TERM": "xterm"}, 80, 24, is_terminal=False)[0].chosen == "no"
