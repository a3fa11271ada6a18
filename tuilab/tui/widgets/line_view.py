"""A pane of rows: virtual, so that ten thousand rows cost what the visible ones cost."""

from typing import ClassVar, Protocol, Self, runtime_checkable

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tuilab.tui.lines import Line, Rows, Text, ascii_line, cell_width, clip, spelled, to_ascii

_CORNERS = 6
"""Cells of a border beside a title: on either side a corner, a dash and a blank."""


def plain_marks(widget: Widget) -> bool:
    """Whether the terminal is to get ASCII only."""
    return getattr(widget.app, "glyphs", "braille") == "ascii"


ROLES = ("dim", "strong", "accent", "key", "warn", "error", "good", "reverse")


@runtime_checkable
class Columns(Protocol):
    """Rows in which the cursor lights only some of the cells."""

    def highlight(self, width: int) -> tuple[int, int]:
        """First cell that is lit, and the first after it that is not."""
        ...


class LineView(Widget, can_focus=True):
    """Shows `Rows`, repainting only the lines that changed; with ``cursor_on`` one of them is selected."""

    DEFAULT_CSS = """
    LineView {
        & > .line-view--dim { color: $dim; }
        & > .line-view--strong { text-style: bold; }
        & > .line-view--accent { color: $primary; }
        & > .line-view--key { color: $accent; text-style: bold; }
        & > .line-view--warn { color: $warning; }
        & > .line-view--error { color: $error; }
        & > .line-view--good { color: $success; }
        & > .line-view--reverse { text-style: reverse; }
        & > .line-view--cursor { background: $cursor-blur; }
        &:focus > .line-view--cursor { background: $cursor-focus; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line-view--{role}" for role in (*ROLES, "cursor")}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", id="rows.up", show=False, tooltip="Select the row above"),
        Binding("down,j", "move(1)", "Down", id="rows.down", show=False, tooltip="Select the row below"),
        Binding("pageup", "page(-1)", "Page up", id="rows.page-up", show=False, tooltip="Go up by a screenful"),
        Binding("pagedown", "page(1)", "Page down", id="rows.page-down", show=False, tooltip="Go down by a screenful"),
        Binding("home,g", "edge(-1)", "First", id="rows.first", show=False, tooltip="Select the first row"),
        Binding("end,G", "edge(1)", "Last", id="rows.last", show=False, tooltip="Select the last row"),
    ]

    class Moved(Message):
        """The cursor has moved to another row."""

        def __init__(self, view: "LineView", cursor: int) -> None:
            super().__init__()
            self.view = view
            self.cursor = cursor

        @property
        def control(self) -> "LineView":
            """The view whose cursor moved."""
            return self.view

    class PastEnd(Message):
        """Someone tried to move beyond the first (-1) or last (1) row."""

        def __init__(self, view: "LineView", direction: int) -> None:
            super().__init__()
            self.view = view
            self.direction = direction

        @property
        def control(self) -> "LineView":
            """The view at whose end the cursor is."""
            return self.view

    rows: reactive[Rows] = reactive[Rows](Text(()), layout=False, repaint=False, always_update=True, init=False)
    cursor: reactive[int] = reactive(0, repaint=False, init=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None, cursor_on: bool = True) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.cursor_on = cursor_on
        self.top = 0
        self._painted: dict[int, tuple[Line, bool]] = {}
        self._coming: dict[int, tuple[Line, bool]] = {}
        self._border_only = False
        self._roles: dict[str, Style] = {}
        self._title, self._subtitle = "", ""

    # What is shown

    def entitle(self, title: str, subtitle: str = "") -> None:
        """Write into the border, in characters that the terminal has."""
        if (self._title, self._subtitle) != (title, subtitle):
            self._title, self._subtitle = title, subtitle
            self._write_border()

    def _write_border(self) -> None:
        """Title, with a mark where the keys go, and subtitle."""
        self._border_only = True
        if self._title:
            mark = "▸ " if self.has_focus else ""
            self.border_title = self._in_border(mark + self._title)
        self.border_subtitle = self._in_border(self._subtitle)
        self._border_only = False

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Ask for a repaint; a new title asks for that of the border, not of every row inside it."""
        width, height = self.outer_size
        if self._border_only and not regions and height > 1:
            x, y = self.content_offset
            regions = (Region(-x, -y, width, 1), Region(-x, height - 1 - y, width, 1))
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _in_border(self, text: str) -> str:
        """A text as markup; plain terminals lack the character with which textual would cut it."""
        if plain_marks(self):
            room = self.outer_size.width - _CORNERS
            words = spelled(text)
            text = words if len(words) <= room else to_ascii(clip(text, room) if room > 0 else text)
        return text.replace("[", r"\[")

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self._write_border()

    def has_cursor(self) -> bool:
        """Whether a row is highlighted now."""
        return self.cursor_on and len(self.rows) > 0

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, len(self.rows) - 1))

    def on_mount(self) -> None:
        if hasattr(self.app, "glyphs"):
            self.watch(self.app, "glyphs", self.repaint, init=False)

    def repaint(self) -> None:
        """Paint every line and the border again."""
        self._write_border()
        self._painted.clear()
        self._coming.clear()
        self.refresh()

    def watch_rows(self, old: Rows, new: Rows) -> None:
        """Show new rows, keeping the cursor where it still exists."""
        height = self.styles.height
        if len(old) != len(new) and height is not None and height.is_auto:
            self.refresh(layout=True)
        if self.cursor >= len(self.rows):
            self.set_reactive(LineView.cursor, max(0, len(self.rows) - 1))
        self._keep_in_view()
        self.repaint_changes()

    def watch_cursor(self, old: int, new: int) -> None:
        self._keep_in_view()
        self.repaint_changes()
        if old != new:
            self.post_message(self.Moved(self, new))

    def repaint_changes(self) -> None:
        """Ask for a repaint of those visible lines whose text or highlight differs from what is on screen."""
        width, height = self.size
        self._coming.clear()
        for y in range(height):
            if y in self._painted and self._painted[y] != (coming := self._at(y, width)):
                self._coming[y] = coming
                self.refresh(Region(0, y, width, 1))

    def _at(self, y: int, width: int) -> tuple[Line, bool]:
        header = self.rows.header(width)
        if header is not None and y == 0:
            return header, False
        index = self.top + y - (header is not None)
        if index >= len(self.rows):
            return (), False
        return self.rows.line(index, width), self.has_cursor() and index == self.cursor

    @property
    def page_size(self) -> int:
        """Rows that fit on screen below the header."""
        return max(1, self.size.height - (self.rows.header(self.size.width) is not None))

    def _keep_in_view(self) -> None:
        if not self.size.height:
            return
        page, count = self.page_size, len(self.rows)
        top = self.top
        if self.cursor_on:
            top = min(max(top, self.cursor - page + 1), self.cursor)
        top = max(0, min(top, count - page))
        if top != self.top:
            self.top = top

    # Painting

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line, selected = self._painted[y] = self._coming.pop(y) if y in self._coming else self._at(y, width)
        background = self.get_component_rich_style("line-view--cursor", partial=True) if selected else Style.null()
        lit = range(*self.rows.highlight(width)) if isinstance(self.rows, Columns) else range(width)
        segments, used = [], 0
        texts = [span.text for span in line]
        if plain_marks(self):
            texts = ascii_line(texts, width - sum(map(cell_width, texts)))
        for span, text in zip(line, texts, strict=True):
            style = self._style(span.role)
            segments.append(Segment(text, style + background if used in lit else style))
            used += cell_width(span.text)
        used = sum(map(cell_width, texts))
        if used < width:
            rest = self.rich_style + background if used in lit else self.rich_style
            segments.append(Segment(" " * (width - used), rest))
        strip = Strip(segments)
        return strip.crop(0, width) if used > width else strip

    def _style(self, role: str) -> Style:
        if role not in self._roles:
            style = self.rich_style
            for word in role.split():
                if word in ROLES:
                    style += self.get_component_rich_style(f"line-view--{word}", partial=True)
                else:
                    style += self._hue(int(word[1:]))
            self._roles[role] = style
        return self._roles[role]

    def _hue(self, index: int) -> Style:
        from tuilab.tui.palette import candidate_style

        sixteen = self.app.console.color_system in ("standard", "windows")
        return candidate_style(index, dark=self.app.current_theme.dark, sixteen=sixteen)

    def notify_style_update(self) -> None:
        self._roles.clear()
        super().notify_style_update()

    def on_resize(self) -> None:
        self._write_border()
        self._painted.clear()
        self._coming.clear()
        self._keep_in_view()
        self.refresh()

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.rows) + (self.rows.header(width) is not None)

    # Moving

    def action_move(self, step: int) -> None:
        """Move the cursor, or scroll where there is none."""
        if not self.cursor_on:
            self.scroll_rows(step)
        elif not 0 <= self.cursor + step < len(self.rows):
            self.post_message(self.PastEnd(self, step))
        else:
            self.cursor += step

    def action_page(self, pages: int) -> None:
        """Move by a screenful."""
        if self.cursor_on:
            self.cursor += pages * self.page_size
        else:
            self.scroll_rows(pages * self.page_size)

    def action_edge(self, direction: int) -> None:
        """Move to the first or last row."""
        if self.cursor_on:
            self.cursor = 0 if direction < 0 else len(self.rows) - 1
        else:
            self.scroll_rows(direction * len(self.rows))

    def scroll_rows(self, step: int) -> None:
        """Scroll without moving a cursor."""
        top = max(0, min(self.top + step, len(self.rows) - self.page_size))
        if top != self.top:
            self.top = top
            self.repaint_changes()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_move(-1)

    def on_click(self, event: events.Click) -> None:
        point = event.get_content_offset(self)
        if point is None or not self.cursor_on:
            return
        index = self.top + point.y - (self.rows.header(self.size.width) is not None)
        if 0 <= index < len(self.rows):
            self.cursor = index
