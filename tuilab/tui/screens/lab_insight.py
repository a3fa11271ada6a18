"""Warnings that teach: the first in a pane, the theory in a panel, the remedy at a key."""

from functools import lru_cache, partial

from tuilab.analysis.insight import Fix, Insight
from tuilab.analysis.warnings import warnings
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Stack
from tuilab.spec.network import Network
from tuilab.spec.training import Training
from tuilab.tui.bench import Bench, count_of, with_stack
from tuilab.tui.screens.lab_editing import LabEditing


class LabInsight(LabEditing):
    """The actions on warnings."""

    def insights(self, bench: Bench) -> tuple[Insight, ...]:
        """What there is to say about the selected candidate, most important first."""
        try:
            network = bench.network(bench.candidate)
            return insights_of(network, bench.comparison.training_of(bench.candidate), bench.facts.num_train)
        except LabError:
            return ()

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

        self.app.push_screen(WhyScreen(self.shown, self.insights(self.shown)))


def _with_fix(bench: Bench, stack: Stack) -> Bench:
    return with_stack(bench, stack)


@lru_cache(maxsize=256)
def insights_of(network: Network, training: Training, num_train: int) -> tuple[Insight, ...]:
    """Every warning about a network, remembered.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    return warnings(network, training, training.loss, num_train, count_of(network).degrees_of_freedom)
