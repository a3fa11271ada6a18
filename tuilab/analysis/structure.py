"""The outline of a stack: its depth, its hidden widths, its copies."""

from collections.abc import Callable

from tuilab.spec.layers import Conv, Layer, Linear, Out, Repeat, Residual, Stack, Sum, contains_out
from tuilab.spec.network import Network

MAX_WIDTHS = 1000
"""Hidden widths that are listed one by one; longer stacks list a repeat's widths once."""


def depth(network: Network) -> int:
    """Hidden layers with weights on the longest way through the network; 0 is one affine map."""
    implied = network.out_features is not None and not contains_out(network.stack)
    return max(stack_depth(network.stack) - (0 if implied else 1), 0)


def stack_depth(stack: Stack) -> int:
    """Layers with weights on the longest way through ``stack``; norms do not count."""
    return sum(map(_layer_depth, stack))


def _layer_depth(layer: Layer) -> int:
    match layer:
        case Linear() | Conv() | Out():
            return 1
        case Residual(body):
            return stack_depth(body)
        case Repeat(times, body):
            return times * stack_depth(body)
        case Sum(branches):
            return max(map(stack_depth, branches), default=0)
        case _:
            return 0


def hidden_widths(network: Network) -> tuple[int, ...]:
    """Widths of the hidden linear and convolutional layers in order, those of branches one after the other.

    Repeats are written out while there are at most ``MAX_WIDTHS`` widths; otherwise each lists its body once.
    """
    implied = network.out_features is not None and not contains_out(network.stack)
    expand = _num_widths(network.stack) <= MAX_WIDTHS
    widths = _widths(network.stack, expand)
    return tuple(widths if implied or contains_out(network.stack) else widths[:-1])


def _num_widths(stack: Stack) -> int:
    number = 0
    for layer in stack:
        match layer:
            case Linear() | Conv():
                number += 1
            case Residual(body):
                number += _num_widths(body)
            case Repeat(times, body):
                number += times * _num_widths(body)
            case Sum(branches):
                number += sum(map(_num_widths, branches))
            case _:
                pass
    return number


def _widths(stack: Stack, expand: bool) -> list[int]:
    widths: list[int] = []
    for layer in stack:
        match layer:
            case Linear(width) | Conv(width):
                widths.append(width)
            case Residual(body):
                widths += _widths(body, expand)
            case Repeat(times, body):
                widths += (times if expand else 1) * _widths(body, expand)
            case Sum(branches):
                for branch in branches:
                    widths += _widths(branch, expand)
            case _:
                pass
    return widths


def merge_copies(stack: Stack) -> Stack:
    """The same layers with a repeat and its neighbouring copies written as one repeat.

    ``14 relu 2*(14 relu)`` becomes ``3*(14 relu)``; copies that nobody wrote as a repeat stay as they are.
    """
    merged: list[Layer] = []
    index = 0
    while index < len(stack):
        layer = stack[index]
        index += 1
        if isinstance(layer, Repeat):
            times, body = layer.times, layer.body
            while tuple(merged[-len(body) :]) == body:
                del merged[-len(body) :]
                times += 1
            index, times = _copies_after(stack, index, body, times)
            if merged and isinstance(before := merged[-1], Repeat) and before.body == body:
                times += before.times
                merged.pop()
            layer = Repeat(times, body)
        merged.append(layer)
    return tuple(merged)


def _copies_after(stack: Stack, index: int, body: Stack, times: int) -> tuple[int, int]:
    while stack[index : index + len(body)] == body:
        index += len(body)
        times += 1
    return index, times


def map_layers(stack: Stack, change: Callable[[Layer], Layer]) -> Stack:
    """The stack with every leaf layer changed, inside containers too."""
    result: list[Layer] = []
    for layer in stack:
        match layer:
            case Residual(body):
                result.append(Residual(map_layers(body, change)))
            case Repeat(times, body):
                result.append(Repeat(times, map_layers(body, change)))
            case Sum(branches):
                result.append(Sum(tuple(map_layers(branch, change) for branch in branches)))
            case _:
                result.append(change(layer))
    return tuple(result)
