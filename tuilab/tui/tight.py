"""Paint with few bytes: over a slow line, what is sent decides how the screen feels.

Textual repaints a changed region from the left edge of its widget, and writes every colour of every piece of text.
Here only the changed cells are sent, and only what differs from the style before: a growing curve costs a tenth.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS
from rich.control import Control
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate

from tuilab.tui.lines import to_ascii

if TYPE_CHECKING:
    from rich.color import Color
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.style import Style
    from textual.strip import Strip

_ATTRIBUTES = {
    "bold": "1",
    "dim": "2",
    "italic": "3",
    "underline": "4",
    "blink": "5",
    "blink2": "6",
    "reverse": "7",
    "conceal": "8",
    "strike": "9",
    "underline2": "21",
    "frame": "51",
    "encircle": "52",
    "overline": "53",
}


class TightUpdate(CompositorUpdate):
    """An update of the screen that is written with as few bytes as may be."""

    def __init__(
        self, update: ChopsUpdate | LayoutUpdate, *, colors: bool = True, dark: bool = True, plain: bool = False
    ) -> None:
        self._update = update
        self._plain = plain
        self._colors = colors
        self._dark = dark

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        yield from self._update.__rich_console__(console, options)

    def render_segments(self, console: "Console") -> str:
        """The update as text with escape sequences."""
        system = COLOR_SYSTEMS[console.color_system or "truecolor"] if self._colors else None
        pen = _Pen(system, self._dark, self._plain)
        pieces = _changed(self._update) if isinstance(self._update, ChopsUpdate) else _all(self._update)
        for x, y, strip in pieces:
            pen.move(x, y)
            pen.write(strip)
        return pen.finish()


def tighten(
    renderable: "RenderableType | None", *, colors: bool = True, dark: bool = True, plain: bool = False
) -> "RenderableType | None":
    """The same picture in fewer bytes, where it is an update of the screen; anything else as it is.

    Args:
        renderable: what is to be shown.
        colors: whether colours are wanted at all; without them a background that stands out is reverse video.
        dark: whether the theme is.
        plain: whether the terminal has ASCII only, so that nothing else may reach it.

    """
    if isinstance(renderable, ChopsUpdate | LayoutUpdate):
        return TightUpdate(renderable, colors=colors, dark=dark, plain=plain)
    return renderable


def _all(update: LayoutUpdate) -> Iterator[tuple[int, int, "Strip"]]:
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield x, y, strip
            x += strip.cell_length


def _changed(update: ChopsUpdate) -> Iterator[tuple[int, int, "Strip"]]:
    """The parts of strips that lie in the changed spans, as (x, y, strip)."""
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            first, last = max(left, x), min(right, end)
            if strip is not None and first < last:
                yield first, y, strip.crop(first - x, last - x)


class _Sgr(NamedTuple):
    """The parameters that select a style."""

    attributes: str
    foreground: str
    background: str


_PLAIN = _Sgr("", "39", "49")
_REVERSE, _FAINT = "7", "2"
_CUBE = (0, 95, 135, 175, 215, 255)
"""Levels of a channel in the cube of 216 colours."""
_DARK_GROUND, _LIGHT_GROUND = 0.19, 0.89
"""Luminance beyond which a background stands out from that of a dark or a light theme."""
_DARK_INK, _LIGHT_INK = 0.56, 0.42
"""Luminance beyond which a text is meant to be faint."""


@lru_cache(maxsize=4096)
def _sgr(style: "Style", system: "ColorSystem | None", dark: bool) -> _Sgr:
    """How a style is selected.

    A terminal without colours, or with sixteen, may have no second background (the Linux console shows bright black
    as black): a background that stands out becomes reverse video there.
    """
    codes = [code for name, code in _ATTRIBUTES.items() if getattr(style, name)]
    few = system is None or system is ColorSystem.STANDARD
    if few and _stands_out(style, dark):
        codes = [code for code in codes if code != _REVERSE] if style.reverse else [*codes, _REVERSE]
        return _Sgr(";".join(codes), "39", "49")
    if system is None:
        faint = style.color is not None and _is_faint(style, dark) and not style.dim
        return _Sgr(";".join([*codes, _FAINT] if faint else codes), "39", "49")
    foreground = "39" if style.color is None else _color_codes(style.color, system, foreground=True)
    background = "49" if style.bgcolor is None else _color_codes(style.bgcolor, system, foreground=False)
    return _Sgr(";".join(codes), foreground, background)


def _stands_out(style: "Style", dark: bool) -> bool:
    ground = _luminance(style.bgcolor)
    return ground is not None and (ground > _DARK_GROUND if dark else ground < _LIGHT_GROUND)


def _is_faint(style: "Style", dark: bool) -> bool:
    ink = _luminance(style.color)
    return ink is not None and (ink < _DARK_INK if dark else ink > _LIGHT_INK)


def _luminance(color: "Color | None") -> float | None:
    """0 (black) to 1; None for the terminal's own colour."""
    if color is None or color.is_default:
        return None
    red, green, blue = color.get_truecolor()
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def _color_codes(color: "Color", system: "ColorSystem", *, foreground: bool) -> str:
    if system is ColorSystem.EIGHT_BIT and color.triplet is not None:
        return f"{'38' if foreground else '48'};5;{_nearest_of_256(*color.triplet)}"
    return ";".join(color.downgrade(system).get_ansi_codes(foreground=foreground))


def _nearest_of_256(red: int, green: int, blue: int) -> int:
    """The nearest colour of the cube or of the grays; rich's rule makes a dark blue-gray teal."""
    cube = [_nearest_step(want) for want in (red, green, blue)]
    gray = max(0, min(23, round(((red + green + blue) / 3 - 8) / 10)))
    level = 8 + 10 * gray
    off_cube = sum((_CUBE[step] - want) ** 2 for step, want in zip(cube, (red, green, blue), strict=True))
    off_gray = sum((level - want) ** 2 for want in (red, green, blue))
    return 232 + gray if off_gray < off_cube else 16 + 36 * cube[0] + 6 * cube[1] + cube[2]


def _nearest_step(want: int) -> int:
    return min(range(len(_CUBE)), key=lambda step: abs(_CUBE[step] - want))


class _Pen:
    """Writes text, remembering where it stands and in which style."""

    def __init__(self, system: "ColorSystem | None", dark: bool, plain: bool) -> None:
        self._system = system
        self._plain = plain
        self._dark = dark
        self._style = _PLAIN
        self._at: tuple[int, int] | None = None
        self._out: list[str] = []

    def move(self, x: int, y: int) -> None:
        if self._at != (x, y):
            self._out.append(Control.move_to(x, y).segment.text)
            self._at = (x, y)

    def write(self, strip: "Strip") -> None:
        for text, style, control in strip:
            if control:
                self._out.append(text)
                self._at = None
                continue
            new = _PLAIN if style is None else _sgr(style, self._system, self._dark)
            if not new.attributes and not self._style.attributes and text.isspace():
                new = new._replace(foreground=self._style.foreground)
            self._select(new)
            if self._plain and not text.isascii():
                text = to_ascii(text)
            link = style.link if style is not None else None
            self._out.append(f"\x1b]8;;{link}\x1b\\{text}\x1b]8;;\x1b\\" if link else text)
        if self._at is not None:
            self._at = (self._at[0] + strip.cell_length, self._at[1])

    def _select(self, new: _Sgr) -> None:
        old = self._style
        if new == old:
            return
        if new.attributes != old.attributes:
            codes: Iterable[str] = ("0", new.attributes, _unless(new[1], "39"), _unless(new[2], "49"))
        else:
            codes = (_unless(new[1], old[1]), _unless(new[2], old[2]))
        self._out.append(f"\x1b[{';'.join(filter(None, codes))}m")
        self._style = new

    def finish(self) -> str:
        """Everything written, with the style put back."""
        if self._style != _PLAIN:
            self._out.append("\x1b[0m")
            self._style = _PLAIN
        return "".join(self._out)


def _unless(code: str, known: str) -> str:
    return "" if code == known else code
