"""Statistics that answer in words where a formula would say NaN."""

from collections.abc import Sequence
from math import fsum, sqrt


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None of nothing."""
    return fsum(values) / len(values) if values else None


def variance(values: Sequence[float]) -> float:
    """The unbiased sample variance; 0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    centre = fsum(values) / len(values)
    return fsum((value - centre) ** 2 for value in values) / (len(values) - 1)


def t_half_width(values: Sequence[float], level: float = 0.95) -> float | None:
    """Half the width of the t interval of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    return t_quantile((1 + level) / 2, len(values) - 1) * sqrt(variance(values) / len(values))


def t_quantile(probability: float, df: float) -> float:
    """Quantile of Student's t with ``df`` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))
