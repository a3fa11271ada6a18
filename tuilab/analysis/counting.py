"""Counting a network exactly: parameters, multiplies, activations, layer by layer, without building it.

Repeats are counted in closed form: their body is followed only until its shape stays, so that 175 billion
parameters in 14,583,333,331 layers answer at once.
"""

from dataclasses import dataclass
from typing import NamedTuple

from tuilab.analysis.freedom import stack_degrees
from tuilab.analysis.frozen import frozen_params
from tuilab.analysis.leaves import leaf
from tuilab.spec.errors import ShapeError
from tuilab.spec.layers import Layer, Linear, Repeat, Residual, Stack, Sum
from tuilab.spec.network import Network, Path
from tuilab.spec.notation import format_layer
from tuilab.spec.shapes import Shape, output_shape


class LayerCount(NamedTuple):
    """One row of a network's table.

    Attributes:
        path: where the layer stands in ``network.layers``; the copies of an expanded repeat share a path.
        nesting: containers with a row of their own around it.
        label: notation with a name: ``linear(14)``, ``relu``, ``residual``, ``4*(14 relu)``.
        times: copies this row stands for; the counts are the total of all copies.
        in_shape, out_shape: of one sample; of a row for many copies, into the first and out of the last.
        num_params, num_trainable: weights, biases, scales and shifts.
        macs: weight multiplies per sample (bias not counted).
        activations: numbers that the leaf layers put out, per sample.

    """

    path: Path
    nesting: int
    label: str
    times: int
    in_shape: Shape
    out_shape: Shape
    num_params: int
    num_trainable: int
    macs: int
    activations: int


@dataclass(frozen=True, slots=True)
class NetworkCount:
    """Totals of a network and the rows that add up to them; fields as in ``LayerCount``.

    Attributes:
        degrees_of_freedom: parameters left after collapse, see ``freedom.degrees_of_freedom``.

    """

    num_params: int
    num_trainable: int
    macs: int
    activations: int
    degrees_of_freedom: int
    layers: tuple[LayerCount, ...]


class Totals(NamedTuple):
    """What a stack costs per sample, and the shape it ends in."""

    out_shape: Shape
    num_params: int
    macs: int
    activations: int


def count(network: Network, max_rows: int = 1000) -> NetworkCount:
    """Count ``network``, its implied final projection included.

    Args:
        network: what to count.
        max_rows: a repeat is expanded into one row a layer while the table stays within this many rows; otherwise
            it is one row. Layers written out always have their row.

    Raises:
        ShapeError: when layers do not fit each other, or the last does not fit the output size.

    """
    network.check()
    table, layers = _Table(max_rows), network.layers
    table.stack(layers, network.in_shape, (), 0)
    return _network_count(layers, network.in_shape, table.rows)


def totals(network: Network) -> Totals:
    """The totals of ``count`` without rows or degrees of freedom, faster.

    Raises:
        ShapeError: as ``count``.

    """
    try:
        result = tally(network.layers, network.in_shape)
    except ShapeError:
        network.check()
        raise
    check_output(network, result.out_shape)
    return result


def check_output(network: Network, shape: Shape) -> None:
    """Whether a network that puts out ``shape`` fits its task.

    Raises:
        ShapeError: where it does not.

    """
    if network.out_features is not None and shape != (network.out_features,):
        network.check()


def tally(stack: Stack, shape: Shape, path: Path = ()) -> Totals:
    """What ``stack`` costs on an input of ``shape``.

    Raises:
        ShapeError: when layers do not fit, with ``path`` extended to the layer at fault.

    """
    params = macs = activations = 0
    for index, layer in enumerate(stack):
        cost = _layer_tally(layer, shape, (*path, index))
        shape = cost[0]
        params += cost[1]
        macs += cost[2]
        activations += cost[3]
    return Totals(shape, params, macs, activations)


def _layer_tally(layer: Layer, shape: Shape, path: Path) -> tuple[Shape, int, int, int]:
    match layer:
        case Residual(body):
            inside = tally(body, shape, path)
            if inside.out_shape != shape:
                output_shape(layer, shape, path)
            return inside
        case Sum(branches):
            parts = [tally(branch, shape, (*path, index)) for index, branch in enumerate(branches)]
            if any(part.out_shape != parts[0].out_shape for part in parts):
                output_shape(layer, shape, path)
            return (parts[0].out_shape, sum(p[1] for p in parts), sum(p[2] for p in parts), sum(p[3] for p in parts))
        case Repeat(times, body):
            return _repeat_tally(times, body, shape, path)
        case _:
            return leaf(layer, shape, path)


def _repeat_tally(times: int, body: Stack, shape: Shape, path: Path) -> tuple[Shape, int, int, int]:
    params = macs = activations = 0
    while times:
        out, body_params, body_macs, body_activations = tally(body, shape, path)
        copies = times if out == shape else 1
        params += copies * body_params
        macs += copies * body_macs
        activations += copies * body_activations
        times -= copies
        shape = out
    return shape, params, macs, activations


def num_rows(stack: Stack) -> int:
    """Rows of ``stack`` with every repeat expanded."""
    rows = 0
    for layer in stack:
        match layer:
            case Residual(body):
                rows += 1 + num_rows(body)
            case Sum(branches):
                rows += 1 + sum(map(num_rows, branches))
            case Repeat(times, body):
                rows += times * num_rows(body)
            case _:
                rows += 1
    return rows


def label(layer: Layer) -> str:
    """Notation with a name: ``linear(14)`` where the notation is ``14``; containers without their insides."""
    match layer:
        case Linear(width, True, None, locked, True):
            return f"linear({width}, locked=true)" if locked else f"linear({width})"
        case Residual():
            return "residual"
        case Sum():
            return "sum"
        case _:
            return format_layer(layer)


class _Table:
    """Rows in order, with repeats expanded while there is room."""

    def __init__(self, max_rows: int) -> None:
        self.rows: list[LayerCount] = []
        self.max_rows = max_rows

    def stack(self, stack: Stack, shape: Shape, path: Path, nesting: int) -> Shape:
        for index, layer in enumerate(stack):
            shape = self.layer(layer, shape, (*path, index), nesting)
        return shape

    def layer(self, layer: Layer, shape: Shape, path: Path, nesting: int) -> Shape:
        if isinstance(layer, Repeat) and len(self.rows) + layer.times * num_rows(layer.body) <= self.max_rows:
            for _ in range(layer.times):
                shape = self.stack(layer.body, shape, path, nesting)
            return shape
        if isinstance(layer, Residual | Sum):
            return self.container(layer, shape, path, nesting)
        times = layer.times if isinstance(layer, Repeat) else 1
        out, params, macs, activations = _layer_tally(layer, shape, path)
        trained = trainable(layer, params, shape)
        self.rows.append(LayerCount(path, nesting, label(layer), times, shape, out, params, trained, macs, activations))
        return out

    def container(self, layer: Residual | Sum, shape: Shape, path: Path, nesting: int) -> Shape:
        out = output_shape(layer, shape, path)
        self.rows.append(LayerCount(path, nesting, label(layer), 1, shape, out, 0, 0, 0, 0))
        if isinstance(layer, Residual):
            self.stack(layer.body, shape, path, nesting + 1)
        else:
            for index, branch in enumerate(layer.branches):
                self.stack(branch, shape, (*path, index), nesting + 1)
        return out


def trainable(layer: Layer, params: int, shape: Shape) -> int:
    """How many of a layer's parameters training changes."""
    if isinstance(layer, Linear):
        return params if layer.trainable else 0
    return params - frozen_params((layer,), shape) if isinstance(layer, Repeat) else params


def _network_count(layers: Stack, shape: Shape, rows: list[LayerCount]) -> NetworkCount:
    trained = sum(row.num_trainable for row in rows)
    return NetworkCount(
        sum(row.num_params for row in rows),
        trained,
        sum(row.macs for row in rows),
        sum(row.activations for row in rows),
        min(stack_degrees(layers, shape), trained),
        tuple(rows),
    )
