"""The share line, to be copied from the screen where the clipboard is out of reach."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static


class ShareScreen(ModalScreen[None]):
    """Shows one line of text, folded, without a border beside it, so that a mouse can select it."""

    DEFAULT_CSS = """
    ShareScreen {
        align: center middle; background: $background 60%;
        & > Vertical { width: 100%; height: auto; max-height: 100%; background: $background; padding: 1 0; }
        & Static { height: auto; margin-bottom: 1; }
        & .line { color: $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,Y", "close", "Close", id="share.close", tooltip="Back to the bench"),
    ]

    def __init__(self, line: str) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(
                'This line is the whole comparison; tuilab "LINE" opens it. It is also copied, if the terminal lets it.'
            )
            yield Static(self._line, classes="line", markup=False)
            yield Static("esc closes")

    def action_close(self) -> None:
        """Back to the bench."""
        self.dismiss()
