"""Colours, and what a terminal can show."""

from itertools import product

import pytest
from rich.color import ColorSystem

from tuilab.tui.canvas import Ink, ink
from tuilab.tui.palette import DARK, LIGHT, NEXT_GLYPHS, Look, candidate_color, default_glyphs, ink_style


@pytest.mark.parametrize(
    ("environment", "encoding", "glyphs"),
    [
        ({"TERM": "xterm-256color", "LANG": "en_GB.UTF-8"}, "utf-8", "braille"),
        ({"TERM": "xterm-256color"}, "utf-8", "braille"),
        ({"TERM": "xterm", "LC_CTYPE": "C.UTF-8"}, "utf-8", "braille"),
        ({"TERM": "xterm", "LC_ALL": "C.utf8"}, "utf-8", "braille"),
        ({"TERM": "linux", "LANG": "en_GB.UTF-8"}, "utf-8", "ascii"),
        ({"TERM": "vt220"}, "utf-8", "ascii"),
        ({"TERM": "xterm", "LANG": "en_GB.UTF-8"}, "latin-1", "ascii"),
        ({"TERM": "xterm", "LANG": "de_DE.ISO-8859-1"}, "utf-8", "ascii"),
        ({"TERM": "xterm", "LC_ALL": "C", "LANG": "en_GB.UTF-8"}, "utf-8", "ascii"),
        ({"TERM": "xterm", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, "utf-8", "ascii"),
    ],
)
def test_glyphs_are_what_terminal_locale_and_encoding_can_print(
    environment: dict[str, str], encoding: str, glyphs: str
):
    assert default_glyphs(environment, encoding) == glyphs


def test_the_glyph_key_visits_every_kind():
    assert NEXT_GLYPHS[NEXT_GLYPHS[NEXT_GLYPHS["braille"]]] == "braille"
    assert set(NEXT_GLYPHS) == set(NEXT_GLYPHS.values())


def _luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_lines_stand_out_from_their_background():
    assert min(_contrast(color, "#0f1317") for color in DARK) >= 4.5
    assert min(_contrast(color, "#fbfbf9") for color in LIGHT) >= 4.5


def test_sixteen_colours_stay_apart_on_a_console():
    for dark in (True, False):
        look = Look(dark, "#000000" if dark else "#ffffff", "16")
        numbers = [ink_style(ink(Ink.LINE, k), look).color for k in range(6)]
        assert len({color.downgrade(ColorSystem.STANDARD).number for color in numbers if color}) == 6


def test_bands_and_lines_of_six_candidates_stay_apart_on_256_colours():
    look = Look(dark=True, colors="256")
    for kind in (Ink.BAND, Ink.FAINT, Ink.LINE):
        styles = [ink_style(ink(kind, k), look).color for k in range(6)]
        assert len({color.downgrade(ColorSystem.EIGHT_BIT).number for color in styles if color}) == 6


def test_a_band_is_fainter_than_its_line():
    for dark, index in product((True, False), range(6)):
        look = Look(dark, "#000000" if dark else "#ffffff")
        band, line = (ink_style(ink(kind, index), look).color for kind in (Ink.BAND, Ink.LINE))
        assert band is not None
        assert line is not None
        assert _contrast(band.name, look.background) < _contrast(line.name, look.background)


def test_colours_repeat_after_six():
    assert candidate_color(7) == candidate_color(1)
