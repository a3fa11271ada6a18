"""Bounds on the number of linear regions of a ReLU network.

A maximum over weights: what training reaches is far less (Hanin and Rolnick 2019), and more regions are not a better
fit. Bounds are exact whole numbers while they are short, and logarithms for networks of any size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb, exp, lgamma, log, log10, prod
from typing import TypeAlias

from tuilab.analysis.collapse import fold
from tuilab.analysis.freedom import HOMOGENEOUS, is_transparent
from tuilab.spec.layers import Activation, BatchNorm, Dropout, Flatten, Linear, Repeat, Stack
from tuilab.spec.network import Network

Runs: TypeAlias = Sequence[tuple[int, int]]
"""Hidden layers as (width, how many in a row are that wide)."""
MAX_DIGITS = 400
"""Longer bounds are given as logarithms only."""
MAX_LAYERS = 1000
"""Hidden layers that are looked at one by one."""
_MAX_WORK = 20_000
"""Products that the exact upper bound may cost; beyond, a closed and slightly larger one is given."""
_MAX_EXACT_TERMS = 1000
_MAX_TERMS = 3000
_LN_10 = log(10)


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound on a number of regions.

    Attributes:
        log10: its decimal logarithm.
        exact: the number itself; None when it has more than ``MAX_DIGITS`` digits.

    """

    log10: float
    exact: int | None = None


@dataclass(frozen=True, slots=True)
class RegionBounds:
    """Bounds for one network; None where a theorem does not apply.

    Attributes:
        zaslavsky: the most that one hidden layer with as many units reaches (Zaslavsky 1975).
        montufar: what some weights reach at least; needs every layer as wide as the input (Montufar et al. 2014).
        serra_lower: a larger such bound; needs every layer three times as wide (Serra et al. 2018, Theorem 6).
        upper: no weights reach more (Serra et al. 2018, Theorem 1; a little more for very large networks).

    """

    zaslavsky: Bound
    montufar: Bound | None
    serra_lower: Bound | None
    upper: Bound


def region_bounds(network: Network) -> RegionBounds | None:
    """Bounds for a plain stack of linear layers and ReLUs (leaky or not); None for any other network.

    Layers that collapse count as the one they fold into; lower bounds are then left out, as are those that do not
    apply.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    network.check()
    folded = fold(network)
    runs = relu_layers(folded)
    if runs is None:
        return None
    inputs = prod(network.in_shape)
    whole = folded.stack == network.stack and bool(runs)
    return RegionBounds(
        zaslavsky(sum(width * times for width, times in runs), inputs),
        montufar_lower(inputs, runs) if whole else None,
        serra_lower(inputs, runs) if whole else None,
        upper_bound(inputs, runs),
    )


def relu_layers(network: Network) -> tuple[tuple[int, int], ...] | None:
    """The hidden layers of a plain stack as runs of equal widths; None for any other network.

    Plain is: linear layers with ReLU or leaky ReLU between them, batch norms after them, dropout, repeats of these.
    """
    stack = network.layers
    if len(network.in_shape) > 1:
        if not stack or not isinstance(stack[0], Flatten):
            return None
        stack = stack[1:]
    runs: list[tuple[int, int]] = []
    pending: int | None = None
    for event in _events(stack):
        match event:
            case (int(), int()) if pending is None:
                runs.append(event)
            case int() if pending is None:
                pending = event
            case "bend" if pending is not None:
                runs.append((pending, 1))
                pending = None
            case "bend" if runs:
                continue
            case _:
                return None
    return tuple(runs)


def _events(stack: Stack) -> Iterator[int | str | tuple[int, int]]:
    """A width for a linear layer, "bend" for a ReLU, (width, times) for a repeat of both, "other" for the rest."""
    for layer in stack:
        match layer:
            case Linear(width):
                yield width
            case Activation(kind) if kind in HOMOGENEOUS and not is_transparent(layer):
                yield "bend"
            case Dropout() | BatchNorm():
                continue
            case Repeat(times, body):
                yield from _repeat_events(times, list(_events(body)))
            case _:
                yield from () if is_transparent(layer) else ("other",)


def _repeat_events(times: int, body: list[int | str | tuple[int, int]]) -> Iterator[int | str | tuple[int, int]]:
    match body:
        case [int() as width, "bend"]:
            yield width, times
        case [(int() as width, int() as copies)]:
            yield width, copies * times
        case _ if times * len(body) <= MAX_LAYERS:
            yield from body * times
        case _:
            yield "other"


def zaslavsky(units: int, inputs: int) -> Bound:
    """Regions of ``units`` hyperplanes in general position in ``inputs`` dimensions: sum over j <= n0 of C(n, j)."""
    return _product([(units, min(inputs, units), 1)])


def montufar_lower(inputs: int, runs: Runs) -> Bound | None:
    """Prod over l < L of floor(n_l / n0)^n0, times the sum over j <= n0 of C(n_L, j); None unless all n_l >= n0."""
    return _folding_lower(inputs, runs, least=1, extra=0)


def serra_lower(inputs: int, runs: Runs) -> Bound | None:
    """As ``montufar_lower`` with floor(n_l / n0) + 1; None unless all n_l >= 3 n0, where the theorem holds."""
    return _folding_lower(inputs, runs, least=3, extra=1)


def _folding_lower(inputs: int, runs: Runs, least: int, extra: int) -> Bound | None:
    if any(width < least * inputs for width, _ in runs):
        return None
    last = zaslavsky(runs[-1][0], inputs)
    folds = [(width // inputs + extra, times) for width, times in runs]
    folds[-1] = (folds[-1][0], folds[-1][1] - 1)
    logarithm = last.log10 + sum(inputs * times * log10(fold) for fold, times in folds)
    if logarithm > MAX_DIGITS or last.exact is None:
        return Bound(logarithm)
    exact = last.exact * prod(fold ** (inputs * times) for fold, times in folds)
    return Bound(log10(exact), exact)


def upper_bound(inputs: int, runs: Runs) -> Bound:
    """The sum over (j_1 .. j_L), 0 <= j_l <= min(n0, n_1 - j_1, .., n_l), of prod C(n_l, j_l) (Serra et al., Thm 1).

    Where every layer is twice as wide as the smallest before it, the sum is a product. Where it is too long to work
    out, the product is given, which is larger.
    """
    dimension = inputs
    factors: list[tuple[int, int, int]] = []
    closed = True
    for width, times in runs:
        closed = closed and (width >= 2 * dimension)
        dimension = min(dimension, width)
        factors.append((width, dimension, times))
    layers = sum(times for _, times in runs)
    if closed or layers > MAX_LAYERS or layers * dimension * dimension > _MAX_WORK:
        return _product(factors)
    if _product(factors).log10 > MAX_DIGITS:
        return _product(factors)
    exact = _sum_of_products(inputs, [width for width, times in runs for _ in range(times)])
    return Bound(log10(exact), exact)


def _sum_of_products(inputs: int, widths: Sequence[int]) -> int:
    """``upper_bound`` by the dimension that is left: ``ways[d]`` sums the products that leave d dimensions."""
    ways = {inputs: 1}
    for width in widths:
        after: dict[int, int] = {}
        for dimension, number in ways.items():
            for j in range(min(dimension, width) + 1):
                left = min(dimension, width - j)
                after[left] = after.get(left, 0) + number * comb(width, j)
        ways = after
    return sum(ways.values())


def _product(factors: Sequence[tuple[int, int, int]]) -> Bound:
    """Prod (sum over j <= d of C(n, j))^times for each (n, d, times)."""
    logarithm = sum(times * _log10_sum(width, most) for width, most, times in factors)
    if logarithm > MAX_DIGITS:
        return Bound(logarithm)
    exact = prod(_binomial_sum(width, most) ** times for width, most, times in factors)
    return Bound(log10(exact), exact)


def _binomial_sum(n: int, most: int) -> int:
    total = term = 1
    for j in range(min(n, most)):
        term = term * (n - j) // (j + 1)
        total += term
    return total


def _log10_sum(n: int, most: int) -> float:
    """log10 of the sum over j <= most of C(n, j), from its largest terms."""
    if most >= n:
        return n * log10(2)
    if most <= _MAX_EXACT_TERMS:
        return log10(_binomial_sum(n, most))
    top = min(most, n // 2)
    terms = range(max(0, top - _MAX_TERMS), min(most, top + _MAX_TERMS) + 1)
    largest = _ln_comb(n, top)
    return (largest + log(sum(exp(_ln_comb(n, j) - largest) for j in terms))) / _LN_10


def _ln_comb(n: int, j: int) -> float:
    return lgamma(n + 1) - lgamma(j + 1) - lgamma(n - j + 1)
