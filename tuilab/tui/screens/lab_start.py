"""What the lab shows before anything has been run: what a run would do and take, and the task's data."""

from functools import partial

from textual.message import Message

from tuilab.spec.errors import LabError
from tuilab.store.rates import Estimate, estimate_at
from tuilab.tui.background import in_background
from tuilab.tui.lines import Text
from tuilab.tui.screens.lab_base import LabBase
from tuilab.tui.start_lines import start_lines
from tuilab.tui.widgets.line_view import LineView


class StartView(LineView, can_focus=False):
    """Lines that are made for the room there is."""

    class Resized(Message):
        """There is another room."""

    def on_resize(self) -> None:
        super().on_resize()
        self.post_message(self.Resized())


class LabStart(LabBase):
    """The pane in place of curves."""

    def on_start_view_resized(self, message: StartView.Resized) -> None:
        message.stop()
        self.show_start()

    def show_start(self) -> None:
        """Fill the pane, unless there are curves."""
        if self.live is not None:
            return
        start = self.query_one("#start", StartView)
        start.entitle("Not run yet")
        width, height = start.size
        if width > 4 and height > 1:
            start.rows = Text(start_lines(self.shown, self._expected(), width, height, self.lab.glyphs))

    def _expected(self) -> Estimate | None:
        """What a run would cost; None where a candidate cannot be built."""
        bench = self.shown
        counts = [(count.num_params, count.macs) for count in bench.counts if not isinstance(count, LabError)]
        if len(counts) < len(bench.counts):
            return None
        return estimate_at(self.rates, bench.comparison, bench.facts, counts)

    async def learn_rates(self) -> None:
        """Find out how fast this lab has trained before, without making anybody wait."""
        from tuilab.tui.catalog import known_rates

        self.rates = await in_background(partial(known_rates, self.lab.home))
        self.show_start()
