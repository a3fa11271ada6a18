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
from tuilab.tui.background import in_background
from tuilab.tui.bench import Bench, count_of, with_stack
from tuilab.tui.screens.lab_editing import LabEditing

_AT_ONCE = 400
"""Elements of a stack up to which warnings are looked for at every key."""
_REST_SECONDS = 0.3


class LabInsight(LabEditing):
    """The actions on warnings."""

    _late: tuple[tuple[Candidate, tuple[Insight, ...]], ...] = ()
    """The huge candidates on the bench that were looked at, and what there is to say about each."""
    _asked: tuple[Candidate, ...] = ()
    """The huge candidates that are to be looked at."""
    _resting: Timer | None = None

    def insights(self, bench: Bench) -> tuple[Insight, ...]:
        """What there is to say about the selected candidate, most important first; nothing yet of a huge one."""
        try:
            network = bench.network(bench.candidate)
            if len(network.stack) <= _AT_ONCE:
                return insights_of(*_asks(bench, bench.candidate))
        except LabError:
            return ()
        known = self._known(bench.candidate)
        if known is None:
            self._look_later(bench.candidate)
        return known or ()

    def _known(self, candidate: Candidate) -> tuple[Insight, ...] | None:
        """What is known to say about a huge candidate; None where it was not looked at yet."""
        return next((found for known, found in self._late if known is candidate), None)

    def _look_later(self, candidate: Candidate) -> None:
        """Look at a huge candidate once the person rests."""
        if not _among(candidate, self._asked):
            self._asked = (*self._asked, candidate)
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(_REST_SECONDS, self._look)

    def _look(self) -> None:
        self._resting = None
        self.run_worker(self._look_at_asked(), group="insight", exclusive=True)

    async def _look_at_asked(self) -> None:
        """Look, without holding up a key; what is said of a stack that has changed meanwhile is dropped."""
        bench, asked = self.shown, self._asked
        for candidate in asked:
            if _among(candidate, bench.comparison.candidates):
                try:
                    found = await in_background(partial(_look_at, *_asks(bench, candidate)))
                except LabError:
                    found = ()
                self._late = (*self._late, (candidate, found))
        now = self.shown.comparison.candidates
        self._late = tuple((known, said) for known, said in self._late if _among(known, now))
        self._asked = tuple(candidate for candidate in self._asked if not _among(candidate, asked))
        self.show_bench()

    def action_fix(self) -> None:
        """Mend what the first warning is about; ask where there are several ways."""
        fixes = [fix for insight in self.insights(self.shown) for fix in insight.fixes]
        first = next((insight for insight in self.insights(self.shown) if insight.fixes), None)
        if isinstance(misfit := self.shown.count(self.shown.candidate), LabError):
            self.notify(f"{misfit}; edit that layer, or u takes the last change back", severity="warning", timeout=5)
        elif first is None:
            unknown = "this stack is still being looked at" if self._asked else "there is nothing to mend here"
            self.notify(unknown, timeout=2)
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


def _among(candidate: Candidate, candidates: tuple[Candidate, ...]) -> bool:
    """Whether this very value is among ``candidates``: comparing ten thousand layers takes longer than a key may."""
    return any(candidate is one for one in candidates)


def _asks(bench: Bench, candidate: Candidate) -> tuple[Network, Training, int]:
    return bench.network(candidate), bench.comparison.training_of(candidate), bench.facts.num_train


@lru_cache(maxsize=256)
def insights_of(network: Network, training: Training, num_train: int) -> tuple[Insight, ...]:
    """Every warning about a network, remembered.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    return _look_at(network, training, num_train)


def _look_at(network: Network, training: Training, num_train: int) -> tuple[Insight, ...]:
    """Every warning, not remembered: those of a huge stack hold many more of its kind, mended."""
    return warnings(network, training, training.loss, num_train, count_of(network).degrees_of_freedom)
