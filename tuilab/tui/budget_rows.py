"""The budget pane: every candidate's parameters as a bar, and how far each is from the reference."""

from dataclasses import dataclass

from tuilab.analysis.counting import NetworkCount
from tuilab.analysis.matching import Quantity
from tuilab.spec.comparison import Budget, BudgetRule
from tuilab.spec.errors import LabError
from tuilab.tui.bench import Bench
from tuilab.tui.bench_budget import is_free, reference_candidate, target
from tuilab.tui.lines import Line, Span, bar, hue, letter, right
from tuilab.tui.numbers import exact, fitting, short, signed_percent


@dataclass(frozen=True)
class BudgetRows:
    """One candidate a row.

    Attributes:
        counts: what each costs, or why it cannot be built.
        reference: parameters that they are measured against; None where what they are measured against does not fit.
        budget: the rule and its tolerance; None where there is no budget.
        quantity: what is counted.

    """

    counts: tuple[NetworkCount | LabError, ...]
    reference: int | None
    budget: Budget | None
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
        return (
            name,
            Span(bar(amount / max(1, largest, self.reference or 0), room), hue(index)),
            Span(right(fitting(amount, 8), 9)),
            self._off(amount),
        )

    def _off(self, amount: int) -> Span:
        """How far it is from the reference."""
        if self.reference is None:
            return Span(right("–", 8), "dim")
        off = (amount - self.reference) / max(1, self.reference)
        role = "dim" if self.budget is None else "good" if within(self.budget, off) else "warn"
        return Span(right(signed_percent(off), 8), role)

    def _amount(self, count: NetworkCount | LabError) -> int:
        if isinstance(count, LabError):
            return 0
        amount: int = getattr(count, self.quantity)
        return amount


def within(budget: Budget, off: float) -> bool:
    """Whether a relative budget error keeps the rule and lies within the tolerance."""
    if abs(off) > budget.tolerance:
        return False
    match budget.rule:
        case BudgetRule.AT_MOST:
            return off <= 0
        case BudgetRule.AT_LEAST:
            return off >= 0
        case _:
            return True


def budget_pane(bench: Bench, width: int) -> tuple[BudgetRows, str]:
    """The rows and the title, in so many cells, of what is on the bench."""
    at, quantity = reference_candidate(bench), bench.goal.quantity
    budget = None if is_free(bench) else bench.comparison.protocol.budget
    try:
        reference = target(bench)
    except LabError:
        whom = letter(at or 0)
        title = _fitting(width, f"Budget unknown: {whom} does not fit", f"unknown: {whom} does not fit")
        return BudgetRows(bench.counts, None, budget, quantity), title
    if budget is None:
        whom = exact(reference) if at is None else letter(at)
        title = _fitting(width, f"No budget · compared with {whom}", f"No budget · vs {whom}")
    else:
        title = budget_title(budget, reference, quantity)
    return BudgetRows(bench.counts, reference, budget, quantity), title


def _fitting(width: int, long: str, short: str) -> str:
    return long if len(long) <= width else short


def budget_title(budget: Budget, reference: int, quantity: Quantity = "num_params") -> str:
    """``Budget 502 ±15%``, ``Budget ≤ 502`` or ``Budget 5,000 MACs``."""
    mark = {BudgetRule.AT_MOST: "≤ ", BudgetRule.AT_LEAST: "≥ "}.get(budget.rule, "")
    amount = exact(reference) if reference < 10**7 else short(reference)
    unit = "" if quantity == "num_params" else " MACs" if quantity == "macs" else " outputs"
    return f"Budget {mark}{amount}{unit} ±{budget.tolerance * 100:g}%"
