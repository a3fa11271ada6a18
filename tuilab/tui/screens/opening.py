"""Open something: a line to type a path or paste a share line into, and below it the recent files and the presets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tuilab.spec.errors import LabError
from tuilab.tui.bench import Bench
from tuilab.tui.lines import Line, Span, Text, clip, left
from tuilab.tui.opening import PathSuggester, bench_of, short_path
from tuilab.tui.widgets.entry import Entry
from tuilab.tui.widgets.line_view import LineView

Take: TypeAlias = Callable[[Bench, Path | None], None]
"""Shows a bench that was opened, and remembers its file."""
_TYPED = "↑↓ choose · ⏎ opens · tab completes a path · esc back"


@dataclass(frozen=True, slots=True)
class Known:
    """Something that can be opened without typing all of it.

    Attributes:
        text: what would have to be written.
        name: what is shown for it.
        about: what it is.

    """

    text: str
    name: str
    about: str


class OpenScreen(ModalScreen[None]):
    """A line and a list that it filters. What is written wins where it can be opened, else the chosen row."""

    DEFAULT_CSS = """
    OpenScreen {
        align: center middle; background: $background 60%;
        & > Vertical { width: 100; max-width: 96%; height: 80%; border: round $primary; background: $background;
                       border-title-color: $primary; border-title-style: bold; border-subtitle-color: $dim; }
        & Entry, & Entry:focus { border: none; height: 1; padding: 0; margin: 0 1; background: $panel;
                                 background-tint: 0%; }
        & Static { height: auto; max-height: 3; margin: 0 1; color: $dim; }
        &.-wrong Static { color: $error; }
        & LineView { height: 1fr; margin-top: 1; }
        &.-ascii > Vertical { border: ascii $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", id="prompt.up", show=False, tooltip="Choose the row above"),
        Binding("down", "move(1)", "Down", id="prompt.down", show=False, tooltip="Choose the row below"),
    ]

    def __init__(self, files: tuple[Path, ...], presets: tuple[Known, ...], take: Take) -> None:
        """Make the screen.

        Args:
            files: opened before, newest first.
            presets: that come with the lab.
            take: shows what was opened, and remembers its file.

        """
        super().__init__()
        self._known = (*map(_recent, files), *presets)
        self._found = self._known
        self._take = take

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Open"
            yield Entry(
                placeholder="the path of a preset file, or a share line",
                suggester=PathSuggester(known.text for known in self._known),
                compact=True,
            )
            yield Static(markup=False)
            yield LineView()

    def on_mount(self) -> None:
        ascii_only = getattr(self.app, "glyphs", "") == "ascii"
        self.set_class(ascii_only, "-ascii")
        self.query_one(Vertical).border_subtitle = (
            "up/down choose - enter opens - tab completes a path - esc back" if ascii_only else _TYPED
        )
        self.query_one(LineView).can_focus = False
        self.set_focus(self.query_one(Entry))

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        view = self.query_one(LineView)
        view.rows = Text([_line(known, max(20, view.size.width)) for known in self._found])

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        words = event.value.casefold().split()
        self._found = tuple(
            known for known in self._known if all(word in f"{known.text} {known.about}".casefold() for word in words)
        )
        self.query_one(LineView).cursor = 0
        self._say("")
        self._fill()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            self._take(*self._opened(event.value.strip()))
        except LabError as error:
            self._say(str(error))

    def _opened(self, text: str) -> tuple[Bench, Path | None]:
        """What is written, or the chosen row where that is only a part of a name.

        Raises:
            LabError: when neither can be opened.

        """
        chosen = self._found[self.query_one(LineView).cursor].text if self._found else ""
        try:
            return bench_of(text or chosen)
        except LabError:
            if not chosen or not text:
                raise
            return bench_of(chosen)

    def on_entry_left(self, event: Entry.Left) -> None:
        event.stop()
        self.dismiss()

    def action_move(self, step: int) -> None:
        """Choose another row."""
        self.query_one(LineView).cursor += step

    def _say(self, problem: str) -> None:
        self.set_class(bool(problem), "-wrong")
        self.query_one(Static).update(problem)


def _recent(path: Path) -> Known:
    return Known(short_path(path), path.name, f"recent file in {short_path(path.parent)}")


def _line(known: Known, width: int) -> Line:
    name = min(28, width // 2)
    return Span(f" {left(known.name, name)}"), Span(f"  {clip(known.about, max(0, width - name - 3))}", "dim")
