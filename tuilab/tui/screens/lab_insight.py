"""Warnings that teach: the first in a pane, the theory in a panel, the remedy at a key."""

from functools import lru_cache, partial

from textual.timer import Timer

from tuilab.analysis.insight import Fix, Insight
from tuilab.analysis.warnings import warnings
from tuilab.spec.comparison import Candidate
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Stack
from tuilab.spec.network import Network
from tuilab.spec.training import Training
from tuilab.tui.bench import Bench, count_of, with_stack
from tuilab.tui.screens.lab_editing import LabEditing

_AT_ONCE = 400
"""Elements of a stack up to which warnings are looked for at every key."""
_REST_SECONDS = 0.3


class LabInsight(LabEditing):
    """The actions on warnings."""

    _late: tuple[Candidate, tuple[Insight, ...]] | None = None
    """The last huge candidate that was looked at, and what there is to say about it."""
    _resting: Timer | None = None

    def insights(self, bench: Bench) -> tuple[Insight, ...]:
        """What there is to say about the selected candidate, most important first."""
        try:
            network = bench.network(bench.candidate)
            if len(network.stack) <= _AT_ONCE:
                return _insights_of(bench, network)
            if self._late is None or self._late[0] is not bench.candidate:
                self._look_later(bench)
                return ()
            return self._late[1]
        except LabError:
            return ()

    def _look_later(self, bench: Bench) -> None:
        """Look at a huge network once the person rests."""
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(_REST_SECONDS, partial(self._look, bench))

    def _look(self, bench: Bench) -> None:
        self._resting = None
        try:
            self._late = bench.candidate, _insights_of(bench, bench.network(bench.candidate))
        except LabError:
            return
        self.show_bench()

    def action_fix(self) -> None:
        """Mend what the first warning is about; ask where there are several ways."""
        fixes = [fix for insight in self.insights(self.shown) for fix in insight.fixes]
        first = next((insight for insight in self.insights(self.shown) if insight.fixes), None)
        if first is None:
            self.notify("there is nothing to mend here", timeout=2)
        elif len(first.fixes) == 1 or not fixes:
            self._apply(first.fixes[0])
        else:
            self._choose_fix(first)

    def _choose_fix(self, insight: Insight) -> None:
        from tuilab.tui.screens.question import Choice, QuestionScreen

        def answer(choice: str | None) -> None:
            if choice is not None and choice.isdecimal():
                self._apply(insight.fixes[int(choice)])

        choices = [Choice(str(at), fix.label, str(at + 1)) for at, fix in enumerate(insight.fixes)]
        choices.append(Choice("cancel", "nothing", "c"))
        self.app.push_screen(QuestionScreen(insight.sentence, tuple(choices)), answer)

    def _apply(self, fix: Fix) -> None:
        if self.change(partial(_with_fix, stack=fix.stack)):
            self.notify(fix.label, timeout=3)

    def action_why(self) -> None:
        """Show the theory behind the warnings, with this network's numbers."""
        from tuilab.tui.screens.why import WhyScreen

        self.app.push_screen(WhyScreen(self.shown, self.insights(self.shown), self.rates))


def _with_fix(bench: Bench, stack: Stack) -> Bench:
    return with_stack(bench, stack)


def _insights_of(bench: Bench, network: Network) -> tuple[Insight, ...]:
    return insights_of(network, bench.comparison.training_of(bench.candidate), bench.facts.num_train)


@lru_cache(maxsize=256)
def insights_of(network: Network, training: Training, num_train: int) -> tuple[Insight, ...]:
    """Every warning about a network, remembered.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    return warnings(network, training, training.loss, num_train, count_of(network).degrees_of_freedom)
