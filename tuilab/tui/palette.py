"""Colours of candidates and charts, and which glyphs a terminal can show.

Colours keep their contrast for colour-blind readers (Okabe and Ito 2008). A letter always says what a colour says.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.style import Style

from tuilab.tui.canvas import Glyphs, Ink, split_ink

DARK = ("#56b4e9", "#e69f00", "#2fbf94", "#cc79a7", "#f0e442", "#d55e00")
"""Sky, orange, green, purple, yellow, vermillion: on dark backgrounds."""
LIGHT = ("#0b6aa8", "#9a5b00", "#00744f", "#a04377", "#6f6500", "#b83200")
"""The same hues, dark enough for white."""
SIXTEEN_DARK = ("#55ffff", "#ffff55", "#55ff55", "#ff55ff", "#ffffff", "#ff5555")
"""Bright colours of a console, as rich knows them, so that nothing is rounded to a neighbour."""
SIXTEEN_LIGHT = ("#0000aa", "#aa5500", "#00aa00", "#aa00aa", "#555555", "#aa0000")
NEXT_GLYPHS: dict[Glyphs, Glyphs] = {"braille": "quadrant", "quadrant": "ascii", "ascii": "braille"}
"""What the glyph key switches to."""

Colors = Literal["true", "256", "16"]

_BAND, _FAINT = 0.27, 0.62
"""How much of a candidate's colour is left in its band and in its faint lines."""
_PLAIN_TERMINALS = ("linux", "vt", "ansi", "cons25", "dumb", "screen.linux")


@dataclass(frozen=True, slots=True)
class Look:
    """What a chart is painted with.

    Attributes:
        dark: whether the background is dark.
        background: ``#rrggbb``.
        colors: how many the terminal has.

    """

    dark: bool = True
    background: str = "#0f1317"
    colors: Colors = "true"


def candidate_color(index: int, *, dark: bool = True, sixteen: bool = False) -> str:
    """``#rrggbb`` of the candidate with this index; colours repeat after six."""
    colors = (SIXTEEN_DARK if dark else SIXTEEN_LIGHT) if sixteen else (DARK if dark else LIGHT)
    return colors[index % len(colors)]


def candidate_style(index: int, *, dark: bool = True, sixteen: bool = False, bold: bool = False) -> Style:
    """The candidate's colour as a foreground."""
    return Style(color=candidate_color(index, dark=dark, sixteen=sixteen), bold=bold or None)


@lru_cache(maxsize=1024)
def ink_style(number: int, look: Look) -> Style:
    """How an ink is painted, background included."""
    kind, index = split_ink(number)
    ground = Style(bgcolor=_exact(look.background))
    match kind:
        case Ink.BLANK:
            return ground
        case Ink.GRID | Ink.AXIS | Ink.LABEL:
            return ground + Style(color=_exact(_gray(kind, look)))
        case Ink.BAND | Ink.FAINT | Ink.LINE | Ink.END:
            return ground + _series_style(kind, index, look)


class Paints(dict[int, Style]):
    """How each ink is painted in one look; found out when it is first asked for."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def __missing__(self, number: int) -> Style:
        style = self[number] = ink_style(number, self.look)
        return style


def _series_style(kind: Ink, index: int, look: Look) -> Style:
    color = candidate_color(index, dark=look.dark, sixteen=look.colors == "16")
    if kind in (Ink.LINE, Ink.END):
        return Style(color=_exact(color), bold=kind is Ink.END or None)
    if look.colors == "16":
        return Style(color=_exact(_SIXTEEN_FAINT[color] if look.dark else "#aaaaaa"))
    if look.colors == "256" and look.dark:
        dim = _BANDS_256 if kind is Ink.BAND else _FAINT_256
        return Style(color=_exact(dim[index % len(dim)]))
    return Style(color=_exact(_blend(color, look.background, _BAND if kind is Ink.BAND else _FAINT)))


_SIXTEEN_FAINT = {
    "#55ffff": "#00aaaa",
    "#ffff55": "#aa5500",
    "#55ff55": "#00aa00",
    "#ff55ff": "#aa00aa",
    "#ffffff": "#aaaaaa",
    "#ff5555": "#aa0000",
}


_BANDS_256 = ("#005f87", "#875f00", "#005f00", "#5f005f", "#5f5f00", "#5f0000")
_FAINT_256 = ("#5f87af", "#af8700", "#00875f", "#af87af", "#afaf00", "#af5f00")
"""Colours of the 6x6x6 cube: blends would be rounded, and two candidates would share one."""


def _gray(kind: Ink, look: Look) -> str:
    """Gray of labels, axis and grid."""
    if look.colors == "16":
        return "#aaaaaa" if (kind is Ink.LABEL) is look.dark else "#555555"
    ink = "#d8dee4" if look.dark else "#22292f"
    strength = {Ink.LABEL: 0.62, Ink.AXIS: 0.36, Ink.GRID: 0.3}[kind]
    return _blend(ink, look.background, strength)


def _exact(color: str) -> Color:
    """A colour that rich need not parse."""
    return Color(color, ColorType.TRUECOLOR, triplet=ColorTriplet(*_parts(color)))


def _parts(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _blend(color: str, background: str, share: float) -> str:
    mixed = [round(a * share + b * (1 - share)) for a, b in zip(_parts(color), _parts(background), strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def default_glyphs(environment: Mapping[str, str] | None = None, encoding: str | None = None) -> Glyphs:
    """What the terminal can show: ASCII for consoles with a small font, and for locales or encodings without braille.

    Args:
        environment: by default the process's.
        encoding: of the terminal's stream; by default that of standard error, which the interface paints on.

    """
    return chosen_glyphs(os.environ if environment is None else environment, encoding)[0]


def chosen_glyphs(env: Mapping[str, str], encoding: str | None = None) -> tuple[Glyphs, str]:
    """What the terminal can show, and why that is thought."""
    term = env.get("TERM", "")
    if term.startswith(_PLAIN_TERMINALS):
        return "ascii", f"TERM={term} has a small font"
    if not _locale_is_utf8(env):
        return "ascii", "the locale is not UTF-8"
    if encoding is None:
        encoding = getattr(sys.__stderr__, "encoding", None) or "utf-8"
    try:
        "⣿▟".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return "ascii", f"the stream's encoding is {encoding}"
    return "braille", "TERM and the locale allow it"


def _locale_is_utf8(environment: Mapping[str, str]) -> bool:
    """Whether the locale prints UTF-8, as far as the environment says: no locale at all counts as yes.

    Python itself sets LC_CTYPE=C.UTF-8 where the locale is C (PEP 538), so that value says nothing.
    """
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        locale = environment.get(name, "")
        if not locale or (name == "LC_CTYPE" and locale == "C.UTF-8"):
            continue
        return "utf8" in locale.lower().replace("-", "")
    return True
