"""Matrix products for the compiled kernel: register tiles written in LLVM's vector instructions.

The products of a small network are too small for a BLAS call each. These tiles keep their results in vector registers,
are generic over sizes, and take matrices as flat arrays with offsets. LLVM maps the vectors to whatever the processor
has. A row of activations is one feature of the whole batch, so the batch is the vectors' dimension; it is padded to
``LANES``.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from llvmlite import binding, ir
from numba import njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    Builder: TypeAlias = ir.IRBuilder
    Number: TypeAlias = ir.Value

_WIDE = bool(binding.get_host_cpu_features().get("avx512f", False))
LANES = 16 if _WIDE else 8
"""Floats in a vector."""
ROWS = 8 if _WIDE else 4
"""Rows of a tile of ``product``; it is two vectors wide."""
SLACK = 4096
"""Floats that must follow the last matrix of a buffer, because tiles at an edge read past it."""

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_MASK = ir.VectorType(ir.IntType(32), LANES)
_INT = ir.IntType(64)
_FLAGS = ("contract", "nsz")


def _load_vector(builder: "Builder", base: "Number", index: "Number") -> "Number":
    address = builder.bitcast(builder.gep(base, [index]), _VECTOR.as_pointer())
    load = builder.load(address)
    load.align = 4
    return load


def _store_vector(builder: "Builder", base: "Number", index: "Number", value: "Number") -> None:
    address = builder.bitcast(builder.gep(base, [index]), _VECTOR.as_pointer())
    builder.store(value, address).align = 4


def _splat(builder: "Builder", value: "Number") -> "Number":
    single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(_MASK, [0] * LANES))


def _multiply_add(builder: "Builder", a: "Number", b: "Number", c: "Number") -> "Number":
    return builder.fadd(builder.fmul(a, b, flags=_FLAGS), c, flags=_FLAGS)


def _loop(
    builder: "Builder",
    count: "Number",
    carried: "list[Number]",
    body: "Callable[[Number, list[Number]], list[Number]]",
) -> "list[Number]":
    """``for index in range(count): carried = body(index, carried)`` for at least one index."""
    before = builder.block
    start, end = builder.append_basic_block("tile"), builder.append_basic_block("tile.end")
    builder.branch(start)
    builder.position_at_end(start)
    index = builder.phi(_INT)
    index.add_incoming(ir.Constant(_INT, 0), before)
    state = []
    for value in carried:
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        state.append(phi)
    results = body(index, state)
    following = builder.add(index, ir.Constant(_INT, 1))
    index.add_incoming(following, builder.block)
    for phi, value in zip(state, results, strict=True):
        phi.add_incoming(value, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), start, end)
    builder.position_at_end(end)
    return results


@dataclass(frozen=True, slots=True)
class _Matrices:
    """What a tile works on: C = bias + A B.

    Attributes:
        c, a, b, bias: addresses of flat arrays.
        c_at, c_row: offset and row length of C; for A its strides along rows and columns; for B its row length.
        bias_at: offset of the bias, below 0 for none.
        inner: columns of A and rows of B.

    """

    c: "Number"
    c_at: "Number"
    c_row: "Number"
    a: "Number"
    a_at: "Number"
    a_row: "Number"
    a_column: "Number"
    b: "Number"
    b_at: "Number"
    b_row: "Number"
    bias: "Number"
    bias_at: "Number"
    inner: "Number"


def _emit_tile(builder: "Builder", m: _Matrices, rows: int, vectors: int) -> None:
    """Instructions for a tile of ``rows`` rows and ``vectors`` vectors of columns, held in registers."""
    starts = [builder.add(m.a_at, builder.mul(m.a_row, ir.Constant(_INT, row))) for row in range(rows)]
    has_bias = builder.icmp_signed(">=", m.bias_at, ir.Constant(_INT, 0))
    sums = []
    for row in range(rows):
        index = builder.select(has_bias, builder.add(m.bias_at, ir.Constant(_INT, row)), ir.Constant(_INT, 0))
        value = builder.select(has_bias, builder.load(builder.gep(m.bias, [index])), ir.Constant(_FLOAT, 0.0))
        sums += [_splat(builder, value)] * vectors

    def body(k: "Number", sums: "list[Number]") -> "list[Number]":
        row_at, k_at = builder.add(m.b_at, builder.mul(k, m.b_row)), builder.mul(k, m.a_column)
        columns = [
            _load_vector(builder, m.b, builder.add(row_at, ir.Constant(_INT, v * LANES))) for v in range(vectors)
        ]
        found = []
        for row, start in enumerate(starts):
            scalar = _splat(builder, builder.load(builder.gep(m.a, [builder.add(start, k_at)])))
            found += [
                _multiply_add(builder, scalar, column, sums[row * vectors + v]) for v, column in enumerate(columns)
            ]
        return found

    for position, value in enumerate(_loop(builder, m.inner, sums, body)):
        row, v = divmod(position, vectors)
        row_at = builder.add(m.c_at, builder.mul(m.c_row, ir.Constant(_INT, row)))
        _store_vector(builder, m.c, builder.add(row_at, ir.Constant(_INT, v * LANES)), value)


@intrinsic
def _tile(typingctx, c, c_at, c_row, a, a_at, a_row, a_column, b, b_at, b_row, bias, bias_at, inner, rows, vectors):
    """C = bias + A B for 1 to ``ROWS`` rows and 1 or 2 vectors of columns; arguments as in ``_Matrices``."""
    del typingctx
    signature = types.void(
        c, c_at, c_row, a, a_at, a_row, a_column, b, b_at, b_row, bias, bias_at, inner, rows, vectors
    )

    def codegen(context, builder, sig, args):
        arrays = {
            position: context.make_array(sig.args[position])(context, builder, args[position]).data
            for position in (0, 3, 7, 10)
        }
        matrices = _Matrices(*(arrays.get(position, value) for position, value in enumerate(args[:13])))
        end = builder.append_basic_block("tiles.end")
        choice = builder.sub(builder.add(args[13], args[13]), args[14])
        switch = builder.switch(choice, end)
        for count in range(1, ROWS + 1):
            for width in (1, 2):
                block = builder.append_basic_block(f"tile.{count}x{width}")
                switch.add_case(ir.Constant(_INT, 2 * count - width), block)
                builder.position_at_end(block)
                _emit_tile(builder, matrices, count, width)
                builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _transpose_tile(typingctx, out, out_at, out_row, a, a_at, a_row):
    """Out = A^T for ``LANES`` rows and columns of two flat arrays, given offsets and row lengths."""
    del typingctx
    signature = types.void(out, out_at, out_row, a, a_at, a_row)

    def codegen(context, builder, sig, args):
        def row(position: int, number: int) -> tuple["Number", "Number"]:
            data = context.make_array(sig.args[position])(context, builder, args[position]).data
            length = builder.mul(args[position + 2], ir.Constant(_INT, number))
            return data, builder.add(args[position + 1], length)

        vectors = [_load_vector(builder, *row(3, number)) for number in range(LANES)]
        width = 1
        while width < LANES:
            low = [lane if not lane & width else LANES + lane - width for lane in range(LANES)]
            masks = [ir.Constant(_MASK, low), ir.Constant(_MASK, [index + width for index in low])]
            for number in range(LANES):
                if not number & width:
                    pair = vectors[number], vectors[number + width]
                    vectors[number], vectors[number + width] = (builder.shuffle_vector(*pair, mask) for mask in masks)
            width *= 2
        for number, vector in enumerate(vectors):
            _store_vector(builder, *row(0, number), vector)
        return context.get_dummy_value()

    return signature, codegen


@njit(nogil=True)
def _panel(c, c_at, c_row, a, a_at, a_row, a_column, b, b_at, b_row, bias, bias_at, rows, inner, vectors):
    """``product`` for one or two vectors of columns, in tiles of about as many rows each."""
    tiles = -(-rows // ROWS)
    height = -(-rows // tiles)
    for row in range(0, rows, height):
        at, from_at = c_at + row * c_row, a_at + row * a_row
        bias_now = bias_at + row if bias_at >= 0 else -1
        now = min(height, rows - row)
        _tile(c, at, c_row, a, from_at, a_row, a_column, b, b_at, b_row, bias, bias_now, inner, now, vectors)


@njit(nogil=True)
def product(c, c_at, a, a_at, a_row, a_column, b, b_at, bias, bias_at, rows, inner, columns):
    """C = bias + A B with C (rows, columns), A (rows, inner), B (inner, columns), all in flat arrays.

    C and B are contiguous from their offsets; A has the given strides; ``bias_at`` below 0 means no bias. ``columns``
    is a multiple of ``LANES``.
    """
    for column in range(0, columns, 2 * LANES):
        vectors = min(2, (columns - column) // LANES)
        c_now, b_now = c_at + column, b_at + column
        _panel(c, c_now, columns, a, a_at, a_row, a_column, b, b_now, columns, bias, bias_at, rows, inner, vectors)


@njit(nogil=True)
def outer(out, out_at, a, a_at, b, b_at, rows, columns, batch, scratch_at):
    """Out (rows, columns) = A B^T over the batch, for A (rows, batch) and B (columns, batch), in flat arrays.

    B is transposed first, so that this is a ``product`` too. A and B are the same array, in which ``scratch_size``
    floats from ``scratch_at`` may be overwritten; ``batch`` is a multiple of ``LANES``.
    """
    width = -(-columns // LANES) * LANES
    for j in range(0, batch, LANES):
        for column in range(0, columns, LANES):
            _transpose_tile(b, scratch_at + j * width + column, width, b, b_at + column * batch + j, batch)
    edge_at = scratch_at + batch * width
    for column in range(0, columns, 2 * LANES):
        left = columns - column
        vectors = 2 if left > LANES else 1
        block, b_now = vectors * LANES, scratch_at + column
        if left >= block:
            _panel(out, out_at + column, columns, a, a_at, batch, 1, b, b_now, width, a, -1, rows, batch, vectors)
            continue
        _panel(b, edge_at, block, a, a_at, batch, 1, b, b_now, width, a, -1, rows, batch, vectors)
        for row in range(rows):
            for j in range(left):
                out[out_at + row * columns + column + j] = b[edge_at + row * block + j]


def scratch_size(rows: int, columns: int, batch: int) -> int:
    """Floats that ``outer`` overwrites."""
    return batch * (-(-columns // LANES) * LANES) + rows * 2 * LANES
