"""Keys take effect one after another: what is typed ahead goes where the keys before it led."""

import asyncio

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widgets import Input

_LONGEST = 5.0
"""Seconds that a key waits at most for the one before it."""
_LOOK = 0.02
"""Seconds between looks whether what is waited for is still there."""
_ENDING = ("enter", "escape")
"""Keys that end a line of text, so that the next key belongs somewhere else."""


class OrderedKeys(App[None]):
    """An application for people who type faster than it paints, and for keys that come in bursts.

    Textual hands each key to the widget that has the focus at that moment, and looks for bindings once the key has
    come back from there. Of ``i100 relu`` in one burst all keys would go to the stack before ``i`` has opened a line
    of text. Here a key is looked up at once, and the next one waits until a line or a screen that the key opened or
    closed has, or has given back, the focus.
    """

    _settled: Screen[object] | None = None

    async def on_event(self, event: events.Event) -> None:
        """Handle keys in their order; everything else is Textual's."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._take_key(event)
        else:
            await super().on_event(event)

    async def _take_key(self, event: events.Key) -> None:
        if not self.app_focus:
            self.app_focus = True
        if self.screen is not self._settled:
            self._settled = self.screen
            await _digest(self.screen)
        screen, focused = self.screen, self.focused
        typing = isinstance(focused, Input)
        if not typing and await self._check_bindings(event.key):
            for opened in [child for child in screen.children if not child.is_mounted]:
                await _digest(opened)
            return
        await super().on_event(event)
        if not typing:
            await _digest(screen)
        elif event.key in _ENDING:
            await self._let_line_end(focused)

    async def _let_line_end(self, focused: object) -> None:
        """Wait for the messages that go up from a line of text to its screen: one at each place answers another."""
        assert isinstance(focused, Input)
        for node in focused.ancestors_with_self:
            if node is self:
                break
            await _digest(node)
            await _digest(node)


async def _digest(pump: MessagePump) -> None:
    """Wait until everything that has been posted to ``pump`` is handled or it is closed, but not for ever."""
    done = asyncio.Event()
    if not pump.call_later(done.set):
        return
    for _ in range(round(_LONGEST / _LOOK)):
        try:
            await asyncio.wait_for(done.wait(), _LOOK)
        except TimeoutError:
            if pump.is_running:
                continue
        return
