"""Families of candidates of one depth and growing width: how the metric falls with parameters, and what it would take.

Parameters at a target are interpolated between measured sizes, never extrapolated: "not reached" is an answer.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from math import exp, fsum, inf, log, sqrt

from tuilab.analysis.statistics import mean, t_quantile
from tuilab.analysis.wording import count_text, hidden_depth, number
from tuilab.spec.comparison import Comparison
from tuilab.spec.layers import Conv, Layer, Linear, Repeat, Residual, Stack, Sum

MIN_SIZES = 3
"""Fewer sizes than this are no family."""
MIN_SEEDS = 3
"""Fewer seeds a size than this cannot be resampled."""
RESAMPLES = 1000
_MAX_UNROLLED = 200


@dataclass(frozen=True, slots=True)
class Size:
    """One member of a family: its parameters and the test metrics of its final runs (failed ones scored)."""

    name: str
    num_params: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """Candidates that differ in width only, smallest first."""

    label: str
    depth: int
    sizes: tuple[Size, ...]


class Reach(Enum):
    """How an answer about parameters is to be read."""

    VALUE = "value"
    AT_MOST = "at most"
    """The smallest member is already there."""
    NOT_REACHED = "not reached"
    """No member gets there; the number is the largest one's, a lower bound."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """Parameters at a target, or a ratio of parameters.

    Attributes:
        reach: how ``value`` is to be read.
        value: the number, or the bound; None when refused.
        low, high: 95 % bootstrap interval over seeds; ``high`` is None where more than 2.5 % of the resamples do not
            get there; both are None without an interval.
        sentence: for a reader.

    """

    reach: Reach
    value: float | None
    low: float | None
    high: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """metric = scale * params ** -exponent, fitted to the sizes' means by least squares of logarithms.

    Attributes:
        half_width: 95 % half-width of the exponent.
        smallest, largest: parameters between which it was fitted, and outside which it says nothing.

    """

    scale: float
    exponent: float
    half_width: float
    smallest: int
    largest: int

    def at(self, num_params: float) -> float:
        """The fitted metric."""
        return self.scale * exp(-self.exponent * log(num_params))


def families(
    comparison: Comparison, num_params: Sequence[int], values: Sequence[Sequence[float]]
) -> tuple[Family, ...]:
    """The candidates grouped by everything but width; groups with one member are left out.

    Args:
        comparison: whose candidates.
        num_params: of each candidate.
        values: test metrics of each candidate's final runs, failed ones scored as the tests do.

    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, candidate in enumerate(comparison.candidates):
        training = comparison.training_of(candidate)
        groups.setdefault((_outline(candidate.stack), training), []).append(index)
    found = []
    for indices in groups.values():
        if len({num_params[index] for index in indices}) < 2:
            continue
        ordered = sorted(indices, key=lambda index: num_params[index])
        sizes = tuple(Size(comparison.candidates[i].name, num_params[i], tuple(values[i])) for i in ordered)
        depth = hidden_depth(comparison.candidates[indices[0]].stack)
        found.append(Family(_label(depth), depth, sizes))
    return tuple(sorted(found, key=lambda family: family.depth))


def _label(depth: int) -> str:
    words = ("linear", "one-layer", "two-layer", "three-layer", "four-layer", "five-layer", "six-layer")
    return f"the {words[depth] if depth < len(words) else f'{depth}-layer'} family"


def _outline(stack: Stack) -> tuple[object, ...]:
    """The stack without its widths; short repeats are written out, so that both ways to write a stack agree."""
    outline: list[object] = []
    for layer in stack:
        outline += _outline_of(layer)
    return tuple(outline)


def _outline_of(layer: Layer) -> list[object]:
    match layer:
        case Linear(bias=bias, init=init, trainable=trainable):
            return [("linear", bias, init, trainable)]
        case Conv(kernel_size=kernel_size, stride=stride, padding=padding, bias=bias, init=init):
            return [("conv", kernel_size, stride, padding, bias, init)]
        case Repeat(times, body) if times * max(1, len(body)) <= _MAX_UNROLLED:
            return [*_outline(body)] * times
        case Repeat(times, body):
            return [("repeat", times, _outline(body))]
        case Residual(body):
            return [("residual", _outline(body))]
        case Sum(branches):
            return [("sum", *map(_outline, branches))]
        case _:
            return [layer]


def fit(family: Family) -> PowerLaw | None:
    """The power law through the family's means; None with too few sizes or a mean of zero, which has no logarithm."""
    points = [(log(size.num_params), mean(size.values)) for size in family.sizes]
    known = [(x, log(y)) for x, y in points if y is not None and y > 0]
    if len(known) < max(MIN_SIZES, len(points)):
        return None
    n = len(known)
    x_mean, y_mean = fsum(x for x, _ in known) / n, fsum(y for _, y in known) / n
    spread = fsum((x - x_mean) ** 2 for x, _ in known)
    slope = fsum((x - x_mean) * (y - y_mean) for x, y in known) / spread
    rest = fsum((y - y_mean - slope * (x - x_mean)) ** 2 for x, y in known)
    half = t_quantile(0.975, n - 2) * sqrt(rest / (n - 2) / spread)
    sizes = family.sizes
    return PowerLaw(exp(y_mean - slope * x_mean), -slope, half, sizes[0].num_params, sizes[-1].num_params)


def params_at(family: Family, target: float, seed: int = 0) -> Answer:
    """Parameters at which the family's mean metric first comes down to ``target``.

    The interval is a bootstrap over seeds. Between neighbouring sizes the metric is interpolated on logarithmic axes.
    """
    refusal = _refusal(family)
    if refusal:
        return Answer(Reach.REFUSED, None, None, None, refusal)
    rng = random.Random(seed)
    crossings = sorted(_crossing(family.sizes, _resampled(family.sizes, rng), target) for _ in range(RESAMPLES))
    low, high = _interval(crossings)
    value = _crossing(family.sizes, _means(family.sizes), target)
    smallest, largest = family.sizes[0].num_params, family.sizes[-1].num_params
    if value == inf:
        told = f"{family.label} did not reach {number(target)} by {largest:,} params"
        return Answer(Reach.NOT_REACHED, largest, low, high, told)
    if value <= smallest:
        told = f"{family.label} is at {number(target)} already with {smallest:,} params"
        return Answer(Reach.AT_MOST, smallest, low, high, told)
    upper = "not reached" if high is None else f"{round(high):,}"
    interval = f" [{round(low):,}, {upper}]" if low is not None else ""
    told = f"{family.label} reaches {number(target)} with {round(value):,} params{interval}"
    return Answer(Reach.VALUE, value, low, high, told)


def equivalence_factor(family: Family, rival: Size, seed: int = 0) -> Answer:
    """How many times the rival's parameters the family needs for the rival's mean score.

    Both the family's and the rival's seeds are resampled for the interval.
    """
    refusal = _refusal(family)
    score = mean(rival.values)
    if not refusal and (score is None or len(rival.values) < MIN_SEEDS):
        refusal = f"{rival.name} has {count_text(len(rival.values), 'run')}; the factor needs at least {MIN_SEEDS}"
    if refusal or score is None:
        return Answer(Reach.REFUSED, None, None, None, refusal)
    rng = random.Random(seed)
    ratios = sorted(
        _crossing(family.sizes, _resampled(family.sizes, rng), _resampled((rival,), rng)[0]) / rival.num_params
        for _ in range(RESAMPLES)
    )
    low, high = _interval(ratios)
    needed = _crossing(family.sizes, _means(family.sizes), score)
    if needed == inf:
        bound = family.sizes[-1].num_params / rival.num_params
        told = f"{family.label} would need more than {number(bound, 2)} times the parameters of {rival.name}"
        return Answer(Reach.NOT_REACHED, bound, low, high, told)
    factor = needed / rival.num_params
    times = f"{number(factor, 2)} times the parameters of {rival.name}"
    if needed <= family.sizes[0].num_params:
        return Answer(Reach.AT_MOST, factor, low, high, f"{family.label} needs at most {times}")
    upper = "not reached" if high is None else number(high, 2)
    interval = f" [{number(low, 2)}, {upper}]" if low is not None else ""
    return Answer(Reach.VALUE, factor, low, high, f"{family.label} needs {times}{interval}")


def equivalences(found: Sequence[Family], rivals: Sequence[Size]) -> dict[str, Answer]:
    """Equivalence factors against the shallowest family that has enough widths, of every rival outside it, by name."""
    shallowest = next((family for family in found if len(family.sizes) >= MIN_SIZES), None)
    if shallowest is None:
        return {}
    inside = {size.name for size in shallowest.sizes}
    return {rival.name: equivalence_factor(shallowest, rival) for rival in rivals if rival.name not in inside}


def scaling_sentences(found: Sequence[Family], target: float | None) -> tuple[str, ...]:
    """What each family says of itself: how its metric falls with size, and its parameters at a target.

    Args:
        found: the families, shallowest first; those with a width that has no run yet say nothing.
        target: metric to reach; without it, the best mean of the shallowest family with enough widths.

    """
    begun = [family for family in found if all(one.values for one in family.sizes)]
    if target is None:
        target = next((min(_means(one.sizes)) for one in begun if not _refusal(one)), None)
    told = []
    for family in begun:
        smallest, largest = family.sizes[0].num_params, family.sizes[-1].num_params
        label = f"{family.label} ({len(family.sizes)} widths, {smallest:,} to {largest:,} params)"
        law, refusal = fit(family), _refusal(family)
        if law is not None:
            exponent = f"{-law.exponent:.2g}".replace("-", "−")
            told.append(f"{label}: metric ∝ params^{exponent} (exponent ± {number(law.half_width, 2)})")
        elif not refusal:
            told.append(f"{label}: no power law goes through a metric of 0")
        if refusal:
            told.append(refusal)
        elif target is not None:
            told.append(params_at(family, target).sentence)
    return tuple(told)


def _refusal(family: Family) -> str:
    if len(family.sizes) < MIN_SIZES:
        found = count_text(len(family.sizes), "width")
        return f"{family.label} has {found}; parameters at a target need at least {MIN_SIZES}"
    fewest = min(len(size.values) for size in family.sizes)
    if fewest < MIN_SEEDS:
        return f"{family.label} has a width with {count_text(fewest, 'run')}; the interval needs at least {MIN_SEEDS}"
    return ""


def _means(sizes: Sequence[Size]) -> list[float]:
    return [fsum(size.values) / len(size.values) for size in sizes]


def _resampled(sizes: Sequence[Size], rng: random.Random) -> list[float]:
    return [fsum(rng.choices(size.values, k=len(size.values))) / len(size.values) for size in sizes]


def _crossing(sizes: Sequence[Size], means: Sequence[float], target: float) -> float:
    """Parameters at which the means first come down to the target; infinite when they do not."""
    if means[0] <= target:
        return sizes[0].num_params
    for (small, above), (large, below) in pairwise(zip(sizes, means, strict=True)):
        if below <= target < above:
            share = _share(above, below, target)
            return exp((1 - share) * log(small.num_params) + share * log(large.num_params))
    return inf


def _share(above: float, below: float, target: float) -> float:
    """How far from ``above`` to ``below`` the target lies, on a logarithmic axis where there is one."""
    if below > 0:
        return log(above / target) / log(above / below)
    return (above - target) / (above - below)


def _interval(ordered: Sequence[float]) -> tuple[float | None, float | None]:
    """The central 95 % of resamples; an infinite end is None."""
    low, high = ordered[round(0.025 * (len(ordered) - 1))], ordered[round(0.975 * (len(ordered) - 1))]
    return (None if low == inf else low), (None if high == inf else high)
