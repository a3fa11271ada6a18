"""Intervals, tests and effect sizes that answer None, or a bound from counting, where a formula would say NaN.

Every comparison of means is a ``Contrast``: a difference with its standard error and degrees of freedom, from which the
p value, the interval, the equivalence test and the number of seeds still needed all follow.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, fsum, hypot, inf, log, sqrt

LOG_OFFSET = 1e-4
"""Added to a metric before its logarithm is taken, so that a perfect run stays finite."""
_ROUNDING = 1e-12
"""Relative spread below which values count as equal."""
MAX_SEEDS = 1000
"""Larger sample sizes are answered by None: nobody runs them."""


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None of nothing."""
    return fsum(values) / len(values) if values else None


def variance(values: Sequence[float]) -> float:
    """The unbiased sample variance; exactly 0 for fewer than two values and for values that differ by rounding only."""
    if len(values) < 2 or max(values) - min(values) <= _ROUNDING * max(map(abs, values)):
        return 0.0
    centre = fsum(values) / len(values)
    return fsum((value - centre) ** 2 for value in values) / (len(values) - 1)


def t_quantile(probability: float, df: float) -> float:
    """Quantile of Student's t with ``df`` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def _t_below(t: float, df: float) -> float:
    from scipy.special import stdtr

    return float(stdtr(df, t))


def t_half_width(values: Sequence[float], level: float = 0.95) -> float | None:
    """Half the width of the t interval of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    return t_quantile((1 + level) / 2, len(values) - 1) * sqrt(variance(values) / len(values))


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference of means and how sure of it one can be.

    Attributes:
        difference: first mean minus second.
        error: its standard error; 0 where the runs have no spread.
        df: degrees of freedom of t.
        chance: without spread, the probability that chance alone arranges the runs this way (one-sided), from counting
            arrangements: no p value is smaller than what so few runs can show.
        unit: standard error of one run (or pair), so that with n of each the error is unit * sqrt(1/n + floor).
        floor: share of the variance that more runs do not remove (Nadeau and Bengio); 0 for independent runs.
        df_per_run: degrees of freedom are this times (n - 1).

    """

    difference: float
    error: float
    df: float
    chance: float
    unit: float
    floor: float = 0.0
    df_per_run: float = 1.0

    @property
    def t(self) -> float:
        """The t statistic; infinite for a difference without spread, 0 for no difference."""
        if self.difference == 0:
            return 0.0
        return self.difference / self.error if self.error else inf * self.difference

    @property
    def p(self) -> float:
        """Two-sided p value of no difference."""
        if self.error == 0:
            return 1.0 if self.difference == 0 else min(1.0, 2 * self.chance)
        return min(1.0, 2 * _t_below(-abs(self.t), self.df))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The t interval of the difference."""
        half = t_quantile((1 + level) / 2, self.df) * self.error
        return self.difference - half, self.difference + half

    def equivalence_p(self, margin: float) -> float:
        """P value of TOST (Schuirmann 1987): small when the difference lies within -margin .. margin."""
        if self.error == 0:
            return self.chance if abs(self.difference) < margin else 1.0
        return _t_below((abs(self.difference) - margin) / self.error, self.df)


def welch(first: Sequence[float], second: Sequence[float]) -> Contrast | None:
    """The difference of independent means without equal variances (Welch 1947); None with fewer than 2 runs a side."""
    n, m = len(first), len(second)
    if n < 2 or m < 2:
        return None
    a, b = variance(first) / n, variance(second) / m
    difference = _difference(first, second)
    chance = 1 / comb(n + m, n)
    if a + b == 0:
        return Contrast(difference, 0.0, n + m - 2, chance, 0.0)
    df = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    x, y = n * a, m * b
    per_run = (x + y) ** 2 / (x**2 + y**2)
    return Contrast(difference, sqrt(a + b), df, chance, sqrt(x + y), df_per_run=per_run)


def welch_log(first: Sequence[float], second: Sequence[float], offset: float = LOG_OFFSET) -> Contrast | None:
    """Welch's contrast of log(value + offset): for errors, whose spread grows with their size."""
    return welch([log(value + offset) for value in first], [log(value + offset) for value in second])


def paired(first: Sequence[float], second: Sequence[float], floor: float = 0.0) -> Contrast | None:
    """The mean difference of runs that share seeds; None with fewer than two pairs.

    Args:
        first: in the order of the common seeds.
        second: of equal length, in the same order.
        floor: n_test / n_train for repeated splits of one table, which share rows: the standard error is then
            s sqrt(1/J + n_test/n_train) (Nadeau and Bengio 2003).

    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    n = len(differences)
    if n < 2:
        return None
    scale = max(map(abs, [*first, *second]))
    spread = max(differences) - min(differences)
    unit = sqrt(variance(differences)) if spread > _ROUNDING * scale else 0.0
    centre = _difference(first, second)
    return Contrast(centre, unit * sqrt(1 / n + floor), n - 1, 0.5 ** (1 / (1 / n + floor)), unit, floor)


def _difference(first: Sequence[float], second: Sequence[float]) -> float:
    """Difference of the means; exactly 0 where it is rounding."""
    difference = fsum(first) / len(first) - fsum(second) / len(second)
    return difference if abs(difference) > _ROUNDING * max(map(abs, [*first, *second])) else 0.0


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Two-sided p value of the Mann-Whitney U test; None with fewer than two runs a side.

    Exact for small samples without ties; with ties the normal approximation, but never below what counting
    arrangements allows.
    """
    if len(first) < 2 or len(second) < 2:
        return None
    if min(*first, *second) == max(*first, *second):
        return 1.0
    from scipy.stats import mannwhitneyu

    p = float(mannwhitneyu(first, second, alternative="two-sided").pvalue)
    return min(1.0, max(p, 2 / comb(len(first) + len(second), len(first))))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P values adjusted for their number (Holm 1979), in the order given."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def cohen_d(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Difference of the means in pooled standard deviations; None without spread or with fewer than two runs a side."""
    n, m = len(first), len(second)
    if n < 2 or m < 2:
        return None
    pooled = ((n - 1) * variance(first) + (m - 1) * variance(second)) / (n + m - 2)
    return _difference(first, second) / sqrt(pooled) if pooled else None


def a12(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Probability that a value of the first exceeds one of the second, ties counted half; None without values."""
    if not first or not second:
        return None
    ordered = sorted(second)
    wins = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in first)
    return wins / (2 * len(first) * len(second))


def seeds_for_difference(contrast: Contrast, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Seeds a side at which a difference like this is found with the given power.

    None without a difference, or when more than ``MAX_SEEDS`` (or any number, for repeated splits) would be needed.
    """
    return _smallest(contrast, abs(contrast.difference), 1 - alpha / 2, power)


def seeds_for_equivalence(contrast: Contrast, margin: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Seeds a side at which TOST shows a difference like this to be inside the margin; None when out of reach."""
    room = margin - abs(contrast.difference)
    return _smallest(contrast, room, 1 - alpha, (1 + power) / 2) if room > 0 else None


def _smallest(contrast: Contrast, effect: float, quantile: float, power: float) -> int | None:
    """Smallest n at which a one-sided t test at ``quantile`` finds ``effect`` with the given power."""
    from scipy.special import nctdtr

    if contrast.unit == 0 or effect == 0:
        return None

    def enough(n: int) -> bool:
        df = contrast.df_per_run * (n - 1)
        noncentrality = effect / (contrast.unit * hypot(1 / sqrt(n), sqrt(contrast.floor)))
        if noncentrality > 30:
            return True
        return 1 - float(nctdtr(df, noncentrality, t_quantile(quantile, df))) >= power

    return _first(enough, 2, MAX_SEEDS)


def _first(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """Smallest integer of low..high for which a monotone condition holds."""
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
