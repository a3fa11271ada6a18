"""The keys of the place one is in, from the bindings themselves."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen

from tuilab.tui.lines import Line, Span, Text, left
from tuilab.tui.widgets.bars import key_name
from tuilab.tui.widgets.line_view import LineView

INTRODUCTION: tuple[Line, ...] = (
    (Span("tuilab compares neural networks: build them at the left, watch real training at the right."),),
    (Span("A comparison is a task and its candidates A, B, C ...; running it makes an experiment,"),),
    (Span("which goes on training when you leave and is never rewritten."),),
    (),
)


class HelpScreen(ModalScreen[None]):
    """Every key that works behind this screen, with what it does."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle; background: $background 60%;
        & > Vertical { width: 92; max-width: 96%; height: 90%; border: round $primary; background: $background;
                       border-title-color: $primary; border-title-style: bold; border-subtitle-color: $dim; }
        & LineView { height: 1fr; padding: 0 1; }
        &.-ascii > Vertical { border: ascii $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "close", "Close", id="help.close", tooltip="Go back"),
    ]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        self._lines = (*INTRODUCTION, *key_lines(screen.active_bindings.values()))

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Help"
            box.border_subtitle = "esc closes · ↑↓ scroll"
            view = LineView(cursor_on=False)
            view.rows = Text(self._lines)
            yield view

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()


def key_lines(bindings: Iterable[ActiveBinding]) -> list[Line]:
    """One line per action: its keys, its name and what it does."""
    actions: dict[str, tuple[list[str], Binding]] = {}
    for active in bindings:
        binding = active.binding
        if binding.tooltip:
            keys, _ = actions.setdefault(binding.action, ([], binding))
            keys.append(key_name(binding.key))
    return [
        (
            Span(left(" ".join(keys), 14), "key"),
            Span(left(binding.description, 12), "strong"),
            Span(f" {binding.tooltip}"),
        )
        for keys, binding in actions.values()
    ]
