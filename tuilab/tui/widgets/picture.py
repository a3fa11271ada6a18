"""A picture of final results: drawn again when it changes, and otherwise still."""

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tuilab.analysis.report_charts import Chart
from tuilab.tui.canvas import Glyphs, Row
from tuilab.tui.lines import to_ascii
from tuilab.tui.palette import Colors, Look, ink_style
from tuilab.tui.pictures import draw_picture

if TYPE_CHECKING:
    from textual.geometry import Size

_COLORS: dict[str, Colors] = {"256": "256", "standard": "16", "windows": "16"}


class Picture(Widget):
    """A ``points`` or ``strip`` chart, see ``tuilab.tui.pictures``."""

    chart: reactive[Chart | None] = reactive[Chart | None](None)
    glyphs: reactive[Glyphs] = reactive[Glyphs]("braille")

    def __init__(self, *, id: str | None = None, classes: str | None = None, glyphs: Glyphs = "braille") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._rows: tuple[Row, ...] = ()
        self._drawn: tuple[Chart | None, Glyphs, Size] | None = None
        self.set_reactive(Picture.glyphs, glyphs)

    def watch_chart(self) -> None:
        self._entitle()

    def watch_glyphs(self) -> None:
        self._entitle()

    def on_resize(self) -> None:
        self._entitle()

    def _entitle(self) -> None:
        if self.chart is None:
            return
        title, axis = self.chart.title, self.chart.x_title
        if self.glyphs == "ascii":
            title, axis = to_ascii(title), to_ascii(axis)
        room = max(0, self.size.width - 4)
        self.border_title = title if len(title) <= room else self.chart.y_title
        self.border_subtitle = axis

    def render_line(self, y: int) -> Strip:
        wanted = (self.chart, self.glyphs, self.size)
        if self._drawn != wanted:
            self._rows = draw_picture(self.chart, self.size.width, self.size.height, self.glyphs)
            self._drawn = wanted
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        look = self._look()
        spans = self._rows[y].spans()
        plain = to_ascii if self.glyphs == "ascii" else str
        return Strip([Segment(plain(text), ink_style(number, look)) for text, number in spans], self.size.width)

    def _look(self) -> Look:
        background = self.background_colors[1]
        colors = _COLORS.get(self.app.console.color_system or "", "true")
        return Look(self.app.current_theme.dark, background.hex6.lower(), colors)
