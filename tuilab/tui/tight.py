"""Paint with few bytes: over a slow line, what is sent decides how the screen feels.

Textual repaints a changed region from the left edge of its widget, and writes every colour of every piece of text.
Here only the changed cells are sent, and only what differs from the style before: a growing curve costs a tenth.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.console import COLOR_SYSTEMS
from rich.control import Control
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate

if TYPE_CHECKING:
    from rich.color import ColorSystem
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

    def __init__(self, update: ChopsUpdate | LayoutUpdate) -> None:
        self._update = update

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        yield from self._update.__rich_console__(console, options)

    def render_segments(self, console: "Console") -> str:
        """The update as text with escape sequences."""
        pen = _Pen(COLOR_SYSTEMS[console.color_system or "truecolor"])
        pieces = _changed(self._update) if isinstance(self._update, ChopsUpdate) else _all(self._update)
        for x, y, strip in pieces:
            pen.move(x, y)
            pen.write(strip)
        return pen.finish()


def tighten(renderable: "RenderableType | None") -> "RenderableType | None":
    """The same picture in fewer bytes, where it is an update of the screen; anything else as it is."""
    return TightUpdate(renderable) if isinstance(renderable, ChopsUpdate | LayoutUpdate) else renderable


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


@lru_cache(maxsize=4096)
def _sgr(style: "Style", system: "ColorSystem") -> _Sgr:
    codes = ";".join(code for name, code in _ATTRIBUTES.items() if getattr(style, name))
    foreground, background = "39", "49"
    if style.color is not None:
        foreground = ";".join(style.color.downgrade(system).get_ansi_codes())
    if style.bgcolor is not None:
        background = ";".join(style.bgcolor.downgrade(system).get_ansi_codes(foreground=False))
    return _Sgr(codes, foreground, background)


class _Pen:
    """Writes text, remembering where it stands and in which style."""

    def __init__(self, system: "ColorSystem") -> None:
        self._system = system
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
            new = _PLAIN if style is None else _sgr(style, self._system)
            if not new.attributes and not self._style.attributes and text.isspace():
                new = new._replace(foreground=self._style.foreground)
            self._select(new)
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
