"""Vector instructions of the compiled kernel, written for LLVM, which maps them to whatever the processor has.

A row of activations is one feature of the whole batch, so the batch is the vectors' dimension; it is padded to
``LANES``.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

from typing import TYPE_CHECKING, TypeAlias

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    Builder: TypeAlias = ir.IRBuilder
    Number: TypeAlias = ir.Value

WIDE = bool(binding.get_host_cpu_features().get("avx512f", False))
"""Whether there are 32 vector registers of 16 floats, not 16 of 8."""
LANES = 16 if WIDE else 8
"""Floats in a vector."""

FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)
MASK = ir.VectorType(ir.IntType(32), LANES)
INT = ir.IntType(64)
_FLAGS = ("contract", "nsz")


def load_vector(builder: "Builder", base: "Number", index: "Number") -> "Number":
    """A vector from an offset of some floats; it need not be aligned."""
    address = builder.bitcast(builder.gep(base, [index]), VECTOR.as_pointer())
    load = builder.load(address)
    load.align = 4
    return load


def store_vector(builder: "Builder", base: "Number", index: "Number", value: "Number") -> None:
    """Put a vector at an offset of some floats."""
    address = builder.bitcast(builder.gep(base, [index]), VECTOR.as_pointer())
    builder.store(value, address).align = 4


def _masked(builder: "Builder", name: str, result: "ir.Type", operands: "list[Number]") -> "Number":
    """Call an instruction that leaves some lanes out; the address is one of its operands."""
    full = f"llvm.masked.{name}.v{LANES}f32.p0"
    kind = ir.FunctionType(result, [operand.type for operand in operands])
    function = builder.module.globals.get(full) or ir.Function(builder.module, kind, full)
    return builder.call(function, operands)


def load_masked(builder: "Builder", base: "Number", index: "Number", mask: "Number") -> "Number":
    """As ``load_vector``, with zeros where the mask is false."""
    address = builder.bitcast(builder.gep(base, [index]), VECTOR.as_pointer())
    nothing = ir.Constant(VECTOR, [0.0] * LANES)
    return _masked(builder, "load", VECTOR, [address, ir.Constant(ir.IntType(32), 4), mask, nothing])


def store_masked(builder: "Builder", base: "Number", index: "Number", value: "Number", mask: "Number") -> None:
    """As ``store_vector``, but only where the mask is true."""
    address = builder.bitcast(builder.gep(base, [index]), VECTOR.as_pointer())
    _masked(builder, "store", ir.VoidType(), [value, address, ir.Constant(ir.IntType(32), 4), mask])


def splat(builder: "Builder", value: "Number") -> "Number":
    """A vector of one number."""
    single = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(single, ir.Constant(VECTOR, ir.Undefined), ir.Constant(MASK, [0] * LANES))


def multiply_add(builder: "Builder", a: "Number", b: "Number", c: "Number") -> "Number":
    """Product of a and b plus c, in one rounding where the processor can."""
    return builder.fadd(builder.fmul(a, b, flags=_FLAGS), c, flags=_FLAGS)


def loop(
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
    index = builder.phi(INT)
    index.add_incoming(ir.Constant(INT, 0), before)
    state = []
    for value in carried:
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        state.append(phi)
    results = body(index, state)
    following = builder.add(index, ir.Constant(INT, 1))
    index.add_incoming(following, builder.block)
    for phi, value in zip(state, results, strict=True):
        phi.add_incoming(value, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), start, end)
    builder.position_at_end(end)
    return results


def addresses(context, builder, sig, args):
    """The arguments of an intrinsic, arrays as the address of their first element."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(sig.args, args, strict=True)
    ]


@intrinsic
def address(typingctx, array, at):
    """Address of the float or whole number at an offset of a flat array."""
    del typingctx

    def codegen(context, builder, sig, args):
        base, at = addresses(context, builder, sig, args)
        return builder.ptrtoint(builder.gep(base, [at]), INT)

    return types.int64(array, at), codegen


@intrinsic
def copy_vector(typingctx, out, x):
    """Copy ``LANES`` floats from one address to another."""
    del typingctx

    def codegen(context, builder, sig, args):
        del sig
        target, source = (builder.inttoptr(place, FLOAT.as_pointer()) for place in args)
        zero = ir.Constant(INT, 0)
        store_vector(builder, target, zero, load_vector(builder, source, zero))
        return context.get_dummy_value()

    return types.void(out, x), codegen


@intrinsic
def copy_float(typingctx, out, x):
    """Copy one float from one address to another."""
    del typingctx

    def codegen(context, builder, sig, args):
        del sig
        target, source = (builder.inttoptr(place, FLOAT.as_pointer()) for place in args)
        builder.store(builder.load(source), target)
        return context.get_dummy_value()

    return types.void(out, x), codegen


@intrinsic
def transpose_tile(typingctx, out, out_row, a, a_row):
    """Out = A^T for ``LANES`` rows and columns, given by where they begin and their row lengths."""
    del typingctx
    signature = types.void(out, out_row, a, a_row)

    def codegen(context, builder, sig, args):
        del sig
        out, out_row, a, a_row = args
        out, a = (builder.inttoptr(place, FLOAT.as_pointer()) for place in (out, a))
        rows = [ir.Constant(INT, number) for number in range(LANES)]
        vectors = [load_vector(builder, a, builder.mul(a_row, number)) for number in rows]
        width = 1
        while width < LANES:
            low = [lane if not lane & width else LANES + lane - width for lane in range(LANES)]
            masks = [ir.Constant(MASK, low), ir.Constant(MASK, [index + width for index in low])]
            for number in range(LANES):
                if not number & width:
                    pair = vectors[number], vectors[number + width]
                    vectors[number], vectors[number + width] = (builder.shuffle_vector(*pair, mask) for mask in masks)
            width *= 2
        for number, vector in zip(rows, vectors, strict=True):
            store_vector(builder, out, builder.mul(out_row, number), vector)
        return context.get_dummy_value()

    return signature, codegen
