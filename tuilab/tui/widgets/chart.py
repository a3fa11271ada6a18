"""A chart that lives: it repaints only the cells that changed."""

import re
from operator import ne, or_
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tuilab.tui.canvas import Glyphs, Row
from tuilab.tui.drawing import Drawing
from tuilab.tui.lines import to_ascii
from tuilab.tui.palette import Colors, Look, Paints
from tuilab.tui.plot import ChartData

if TYPE_CHECKING:
    from tuilab.tui.scales import Scale

_COLORS: dict[str, Colors] = {"256": "256", "standard": "16", "windows": "16"}
_UNKNOWN_ROOM = 1000
"""Cells for titles before the first layout."""
_CHANGED = re.compile(rb"\x01(?:\x00{0,5}\x01)*")
"""Changed cells (1); up to five unchanged ones between them are cheaper to repaint than to jump over."""


class Chart(Widget):
    """Curves over steps, see ``tuilab.tui.plot``; works from 20x6 cells up."""

    DEFAULT_CSS = """
    Chart {
        border: round $foreground 22%;
        border-title-color: $foreground;
        border-title-style: bold;
        border-subtitle-color: $foreground 50%;
        min-width: 20;
        min-height: 6;
        &.-ascii { border: ascii $foreground 22%; }
    }
    """

    data: reactive[ChartData | None] = reactive(None, repaint=False)
    """What is shown; None and data without points show a few words."""
    glyphs: reactive[Glyphs] = reactive[Glyphs]("braille", repaint=False)
    """What curves are drawn with."""

    def __init__(
        self,
        data: ChartData | None = None,
        *,
        glyphs: Glyphs = "braille",
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: tuple[Row, ...] = ()
        self._cuts: dict[int, list[int]] = {}
        self._drawn_size = Size(0, 0)
        self._scale: Scale | None = None
        self._drawing = Drawing()
        self._paints = Paints(Look())
        self.set_reactive(Chart.glyphs, glyphs)
        self.set_reactive(Chart.data, data)
        self._name_borders()
        self.set_class(glyphs == "ascii", "-ascii")

    def watch_data(self, old: ChartData | None, new: ChartData | None) -> None:
        if old is None or new is None or (old.title, old.x_max) != (new.title, new.x_max):
            self._scale = None
        self._name_borders()
        self._redraw()

    def watch_glyphs(self, glyphs: Glyphs) -> None:
        self.set_class(glyphs == "ascii", "-ascii")
        self._name_borders()
        self._redraw()

    def on_resize(self) -> None:
        self._name_borders()
        self._redraw()

    def render_lines(self, crop: Region) -> list[Strip]:
        look = self._look()
        if look != self._paints.look:
            self._paints = Paints(look)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._drawn_size != self.size:
            self._rows, self._cuts, self._drawn_size = self._draw(), {}, self.size
        if y >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        paints = self._paints
        spans = self._rows[y].spans(self._cuts.get(y, ()))
        return Strip([Segment(text, paints[number]) for text, number in spans], width)

    def _name_borders(self) -> None:
        data = self.data
        room = max(0, self.size.width - 4) or _UNKNOWN_ROOM
        title = note = ""
        if data is not None:
            log = ("log",) if data.log_y else ()
            full = " · ".join((data.title, *filter(None, (data.unit,)), *log))
            title = full if len(full) <= room else " · ".join((data.title, *log))
            note = _first_words(data.note, room)
        if self.glyphs == "ascii":
            title, note = to_ascii(title), to_ascii(note)
        if title != self.border_title:
            self.border_title = title
        if note != self.border_subtitle:
            self.border_subtitle = note

    def _look(self) -> Look:
        background = self.background_colors[1]
        colors = _COLORS.get(self.app.console.color_system or "", "true")
        return Look(self.app.current_theme.dark, background.hex6.lower(), colors)

    def _draw(self) -> tuple[Row, ...]:
        fitting = self._drawing.fitting(self.data)
        self._scale = fitting.steady(self._scale) if fitting else None
        return self._drawing.rows(self.data, *self.size, self.glyphs, self._scale)

    def _redraw(self) -> None:
        """Draw anew, and repaint where cells differ from those on the screen."""
        if self._drawn_size != self.size:
            self.refresh()
            return
        if not self.size:
            return
        rows = self._draw()
        self._cuts = {}
        changed = []
        for y, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
            if old != new:
                runs = changed_runs(old, new)
                self._cuts[y] = [edge for run in runs for edge in run]
                changed += [Region(start, y, end - start, 1) for start, end in runs]
        self._rows = rows
        if changed:
            self.refresh(*changed)


def _first_words(note: str, room: int) -> str:
    """As many parts of a note as fit, from the first on."""
    parts = note.split(" · ")
    while parts and len(" · ".join(parts)) > room:
        parts.pop()
    return " · ".join(parts)


def changed_runs(old: Row, new: Row) -> list[tuple[int, int]]:
    """Columns (first, one past the last) in which two rows of equal length differ, close runs joined."""
    changed = bytes(map(or_, map(ne, old.text, new.text), map(ne, old.inks, new.inks)))
    return [run.span() for run in _CHANGED.finditer(changed)]
