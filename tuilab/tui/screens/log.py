"""An experiment's log: everything there is of it, and what is added while one reads."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tuilab.store.log_tail import LogTail
from tuilab.tui.library_rows import STATUS_MARKS
from tuilab.tui.lines import Line, Span, Text, clip
from tuilab.tui.log_lines import is_problem, log_rows
from tuilab.tui.numbers import count_of
from tuilab.tui.widgets.bars import KeyBar, TopBar
from tuilab.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from tuilab.store.records import ExperimentRecord
    from tuilab.tui.app import LabApp

_SECONDS = 0.5
"""Between two looks at the log of an experiment that has not ended."""
_KEPT = 20_000
"""Lines that are kept; older ones are in the file."""


class LogScreen(Screen[None]):
    """Follows the log while its last line shows; scrolling up holds the place, the end follows again."""

    AUTO_FOCUS = "#log"
    DEFAULT_CSS = """
    LogScreen {
        & #log { height: 1fr; border: round $primary; border-title-color: $primary; border-title-style: bold;
                 border-subtitle-color: $dim; }
        &.-ascii #log { border: ascii $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,O", "close", "Back", id="log.close", tooltip="Go back"),
        Binding("G,end", "edge(1)", "End", id="log.end", tooltip="Go to the end, and follow what is added there"),
        Binding("g,home", "edge(-1)", "Start", id="log.start", tooltip="Go to the first line"),
        Binding("w", "next_problem", "Problem", id="log.problem", tooltip="Go to the next warning or error"),
    ]

    def __init__(self, record: "ExperimentRecord") -> None:
        """Make the screen; nothing is read before it is mounted."""
        super().__init__()
        self._record = record
        self._lines: list[str] = []
        self._rest = ""
        self._rows: list[Line] = []
        self._unreadable = ""

    @property
    def lab(self) -> "LabApp":
        """The application."""
        return cast("LabApp", self.app)

    @property
    def view(self) -> LineView:
        """The log."""
        return self.query_one("#log", LineView)

    def compose(self) -> ComposeResult:
        yield TopBar()
        yield LineView(id="log", cursor_on=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_class(self.lab.glyphs == "ascii", "-ascii")
        self._tail = LogTail(self.lab.home, self._record.id)
        self._clock = self.set_interval(_SECONDS, self._look)
        self.call_after_refresh(self._look)

    def on_unmount(self) -> None:
        self._tail.close()

    def on_resize(self) -> None:
        self.call_after_refresh(self._lay_out)

    def _lay_out(self) -> None:
        """Break every line for the width there is."""
        if self not in self.app.screen_stack:
            return
        end = self._at_end
        self._rows = [row for line in self._lines for row in log_rows(line, self.view.size.width)]
        self._show(follow=end)

    def _look(self) -> None:
        """Take in what has been added, and stop looking once the experiment has ended."""
        from tuilab.spec.errors import LabError

        if self not in self.app.screen_stack:
            return
        end = self._at_end
        try:
            self._record = self.lab.reader.experiment(self._record.id) or self._record
            added, self._unreadable = self._tail.read(), ""
        except (LabError, OSError) as error:
            added, self._unreadable = "", f" the log cannot be read: {error}"
        *lines, self._rest = (self._rest + added).split("\n")
        if self._record.status.ended:
            self._clock.pause()
            lines, self._rest = [*lines, *filter(None, [self._rest])], ""
        self._lines = [*self._lines, *lines][-_KEPT:]
        self._rows += [row for line in lines for row in log_rows(line, self.view.size.width)]
        del self._rows[:-_KEPT]
        self._show(follow=end)

    @property
    def _at_end(self) -> bool:
        return self.view.top + self.view.page_size >= len(self._rows)

    def _show(self, *, follow: bool) -> None:
        nothing = self._unreadable or " nothing has been logged yet"
        self.view.rows = Text(self._rows or [(Span(nothing, "dim"),)])
        if follow:
            self.view.action_edge(1)
        record = self._record
        mark, role = STATUS_MARKS[record.status.value]
        title = clip(f"{record.id} · {record.comparison.title}", max(10, self.size.width - 30))
        state = Span(f"{mark} {record.status.value}", role)
        self.query_one(TopBar).content = (Span("tuilab", "strong accent"), Span(f"  {title}", "dim")), (state,)
        following = " · following" if follow and not record.status.ended else ""
        self.view.entitle("Log", f"{count_of(len(self._lines), 'line')}{following}")

    # What the person does

    def action_edge(self, direction: int) -> None:
        """Go to the first line, or to the last and follow."""
        self.view.action_edge(direction)

    def action_next_problem(self) -> None:
        """Go to the next warning or error, from the top again after the last."""
        rows, top = self._rows, self.view.top
        found = [at for at, row in enumerate(rows) if is_problem(row) and not (at and is_problem(rows[at - 1]))]
        if not found:
            self.notify("there is no warning and no error in it", timeout=3)
            return
        self.view.scroll_rows(next((at for at in found if at > top), found[0]) - top)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()


def show_log(lab: "LabApp", record: "ExperimentRecord | None") -> None:
    """Open the log of an experiment, or say that there is none."""
    if record is None:
        lab.notify("nothing has been run here yet, so there is no log", timeout=3)
    else:
        lab.push_screen(LogScreen(record))
