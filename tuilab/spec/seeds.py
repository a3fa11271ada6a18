"""More final seeds for a comparison that is otherwise the same."""

from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError

MOST_SEEDS = 10_000


def more_seeds(comparison: Comparison, seeds: int) -> Comparison:
    """The comparison with so many more final seeds.

    Raises:
        LabError: when that is none, or more than a comparison may have.

    """
    final_seeds = comparison.protocol.final_seeds + seeds
    if seeds < 1 or final_seeds > MOST_SEEDS:
        had = comparison.protocol.final_seeds
        raise LabError(f"cannot add {seeds:,} seeds to {had:,}: add at least 1, to at most {MOST_SEEDS:,}")
    protocol = comparison.protocol.model_copy(update={"final_seeds": final_seeds})
    return comparison.model_copy(update={"protocol": protocol})
