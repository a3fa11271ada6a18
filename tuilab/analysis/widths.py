"""Which widths of a stack are free to change, and which must change together.

A residual adds its input to its branch and a sum adds its branches, so the widths that meet there are one variable.
A width is fixed where it is locked, where it meets the input of the network, and where it is its output.
"""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from tuilab.spec.layers import Conv, Flatten, Layer, Linear, Out, Repeat, Residual, Stack, Sum, children
from tuilab.spec.network import Network, Path
from tuilab.spec.shapes import Shape, output_shape


@dataclass(frozen=True, slots=True)
class Width:
    """A free width: linear or convolutional layers that must stay equally wide.

    Attributes:
        value: as written.
        paths: of the layers, in the order of the stack.

    """

    value: int
    paths: tuple[Path, ...]


def free_widths(network: Network) -> tuple[Width, ...]:
    """The free widths in the order of the stack.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    network.check()
    walk = _Walk(network.out_features or 1)
    end, _ = walk.stack(network.stack, _Features(None, 1), network.in_shape, ())
    if network.out_features is None or _states_out(network.stack):
        walk.fix(end)
    return walk.result()


def with_widths(stack: Stack, widths: dict[Path, int], path: Path = ()) -> Stack:
    """The stack with other widths at some paths."""
    return tuple(_with_width(layer, widths, (*path, index)) for index, layer in enumerate(stack))


def _with_width(layer: Layer, widths: dict[Path, int], path: Path) -> Layer:
    match layer:
        case Linear(width, bias, init, locked, trainable):
            new = widths.get(path, width)
            return layer if new == width else Linear(new, bias, init, locked, trainable)
        case Conv(width, kernel, stride, padding, bias, init, locked):
            new = widths.get(path, width)
            return layer if new == width else Conv(new, kernel, stride, padding, bias, init, locked)
        case Residual(body):
            return Residual(with_widths(body, widths, path))
        case Repeat(times, body):
            return Repeat(times, with_widths(body, widths, path))
        case Sum(branches):
            return Sum(tuple(with_widths(branch, widths, (*path, i)) for i, branch in enumerate(branches)))
        case _:
            return layer


def _states_out(stack: Stack) -> bool:
    return any(isinstance(layer, Out) or any(map(_states_out, children(layer))) for layer in stack)


class _Features(NamedTuple):
    """A number of features: that of a layer times ``factor`` (from flattening), or a constant."""

    slot: int | None
    factor: int


class _Walk:
    """Follows the features through a stack and unites the widths that must be equal."""

    def __init__(self, out_features: int) -> None:
        self.out_features = out_features
        self.slots: dict[Path, int] = {}
        self.values: list[int] = []
        self.parent: list[int] = []
        self.fixed: set[int] = set()

    def result(self) -> tuple[Width, ...]:
        fixed = {self.root(slot) for slot in self.fixed}
        groups: dict[int, list[Path]] = {}
        for path, slot in self.slots.items():
            groups.setdefault(self.root(slot), []).append(path)
        return tuple(Width(self.values[root], tuple(paths)) for root, paths in groups.items() if root not in fixed)

    def root(self, slot: int) -> int:
        while self.parent[slot] != slot:
            self.parent[slot] = self.parent[self.parent[slot]]
            slot = self.parent[slot]
        return slot

    def fix(self, features: _Features) -> None:
        if features.slot is not None:
            self.fixed.add(features.slot)

    def unite(self, one: _Features, other: _Features) -> None:
        if one.slot is not None and other.slot is not None and one.factor == other.factor:
            self.parent[self.root(one.slot)] = self.root(other.slot)
        else:
            self.fix(one)
            self.fix(other)

    def slot(self, width: int, locked: bool, path: Path) -> _Features:
        slot = self.slots.get(path)
        if slot is None:
            slot = self.slots[path] = len(self.values)
            self.values.append(width)
            self.parent.append(slot)
        if locked:
            self.fixed.add(slot)
        return _Features(slot, 1)

    def stack(self, stack: Stack, features: _Features, shape: Shape, path: Path) -> tuple[_Features, Shape]:
        for index, layer in enumerate(stack):
            features, shape = self.layer(layer, features, shape, (*path, index))
        return features, shape

    def layer(self, layer: Layer, features: _Features, shape: Shape, path: Path) -> tuple[_Features, Shape]:
        match layer:
            case Linear(width, locked=locked):
                return self.slot(width, locked, path), (*shape[:-1], width)
            case Out():
                return _Features(None, 1), (*shape[:-1], self.out_features)
            case Conv(width, locked=locked):
                return self.slot(width, locked, path), output_shape(layer, shape)
            case Flatten():
                size = prod(shape)
                return _Features(features.slot, features.factor * (size // _features(shape))), (size,)
            case Residual(body):
                end, out = self.stack(body, features, shape, path)
                self.unite(features, end)
                return features, out
            case Sum(branches):
                ends = [self.stack(branch, features, shape, (*path, i)) for i, branch in enumerate(branches)]
                for end, _ in ends[1:]:
                    self.unite(ends[0][0], end)
                return ends[0]
            case Repeat(times, body):
                return self.repeat(times, body, features, shape, path)
            case _:
                return features, output_shape(layer, shape)

    def repeat(self, times: int, body: Stack, features: _Features, shape: Shape, path: Path) -> tuple[_Features, Shape]:
        for _ in range(times):
            before = features, shape
            features, shape = self.stack(body, features, shape, path)
            if before == (features, shape):
                break
        return features, shape


def _features(shape: Shape) -> int:
    return shape[0] if len(shape) == 3 else shape[-1]
