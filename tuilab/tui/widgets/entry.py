"""A line of text that takes its keys in the order in which they were pressed."""

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
_OWN = {"escape": "leave", "tab": "complete", "shift+tab": "complete"}


class Entry(Input, inherit_bindings=False):
    """An Input for keys that come in bursts, as over a slow connection.

    Textual's own handles characters at once and bindings after they have bubbled to the application, so that of
    ``relu`` and a backspace in one burst the backspace may come last, and enter may come first. Here every editing key
    is handled where characters are. A pasted text of several lines becomes one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Accept", id="prompt.accept", tooltip="Take what is written"),
        Binding("tab", "complete", "Complete", id="prompt.complete", tooltip="Take what is suggested in gray"),
    ]

    class Left(Message):
        """The person wants to leave the line."""

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

    def action_complete(self) -> None:
        """Take what is suggested; the key never leads out of the line."""
        if self._suggestion:
            self.value = self._suggestion
            self.cursor_position = len(self.value)

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.replace(" ".join(event.text.split()), *self.selection)
