"""Painting for terminals with few colours or none, and with few characters."""

import re

import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tuilab.tui.look import themes
from tuilab.tui.palette import DARK
from tuilab.tui.tight import _Pen

_THEME = themes()[0]
CURSOR = Style(color="#d8dee4", bgcolor=_THEME.variables["cursor-focus"])
GROUND = Style(color="#d8dee4", bgcolor=_THEME.background)
BAR = Style(color="#d8dee4", bgcolor=_THEME.panel)


def painted(style: Style, system: ColorSystem | None, text: str = "x", *, plain: bool = False) -> str:
    pen = _Pen(system, dark=True, plain=plain)
    pen.write(Strip([Segment(text, style)]))
    return pen.finish()


def codes(style: Style, system: ColorSystem | None) -> set[str]:
    """Every parameter that is sent to select a style, and to leave it."""
    return {code for run in re.findall(r"\x1b\[([0-9;]*)m", painted(style, system)) for code in run.split(";")} - {"0"}


@pytest.mark.parametrize("system", [None, ColorSystem.STANDARD])
def test_with_few_colours_the_selected_row_is_reversed_and_a_bar_is_not(system: ColorSystem | None) -> None:
    assert codes(CURSOR, system) == {"7"}
    assert "7" not in codes(BAR, system)
    assert "7" not in codes(CURSOR + Style(reverse=True), system)


@pytest.mark.parametrize("style", [CURSOR, GROUND, BAR, Style(color="red", bold=True), Style(bgcolor="#ff0000")])
def test_without_colours_no_colour_is_sent(style: Style) -> None:
    assert codes(style, None) <= {"1", "2", "7"}


def test_without_colours_what_is_meant_to_be_faint_is() -> None:
    assert codes(Style(color=_THEME.variables["dim"]), None) == {"2"}
    assert codes(GROUND, None) == set()


def test_with_256_colours_dark_blue_grays_stay_gray() -> None:
    assert painted(CURSOR, ColorSystem.EIGHT_BIT).count("48;5;237") == 1
    assert painted(BAR, ColorSystem.EIGHT_BIT).count("48;5;235") == 1


def test_with_256_colours_every_candidate_has_its_own() -> None:
    codes = {painted(Style(color=color), ColorSystem.EIGHT_BIT) for color in DARK}
    assert len(codes) == len(DARK)


def test_an_ascii_terminal_gets_nothing_but_ascii_in_as_many_cells() -> None:
    sent = painted(GROUND, ColorSystem.STANDARD, "│ 95 % … ▔▁ 🔎 ╭", plain=True)
    assert sent.isascii()
    assert re.sub(r"\x1b\[[0-9;]*m", "", sent) == "| 95 % . -_ >  +"
