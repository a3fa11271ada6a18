"""Register tiles of the compiled kernel, written in LLVM's vector instructions.

The products of a small network are too small for a BLAS call each. These tiles keep their results in vector registers,
are generic over sizes, and take matrices as flat arrays with offsets. LLVM maps the vectors to whatever the processor
has. A row of activations is one feature of the whole batch, so the batch is the vectors' dimension; it is padded to
``LANES``.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    Builder: TypeAlias = ir.IRBuilder
    Number: TypeAlias = ir.Value

_WIDE = bool(binding.get_host_cpu_features().get("avx512f", False))
LANES = 16 if _WIDE else 8
"""Floats in a vector."""
ROWS = 14 if _WIDE else 6
"""Rows of a tile of ``product`` at most; it is two vectors wide, so that it fills the vector registers."""
SIDE = 4
"""Rows of A in a ``dot_tile``; it has ``LANES // SIDE`` rows of B."""
NO_BIAS, ADD_TO_C = -1, -2
"""In the place of a bias: there is none, or the product is added to what the result holds."""
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


def _masked(builder: "Builder", name: str, result: "ir.Type", operands: "list[Number]") -> "Number":
    """Call an instruction that leaves some lanes out; the address is one of its operands."""
    full = f"llvm.masked.{name}.v{LANES}f32.p0"
    kind = ir.FunctionType(result, [operand.type for operand in operands])
    function = builder.module.globals.get(full) or ir.Function(builder.module, kind, full)
    return builder.call(function, operands)


def _load_masked(builder: "Builder", base: "Number", index: "Number", mask: "Number") -> "Number":
    address = builder.bitcast(builder.gep(base, [index]), _VECTOR.as_pointer())
    nothing = ir.Constant(_VECTOR, [0.0] * LANES)
    return _masked(builder, "load", _VECTOR, [address, ir.Constant(ir.IntType(32), 4), mask, nothing])


def _store_masked(builder: "Builder", base: "Number", index: "Number", value: "Number", mask: "Number") -> None:
    address = builder.bitcast(builder.gep(base, [index]), _VECTOR.as_pointer())
    _masked(builder, "store", ir.VoidType(), [value, address, ir.Constant(ir.IntType(32), 4), mask])


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
        c, a, b, bias: addresses where they begin.
        c_row: row length of C; for A its strides along rows and columns; for B its row length.
        start: ``NO_BIAS``, ``ADD_TO_C``, or anything else for a bias.
        inner: columns of A and rows of B.
        left: columns of C that may be written, or None for whole vectors.
        tables: address of int64 offsets, or None. With it, ``a_column`` and ``b_row`` are places in the tables from
            which on the offsets of the columns of A and of the rows of B stand.

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
    tables: "Number | None" = None

    def with_pointers(self, builder: "Builder") -> "_Matrices":
        """The same with pointers in place of addresses."""
        floats = {name: builder.inttoptr(getattr(self, name), _FLOAT.as_pointer()) for name in ("c", "a", "b", "bias")}
        tables = None if self.tables is None else builder.inttoptr(self.tables, _INT.as_pointer())
        return replace(self, **floats, tables=tables)

    def vector_of_c(self, builder: "Builder", row: int, vector: int) -> "Number":
        """Offset of a vector of C."""
        return builder.add(builder.mul(self.c_row, ir.Constant(_INT, row)), ir.Constant(_INT, vector * LANES))

    def offset(self, builder: "Builder", stride_or_place: "Number", k: "Number") -> "Number":
        """Of column ``k`` of A within a row, or of row ``k`` of B."""
        if self.tables is None:
            return builder.mul(k, stride_or_place)
        return builder.load(builder.gep(self.tables, [builder.add(stride_or_place, k)]))

    def when_whole(
        self, builder: "Builder", vectors: int, whole: "Callable[[], None]", cut: "Callable[[], None]"
    ) -> None:
        """Do one or the other: all columns of C may be written, or not all."""
        if self.left is None:
            whole()
            return
        enough = builder.icmp_signed(">=", self.left, ir.Constant(_INT, vectors * LANES))
        with builder.if_else(enough) as (then, otherwise):
            with then:
                whole()
            with otherwise:
                cut()

    def mask(self, builder: "Builder", vector: int) -> "Number":
        """Which lanes of a vector of C may be written."""
        lanes = ir.VectorType(_INT, LANES)
        numbers = ir.Constant(lanes, [vector * LANES + lane for lane in range(LANES)])
        single = builder.insert_element(ir.Constant(lanes, ir.Undefined), self.left, ir.Constant(ir.IntType(32), 0))
        left = builder.shuffle_vector(single, ir.Constant(lanes, ir.Undefined), ir.Constant(_MASK, [0] * LANES))
        return builder.icmp_signed("<", numbers, left)


def _first_sums(builder: "Builder", m: _Matrices, rows: int, vectors: int) -> "list[Number]":
    """What the products are added to: the bias, zero, or what C holds."""
    places = [m.vector_of_c(builder, row, v) for row in range(rows) for v in range(vectors)]
    zeros = [ir.Constant(_VECTOR, [0.0] * LANES)] * len(places)
    before, end = builder.block, builder.append_basic_block("start.end")
    held_block, bias_block = builder.append_basic_block("start.held"), builder.append_basic_block("start.bias")
    switch = builder.switch(m.start, bias_block)
    switch.add_case(ir.Constant(_INT, NO_BIAS), end)
    switch.add_case(ir.Constant(_INT, ADD_TO_C), held_block)
    builder.position_at_end(held_block)
    if m.left is None:
        held = [_load_vector(builder, m.c, place) for place in places]
    else:
        masks = [m.mask(builder, v) for v in range(vectors)]
        held = [_load_masked(builder, m.c, place, masks[n % vectors]) for n, place in enumerate(places)]
    builder.branch(end)
    builder.position_at_end(bias_block)
    addresses = [builder.gep(m.bias, [ir.Constant(_INT, row)]) for row in range(rows)]
    biases = [_splat(builder, builder.load(address)) for address in addresses for _ in range(vectors)]
    builder.branch(end)
    builder.position_at_end(end)
    sums = []
    for choices in zip(zeros, held, biases, strict=True):
        phi = builder.phi(_VECTOR)
        for value, block in zip(choices, (before, held_block, bias_block), strict=True):
            phi.add_incoming(value, block)
        sums.append(phi)
    return sums


def _emit_tile(builder: "Builder", m: _Matrices, rows: int, vectors: int) -> None:
    """Instructions for a tile of ``rows`` rows and ``vectors`` vectors of columns, held in registers."""
    starts = [builder.mul(m.a_row, ir.Constant(_INT, row)) for row in range(rows)]

    def body(k: "Number", sums: "list[Number]") -> "list[Number]":
        row_at, k_at = m.offset(builder, m.b_row, k), m.offset(builder, m.a_column, k)
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

    sums = _loop(builder, m.inner, _first_sums(builder, m, rows, vectors), body)
    places = [m.vector_of_c(builder, row, v) for row in range(rows) for v in range(vectors)]

    def whole() -> None:
        for place, value in zip(places, sums, strict=True):
            _store_vector(builder, m.c, place, value)

    def cut() -> None:
        masks = [m.mask(builder, v) for v in range(vectors)]
        for position, (place, value) in enumerate(zip(places, sums, strict=True)):
            _store_masked(builder, m.c, place, value, masks[position % vectors])

    m.when_whole(builder, vectors, whole, cut)


def _emit_tiles(builder: "Builder", matrices: _Matrices, rows: "Number", vectors: "Number") -> None:
    """A tile for every number of rows and vectors, and the choice between them."""
    end = builder.append_basic_block("tiles.end")
    switch = builder.switch(builder.sub(builder.add(rows, rows), vectors), end)
    for count in range(1, ROWS + 1):
        for width in (1, 2):
            block = builder.append_basic_block(f"tile.{count}x{width}")
            switch.add_case(ir.Constant(_INT, 2 * count - width), block)
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


def _addresses(context, builder, sig, args):
    """The arguments of an intrinsic, arrays as the address of their first element."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(sig.args, args, strict=True)
    ]


_ONE = ir.Constant(_INT, 1)


@intrinsic
def address(typingctx, array, at):
    """Address of the float or whole number at an offset of a flat array."""
    del typingctx

    def codegen(context, builder, sig, args):
        base, at = _addresses(context, builder, sig, args)
        return builder.ptrtoint(builder.gep(base, [at]), _INT)

    return types.int64(array, at), codegen


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


@intrinsic
def indexed_tile(typingctx, c, c_row, a, a_row, a_table, b, b_table, bias, start, inner, tables, rows, vectors):
    """As ``tile``, with the columns of A and the rows of B at the offsets that stand in ``tables``.

    ``a_table`` and ``b_table`` are where in the tables these begin.
    """
    del typingctx
    operands = (c, c_row, a, a_row, a_table, b, b_table, bias, start, inner, tables, rows, vectors)

    def codegen(context, builder, sig, args):
        del sig
        _call_tiles(builder, "tuilab.indexed_tile", args, lambda given: _Matrices(*given[:-1], tables=given[-1]))
        return context.get_dummy_value()

    return types.void(*operands), codegen


@intrinsic
def transpose_tile(typingctx, out, out_row, a, a_row):
    """Out = A^T for ``LANES`` rows and columns, given by where they begin and their row lengths."""
    del typingctx
    signature = types.void(out, out_row, a, a_row)

    def codegen(context, builder, sig, args):
        del sig
        out, out_row, a, a_row = args
        out, a = (builder.inttoptr(place, _FLOAT.as_pointer()) for place in (out, a))
        rows = [ir.Constant(_INT, number) for number in range(LANES)]
        vectors = [_load_vector(builder, a, builder.mul(a_row, number)) for number in rows]
        width = 1
        while width < LANES:
            low = [lane if not lane & width else LANES + lane - width for lane in range(LANES)]
            masks = [ir.Constant(_MASK, low), ir.Constant(_MASK, [index + width for index in low])]
            for number in range(LANES):
                if not number & width:
                    pair = vectors[number], vectors[number + width]
                    vectors[number], vectors[number + width] = (builder.shuffle_vector(*pair, mask) for mask in masks)
            width *= 2
        for number, vector in zip(rows, vectors, strict=True):
            _store_vector(builder, out, builder.mul(out_row, number), vector)
        return context.get_dummy_value()

    return signature, codegen


def _sum_lanes(builder: "Builder", vectors: "list[Number]") -> "Number":
    """A vector whose lane i is the sum of all lanes of ``vectors[i]``, for ``LANES`` vectors."""
    width = 1
    while len(vectors) > 1:
        low = [lane - lane % (2 * width) + lane % width + (LANES if lane & width else 0) for lane in range(LANES)]
        masks = [ir.Constant(_MASK, low), ir.Constant(_MASK, [index + width for index in low])]
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
        out, out_at, a, a_rows, b, b_rows, repeats, a_step, b_step, length = _addresses(context, builder, sig, args)
        left_at = [builder.extract_value(a_rows, row) for row in range(SIDE)]
        right_at = [builder.extract_value(b_rows, column) for column in range(LANES // SIDE)]

        def stretch(number: "Number", sums: "list[Number]") -> "list[Number]":
            a_now, b_now = builder.mul(number, a_step), builder.mul(number, b_step)

            def step(index: "Number", sums: "list[Number]") -> "list[Number]":
                at = builder.mul(index, ir.Constant(_INT, LANES))
                a_here, b_here = builder.add(a_now, at), builder.add(b_now, at)
                left = [_load_vector(builder, a, builder.add(row, a_here)) for row in left_at]
                right = [_load_vector(builder, b, builder.add(row, b_here)) for row in right_at]
                pairs = [(x, y) for x in left for y in right]
                return [_multiply_add(builder, x, y, total) for (x, y), total in zip(pairs, sums, strict=True)]

            return _loop(builder, builder.sdiv(length, ir.Constant(_INT, LANES)), sums, step)

        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        sums = _loop(builder, repeats, [zero] * LANES, stretch)
        _store_vector(builder, out, out_at, _sum_lanes(builder, sums))
        return context.get_dummy_value()

    return types.void(*operands), codegen


def _window(
    builder: "Builder",
    window: "tuple[Number, Number, Number, Number]",
    carried: "Number",
    body: "Callable[[Number, Number], Number]",
) -> "Number":
    """``carried = body(offset, carried)`` for each place of a window of so many rows and columns, so far apart."""
    rows, columns, row_step, column_step = window

    def row(i: "Number", state: "list[Number]") -> "list[Number]":
        row_at = builder.mul(i, row_step)

        def column(j: "Number", state: "list[Number]") -> "list[Number]":
            return [body(builder.add(row_at, builder.mul(j, column_step)), state[0])]

        return _loop(builder, columns, state, column)

    return _loop(builder, rows, [carried], row)[0]


@intrinsic
def window_maximum(typingctx, work, out_at, x_at, rows, columns, row_step, column_step):
    """The maximum over a window of ``LANES`` floats each, all in ``work``; what is not a number stays one."""
    del typingctx
    operands = (work, out_at, x_at, rows, columns, row_step, column_step)

    def codegen(context, builder, sig, args):
        data, out_at, x_at, *window = _addresses(context, builder, sig, args)

        def larger(offset: "Number", best: "Number") -> "Number":
            value = _load_vector(builder, data, builder.add(x_at, offset))
            keep = builder.or_(builder.fcmp_ordered("<=", value, best), builder.fcmp_unordered("uno", best, best))
            return builder.select(keep, best, value)

        lowest = ir.Constant(_VECTOR, [float("-inf")] * LANES)
        _store_vector(builder, data, out_at, _window(builder, tuple(window), lowest, larger))
        return context.get_dummy_value()

    return types.void(*operands), codegen


@intrinsic
def give_to_maximum(typingctx, work, dx_at, d_at, x_at, best_at, rows, columns, row_step, column_step):
    """Add ``LANES`` gradients at ``d_at`` to those of the first in the window that is the maximum at ``best_at``."""
    del typingctx
    operands = (work, dx_at, d_at, x_at, best_at, rows, columns, row_step, column_step)

    def codegen(context, builder, sig, args):
        data, dx_at, d_at, x_at, best_at, *window = _addresses(context, builder, sig, args)
        left, best = _load_vector(builder, data, d_at), _load_vector(builder, data, best_at)
        zero = ir.Constant(_VECTOR, [0.0] * LANES)

        def give(offset: "Number", left: "Number") -> "Number":
            at = builder.add(dx_at, offset)
            value = _load_vector(builder, data, builder.add(x_at, offset))
            hit = builder.fcmp_ordered("==", value, best)
            _store_vector(
                builder, data, at, builder.fadd(_load_vector(builder, data, at), builder.select(hit, left, zero))
            )
            return builder.select(hit, zero, left)

        _window(builder, tuple(window), left, give)
        return context.get_dummy_value()

    return types.void(*operands), codegen


@intrinsic
def copy_vector(typingctx, out, x):
    """Copy ``LANES`` floats from one address to another."""
    del typingctx

    def codegen(context, builder, sig, args):
        del sig
        target, source = (builder.inttoptr(place, _FLOAT.as_pointer()) for place in args)
        zero = ir.Constant(_INT, 0)
        _store_vector(builder, target, zero, _load_vector(builder, source, zero))
        return context.get_dummy_value()

    return types.void(out, x), codegen


@intrinsic
def copy_float(typingctx, out, x):
    """Copy one float from one address to another."""
    del typingctx

    def codegen(context, builder, sig, args):
        del sig
        target, source = (builder.inttoptr(place, _FLOAT.as_pointer()) for place in args)
        builder.store(builder.load(source), target)
        return context.get_dummy_value()

    return types.void(out, x), codegen


@intrinsic
def add_scaled(typingctx, work, y_at, x_at, scale):
    """Add ``scale`` times ``LANES`` floats of ``work`` to others."""
    del typingctx
    operands = (work, y_at, x_at, scale)

    def codegen(context, builder, sig, args):
        data, y_at, x_at, scale = _addresses(context, builder, sig, args)
        y, x = _load_vector(builder, data, y_at), _load_vector(builder, data, x_at)
        _store_vector(builder, data, y_at, _multiply_add(builder, _splat(builder, scale), x, y))
        return context.get_dummy_value()

    return types.void(*operands), codegen
