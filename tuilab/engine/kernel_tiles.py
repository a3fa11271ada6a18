"""Register tiles of the compiled kernel: products of matrices whose results stay in vector registers.

The products of a small network are too small for a BLAS call each. These tiles are generic over sizes.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tuilab.engine.kernel_vectors import (
    FLOAT,
    INT,
    LANES,
    MASK,
    VECTOR,
    WIDE,
    addresses,
    load_masked,
    load_vector,
    loop,
    multiply_add,
    splat,
    store_masked,
    store_vector,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuilab.engine.kernel_vectors import Builder, Number

ROWS = 14 if WIDE else 6
"""Rows of a tile of ``product`` at most; it is two vectors wide, so that it fills the vector registers."""
SIDE = 4
"""Rows of A in a ``dot_tile``; it has ``LANES // SIDE`` rows of B."""
NO_BIAS, ADD_TO_C = -1, -2
"""In the place of a bias: there is none, or the product is added to what the result holds."""
SLACK = 4096
"""Floats that must follow the last matrix of a buffer, because tiles at an edge read past it."""


@dataclass(frozen=True, slots=True)
class _Matrices:
    """What a tile works on: C = bias + A B.

    Attributes:
        c, a, b, bias: addresses where they begin.
        c_row: row length of C; for A its strides along rows and columns; for B its row length.
        start: ``NO_BIAS``, ``ADD_TO_C``, or anything else for a bias.
        inner: columns of A and rows of B.
        left: columns of C that may be written, or None for whole vectors.

    """

    c: "Number"
    c_row: "Number"
    a: "Number"
    a_row: "Number"
    a_column: "Number"
    b: "Number"
    b_row: "Number"
    bias: "Number"
    start: "Number"
    inner: "Number"
    left: "Number | None" = None

    def with_pointers(self, builder: "Builder") -> "_Matrices":
        """The same with pointers in place of addresses."""
        floats = {name: builder.inttoptr(getattr(self, name), FLOAT.as_pointer()) for name in ("c", "a", "b", "bias")}
        return replace(self, **floats)

    def vector_of_c(self, builder: "Builder", row: int, vector: int) -> "Number":
        """Offset of a vector of C."""
        return builder.add(builder.mul(self.c_row, ir.Constant(INT, row)), ir.Constant(INT, vector * LANES))

    def when_whole(
        self, builder: "Builder", vectors: int, whole: "Callable[[], None]", cut: "Callable[[], None]"
    ) -> None:
        """Do one or the other: all columns of C may be written, or not all."""
        if self.left is None:
            whole()
            return
        enough = builder.icmp_signed(">=", self.left, ir.Constant(INT, vectors * LANES))
        with builder.if_else(enough) as (then, otherwise):
            with then:
                whole()
            with otherwise:
                cut()

    def mask(self, builder: "Builder", vector: int) -> "Number":
        """Which lanes of a vector of C may be written."""
        lanes = ir.VectorType(INT, LANES)
        numbers = ir.Constant(lanes, [vector * LANES + lane for lane in range(LANES)])
        single = builder.insert_element(ir.Constant(lanes, ir.Undefined), self.left, ir.Constant(ir.IntType(32), 0))
        left = builder.shuffle_vector(single, ir.Constant(lanes, ir.Undefined), ir.Constant(MASK, [0] * LANES))
        return builder.icmp_signed("<", numbers, left)


def _first_sums(builder: "Builder", m: _Matrices, rows: int, vectors: int) -> "list[Number]":
    """What the products are added to: the bias, zero, or what C holds."""
    places = [m.vector_of_c(builder, row, v) for row in range(rows) for v in range(vectors)]
    zeros = [ir.Constant(VECTOR, [0.0] * LANES)] * len(places)
    before, end = builder.block, builder.append_basic_block("start.end")
    held_block, bias_block = builder.append_basic_block("start.held"), builder.append_basic_block("start.bias")
    switch = builder.switch(m.start, bias_block)
    switch.add_case(ir.Constant(INT, NO_BIAS), end)
    switch.add_case(ir.Constant(INT, ADD_TO_C), held_block)
    builder.position_at_end(held_block)
    if m.left is None:
        held = [load_vector(builder, m.c, place) for place in places]
    else:
        masks = [m.mask(builder, v) for v in range(vectors)]
        held = [load_masked(builder, m.c, place, masks[n % vectors]) for n, place in enumerate(places)]
    builder.branch(end)
    builder.position_at_end(bias_block)
    addresses = [builder.gep(m.bias, [ir.Constant(INT, row)]) for row in range(rows)]
    biases = [splat(builder, builder.load(address)) for address in addresses for _ in range(vectors)]
    builder.branch(end)
    builder.position_at_end(end)
    sums = []
    for choices in zip(zeros, held, biases, strict=True):
        phi = builder.phi(VECTOR)
        for value, block in zip(choices, (before, held_block, bias_block), strict=True):
            phi.add_incoming(value, block)
        sums.append(phi)
    return sums


def _emit_tile(builder: "Builder", m: _Matrices, rows: int, vectors: int) -> None:
    """Instructions for a tile of ``rows`` rows and ``vectors`` vectors of columns, held in registers."""
    starts = [builder.mul(m.a_row, ir.Constant(INT, row)) for row in range(rows)]

    def body(k: "Number", sums: "list[Number]") -> "list[Number]":
        row_at, k_at = builder.mul(k, m.b_row), builder.mul(k, m.a_column)
        columns = [load_vector(builder, m.b, builder.add(row_at, ir.Constant(INT, v * LANES))) for v in range(vectors)]
        found = []
        for row, start in enumerate(starts):
            scalar = splat(builder, builder.load(builder.gep(m.a, [builder.add(start, k_at)])))
            found += [
                multiply_add(builder, scalar, column, sums[row * vectors + v]) for v, column in enumerate(columns)
            ]
        return found

    sums = loop(builder, m.inner, _first_sums(builder, m, rows, vectors), body)
    places = [m.vector_of_c(builder, row, v) for row in range(rows) for v in range(vectors)]

    def whole() -> None:
        for place, value in zip(places, sums, strict=True):
            store_vector(builder, m.c, place, value)

    def cut() -> None:
        masks = [m.mask(builder, v) for v in range(vectors)]
        for position, (place, value) in enumerate(zip(places, sums, strict=True)):
            store_masked(builder, m.c, place, value, masks[position % vectors])

    m.when_whole(builder, vectors, whole, cut)


def _emit_tiles(builder: "Builder", matrices: _Matrices, rows: "Number", vectors: "Number") -> None:
    """A tile for every number of rows and vectors, and the choice between them."""
    end = builder.append_basic_block("tiles.end")
    switch = builder.switch(builder.sub(builder.add(rows, rows), vectors), end)
    for count in range(1, ROWS + 1):
        for width in (1, 2):
            block = builder.append_basic_block(f"tile.{count}x{width}")
            switch.add_case(ir.Constant(INT, 2 * count - width), block)
            builder.position_at_end(block)
            _emit_tile(builder, matrices, count, width)
            builder.branch(end)
    builder.position_at_end(end)


def _call_tiles(
    builder: "Builder", name: str, operands: "list[Number]", build: "Callable[[list[Number]], _Matrices]"
) -> None:
    """Call the tiles of a kind, the last operands being rows and vectors, in a function of their own.

    Were they part of a loop, the compiler would prepare the addresses of all tiles before it.
    """
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), [one.type for one in operands]), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        inside = ir.IRBuilder(function.append_basic_block())
        *given, rows, vectors = function.args
        _emit_tiles(inside, build(given).with_pointers(inside), rows, vectors)
        inside.ret_void()
    builder.call(function, operands)


_ONE = ir.Constant(INT, 1)


@intrinsic
def tile(typingctx, c, c_row, a, a_row, b, b_row, bias, start, inner, left, rows, vectors):
    """C = bias + A B for 1 to ``ROWS`` rows and 1 or 2 vectors of columns; the rows of A are contiguous.

    Arrays are given by where they begin. ``start`` is ``NO_BIAS``, ``ADD_TO_C`` or anything else for a bias. Only the
    first ``left`` columns are written.
    """
    del typingctx
    operands = (c, c_row, a, a_row, b, b_row, bias, start, inner, left, rows, vectors)

    def codegen(context, builder, sig, args):
        del sig
        _call_tiles(builder, "tuilab.tile", args, lambda given: _Matrices(*given[:4], _ONE, *given[4:]))
        return context.get_dummy_value()

    return types.void(*operands), codegen


@intrinsic
def turned_tile(typingctx, c, c_row, a, a_column, b, b_row, bias, start, inner, rows, vectors):
    """As ``tile``, with the columns of A contiguous."""
    del typingctx
    operands = (c, c_row, a, a_column, b, b_row, bias, start, inner, rows, vectors)

    def codegen(context, builder, sig, args):
        del sig
        _call_tiles(builder, "tuilab.turned_tile", args, lambda given: _Matrices(*given[:3], _ONE, *given[3:]))
        return context.get_dummy_value()

    return types.void(*operands), codegen


def _sum_lanes(builder: "Builder", vectors: "list[Number]") -> "Number":
    """A vector whose lane i is the sum of all lanes of ``vectors[i]``, for ``LANES`` vectors."""
    width = 1
    while len(vectors) > 1:
        low = [lane - lane % (2 * width) + lane % width + (LANES if lane & width else 0) for lane in range(LANES)]
        masks = [ir.Constant(MASK, low), ir.Constant(MASK, [index + width for index in low])]
        vectors = [
            builder.fadd(*(builder.shuffle_vector(first, second, mask) for mask in masks))
            for first, second in zip(vectors[::2], vectors[1::2], strict=True)
        ]
        width *= 2
    return vectors[0]


@intrinsic
def dot_tile(typingctx, out, out_at, a, a_rows, b, b_rows, repeats, a_step, b_step, length):
    """Dot products of ``SIDE`` rows of A with ``LANES // SIDE`` rows of B, to ``out[out_at : out_at + LANES]``.

    ``a_rows`` and ``b_rows`` are tuples of offsets. A row is ``repeats`` stretches of ``length`` numbers, ``a_step``
    and ``b_step`` apart.
    """
    del typingctx
    operands = (out, out_at, a, a_rows, b, b_rows, repeats, a_step, b_step, length)

    def codegen(context, builder, sig, args):
        out, out_at, a, a_rows, b, b_rows, repeats, a_step, b_step, length = addresses(context, builder, sig, args)
        left_at = [builder.extract_value(a_rows, row) for row in range(SIDE)]
        right_at = [builder.extract_value(b_rows, column) for column in range(LANES // SIDE)]

        def stretch(number: "Number", sums: "list[Number]") -> "list[Number]":
            a_now, b_now = builder.mul(number, a_step), builder.mul(number, b_step)

            def step(index: "Number", sums: "list[Number]") -> "list[Number]":
                at = builder.mul(index, ir.Constant(INT, LANES))
                a_here, b_here = builder.add(a_now, at), builder.add(b_now, at)
                left = [load_vector(builder, a, builder.add(row, a_here)) for row in left_at]
                right = [load_vector(builder, b, builder.add(row, b_here)) for row in right_at]
                pairs = [(x, y) for x in left for y in right]
                return [multiply_add(builder, x, y, total) for (x, y), total in zip(pairs, sums, strict=True)]

            return loop(builder, builder.sdiv(length, ir.Constant(INT, LANES)), sums, step)

        zero = ir.Constant(VECTOR, [0.0] * LANES)
        sums = loop(builder, repeats, [zero] * LANES, stretch)
        store_vector(builder, out, out_at, _sum_lanes(builder, sums))
        return context.get_dummy_value()

    return types.void(*operands), codegen
