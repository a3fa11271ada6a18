"""The budget pane: every candidate's parameters as a bar, and how far each is from the reference."""

from dataclasses import dataclass

from tuilab.analysis.counting import NetworkCount
from tuilab.analysis.matching import Quantity
from tuilab.spec.comparison import Budget, BudgetRule
from tuilab.spec.errors import LabError
from tuilab.tui.lines import Line, Span, bar, hue, letter, right
from tuilab.tui.numbers import exact, fitting, short, signed_percent


@dataclass(frozen=True)
class BudgetRows:
    """One candidate a row.

    Attributes:
        counts: what each costs, or why it cannot be built.
        reference: parameters that they are measured against; None where the candidate that says them cannot be built.
        budget: the rule and its tolerance.
        quantity: what is counted.

    """

    counts: tuple[NetworkCount | LabError, ...]
    reference: int | None
    budget: Budget
    quantity: Quantity = "num_params"

    def __len__(self) -> int:
        return len(self.counts)

    def header(self, width: int) -> Line | None:
        """None: the pane's title says what it shows."""
        return None

    def line(self, index: int, width: int) -> Line:
        """The candidate at ``index``."""
        count = self.counts[index]
        name = Span(f"{letter(index)} ", f"{hue(index)} strong")
        if isinstance(count, LabError):
            return name, Span("cannot be built", "error")
        amounts = [self._amount(each) for each in self.counts]
        amount, largest = amounts[index], max(amounts)
        room = max(4, width - 2 - 9 - 8)
        longest = max(1, largest, self.reference or 0)
        known = name, Span(bar(amount / longest, room), hue(index)), Span(right(fitting(amount, 8), 9))
        if self.reference is None:
            return known
        off = (amount - self.reference) / max(1, self.reference)
        role = "good" if within(self.budget, off) else "warn"
        return *known, Span(right(signed_percent(off), 8), role)

    def _amount(self, count: NetworkCount | LabError) -> int:
        if isinstance(count, LabError):
            return 0
        amount: int = getattr(count, self.quantity)
        return amount


def within(budget: Budget, off: float) -> bool:
    """Whether a relative budget error keeps the rule; without a rule, whether it is within the tolerance."""
    if abs(off) > budget.tolerance:
        return False
    match budget.rule:
        case BudgetRule.AT_MOST:
            return off <= 0
        case BudgetRule.AT_LEAST:
            return off >= 0
        case _:
            return True


def budget_title(budget: Budget, reference: int | None, quantity: Quantity = "num_params") -> str:
    """``Budget 502 ±15%``, ``Budget ≤ 502`` or ``Budget 5,000 MACs``; without a reference ``Budget ?``."""
    mark = {BudgetRule.AT_MOST: "≤ ", BudgetRule.AT_LEAST: "≥ "}.get(budget.rule, "")
    amount = "?" if reference is None else exact(reference) if reference < 10**7 else short(reference)
    unit = "" if quantity == "num_params" else " MACs" if quantity == "macs" else " outputs"
    return f"Budget {mark}{amount}{unit} ±{budget.tolerance * 100:g}%"
