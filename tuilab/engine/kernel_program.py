"""A network as a table of instructions for the compiled kernel, with the places of all its activations."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from tuilab.engine import kernel
from tuilab.engine.kernel_elementwise import KINDS
from tuilab.engine.kernel_images import convolution_scratch
from tuilab.engine.kernel_products import scratch_size
from tuilab.engine.kernel_tiles import SLACK
from tuilab.engine.kernel_vectors import LANES
from tuilab.engine.layout import (
    ActivationNode,
    BatchNormNode,
    ConvNode,
    DropoutNode,
    FlattenNode,
    LayerNormNode,
    Layout,
    LinearNode,
    Node,
    PoolNode,
    Program,
    ResidualNode,
    Slot,
    SumNode,
    nodes,
)
from tuilab.engine.packed import pool_before_relu
from tuilab.engine.random import drop_threshold
from tuilab.spec.layers import ActivationKind

Codes: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


def kernel_knows(layout: Layout) -> bool:
    """Whether the kernel has instructions for every layer."""
    return all(map(_knows, nodes(layout.program)))


def _knows(node: Node) -> bool:
    match node:
        case ActivationNode(kind):
            return kind in KINDS or kind is ActivationKind.IDENTITY
        case BatchNormNode():
            return len(node.shape) == 1
        case LayerNormNode(weight):
            return len(weight.shape) == 1
        case LinearNode():
            return node.trainable
        case _:
            return True


@dataclass(frozen=True, slots=True)
class KernelProgram:
    """What the kernel follows for batches of one padded size.

    Attributes:
        code: as ``kernel.train`` takes it.
        relu: (layers, 3), offset, number of units and pixels a unit of each ReLU's output.
        size: floats that the work array needs.

    """

    code: tuple[Codes, Floats, Codes, Floats, Codes, Codes]
    relu: Codes
    size: int


def compile_network(layout: Layout, padded: int, *, training: bool) -> KernelProgram:
    """Instructions for ``padded`` examples at once, a multiple of ``LANES``."""
    writer = _Writer(padded)
    features = prod(layout.in_shape)
    start = writer.place(padded_batch(features))
    program = pool_before_relu(layout.program) if training else layout.program
    value, back = writer.program(program, _Value(start, features, disposable=False))
    gradient = writer.place(value.features)
    if training:
        back(gradient)
    scratch = writer.place_floats(writer.scratch)
    examples = writer.place_floats(padded * features)
    places = np.array([start, value.at, gradient, value.features, scratch, examples], dtype=np.int64)
    tables = np.concatenate([np.zeros(1, dtype=np.int64), *writer.tables])
    return KernelProgram(
        (*writer.forward.arrays(), *writer.backward.arrays(), tables, places),
        np.array(writer.relu, dtype=np.int64).reshape(-1, 3),
        writer.size + SLACK,
    )


def padded_batch(batch: int) -> int:
    """A number of examples or features rounded up to whole vectors."""
    return -(-batch // LANES) * LANES


@dataclass(frozen=True, slots=True)
class _Value:
    """An activation: offset in the work array, features, and whether the next instruction may overwrite it."""

    at: int
    features: int
    disposable: bool


_Back: TypeAlias = Callable[[int], int]
"""Given the place of the gradient of an output, writes the instructions for that of the input; returns its place."""


@dataclass(slots=True)
class _Listing:
    """Instructions in the making."""

    lines: list[list[int]] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)

    def add(self, *code: int, number: float = 0.0) -> None:
        self.lines.append([*code, *[0] * (kernel.FIELDS - len(code))])
        self.numbers.append(number)

    def arrays(self) -> tuple[Codes, Floats]:
        codes = np.array(self.lines, dtype=np.int64).reshape(-1, kernel.FIELDS)
        return codes, np.array(self.numbers, dtype=np.float64)


def _same(place: int) -> int:
    return place


class _Writer:
    def __init__(self, padded: int) -> None:
        self.padded = padded
        self.forward, self.backward = _Listing(), _Listing()
        self.relu: list[tuple[int, int, int]] = []
        self.tables: list[Codes] = []
        self.size = self.num_stats = 0
        self.scratch = max(LANES, padded)
        self._num_table = 1
        self._free: dict[int, list[int]] = {}
        self._needs_gradient = False

    def place(self, features: int) -> int:
        """Room for an activation."""
        return self.place_floats(features * self.padded)

    def place_floats(self, count: int) -> int:
        at = self.size
        self.size += padded_batch(count)
        return at

    def _gradient_place(self, features: int) -> int:
        """Room for a gradient, which may be that of one which nobody needs any more."""
        return self._free[features].pop() if self._free.get(features) else self.place(features)

    def _release(self, features: int, at: int) -> None:
        self._free.setdefault(features, []).append(at)

    def program(self, program: Program, x: _Value) -> tuple[_Value, _Back]:
        backs: list[_Back] = []
        for node in program:
            x, back = self._node(node, x)
            if self._needs_gradient:
                backs.append(back)

        def back_all(gradient: int) -> int:
            for back in reversed(backs):
                gradient = back(gradient)
            return gradient

        return x, back_all

    def _node(self, node: Node, x: _Value) -> tuple[_Value, _Back]:
        match node:
            case LinearNode(weight, bias):
                return self._linear(x, weight, -1 if bias is None else bias.offset)
            case ActivationNode():
                return self._activation(x, node)
            case DropoutNode(p, index):
                return self._dropout(x, p, index)
            case LayerNormNode():
                return self._norm(x, node, (kernel.LAYERNORM, kernel.LAYERNORM_BACK), self.padded)
            case BatchNormNode():
                return self._norm(x, node, (kernel.BATCHNORM, kernel.BATCHNORM_BACK), x.features)
            case FlattenNode():
                return x, _same
            case ResidualNode(body):
                return self._sum((body,), x, skip=True)
            case SumNode(branches):
                return self._sum(branches, x, skip=False)
            case ConvNode():
                return self._convolution(x, node)
            case PoolNode():
                return self._pool(x, node)
            case _:
                assert_never(node)

    def _linear(self, x: _Value, weight: Slot, bias: int) -> tuple[_Value, _Back]:
        rows, columns = weight.shape
        first, self._needs_gradient = not self._needs_gradient, True
        self.scratch = max(self.scratch, scratch_size(rows, columns, self.padded))
        y = self.place(rows)
        self.forward.add(kernel.LINEAR, x.at, y, weight.offset, bias, columns, rows)

        def back(d: int) -> int:
            dx = -1 if first else self._gradient_place(columns)
            self.backward.add(kernel.LINEAR_BACK, x.at, d, dx, weight.offset, bias, columns, rows)
            self._release(rows, d)
            return dx

        return _Value(y, rows, disposable=True), back

    def _activation(self, x: _Value, node: ActivationNode) -> tuple[_Value, _Back]:
        kind, slope = node.kind, node.negative_slope
        if kind is ActivationKind.IDENTITY:
            return x, _same
        in_place = x.disposable and kind not in (ActivationKind.GELU, ActivationKind.SILU)
        y = x.at if in_place else self.place(x.features)
        self.forward.add(kernel.ACTIVATE, x.at, y, x.features, KINDS[kind], number=slope)
        if kind is ActivationKind.RELU:
            units = node.shape[0]
            self.relu.append((y, units, x.features // units))

        def back(d: int) -> int:
            self.backward.add(kernel.ACTIVATE_BACK, d, x.at, y, x.features, KINDS[kind], number=slope)
            return d

        return _Value(y, x.features, disposable=False), back

    def _convolution(self, x: _Value, node: ConvNode) -> tuple[_Value, _Back]:
        outs, channels, size, _ = node.weight.shape
        border, (height, width) = node.padding, node.in_shape[1:]
        tall, wide = height + 2 * border, width + 2 * border
        rows, columns = ((side - size) // node.stride + 1 for side in (tall, wide))
        first, self._needs_gradient = not self._needs_gradient, True
        bias = -1 if node.bias is None else node.bias.offset
        source, edges = x.at, (channels, height, width, border)
        if border:
            source = self.place(channels * tall * wide)
            self.forward.add(kernel.PAD, x.at, source, *edges)
        self.scratch = max(self.scratch, convolution_scratch(channels, outs, size, wide, self.padded))
        y, table = self.place(outs * rows * columns), self._tabulate(channels, outs, size, tall, wide)
        shape = (node.weight.offset, bias, channels, tall, wide, outs, rows, columns, size, node.stride, table)
        self.forward.add(kernel.CONVOLVE, source, y, *shape)

        def back(d: int) -> int:
            dx = -1 if first else self._gradient_place(channels * tall * wide)
            spread = -1 if first else self.place(outs * (tall + size - 1) * (wide + size - 1))
            self.backward.add(kernel.CONVOLVE_BACK, source, d, dx, *shape, spread)
            self._release(outs * rows * columns, d)
            if first or not border:
                return dx
            cropped = self._gradient_place(x.features)
            self.backward.add(kernel.CROP, dx, cropped, *edges)
            self._release(channels * tall * wide, dx)
            return cropped

        return _Value(y, outs * rows * columns, disposable=True), back

    def _tabulate(self, channels: int, outs: int, size: int, height: int, width: int) -> int:
        """Offsets of weights and pixels of a convolution's window, forward and back; where they begin in the tables.

        Those back go window row by window row, so that the rows that reach an image row stand together.
        """
        c, o, i, j = np.ix_(np.arange(channels), np.arange(outs), np.arange(size), np.arange(size))
        tall, wide = height + size - 1, width + size - 1
        back = (o * tall + size - 1 - i) * wide + size - 1 - j
        parts = [
            np.arange(channels * size * size),
            (((c * height + i) * width + j) * self.padded).ravel(),
            ((o * channels * size + i) * size + j)[0].transpose(1, 0, 2).ravel(),
            (back * self.padded)[0].transpose(1, 0, 2).ravel(),
        ]
        begin = self._num_table
        self.tables += parts
        self._num_table += sum(map(len, parts))
        return begin

    def _pool(self, x: _Value, node: PoolNode) -> tuple[_Value, _Back]:
        channels, height, width = node.in_shape
        size, stride, border = node.kernel_size, node.stride, node.padding
        rows, columns = ((side + 2 * border - size) // stride + 1 for side in (height, width))
        features = channels * rows * columns
        y = self.place(features)
        shape = (channels, height, width, rows, columns, size, stride, border, int(node.maximum))
        self.forward.add(kernel.POOL, x.at, y, *shape)

        def back(d: int) -> int:
            dx = self._gradient_place(x.features)
            self.backward.add(kernel.POOL_BACK, x.at, y, d, dx, *shape)
            self._release(features, d)
            return dx

        return _Value(y, features, disposable=not node.maximum), back

    def _dropout(self, x: _Value, p: float, index: int) -> tuple[_Value, _Back]:
        y, mask = self.place(x.features), self.place(x.features)
        scale = 0.0 if p == 1 else 1 / (1 - p)
        self.forward.add(kernel.DROPOUT, x.at, y, x.features, mask, index, drop_threshold(p), number=scale)

        def back(d: int) -> int:
            self.backward.add(kernel.MULTIPLY, d, mask, x.features)
            return d

        return _Value(y, x.features, disposable=True), back

    def _norm(
        self, x: _Value, node: LayerNormNode | BatchNormNode, codes: tuple[int, int], roots: int
    ) -> tuple[_Value, _Back]:
        self._needs_gradient = True
        scale, shift = node.weight.offset, node.bias.offset
        y, normal, root = self.place(x.features), self.place(x.features), self.place_floats(roots)
        stats = 0
        if isinstance(node, BatchNormNode):
            stats, self.num_stats = self.num_stats, self.num_stats + 2 * x.features
        self.forward.add(codes[0], x.at, y, x.features, scale, shift, normal, root, stats)

        def back(d: int) -> int:
            self.backward.add(codes[1], d, x.features, scale, shift, normal, root)
            return d

        return _Value(y, x.features, disposable=True), back

    def _sum(self, branches: tuple[Program, ...], x: _Value, *, skip: bool) -> tuple[_Value, _Back]:
        """Branches that start from one value and are added, with the value itself where ``skip``."""
        shared = _Value(x.at, x.features, disposable=False)
        before, after = self._needs_gradient, self._needs_gradient
        ends: list[tuple[_Value, _Back]] = []
        for branch in branches:
            self._needs_gradient = before
            ends.append(self.program(branch, shared))
            after = after or self._needs_gradient
        self._needs_gradient = after
        values = [value.at for value, _ in ends] + ([x.at] if skip else [])
        features = ends[0][0].features
        if len(values) == 1:
            return _Value(values[0], features, disposable=False), self._sum_back(
                ends, features, x.features, before, skip
            )
        total = self.place(features)
        self.forward.add(kernel.ADD, values[0], values[1], total, features)
        for value in values[2:]:
            self.forward.add(kernel.ACCUMULATE, total, value, features)
        return _Value(total, features, disposable=True), self._sum_back(ends, features, x.features, before, skip)

    def _sum_back(
        self, ends: list[tuple[_Value, _Back]], out_features: int, in_features: int, needed: bool, skip: bool
    ) -> _Back:
        def back(d: int) -> int:
            parts = [d] if skip else []
            for _, branch_back in ends:
                copy = self._gradient_place(out_features)
                self.backward.add(kernel.COPY, d, copy, out_features)
                parts.append(branch_back(copy))
            if needed:
                for part in parts[1:]:
                    self.backward.add(kernel.ACCUMULATE, parts[0], part, in_features)
                    self._release(in_features, part)
            return parts[0]

        return back
