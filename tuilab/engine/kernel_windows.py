"""Windows of images in the compiled kernel: pooling in vector registers."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

from typing import TYPE_CHECKING

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tuilab.engine.kernel_vectors import (
    LANES,
    VECTOR,
    addresses,
    load_vector,
    loop,
    multiply_add,
    splat,
    store_vector,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuilab.engine.kernel_vectors import Builder, Number


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

        return loop(builder, columns, state, column)

    return loop(builder, rows, [carried], row)[0]


@intrinsic
def window_maximum(typingctx, work, out_at, x_at, rows, columns, row_step, column_step):
    """The maximum over a window of ``LANES`` floats each, all in ``work``; what is not a number stays one."""
    del typingctx
    operands = (work, out_at, x_at, rows, columns, row_step, column_step)

    def codegen(context, builder, sig, args):
        data, out_at, x_at, *window = addresses(context, builder, sig, args)

        def larger(offset: "Number", best: "Number") -> "Number":
            value = load_vector(builder, data, builder.add(x_at, offset))
            keep = builder.or_(builder.fcmp_ordered("<=", value, best), builder.fcmp_unordered("uno", best, best))
            return builder.select(keep, best, value)

        lowest = ir.Constant(VECTOR, [float("-inf")] * LANES)
        store_vector(builder, data, out_at, _window(builder, tuple(window), lowest, larger))
        return context.get_dummy_value()

    return types.void(*operands), codegen


@intrinsic
def give_to_maximum(typingctx, work, dx_at, d_at, x_at, best_at, rows, columns, row_step, column_step):
    """Add ``LANES`` gradients at ``d_at`` to those of the first in the window that is the maximum at ``best_at``."""
    del typingctx
    operands = (work, dx_at, d_at, x_at, best_at, rows, columns, row_step, column_step)

    def codegen(context, builder, sig, args):
        data, dx_at, d_at, x_at, best_at, *window = addresses(context, builder, sig, args)
        left, best = load_vector(builder, data, d_at), load_vector(builder, data, best_at)
        zero = ir.Constant(VECTOR, [0.0] * LANES)

        def give(offset: "Number", left: "Number") -> "Number":
            at = builder.add(dx_at, offset)
            value = load_vector(builder, data, builder.add(x_at, offset))
            hit = builder.fcmp_ordered("==", value, best)
            store_vector(
                builder, data, at, builder.fadd(load_vector(builder, data, at), builder.select(hit, left, zero))
            )
            return builder.select(hit, zero, left)

        _window(builder, tuple(window), left, give)
        return context.get_dummy_value()

    return types.void(*operands), codegen


@intrinsic
def add_scaled(typingctx, work, y_at, x_at, scale):
    """Add ``scale`` times ``LANES`` floats of ``work`` to others."""
    del typingctx
    operands = (work, y_at, x_at, scale)

    def codegen(context, builder, sig, args):
        data, y_at, x_at, scale = addresses(context, builder, sig, args)
        y, x = load_vector(builder, data, y_at), load_vector(builder, data, x_at)
        store_vector(builder, data, y_at, multiply_add(builder, splat(builder, scale), x, y))
        return context.get_dummy_value()

    return types.void(*operands), codegen
