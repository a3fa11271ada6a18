"""Scans: one stack as a family over depth, width or activation."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from tuilab.analysis.counting import totals
from tuilab.analysis.matching import Match, Quantity, Rule, last_at_most, match, prefers_above, result
from tuilab.analysis.structure import stack_depth
from tuilab.analysis.widths import free_widths, with_widths
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Activation, ActivationKind, Layer, Linear, Out, Repeat, Residual, Stack, Sum
from tuilab.spec.network import Network

DEPTHS = (1, 2, 4, 8, 16)
FACTORS = (Fraction(1, 2), Fraction(1), Fraction(2))


@dataclass(frozen=True, slots=True)
class _Run:
    """Equal blocks one after the other; a block is one element with weights and the weightless ones after it.

    What follows a repeat without weights follows all of its copies: ``after``.
    """

    times: int
    block: Stack
    after: Stack = ()

    @property
    def depth(self) -> int:
        return stack_depth(self.block)


def with_depth(stack: Stack, depth: int) -> Stack:
    """The stack with ``depth`` hidden layers with weights, its widths as they are.

    A block is a layer with weights (or a residual or sum of them) with what follows it up to the next. Deeper stacks
    repeat the last block; shallower ones end earlier. What comes before the first block, and a stated ``out`` with
    what follows it, stay.

    Raises:
        LabError: when no whole number of blocks gives that depth.

    """
    if depth < 0:
        raise LabError(f"a depth is at least 0, not {depth}")
    prefix, runs, suffix = _blocks(stack)
    if not runs and depth:
        raise LabError("this stack has no hidden layer that could be repeated; add one, such as 16 relu")
    result: list[Layer] = list(prefix)
    left = depth
    for position, run in enumerate(runs):
        last = position == len(runs) - 1
        times = left // run.depth if last else min(run.times, left // run.depth)
        result += _written(times, run)
        left -= times * run.depth
        if times < run.times:
            break
    if left:
        raise LabError(
            f"depth {depth} is not a whole number of this stack's blocks; the nearest below is {depth - left}"
        )
    return (*result, *suffix)


def match_depth(network: Network, target: int, quantity: Quantity = "num_params", rule: Rule = "nearest") -> Match:
    """Bring ``network`` to a budget by its depth alone: its last block is repeated as often as that takes.

    Args:
        network: at least one hidden layer, widths as they shall stay.
        target: the budget.
        quantity: what the budget counts.
        rule: as in ``matching.match``.

    Raises:
        ShapeError: when layers do not fit each other.
        LabError: when there is no block to repeat, or the budget is below the network with one.

    """
    prefix, runs, suffix = _blocks(network.stack)
    if not runs:
        raise LabError("this stack has no hidden layer that could be repeated; add one, such as 16 relu")
    before = (*prefix, *(layer for run in runs[:-1] for layer in _written(run.times, run)))

    def stack(more: int) -> Stack:
        return (*before, *_written(more + 1, runs[-1]), *suffix)

    def value(more: int) -> int:
        member = Network(stack(more), network.in_shape, network.out_features)
        return int(getattr(totals(member), quantity))

    smallest = value(0)
    if smallest > target and rule != "at_least":
        raise LabError(f"a budget of {target:,} is too small: one block already has {smallest:,}; use smaller widths")
    if smallest >= target:
        return result(network, stack(0), smallest, target)
    (more, below), (_, above) = last_at_most(value, 1, target)
    if below != target and prefers_above(rule, below, above, target):
        return result(network, stack(more + 1), above, target)
    return result(network, stack(more), below, target)


def _written(times: int, run: _Run) -> Stack:
    blocks = run.block if times == 1 else (Repeat(times, run.block),)
    return (*blocks, *run.after) if times else ()


def _blocks(stack: Stack) -> tuple[Stack, list[_Run], Stack]:
    """What comes before the first block, the blocks, and what starts with a stated ``out``."""
    end = next((index for index, layer in enumerate(stack) if isinstance(layer, Out)), len(stack))
    stack, suffix = stack[:end], stack[end:]
    starts = [index for index, layer in enumerate(stack) if stack_depth((layer,))]
    prefix = stack[: starts[0]] if starts else stack
    runs: list[_Run] = []
    for start, stop in pairwise([*starts, len(stack)]):
        first, *after = stack[start:stop]
        run = _Run(first.times, first.body, tuple(after)) if isinstance(first, Repeat) else _Run(1, stack[start:stop])
        if runs and runs[-1].block == run.block and not runs[-1].after:
            run = _Run(runs.pop().times + run.times, run.block, run.after)
        runs.append(run)
    return prefix, runs, suffix


def scan_depths(
    network: Network,
    depths: Iterable[int] = DEPTHS,
    target: int | None = None,
    quantity: Quantity = "num_params",
    rule: Rule = "nearest",
) -> tuple[Stack, ...]:
    """The stack at several depths and one budget; depths that cannot be had are left out.

    Args:
        network: the stack with its sizes.
        depths: hidden layers with weights.
        target: the budget; None is what the network has as written.
        quantity: what the budget counts.
        rule: as in ``matching.match``.

    Raises:
        LabError: when no depth reaches the budget.

    """
    budget = getattr(totals(network), quantity) if target is None else target
    found: list[Stack] = []
    problem: LabError | None = None
    for depth in depths:
        try:
            stack = with_depth(network.stack, depth)
            found.append(match(Network(stack, network.in_shape, network.out_features), budget, quantity, rule).stack)
        except LabError as error:
            problem = problem or error
    if problem and not found:
        raise problem
    return tuple(found)


def scan_widths(network: Network, factors: Iterable[Fraction] = FACTORS) -> tuple[Stack, ...]:
    """The stack with all free widths times each factor, rounded, at least 1; equal stacks appear once.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    widths = free_widths(network)
    stacks = [
        with_widths(
            network.stack,
            {path: max(1, int(width.value * factor + Fraction(1, 2))) for width in widths for path in width.paths},
        )
        for factor in factors
    ]
    return tuple(dict.fromkeys(stacks))


def scan_activation(network: Network) -> tuple[Stack, Stack]:
    """The stack with and without activations; one that has none gets a ReLU after each linear layer at its top."""
    without = without_activations(network.stack)
    if without != network.stack:
        return network.stack, without
    return _with_relu(network.stack), network.stack


def without_activations(stack: Stack) -> Stack:
    """The stack without its activations; one that is alone in its brackets becomes ``identity``."""
    result: list[Layer] = []
    for layer in stack:
        match layer:
            case Activation(kind) if kind is not ActivationKind.IDENTITY:
                continue
            case Residual(body):
                result.append(Residual(_body(body)))
            case Repeat(times, body):
                result.append(Repeat(times, _body(body)))
            case Sum(branches):
                result.append(Sum(tuple(map(_body, branches))))
            case _:
                result.append(layer)
    return tuple(result)


def _body(stack: Stack) -> Stack:
    return without_activations(stack) or (Activation(ActivationKind.IDENTITY),)


def _with_relu(stack: Stack) -> Stack:
    result: list[Layer] = []
    for layer in stack:
        match layer:
            case Repeat(times, body):
                result.append(Repeat(times, _with_relu(body)))
            case Linear() | Residual() | Sum():
                result += [layer, Activation(ActivationKind.RELU)]
            case _:
                result.append(layer)
    return tuple(result)
