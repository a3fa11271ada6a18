"""The line on top and the line of keys at the bottom."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import RenderResult
from textual.binding import ActiveBinding, Binding
from textual.reactive import reactive
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from tuilab.tui.lines import Line, Span, cell_width, spread, to_ascii
from tuilab.tui.widgets.line_view import LineView, plain_marks


class TopBar(LineView, can_focus=False):
    """One line: where one is at the left, what is going on at the right."""

    DEFAULT_CSS = """
    TopBar { dock: top; height: 1; padding: 0 1; background: $panel; }
    """

    content: reactive[tuple[Line, Line]] = reactive[tuple[Line, Line]](((), ()), init=False, repaint=False)

    def __init__(self) -> None:
        super().__init__(id="top", cursor_on=False)
        self.rows = _Spread((Span("tuilab", "strong accent"),), ())

    def watch_content(self) -> None:
        self.rows = _Spread(*self.content)


class _Spread:
    """One row with a left and a right end."""

    def __init__(self, first: Line, last: Line) -> None:
        self.first, self.last = first, last

    def __len__(self) -> int:
        return 1

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int) -> Line:
        return spread(self.first, self.last, width)


KEY_NAMES = {
    "enter": "⏎",
    "space": "space",
    "question_mark": "?",
    "slash": "/",
    "escape": "esc",
    "colon": ":",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "tab": "⇥",
    "shift+tab": "⇧⇥",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "full_stop": ".",
    "comma": ",",
    "exclamation_mark": "!",
    "ampersand": "&",
    "asterisk": "*",
    "delete": "del",
    "backspace": "⌫",
}


def key_name(key: str) -> str:
    """What stands on the keyboard: ``⏎`` for enter, ``^p`` for ctrl+p, ``(`` for left_parenthesis."""
    if key.startswith("ctrl+"):
        return f"^{key_name(key[5:])}"
    if key.startswith("alt+"):
        return f"⌥{key_name(key[4:])}"
    if key in KEY_NAMES or "_" not in key:
        return KEY_NAMES.get(key, key)
    try:
        return unicodedata.lookup(key.replace("_", " "))
    except KeyError:
        return key


_PLAIN_KEYS = str.maketrans(
    {
        "⏎": "enter",
        "⇥": "tab",
        "⇧": "shift+",
        "⌥": "alt+",
        "⌫": "bksp",
        "↑": "up",
        "↓": "down",
        "←": "left",
        "→": "right",
    }
)


def plain_key(name: str) -> str:
    """A key's name for a terminal that has only ASCII: a sign that looks like a letter would be another key."""
    return name.translate(_PLAIN_KEYS)


_TYPED = "prompt."
"""How the ids of keys of a line of text begin."""
_PINNED = ("keys", "leave", "command_palette")
"""Actions that are always shown, at the right end."""


class KeyBar(Widget):
    """The keys that matter in this place, from the bindings themselves; those that do not fit are left out."""

    DEFAULT_CSS = """
    KeyBar {
        dock: bottom; height: 1; background: $panel; color: $foreground;
        & > .key-bar--key { color: $accent; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key"}

    entries: reactive[tuple[tuple[str, str, str], ...]] = reactive[tuple[tuple[str, str, str], ...]]((), init=False)
    """(key, description, action) of each."""

    def __init__(self) -> None:
        super().__init__(id="keys")

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self._changed(self.screen)
        if hasattr(self.app, "glyphs"):
            self.watch(self.app, "glyphs", self.repaint, init=False)

    def repaint(self) -> None:
        """Paint the line again."""
        self.refresh()

    def _changed(self, screen: Screen[object]) -> None:
        if screen is self.screen and self.is_attached:
            usable = (active.binding for active in usable_bindings(screen))
            self.entries = tuple(_entries(usable, getattr(screen, "foremost", ())))

    def render(self) -> RenderResult:
        return ""

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base, key_style = self.rich_style, self.get_component_rich_style("key-bar--key", partial=True)
        only_ascii = plain_marks(self)
        entries = [(plain_key(key) if only_ascii else key, name, action) for key, name, action in self.entries]
        actions = {entry[2].removeprefix("app."): entry for entry in entries}
        pinned = [actions[action] for action in _PINNED if action in actions]
        tail = [piece for entry in pinned for piece in _pieces(entry)]
        room = width - sum(cell_width(text) for text, _ in tail) - 1
        segments, used = [], 0
        for entry in entries:
            pieces = _pieces(entry)
            need = sum(cell_width(text) for text, _ in pieces)
            if entry in pinned or used + need > room:
                continue
            click = Style(meta={"@click": entry[2]})
            segments += [Segment(text, base + (key_style if is_key else Style()) + click) for text, is_key in pieces]
            used += need
        segments.append(Segment(" " * max(0, width - used - sum(cell_width(text) for text, _ in tail)), base))
        segments += [Segment(text, base + (key_style if is_key else Style())) for text, is_key in tail]
        if only_ascii:
            segments = [Segment(to_ascii(text), style) for text, style, _ in segments]
        return Strip(segments).crop(0, width)

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        action = event.style.meta.get("@click")
        if isinstance(action, str):
            await (self.screen.focused or self.screen).run_action(action)


def usable_bindings(screen: Screen[object]) -> Iterator[ActiveBinding]:
    """What can be pressed: while a text is typed only what concerns the text, as letters are letters then."""
    typing = isinstance(screen.focused, Input)
    for active in screen.active_bindings.values():
        if not typing or (active.binding.id or "").startswith(_TYPED):
            yield active


def _pieces(entry: tuple[str, str, str]) -> tuple[tuple[str, bool], ...]:
    return (" ", False), (entry[0], True), (f" {entry[1]} ", False)


def _entries(bindings: Iterable[Binding], foremost: Sequence[str] = ()) -> list[tuple[str, str, str]]:
    """One entry per action, the first key of each, in the order of the bindings; the foremost actions come first."""
    found: dict[str, tuple[str, str, str]] = {}
    for binding in bindings:
        if binding.show and binding.action not in found:
            name = binding.key_display or key_name(binding.key)
            found[binding.action] = (name, binding.description, binding.action)
    return sorted(found.values(), key=lambda entry: entry[2] not in foremost)
