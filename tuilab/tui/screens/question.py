"""A question with a few answers, over the screen it is about."""

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tuilab.tui.lines import Line, Span, Text
from tuilab.tui.widgets.line_view import LineView


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: what is returned, what is shown, and the letter that chooses it."""

    id: str
    text: str
    key: str = ""


class QuestionScreen(ModalScreen[str]):
    """Asks; the first choice is the default. Escape and q answer ``cancel``."""

    DEFAULT_CSS = """
    QuestionScreen {
        align: center middle; background: $background 60%;
        & > Vertical { width: 62; max-width: 95%; height: auto; border: round $primary; padding: 1 2;
                       background: $background; }
        & Static { height: auto; margin-bottom: 1; }
        & LineView { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Choose", id="question.choose", tooltip="Take the selected answer"),
        Binding("escape,q", "cancel", "Cancel", id="question.cancel", tooltip="Do nothing"),
    ]

    def __init__(self, question: str, choices: tuple[Choice, ...]) -> None:
        super().__init__()
        self._question = question
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._question, markup=False)
            view = LineView()
            view.rows = Text([_line(choice) for choice in self._choices])
            yield view

    def on_key(self, event: events.Key) -> None:
        chosen = next((choice for choice in self._choices if choice.key and choice.key == event.character), None)
        if chosen is not None:
            event.stop()
            self.dismiss(chosen.id)

    def action_choose(self) -> None:
        """Take the selected answer."""
        self.dismiss(self._choices[self.query_one(LineView).cursor].id)

    def action_cancel(self) -> None:
        """Do nothing."""
        self.dismiss("cancel")


def _line(choice: Choice) -> Line:
    return Span(f" {choice.key or ' '} ", "key"), Span(f" {choice.text}")
