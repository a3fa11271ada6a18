"""A line of text that takes its keys in the order in which they were pressed."""

from itertools import takewhile
from operator import eq
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

_EDITS = {
    key.strip(): binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding)
    for key in binding.key.split(",")
}
_OWN = {"escape": "leave", "tab": "complete", "shift+tab": "complete", "ctrl+z": "undo", "ctrl+y": "redo"}


class Entry(Input, inherit_bindings=False):
    """An Input for keys that come in bursts, as over a slow connection.

    Textual's own handles characters at once and bindings after they have bubbled to the application, so that of
    ``relu`` and a backspace in one burst the backspace may come last, and enter may come first. Here every editing key
    is handled where characters are. A pasted text of several lines becomes one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Accept", id="prompt.accept", tooltip="Take what is written"),
        Binding("tab", "complete", "Complete", id="prompt.complete", tooltip="Take what is suggested in gray"),
        Binding("ctrl+z", "undo", "Undo", id="prompt.undo", show=False,
                tooltip="Take back the last change of this line"),
        Binding("ctrl+y", "redo", "Redo", id="prompt.redo", show=False, tooltip="Make that change again"),
        Binding("home,ctrl+a", "home", "Start", id="prompt.home", show=False, tooltip="Go to the start of the line"),
        Binding("end,ctrl+e", "end", "End", id="prompt.end", show=False, tooltip="Go to the end of the line"),
        Binding("ctrl+w", "delete_left_word", "Cut word", id="prompt.word", show=False,
                tooltip="Delete the word before the cursor"),
        Binding("ctrl+u", "delete_left_all", "Cut left", id="prompt.left", show=False,
                tooltip="Delete everything before the cursor"),
        Binding("ctrl+k", "delete_right_all", "Cut right", id="prompt.right", show=False,
                tooltip="Delete everything after the cursor"),
    ]  # fmt: skip

    class Left(Message):
        """The person wants to leave the line."""

    _past: tuple[str, ...] = ()
    """What was written before each change, the last one last."""
    _future: tuple[str, ...] = ()
    """What was taken back, the last one last."""
    _travels = False

    def watch_value(self, old: str, new: str) -> None:
        """Remember what was written, unless this is a way back or forth, or the text to start from."""
        if self.is_mounted and not self._travels:
            self._past, self._future = (*self._past, old), ()

    async def _on_key(self, event: events.Key) -> None:
        action = _OWN.get(event.key) or _EDITS.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.suggester is not None if action == "complete" else super().check_action(action, parameters)

    def action_leave(self) -> None:
        """Leave the line as it is."""
        self.post_message(self.Left())

    def action_undo(self) -> None:
        """Take back the last change of the text."""
        if self._past:
            self._future = (*self._future, self.value)
            text, self._past = self._past[-1], self._past[:-1]
            self._travel(text)

    def action_redo(self) -> None:
        """Make the change again that was taken back."""
        if self._future:
            self._past = (*self._past, self.value)
            text, self._future = self._future[-1], self._future[:-1]
            self._travel(text)

    def _travel(self, text: str) -> None:
        """Show another text, with the cursor behind the place where it differs."""
        behind = sum(takewhile(bool, map(eq, reversed(self.value), reversed(text))))
        self._travels = True
        self.value = text
        self._travels = False
        self.cursor_position = len(text) - behind

    def action_complete(self) -> None:
        """Take what is suggested; the key never leads out of the line."""
        if self._suggestion:
            self.value = self._suggestion
            self.cursor_position = len(self.value)

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.replace(" ".join(event.text.split()), *self.selection)
