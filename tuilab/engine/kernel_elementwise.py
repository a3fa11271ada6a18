"""Elementwise work of the compiled kernel, in loops that LLVM turns into vector instructions.

Exponential and its relatives are polynomials (Moshier's Cephes, single precision) because calls of the C library cannot
be vectorised. Comparisons are written so that a value that is not a number stays one.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

from math import sqrt

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from tuilab.spec.layers import ActivationKind

KINDS = {
    ActivationKind.RELU: 0,
    ActivationKind.LEAKY_RELU: 1,
    ActivationKind.TANH: 2,
    ActivationKind.SIGMOID: 3,
    ActivationKind.GELU: 4,
    ActivationKind.SILU: 5,
}
"""What the kernel calls the activations that it knows."""

compiled = njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
"""How every function of the kernel is compiled: division by zero gives infinity, sums may be reordered (the same way
each time), and what is not a number is respected."""
_inlined = njit(inline="always", error_model="numpy", fastmath={"contract", "nsz", "reassoc"})

_ZERO, _HALF, _ONE, _TWO = (np.float32(value) for value in (0, 0.5, 1, 2))
_LOG2E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504088896341), np.float32(0.693359375), np.float32(-2.12194440e-4)
_LOWEST, _HIGHEST = np.float32(-87.3), np.float32(88.3)
_E0, _E1, _E2, _E3, _E4, _E5 = (
    np.float32(value)
    for value in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_T0, _T1, _T2, _T3, _T4 = (
    np.float32(value)
    for value in (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
)
_SMALL = np.float32(0.625)
_ROOT_TWO, _LN2 = np.float32(sqrt(2)), np.float32(0.6931471805599453)
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (
    np.float32(value)
    for value in (
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
)
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9 = (
    np.float32(value)
    for value in (
        -1.26551223,
        1.00002368,
        0.37409196,
        0.09678418,
        -0.18628806,
        0.27886807,
        -1.13520398,
        1.48851587,
        -0.82215223,
        0.17087277,
    )
)
_ROOT_HALF, _NORMAL = np.float32(sqrt(0.5)), np.float32(0.3989422804014327)


@intrinsic
def _floor(typingctx, x):
    """The largest whole number below, as an instruction: a call of the C library would stop vectorisation."""
    del typingctx

    def codegen(context, builder, signature, args):
        del context, signature
        single = ir.FloatType()
        function = builder.module.declare_intrinsic("llvm.floor", [single], ir.FunctionType(single, [single]))
        return builder.call(function, [args[0]])

    return types.float32(types.float32), codegen


@intrinsic
def _two_to_the(typingctx, n):
    """2^n for a whole float32 n within the exponents of normal numbers."""
    del typingctx

    def codegen(context, builder, signature, args):
        del context, signature
        integer = ir.IntType(32)
        exponent = builder.add(builder.fptosi(args[0], integer), ir.Constant(integer, 127))
        return builder.bitcast(builder.shl(exponent, ir.Constant(integer, 23)), ir.FloatType())

    return types.float32(types.float32), codegen


@_inlined
def exp(x):
    """The exponential to about one unit in the last place; tiny instead of zero for very negative numbers."""
    bounded = _LOWEST if x < _LOWEST else x
    bounded = _HIGHEST if bounded > _HIGHEST else bounded
    whole = _floor(bounded * _LOG2E + _HALF)
    r = bounded - whole * _LN2_HIGH - whole * _LN2_LOW
    p = ((((_E0 * r + _E1) * r + _E2) * r + _E3) * r + _E4) * r + _E5
    return (p * r * r + r + _ONE) * _two_to_the(whole) if x == x else x


@_inlined
def log1p(x):
    """log(1 + x) for x from 0 to 1, also for tiny x."""
    large = x > _ROOT_TWO - _ONE
    f = (x - _ONE) * _HALF if large else x
    p = ((((((((_L0 * f + _L1) * f + _L2) * f + _L3) * f + _L4) * f + _L5) * f + _L6) * f + _L7) * f + _L8) * f
    near = f + f * f * (p - _HALF)
    return near + _LN2 if large else near


@_inlined
def sigmoid(x):
    """1 / (1 + e^-x)."""
    return _ONE / (_ONE + exp(-x))


@_inlined
def tanh(x):
    """The hyperbolic tangent, to about one unit in the last place."""
    size = -x if x < _ZERO else x
    z = x * x
    near = x + x * z * ((((_T0 * z + _T1) * z + _T2) * z + _T3) * z + _T4)
    far = _ONE - _TWO / (exp(size + size) + _ONE)
    return near if size < _SMALL else (-far if x < _ZERO else far)


@_inlined
def normal_cdf(x):
    """Share of a standard normal below x, to 1e-7 of it (the fit of erfc in Numerical Recipes)."""
    z = (-x if x < _ZERO else x) * _ROOT_HALF
    t = _ONE / (_ONE + _HALF * z)
    p = ((((((((_C9 * t + _C8) * t + _C7) * t + _C6) * t + _C5) * t + _C4) * t + _C3) * t + _C2) * t + _C1) * t + _C0
    tail = _HALF * t * exp(p - z * z)
    return tail if x < _ZERO else _ONE - tail


@compiled
def activate(kind, slope, work, x_at, y_at, count):
    """Apply an activation to ``count`` values; the two offsets may be equal."""
    y = work[y_at : y_at + count]
    if x_at != y_at:
        y[:] = work[x_at : x_at + count]
    if kind == 0:
        for j in range(count):
            v = y[j]
            y[j] = _ZERO if v < _ZERO else v
    elif kind == 1:
        for j in range(count):
            v = y[j]
            y[j] = slope * v if v < _ZERO else v
    elif kind == 2:
        for j in range(count):
            v = y[j]
            y[j] = tanh(v)
    elif kind == 3:
        for j in range(count):
            v = y[j]
            y[j] = sigmoid(v)
    elif kind == 4:
        for j in range(count):
            v = y[j]
            y[j] = v * normal_cdf(v)
    else:
        for j in range(count):
            v = y[j]
            y[j] = v * sigmoid(v)


@compiled
def deactivate(kind, slope, work, d_at, x_at, y_at, count):
    """Turn the gradient by the output at ``d_at`` into that by the input; GELU and SiLU read the input, others not."""
    d = work[d_at : d_at + count]
    x, y = work[x_at : x_at + count], work[y_at : y_at + count]
    if kind == 0:
        for j in range(count):
            u, v = d[j], y[j]
            d[j] = u if v > _ZERO else _ZERO
    elif kind == 1:
        for j in range(count):
            u, v = d[j], y[j]
            d[j] = u if v > _ZERO else u * slope
    elif kind == 2:
        for j in range(count):
            u, v = d[j], y[j]
            d[j] = u * (_ONE - v * v)
    elif kind == 3:
        for j in range(count):
            u, v = d[j], y[j]
            d[j] = u * v * (_ONE - v)
    elif kind == 4:
        for j in range(count):
            u, v = d[j], x[j]
            d[j] = u * (normal_cdf(v) + v * _NORMAL * exp(-_HALF * v * v))
    else:
        for j in range(count):
            u, v = d[j], x[j]
            s = sigmoid(v)
            d[j] = u * s * (_ONE + v * (_ONE - s))
