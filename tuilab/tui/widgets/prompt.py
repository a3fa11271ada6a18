"""One line of input under what it changes: validated as typed, accepted by enter, left by escape."""

from typing import ClassVar

from rich.text import Text as RichText
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Label

from tuilab.tui.widgets.entry import Entry

_ROOM = 2
"""Lines for what is said under the input; more are made where a sentence is longer and the screen has them."""
_TALL = 18
"""Lines of a screen that has them."""


class Prompt(Vertical):
    """Asks for a text. Posts every change; whoever asked answers with `say` or `complain`."""

    DEFAULT_CSS = """
    Prompt {
        dock: bottom; height: 3; background: $panel; padding: 0 1; margin-bottom: 1; layout: grid;
        grid-size: 2; grid-columns: auto 1fr; grid-rows: 1 2;
        & > .prompt--label { color: $primary; text-style: bold; width: auto; padding-right: 1; }
        & > Input, & > Input:focus {
            border: none; height: 1; padding: 0; background: $panel; background-tint: 0%;
        }
        & > .prompt--message { column-span: 2; height: 2; color: $dim; }
        &.-wrong > .prompt--message { color: $error; }
        &.-long { height: 5; grid-rows: 1 4; }
        &.-long > .prompt--message { height: 4; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="prompt.cancel", tooltip="Leave everything as it was"),
    ]

    class Changed(Message):
        """The text is another one."""

        def __init__(self, prompt: "Prompt", value: str) -> None:
            super().__init__()
            self.prompt = prompt
            self.value = value

    class Accepted(Changed):
        """The person is done and wants this text."""

    class Cancelled(Message):
        """The person wants everything as it was."""

        def __init__(self, prompt: "Prompt") -> None:
            super().__init__()
            self.prompt = prompt

    def __init__(self, kind: str, value: str = "", *, hint: str = "", suggester: Suggester | None = None) -> None:
        """Make a prompt.

        Args:
            kind: what is asked for, shown before the text: ``filter``, ``stack``, ``name``.
            value: the text to start from.
            hint: shown under the line until there is something to say.
            suggester: completes what is typed.

        """
        super().__init__()
        self.kind = kind
        self._value = value
        self._hint = hint
        self._suggester = suggester

    def compose(self) -> ComposeResult:
        yield Label(self.kind, classes="prompt--label")
        yield Entry(self._value, select_on_focus=False, suggester=self._suggester, compact=True)
        yield Label(RichText(self._hint), classes="prompt--message")

    def on_mount(self) -> None:
        self.screen.set_focus(self.query_one(Input))

    @property
    def value(self) -> str:
        """What is written now."""
        return self.query_one(Input).value

    def say(self, text: str) -> None:
        """Show something helpful under the line."""
        self._tell(text, wrong=False)

    def complain(self, text: str, column: int | None = None) -> None:
        """Say what is wrong; ``column`` (from 1) marks the place under the text."""
        mark = ""
        if column is not None:
            field = self.query_one(Input)
            offset = len(self.kind) + 1 + column - 1 - round(field.scroll_offset.x)
            mark = " " * max(0, offset) + "^\n" if 0 <= offset < self.size.width else ""
        self._tell(mark + text, wrong=True)

    def _tell(self, text: str, *, wrong: bool) -> None:
        from textwrap import wrap

        self.set_class(wrong, "-wrong")
        lines = sum(max(1, len(wrap(line, max(8, self.size.width - 2)))) for line in text.split("\n"))
        self.set_class(lines > _ROOM and self.screen.size.height >= _TALL, "-long")
        self.query_one(".prompt--message", Label).update(RichText(text))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Accepted(self, event.value))

    def on_entry_left(self, event: Entry.Left) -> None:
        event.stop()
        self.action_cancel()

    def action_cancel(self) -> None:
        """Leave everything as it was."""
        self.post_message(self.Cancelled(self))
