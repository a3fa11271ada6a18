"""Collapse: layers that together say no more than fewer layers would.

Affine maps without a non-linearity between them compose (serial) and add up (parallel) to one affine map:
W = W_2 W_1 and b = W_2 b_1 + b_2, or W = W_1 + W_2 and b = b_1 + b_2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tuilab.analysis.counting import tally
from tuilab.analysis.families import Affine
from tuilab.analysis.freedom import is_transparent, stack_degrees, stack_family
from tuilab.spec.layers import (
    Activation,
    Flatten,
    Layer,
    Linear,
    Out,
    Repeat,
    Residual,
    Stack,
    Sum,
    children,
    contains_out,
)
from tuilab.spec.network import Network, Path
from tuilab.spec.shapes import Shape, output_shape


@dataclass(frozen=True, slots=True)
class Collapse:
    """Layers that fold into fewer without changing the function.

    Attributes:
        kind: serial (adjacent affine layers), parallel (affine branches added), or copies (the end of a repeat's
            body folds with the start of its next copy).
        path: of the first layer.
        num_layers: how many adjacent layers of that stack take part; the last may be the implied final projection.
        layers: those layers.
        folded: what stands for them afterwards.
        times: copies of the surrounding repeats.
        num_params: nominal parameters of the layers, of one copy.
        degrees_of_freedom: what tells the functions of these layers apart.
        folded_params: nominal parameters of ``folded``.
        family: the affine maps that these layers reach; None where they are not all affine.

    """

    kind: Literal["serial", "parallel", "copies"]
    path: Path
    num_layers: int
    layers: Stack
    folded: Stack
    times: int
    num_params: int
    degrees_of_freedom: int
    folded_params: int
    family: Affine | None

    @property
    def last_path(self) -> Path:
        """Path of the last layer."""
        return (*self.path[:-1], self.path[-1] + self.num_layers - 1)


def is_affine(layer: Layer, shape: Shape) -> bool:
    """Whether ``layer`` is a trained affine map of the features; images and frozen layers are left alone."""
    match layer:
        case Linear(trainable=trainable):
            return trainable
        case Out():
            return True
        case Flatten():
            return len(shape) == 1
        case Residual(body) | Repeat(_, body):
            return all(is_affine(inner, shape) for inner in body)
        case Sum(branches):
            return all(is_affine(inner, shape) for branch in branches for inner in branch)
        case _:
            return is_transparent(layer)


def find_collapses(network: Network) -> tuple[Collapse, ...]:
    """Every place where layers fold into fewer, outermost and first ones first.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    return tuple(iterate_collapses(network))


def iterate_collapses(network: Network) -> Iterator[Collapse]:
    """``find_collapses`` one by one."""
    return _Finder(network).stack(_written(network), network.in_shape, (), 1)


def fold(network: Network) -> Network:
    """The network with everything folded that folds: the same functions (or more, where a bottleneck disappears).

    Raises:
        ShapeError: when layers do not fit each other.

    """
    finder, stack, before = _Finder(network), _written(network), None
    while stack != before:
        before, stack = stack, finder.fold(stack, network.in_shape)
    return Network(_unwritten(network, stack), network.in_shape, network.out_features)


def apply(network: Network, collapse: Collapse) -> Network:
    """The network with one collapse folded."""
    return replaced(network, collapse, collapse.folded)


def replaced(network: Network, collapse: Collapse, layers: Stack) -> Network:
    """The network with ``layers`` in the place of those that collapse."""
    path, stack = collapse.path, network.stack
    if len(path) > 1 or path[0] + collapse.num_layers <= len(stack):
        stack = _replace(stack, path, collapse.num_layers, layers)
    else:
        stack = (*stack[: path[0]], *(layers[:-1] if layers[-1] == Out() else layers))
    return Network(stack, network.in_shape, network.out_features)


def _written(network: Network) -> Stack:
    """The stack with its final projection stated."""
    if network.out_features is None or contains_out(network.stack):
        return network.stack
    return (*network.stack, Out())


def _unwritten(network: Network, stack: Stack) -> Stack:
    """The stack with its final projection implied where it was."""
    implied = network.out_features is not None and not contains_out(network.stack)
    return stack[:-1] if implied and stack[-1] == Out() else stack


def _replace(stack: Stack, path: Path, num_layers: int, folded: Stack) -> Stack:
    at, *inner = path
    if not inner:
        return (*stack[:at], *folded, *stack[at + num_layers :])
    layer = stack[at]
    match layer:
        case Residual(body):
            layer = Residual(_replace(body, tuple(inner), num_layers, folded))
        case Repeat(times, body):
            layer = Repeat(times, _replace(body, tuple(inner), num_layers, folded))
        case Sum(branches):
            branch, *rest = inner
            replaced = _replace(branches[branch], tuple(rest), num_layers, folded)
            layer = Sum((*branches[:branch], replaced, *branches[branch + 1 :]))
        case _:
            raise AssertionError(path)
    return (*stack[:at], layer, *stack[at + 1 :])


class _Finder:
    """Walks a network whose final projection is stated."""

    def __init__(self, network: Network) -> None:
        self.out_features = network.out_features

    def after(self, layer: Layer, shape: Shape) -> Shape:
        if isinstance(layer, Activation):
            return shape
        if isinstance(layer, Out):
            return (*shape[:-1], self.out_features or 1)
        return output_shape(self.resolved(layer) if children(layer) else layer, shape)

    def resolved(self, layer: Layer) -> Layer:
        """The layer with its final projections as linear layers."""
        return Network((layer,), (1,), self.out_features).layers[0] if contains_out((layer,)) else layer

    def runs(self, stack: Stack, shape: Shape) -> Iterator[tuple[int, int, Shape]]:
        """Start, stop and input shape of the longest runs of affine layers, and of every other layer alone."""
        start, start_shape = 0, shape
        for index, layer in enumerate(stack):
            if not is_affine(layer, shape):
                if index > start:
                    yield start, index, start_shape
                yield index, index + 1, shape
                shape = self.after(layer, shape)
                start, start_shape = index + 1, shape
            else:
                shape = self.after(layer, shape)
        if len(stack) > start:
            yield start, len(stack), start_shape

    def stack(self, stack: Stack, shape: Shape, path: Path, times: int) -> Iterator[Collapse]:
        for start, stop, at in self.runs(stack, shape):
            layers = stack[start:stop]
            if len(layers) == 1 and not children(layers[0]):
                continue
            if len(layers) == 1 and not is_affine(layers[0], at):
                yield from self.inside(layers[0], at, (*path, start), times)
                continue
            while layers and is_transparent(layers[0]):
                layers, start = layers[1:], start + 1
            while layers and is_transparent(layers[-1]):
                layers = layers[:-1]
            if _num_affine(layers) > 1 and (len(layers) > 1 or isinstance(layers[0], Repeat)):
                yield self.collapse("serial", (*path, start), layers, self.folded(layers, at), at, times)
            for offset, layer in enumerate(layers):
                yield from self.inside(layer, at, (*path, start + offset), times)
                at = self.after(layer, at)

    def inside(self, layer: Layer, shape: Shape, path: Path, times: int) -> Iterator[Collapse]:
        match layer:
            case Residual(body):
                if is_affine(layer, shape) and _num_affine(body):
                    yield self.collapse("parallel", path, (layer,), self.folded((layer,), shape), shape, times)
                yield from self.stack(body, shape, path, times)
            case Sum(branches):
                merged = self.merged(layer, shape)
                if merged != (layer,):
                    yield self.collapse("parallel", path, (layer,), merged, shape, times)
                for index, branch in enumerate(branches):
                    yield from self.stack(branch, shape, (*path, index), times)
            case Repeat(copies, body):
                rotated = self.rotated(layer, shape)
                if rotated != (layer,):
                    yield self.collapse("copies", path, (layer,), rotated, shape, times)
                last = shape if copies == 1 else self.after(Repeat(copies - 1, body), shape)
                yield from self.stack(body, last, path, times * copies)
            case _:
                return

    def collapse(
        self,
        kind: Literal["serial", "parallel", "copies"],
        path: Path,
        layers: Stack,
        folded: Stack,
        shape: Shape,
        times: int,
    ) -> Collapse:
        before, after = (tuple(map(self.resolved, part)) for part in (layers, folded))
        return Collapse(
            kind,
            path,
            len(layers),
            layers,
            folded,
            times,
            tally(before, shape).num_params,
            stack_degrees(before, shape),
            tally(after, shape).num_params,
            stack_family(before, shape),
        )

    def folded(self, layers: Stack, shape: Shape) -> Stack:
        """One layer for a run of affine layers; ``layers`` itself where there is nothing to fold."""
        working = [layer for layer in layers if not is_transparent(layer)]
        if not _num_affine(layers) or (len(working) == 1 and isinstance(working[0], Linear | Out)):
            return layers
        bias = _has_bias(layers)
        if contains_out(layers[-1:]):
            return (Out(bias=bias),)
        end = shape
        for layer in layers:
            end = self.after(layer, end)
        return (Linear(end[-1], bias=bias),)

    def merged(self, layer: Sum, shape: Shape) -> Stack:
        """The sum with its affine branches merged into one."""
        flat = [branch for branch in layer.branches if all(is_affine(inner, shape) for inner in branch)]
        if len(flat) < 2 or not any(map(_num_affine, flat)):
            return (layer,)
        one = self.folded((Sum(tuple(flat)),), shape)
        rest = tuple(branch for branch in layer.branches if branch not in flat)
        return one if not rest else (Sum((one, *rest)),)

    def rotated(self, layer: Repeat, shape: Shape) -> Stack:
        """A repeat whose body starts and ends with affine layers, with neighbouring ends folded."""
        runs = list(self.runs(layer.body, shape))
        first, last = (layer.body[start:stop] for start, stop, _ in (runs[0], runs[-1]))
        if layer.times < 2 or len(runs) < 2 or not (_all_affine(first, shape) and _all_affine(last, shape)):
            return (layer,)
        if not (_num_affine(first) and _num_affine(last)):
            return (layer,)
        middle = layer.body[len(first) : len(layer.body) - len(last)]
        joint = (*self.folded((*last, *first), runs[-1][2]), *middle)
        copies = joint if layer.times == 2 else (Repeat(layer.times - 1, joint),)
        return (*first, *middle, *copies, *last)

    def fold(self, stack: Stack, shape: Shape) -> Stack:
        """The stack with everything folded, inside first."""
        result: list[Layer] = []
        for start, stop, at in self.runs(stack, shape):
            layers = stack[start:stop]
            if _all_affine(layers, at):
                result += self.folded(layers, at)
            else:
                result += self.fold_inside(layers[0], at)
        return tuple(result)

    def fold_inside(self, layer: Layer, shape: Shape) -> Stack:
        match layer:
            case Residual(body):
                return (Residual(self.fold(body, shape)),)
            case Sum(branches):
                return self.merged(Sum(tuple(self.fold(branch, shape) for branch in branches)), shape)
            case Repeat(times, body):
                return self.rotated(Repeat(times, self.fold(body, shape)), shape)
            case _:
                return (layer,)


def _all_affine(layers: Stack, shape: Shape) -> bool:
    return all(is_affine(layer, shape) for layer in layers)


def _num_affine(stack: Stack) -> int:
    """Linear layers in ``stack``, at most two for a repeat."""
    number = 0
    for layer in stack:
        match layer:
            case Linear() | Out():
                number += 1
            case Residual(body):
                number += _num_affine(body)
            case Repeat(times, body):
                number += min(times, 2) * _num_affine(body)
            case Sum(branches):
                number += sum(map(_num_affine, branches))
            case _:
                pass
    return number


def _has_bias(stack: Stack) -> bool:
    """Whether any affine layer of ``stack`` has a bias; one anywhere reaches the end."""
    for layer in stack:
        match layer:
            case Linear(bias=True) | Out(bias=True):
                return True
            case Residual(body) | Repeat(_, body):
                if _has_bias(body):
                    return True
            case Sum(branches):
                if any(map(_has_bias, branches)):
                    return True
            case _:
                pass
    return False
