"""Matching: the widths that bring a stack to a budget at its depth and shape.

All free widths grow in proportion to the stack as written, one step after the other: the width whose turn comes first
in proportion goes first, and of equals the one nearest the input. So equal widths stay equal up to one (w + 1 before
w), every step makes the network larger, and the best member is found by bisection. The copies of a repeat may become
two repeats, one wider; everything else inside a repeat changes together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import count
from math import isqrt
from typing import Literal, TypeAlias

from tuilab.analysis.counting import tally, totals
from tuilab.analysis.structure import hidden_widths, merge_copies
from tuilab.analysis.widths import Width, free_widths, with_widths
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Repeat, Stack
from tuilab.spec.network import Network, Path

Quantity: TypeAlias = Literal["num_params", "macs", "activations"]
Rule: TypeAlias = Literal["nearest", "at_most", "at_least"]
_NAMES: dict[Quantity, str] = {"num_params": "parameters", "macs": "MACs", "activations": "activations"}


@dataclass(frozen=True, slots=True)
class Match:
    """A stack brought to a budget.

    Attributes:
        stack: with its new widths.
        value: its parameters, MACs or activations.
        budget_error: (value - target) / target.
        widths: of the hidden layers with weights, in order, see ``structure.hidden_widths``.

    """

    stack: Stack
    value: int
    budget_error: float
    widths: tuple[int, ...]


def match(network: Network, target: int, quantity: Quantity = "num_params", rule: Rule = "nearest") -> Match:
    """Bring ``network`` to a budget by its free widths, without touching depth, locked widths or anything else.

    Args:
        network: whose widths, as written, give the proportions.
        target: the budget.
        quantity: what the budget counts.
        rule: nearest to the budget (of two equally near the one with equal widths, then the smaller), the largest
            at most, or the smallest at least.

    Raises:
        ShapeError: when layers do not fit each other.
        LabError: when no widths reach the budget.

    """
    if target < 1:
        raise LabError(f"a budget is at least 1, not {target}")
    widths = _levelled(free_widths(network))
    if not widths:
        return _unchanged(network, target, quantity, rule)
    family = _Family(network, widths, quantity)
    smallest = family.value(0, 0)
    if smallest >= target:
        if smallest > target and rule != "at_least":
            problem = f"{target:,} {_NAMES[quantity]} are too few"
            raise LabError(f"{problem}: with width 1 this stack still has {smallest:,}; raise it or use fewer layers")
        return result(network, family.stack(0, 0), smallest, target)
    scale, step = family.largest_at_most(target)
    below = family.value(scale, step)
    if rule == "at_most" or below == target:
        return result(network, family.stack(scale, step), below, target)
    above = family.value(scale, step + 1)
    whole = step > 0 and step + 1 == family.num_steps(scale)
    take_above = prefers_above(rule, below, above, target) or (whole and above - target == target - below)
    return result(network, family.stack(scale, step + take_above), above if take_above else below, target)


def prefers_above(rule: Rule, below: int, above: int, target: int) -> bool:
    """Whether of two neighbours of a budget the larger is wanted."""
    return rule == "at_least" or (rule == "nearest" and above - target < target - below)


def _levelled(widths: tuple[Width, ...]) -> tuple[Width, ...]:
    """Widths w + 1 and w, wider first, are an earlier match of equal widths, and count as equal again."""
    values = [width.value for width in widths]
    if values and 1 < min(values) == max(values) - 1 and values == sorted(values, reverse=True):
        return tuple(Width(values[-1], width.paths) for width in widths)
    return widths


def _unchanged(network: Network, target: int, quantity: Quantity, rule: Rule) -> Match:
    value: int = getattr(totals(network), quantity)
    if value == target or (value < target and rule == "at_most") or (value > target and rule == "at_least"):
        return result(network, network.stack, value, target)
    raise LabError(
        f"no width of this stack is free (locked, or there is no hidden layer), so its {value:,} {_NAMES[quantity]} "
        f"cannot become {target:,}; unlock a width or add a layer"
    )


def result(network: Network, stack: Stack, value: int, target: int) -> Match:
    """A match: the stack with the copies that belong together in one repeat."""
    stack = merge_copies(stack)
    widths = hidden_widths(Network(stack, network.in_shape, network.out_features))
    return Match(stack, value, (value - target) / target, widths)


@dataclass(frozen=True, slots=True)
class _Run:
    """Widths that step together, once, or once for each copy of a repeat.

    Attributes:
        members: indices of the widths.
        repeat: index of the repeat in the stack, or None.
        num_steps: 1, or the copies of the repeat.

    """

    members: tuple[int, ...]
    repeat: int | None
    num_steps: int


class _Family:
    """All members of a stack's family, ordered by (scale, step).

    At scale s every width v of the stack as written is v s / (2 max v), rounded, at least 1; the steps lead from
    there to scale s + 1, between which no width grows by more than 1.
    """

    def __init__(self, network: Network, widths: tuple[Width, ...], quantity: Quantity) -> None:
        self.written = network.stack
        self.layers = network.layers
        self.in_shape = network.in_shape
        self.widths = widths
        self.quantity: Quantity = quantity
        self.largest = max(width.value for width in widths)
        self.repeats = tuple(self._repeat_of(width) for width in widths)
        self.runs = cache(self._runs)

    def _repeat_of(self, width: Width) -> int | None:
        """The repeat at the top of the stack that alone contains the width, whose copies may then differ."""
        first = width.paths[0][0]
        layer = self.layers[first]
        alone = isinstance(layer, Repeat) and all(path[0] == first for path in width.paths)
        return first if alone else None

    def sizes(self, scale: int) -> list[int]:
        return [max(1, (width.value * scale + self.largest) // (2 * self.largest)) for width in self.widths]

    def _runs(self, scale: int) -> tuple[_Run, ...]:
        """What steps between ``scale`` and the next, in order."""
        grown: dict[tuple[Fraction, int, int | None], list[int]] = {}
        for index, (old, new) in enumerate(zip(self.sizes(scale), self.sizes(scale + 1), strict=True)):
            if new > old:
                turn = Fraction(2 * new - 1, self.widths[index].value)
                repeat = self.repeats[index]
                grown.setdefault((turn, index if repeat is None else -1, repeat), []).append(index)
        groups = sorted(grown.items(), key=lambda item: (item[0][0], item[1][0]))
        return tuple(_Run(tuple(group), key[2], self._copies(key[2])) for key, group in groups)

    def _copies(self, repeat: int | None) -> int:
        layer = None if repeat is None else self.layers[repeat]
        return layer.times if isinstance(layer, Repeat) else 1

    def num_steps(self, scale: int) -> int:
        return sum(run.num_steps for run in self.runs(scale))

    def stack(self, scale: int, step: int) -> Stack:
        """The member ``step`` steps after ``scale``, as written."""
        return self._member(self.written, scale, step)

    def _member(self, stack: Stack, scale: int, step: int) -> Stack:
        sizes = self.sizes(scale)
        split: _Run | None = None
        for run in self.runs(scale) if step else ():
            if step < run.num_steps:
                split = run if step else None
                break
            step -= run.num_steps
            for member in run.members:
                sizes[member] += 1
        narrow = with_widths(stack, self._paths(sizes))
        if split is None or split.repeat is None:
            return narrow
        for member in split.members:
            sizes[member] += 1
        at = split.repeat
        wide = with_widths(stack, self._paths(sizes))[at]
        return (*narrow[:at], *_copies(wide, step), *_copies(narrow[at], split.num_steps - step), *narrow[at + 1 :])

    def _paths(self, sizes: list[int]) -> dict[Path, int]:
        return {path: size for width, size in zip(self.widths, sizes, strict=True) for path in width.paths}

    def value(self, scale: int, step: int) -> int:
        value: int = getattr(tally(self._member(self.layers, scale, step), self.in_shape), self.quantity)
        return value

    def largest_at_most(self, target: int) -> tuple[int, int]:
        """Scale and step of the largest member that does not exceed ``target``; the smallest one does not."""
        (scale, below), (_, above) = last_at_most(lambda at: self.value(at, 0), 2 * self.largest, target)
        num_steps = self.num_steps(scale)
        (step, _), _ = enclose(lambda at: self.value(scale, at), (0, below), (num_steps, above), target)
        return scale, step


def _copies(layer: object, times: int) -> Stack:
    assert isinstance(layer, Repeat)
    return layer.body if times == 1 else (Repeat(times, layer.body),)


Point: TypeAlias = tuple[int, int]
"""A whole number and the value of a function there."""


def last_at_most(value: Callable[[int], int], guess: int, target: int) -> tuple[Point, Point]:
    """Neighbours where the growing ``value``, at most ``target`` at 0, is at most and above it."""
    low, high = (0, value(0)), (guess, value(guess))
    while high[1] <= target:
        low, high = high, (2 * high[0], value(2 * high[0]))
    return enclose(value, low, high, target)


def enclose(value: Callable[[int], int], low: Point, high: Point, target: int) -> tuple[Point, Point]:
    """Neighbours between ``low`` and ``high`` where the growing ``value`` is at most and above ``target``.

    Counts grow about as a square, so guesses by interpolating square roots; every third guess halves what is left.
    """
    for turn in count():
        left = high[0] - low[0]
        if left == 1:
            break
        match turn % 3:
            case 0:
                root, first, last = (isqrt(number << 64) for number in (target, low[1], high[1]))
                at = low[0] + left * (root - first) // max(last - first, 1)
                nearer_low = at
            case 1:
                at = low[0] + 1 if nearer_low == low[0] else high[0] - 1
            case _:
                at = low[0] + left // 2
        at = min(max(at, low[0] + 1), high[0] - 1)
        found = (at, value(at))
        low, high = (found, high) if found[1] <= target else (low, found)
    return low, high
