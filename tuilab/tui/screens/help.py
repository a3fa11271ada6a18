"""The keys of the place one is in, from the bindings themselves."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen

from tuilab.tui.lines import Line, Span, Text, left, wrap
from tuilab.tui.widgets.bars import key_name, plain_key, usable_bindings
from tuilab.tui.widgets.line_view import LineView

INTRODUCTION = (
    "tuilab compares neural networks: build them at the left, watch real training at the right. A comparison is a "
    "task and its candidates A, B, C ...; running it makes an experiment, which goes on training when you leave and "
    "is never rewritten."
)
_KEYS_WIDTH = 14
_NAME_WIDTH = 12
_BESIDE_FROM = 50
"""Cells from which what a key does stands beside its name; with fewer it stands below."""


class HelpScreen(ModalScreen[None]):
    """Every key that works behind this screen, or in the line of text that is open there, with what it does."""

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
        self._actions = tuple(usable_bindings(screen))

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Help"
            box.border_subtitle = "esc closes - up/down scroll" if self._plain else "esc closes · ↑↓ scroll"
            yield LineView(cursor_on=False)

    def on_mount(self) -> None:
        self.set_class(self._plain, "-ascii")

    @property
    def _plain(self) -> bool:
        return getattr(self.app, "glyphs", "") == "ascii"

    def on_resize(self) -> None:
        """Wrap the text to the room there is."""
        width = max(20, min(92, int(self.size.width * 0.96)) - 5)
        self.query_one(LineView).rows = Text(
            (*wrap(INTRODUCTION, width), (), *key_lines(self._actions, width, plain=self._plain))
        )

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()


def key_lines(bindings: Iterable[ActiveBinding], width: int = 200, *, plain: bool = False) -> list[Line]:
    """Per action its keys, its name and what it does, in lines of at most ``width`` cells.

    Args:
        bindings: as they are active in some place.
        width: in cells.
        plain: whether keys are named in ASCII.

    """
    actions: dict[str, tuple[list[str], Binding]] = {}
    for active in bindings:
        binding = active.binding
        if binding.tooltip:
            keys, _ = actions.setdefault(binding.action, ([], binding))
            name = key_name(binding.key)
            keys.append(plain_key(name) if plain else name)
    lines: list[Line] = []
    beside = width >= _BESIDE_FROM
    indent = _KEYS_WIDTH + _NAME_WIDTH + 1 if beside else 2
    for keys, binding in actions.values():
        told = wrap(binding.tooltip, width - indent)
        head = (
            Span(left(" ".join(keys), _KEYS_WIDTH), "key"),
            Span(left(binding.description, _NAME_WIDTH + 1), "strong"),
        )
        lines.append((*head, *told.pop(0)) if beside else head)
        lines += [(Span(" " * indent), *line) for line in told]
    return lines
