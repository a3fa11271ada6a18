"""What the parts of the lab screen share: its values, and how they are changed."""

from typing import TYPE_CHECKING, cast

from textual.reactive import reactive
from textual.screen import Screen

from tuilab.store.rates import Measured
from tuilab.tui.bench import Bench, select
from tuilab.tui.live import LiveState

if TYPE_CHECKING:
    from tuilab.tui.app import LabApp


class LabBase(Screen[None]):
    """A bench, and an experiment that may be running."""

    bench: reactive[Bench | None] = reactive[Bench | None](None, init=False, repaint=False)
    """What is being built."""
    preview: reactive[Bench | None] = reactive[Bench | None](None, init=False, repaint=False)
    """What would be, while a line is being typed."""
    live: reactive[LiveState | None] = reactive[LiveState | None](None, init=False, repaint=False)
    """The experiment that is watched; None before the first run."""
    pane: reactive[str] = reactive("stack", init=False, repaint=False)
    """Id of the pane that has, or last had, the focus."""
    rates: tuple[Measured, ...] = ()
    """How fast this lab has trained before."""
    log_y: reactive[bool] = reactive(True, init=False, repaint=False)

    @property
    def lab(self) -> "LabApp":
        """The application."""
        return cast("LabApp", self.app)

    def choose(self, index: int) -> None:
        """Select a candidate."""
        if self.bench is not None and not self.asking:
            self.bench = select(self.bench, index)

    @property
    def asking(self) -> bool:
        """Whether a line of text is open: until it is accepted or left, nothing else changes the bench."""
        return False

    @property
    def shown(self) -> Bench:
        """The bench that the panes show."""
        bench = self.preview or self.bench
        assert bench is not None
        return bench

    @property
    def running(self) -> bool:
        """Whether the watched experiment has not ended yet."""
        return self.live is not None and not self.live.experiment.status.ended

    @property
    def identity(self) -> str | None:
        """Id of the watched experiment; None before the first run."""
        return self.live.experiment.id if self.live is not None else None

    def put_away(self) -> None:
        """Keep what is on the bench for when it is opened again."""
        if self.bench is not None:
            self.lab.drafts.keep(self.bench, self.identity)

    def show_bench(self) -> None:
        """Hand the bench down to the panes that show it."""
        raise NotImplementedError
