"""The rows of an editor: a network counted with one row for each layer as written.

A stack is cut into blocks, and what a block costs is remembered: an edit among ten thousand layers counts one block
again. Where a block ends depends on the layers near its end only, so that one layer more or less moves no other cut.
"""

from collections.abc import Iterator
from functools import lru_cache

from tuilab.analysis.counting import LayerCount, NetworkCount, check_output, label, trainable
from tuilab.analysis.families import Piece, close, compose
from tuilab.analysis.freedom import stack_piece
from tuilab.analysis.leaves import leaf
from tuilab.spec.errors import ShapeError
from tuilab.spec.layers import Layer, Repeat, Residual, Stack, Sum, children
from tuilab.spec.network import Network, Path
from tuilab.spec.shapes import Shape, output_shape

_LEAST, _MOST = 32, 128
"""Layers of a block."""
_ONE_IN = 32
"""Layers after which a block may end are one in so many."""


def count_as_written(network: Network) -> NetworkCount:
    """Count ``network`` with exactly one row for each layer as written, in the order of their paths.

    A repeat has a row without counts of its own, and the layers in it have rows with ``times`` set, the counts of
    all copies and the shapes of the first: the rows of an editor. Columns add up to the totals.

    Raises:
        ShapeError: as ``counting.count``.

    """
    piece: Piece = _block((), network.in_shape).piece
    rows: list[LayerCount] = []
    totals = [0, 0, 0, 0]
    shape, start = network.in_shape, 0
    for layers in _blocks(network.layers):
        try:
            block = _block(layers, shape)
        except ShapeError:
            network.check()
            raise
        rows += _rows(block, start)
        totals = [sum(pair) for pair in zip(totals, block.totals, strict=True)]
        piece = compose(piece, block.piece)
        shape = block.out_shape
        start += len(layers)
    check_output(network, shape)
    num_params, num_trainable, macs, activations = totals
    free = min(close(piece), num_trainable)
    return NetworkCount(num_params, num_trainable, macs, activations, free, tuple(rows))


def as_far_as_it_fits(network: Network) -> tuple[LayerCount, ...]:
    """The rows of ``count_as_written`` also where layers do not fit, so that there is something to mend.

    From the first layer that does not fit on, the shapes around the layers are not known: their rows have an empty
    ``out_shape`` and counts of 0. Inside a residual or sum whose branches do not fit, rows are counted.
    """
    rows: list[LayerCount] = []
    shape: Shape | None = network.in_shape
    start = 0
    for layers in _blocks(network.layers):
        block = _fitting(layers, shape)
        if block is None:
            outline = _Outline()
            shape = outline.loose_stack(layers, shape, (), 0, 1, first=start)
            rows += outline.rows
        else:
            rows += _rows(block, start)
            shape = block.out_shape
        start += len(layers)
    return tuple(rows)


def _fitting(layers: Stack, shape: Shape | None) -> "_Block | None":
    """The layers on an input of that shape; None where they do not fit it, or it is not known."""
    if shape is None:
        return None
    try:
        return _block(layers, shape)
    except ShapeError:
        return None


def _blocks(stack: Stack) -> Iterator[Stack]:
    """The stack in pieces; they end where a layer says so, and in time."""
    start, end = 0, len(stack)
    while end - start > _MOST:
        cuts = (at for at in range(start + _LEAST, start + _MOST) if hash(stack[at]) % _ONE_IN == 0)
        cut = next(cuts, start + _MOST)
        yield stack[start:cut]
        start = cut
    if start < end:
        yield stack[start:]


class _Block:
    """Some layers on an input of some shape.

    Attributes:
        out_shape: what they put out.
        totals: parameters, trainable ones, MACs and activations.
        piece: what they are for the degrees of freedom.
        rows: theirs, with paths from the first of them on.

    """

    def __init__(self, layers: Stack, shape: Shape) -> None:
        outline = _Outline()
        self.out_shape = outline.stack(layers, shape, (), 0, 1)
        self.piece, _ = stack_piece(layers, shape)
        rows = outline.rows
        self.totals = (
            sum(row.num_params for row in rows),
            sum(row.num_trainable for row in rows),
            sum(row.macs for row in rows),
            sum(row.activations for row in rows),
        )
        self.rows = tuple(rows)


@lru_cache(maxsize=1024)
def _block(layers: Stack, shape: Shape) -> _Block:
    return _Block(layers, shape)


@lru_cache(maxsize=1024)
def _rows(block: _Block, start: int) -> tuple[LayerCount, ...]:
    """The block's rows where it begins at the layer ``start`` of a stack."""
    return tuple(LayerCount((row[0][0] + start, *row[0][1:]), *row[1:]) for row in block.rows)


class _Outline:
    """One row for each layer as written."""

    def __init__(self) -> None:
        self.rows: list[LayerCount] = []

    def stack(self, stack: Stack, shape: Shape, path: Path, nesting: int, times: int) -> Shape:
        for index, layer in enumerate(stack):
            shape = self.layer(layer, shape, (*path, index), nesting, times)
        return shape

    def layer(self, layer: Layer, shape: Shape, path: Path, nesting: int, times: int) -> Shape:
        match layer:
            case Residual(body):
                out = self.header(layer, shape, path, nesting, times)
                self.stack(body, shape, path, nesting + 1, times)
            case Sum(branches):
                out = self.header(layer, shape, path, nesting, times)
                for index, branch in enumerate(branches):
                    self.stack(branch, shape, (*path, index), nesting + 1, times)
            case Repeat(copies, body):
                out = self.header(layer, shape, path, nesting, times * copies)
                self.repeat(copies, body, shape, path, nesting + 1, times)
            case _:
                out, params, macs, activations = leaf(layer, shape, path)
                self.rows.append(
                    LayerCount(
                        path,
                        nesting,
                        label(layer),
                        times,
                        shape,
                        out,
                        times * params,
                        times * trainable(layer, params, shape),
                        times * macs,
                        times * activations,
                    )
                )
        return out

    def header(self, layer: Layer, shape: Shape, path: Path, nesting: int, times: int) -> Shape:
        out = output_shape(layer, shape, path)
        self.rows.append(LayerCount(path, nesting, _label(layer), times, shape, out, 0, 0, 0, 0))
        return out

    def loose_stack(
        self, stack: Stack, shape: Shape | None, path: Path, nesting: int, times: int, first: int = 0
    ) -> Shape | None:
        """As ``stack`` for layers that may not fit, from the index ``first`` on; None for a shape is one not known."""
        for index, layer in enumerate(stack, first):
            shape = self.loose_layer(layer, shape, (*path, index), nesting, times)
        return shape

    def loose_layer(self, layer: Layer, shape: Shape | None, path: Path, nesting: int, times: int) -> Shape | None:
        if shape is not None:
            fitting = _Outline()
            try:
                out = fitting.layer(layer, shape, path, nesting, times)
            except ShapeError:
                pass
            else:
                self.rows += fitting.rows
                return out
        self.rows.append(LayerCount(path, nesting, _label(layer), times, shape or (), (), 0, 0, 0, 0))
        for index, body in enumerate(children(layer)):
            self.loose_stack(body, shape, (*path, index) if isinstance(layer, Sum) else path, nesting + 1, times)
        return None

    def repeat(self, copies: int, body: Stack, shape: Shape, path: Path, nesting: int, times: int) -> None:
        start = len(self.rows)
        left = copies
        while left:
            part = _Outline()
            out = part.stack(body, shape, path, nesting, times)
            same = left if out == shape else 1
            scaled = [_scale(row, same) for row in part.rows]
            merged = map(_add, self.rows[start:], scaled) if left < copies else scaled
            self.rows[start:] = list(merged)
            left -= same
            shape = out


def _label(layer: Layer) -> str:
    """What a row says; what a repeat repeats stands in the rows below it."""
    return f"{layer.times}*" if isinstance(layer, Repeat) else label(layer)


def _scale(row: LayerCount, times: int) -> LayerCount:
    counts = (row.times, row.num_params, row.num_trainable, row.macs, row.activations)
    return _with_counts(row, *(times * number for number in counts))


def _add(row: LayerCount, more: LayerCount) -> LayerCount:
    return _with_counts(
        row,
        row.times + more.times,
        row.num_params + more.num_params,
        row.num_trainable + more.num_trainable,
        row.macs + more.macs,
        row.activations + more.activations,
    )


def _with_counts(row: LayerCount, times: int, params: int, trainable: int, macs: int, activations: int) -> LayerCount:
    return LayerCount(
        row.path, row.nesting, row.label, times, row.in_shape, row.out_shape, params, trainable, macs, activations
    )
