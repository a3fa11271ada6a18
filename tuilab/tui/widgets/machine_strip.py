"""A strip with what the machine is doing: it looks, and paints, only while something trains."""

import time
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import BindingType
from textual.reactive import reactive

from tuilab.tui.lines import Text
from tuilab.tui.machine_lines import machine_lines
from tuilab.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from tuilab.runner.resources import Resources
    from tuilab.tui.app import LabApp

SECONDS = 2.0
"""Between two looks."""
_FIRST = 0.5
"""Seconds from the look that only starts the count of processor times to the one that is shown."""
_LEAST = (70, 20)
"""Columns and rows of a screen that has room for it."""
_TALL = 30


class MachineStrip(LineView, can_focus=False):
    """Hidden until something trains, or somebody asks; ``report`` says which."""

    DEFAULT_CSS = """
    MachineStrip { display: none; height: auto; max-height: 4; padding: 0 1; }
    MachineStrip.-on { display: block; }
    Screen.-low MachineStrip.-on, Screen.-flat MachineStrip.-on { display: none; }
    Screen.-narrow MachineStrip.-on, Screen.-sliver MachineStrip.-on { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = []

    resources: reactive["Resources | None"] = reactive["Resources | None"](None, init=False, repaint=False)
    """The machine at the last look; None before."""

    def __init__(self) -> None:
        super().__init__(id="machine", cursor_on=False)
        self._busy = False
        self._asked = False
        self._rate: float | None = None
        self._looking = False
        self._looked = False
        """Whether a look began the count of processor times, so that the next one can be shown."""

    def on_mount(self) -> None:
        self._clock = self.set_interval(SECONDS, self._look, pause=True)
        self.watch(self.app, "machine_on", self._obey)

    @property
    def has_room(self) -> bool:
        """Whether the screen has lines to spare for it."""
        columns, rows = self.screen.size
        return columns >= _LEAST[0] and rows >= _LEAST[1]

    @property
    def wanted(self) -> bool:
        """Whether it shows, as soon as there is something to show."""
        return cast("LabApp", self.app).machine_on and (self._busy or self._asked)

    def report(self, *, busy: bool, steps_per_second: float | None) -> None:
        """Take in whether something trains, and how fast; looks follow only while it does."""
        self._rate = steps_per_second
        if busy != self._busy:
            self._busy = busy
            self._obey()

    def toggle(self) -> None:
        """Hide it where it shows, else show it: once where nothing trains."""
        self._asked = not self.has_class("-on")
        cast("LabApp", self.app).machine_on = self._asked
        self._obey()
        if self._asked and not self.has_room:
            self.notify("the strip with processors, memory and GPUs needs a terminal of 70x20", timeout=3)

    def on_resize(self) -> None:
        self._show()

    def _obey(self) -> None:
        """Go on looking while something trains; look once where somebody asked; else hide and be still."""
        if self.wanted and self._busy:
            self._clock.resume()
        else:
            self._clock.pause()
        if self.wanted:
            self._look()
        else:
            self._looked = False
            self.remove_class("-on")

    def _look(self) -> None:
        if not self._looking and self.has_room and self.screen.is_current:
            self._looking = True
            self.run_worker(self._take_look(), group="machine")

    async def _take_look(self) -> None:
        try:
            found = await cast("LabApp", self.app).machine.look()
        finally:
            self._looking = False
        if not self.is_attached:
            return
        if self._looked:
            self.resources = found
        else:
            self._looked = True
            self.set_timer(_FIRST, self._look)

    def watch_resources(self) -> None:
        self.set_class(self.wanted, "-on")
        self._show()

    def _show(self) -> None:
        if self.resources is not None:
            columns, rows = self.screen.size
            height = 4 if rows >= _TALL else 2
            since = "" if self._busy else time.strftime("%H:%M:%S")
            self.rows = Text(machine_lines(self.resources, self._rate, max(20, columns - 2), height, since=since))
