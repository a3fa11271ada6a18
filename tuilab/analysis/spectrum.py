"""How many directions a matrix really uses."""

from collections.abc import Sequence
from math import exp, fsum, log


def effective_rank(singular_values: Sequence[float]) -> float:
    """Exponential of the entropy of the normalised singular values (Roy and Vetterli 2007).

    N equal values give n, a single one gives 1; a matrix of zeros has effective rank 0.
    """
    total = fsum(singular_values)
    shares = [value / total for value in singular_values if value > 0] if total > 0 else []
    return exp(-fsum(share * log(share) for share in shares)) if shares else 0.0
