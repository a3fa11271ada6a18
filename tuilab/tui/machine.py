"""Looks at the machine from a thread, for whichever screen shows it."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tuilab.tui.background import in_background

if TYPE_CHECKING:
    from tuilab.runner.resources import Monitor, Resources


class Machine:
    """One monitor for the whole interface; nothing is imported or looked at before the first look."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._monitor: Monitor | None = None
        self._turn = threading.Lock()

    async def look(self) -> "Resources":
        """The machine now; processor times are those since the look before."""
        return await in_background(self._look)

    def _look(self) -> "Resources":
        from tuilab.runner.resources import Monitor

        with self._turn:
            if self._monitor is None:
                self._monitor = Monitor(self._home)
            return self._monitor.look()
