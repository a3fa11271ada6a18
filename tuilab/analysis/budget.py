"""The budget rule: what must hold between the candidates' parameter counts before a run."""

from collections.abc import Sequence

from tuilab.spec.comparison import BudgetRule, Comparison


def reference_params(comparison: Comparison, counts: Sequence[tuple[int, int]]) -> tuple[int, str]:
    """The number of parameters that the others are held against, and the name of its candidate (or an empty one).

    Args:
        comparison: its protocol's budget names the reference; the first candidate is the default.
        counts: (num_params, macs) of each candidate.

    """
    match comparison.protocol.budget.reference:
        case int(number):
            return number, ""
        case None:
            return counts[0][0], comparison.candidates[0].name
        case name:
            index = [candidate.name for candidate in comparison.candidates].index(name)
            return counts[index][0], name


def budget_error(num_params: int, reference: int) -> float:
    """(actual - target) / target; infinite where the target is 0 and the actual number is not."""
    if reference == 0:
        return float("inf") if num_params else 0.0
    return (num_params - reference) / reference


def check_budget(comparison: Comparison, counts: Sequence[tuple[int, int]]) -> str | None:
    """One sentence on the first candidate that breaks the comparison's budget rule; None when all keep it.

    Args:
        comparison: what is to be run.
        counts: (num_params, macs) of each candidate.

    """
    budget = comparison.protocol.budget
    reference, owner = reference_params(comparison, counts)
    for candidate, (num_params, _) in zip(comparison.candidates, counts, strict=True):
        error = budget_error(num_params, reference)
        match budget.rule:
            case BudgetRule.NONE:
                problem = None
            case BudgetRule.AT_MOST:
                problem = "at most" if num_params > reference else None
            case BudgetRule.AT_LEAST:
                problem = "at least" if num_params < reference else None
            case BudgetRule.NEAREST:
                problem = f"within {budget.tolerance:.0%} of" if abs(error) > budget.tolerance else None
        if problem is not None:
            whose = f", as candidate {owner} has" if owner else ""
            return (
                f"candidate {candidate.name} has {num_params:,} parameters ({error:+.1%}) but the budget rule allows"
                f" {problem} {reference:,}{whose}; change its stack, or the rule in protocol.budget"
            )
    return None
