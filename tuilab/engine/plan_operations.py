"""Operations of a plan: each appends what it does forward and backward, on buffers made once.

Shapes: R replicas, F features, B examples; every activation is feature-major, (R, F, B).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from tuilab.engine.packed import BATCHNORM_MOMENTUM, NORM_EPS
from tuilab.engine.random import GOLDEN, MASK, MULTIPLIERS, drop_threshold
from tuilab.spec.layers import ActivationKind

Action: TypeAlias = Callable[[], object]
_aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Value:
    """An activation (R, F, B) inside a plan.

    Attributes:
        data: the buffer.
        disposable: whether the next operation may overwrite it, because nobody else reads it.

    """

    data: Tensor
    disposable: bool


@dataclass(frozen=True, slots=True)
class Gradient:
    """A gradient (R, F, B) on its way back, in a buffer that whoever receives it may overwrite."""

    data: Tensor


Back: TypeAlias = Callable[[Gradient], Gradient]
"""Given the gradient of an operation's output, appends what makes that of its input, and returns the latter."""


@dataclass(slots=True)
class Tape:
    """What a plan does, in order.

    Attributes:
        forward, backward: the actions.
        training: whether there will be a backward pass, and dropout.
        products: what the factors of products are rounded to.

    """

    training: bool
    products: torch.dtype
    forward: list[Action] = field(default_factory=list)
    backward: list[Action] = field(default_factory=list)


def linear(
    tape: Tape, x: Value, weight: Tensor, bias: Tensor | None, grads: tuple[Tensor, Tensor | None], *, first: bool
) -> tuple[Value, Back]:
    """W x + b for W (R, out, in) and b (R, out).

    Args:
        tape: where to.
        x: the input.
        weight: parameters, a view of the flat buffer.
        bias: likewise.
        grads: where the gradients of both go.
        first: whether nothing needs the gradient of the input.

    """
    if tape.products != x.data.dtype:
        return _rounded_linear(tape, x, weight, bias, grads, first=first)
    y = x.data.new_empty(x.data.shape[0], weight.shape[1], x.data.shape[2])
    data, transposed = x.data, x.data.mT
    if bias is None:
        tape.forward.append(lambda: torch.bmm(weight, data, out=y))
    else:
        column = bias.unsqueeze(2)
        tape.forward.append(lambda: torch.baddbmm(column, weight, data, out=y))

    def back(dy: Gradient) -> Gradient:
        grad_weight, grad_bias = grads
        d = dy.data
        tape.backward.append(lambda: torch.bmm(d, transposed, out=grad_weight))
        if grad_bias is not None:
            tape.backward.append(lambda: torch.sum(d, -1, out=grad_bias))
        if first:
            return dy
        dx, backward_weight = torch.empty_like(data), weight.mT
        tape.backward.append(lambda: torch.bmm(backward_weight, d, out=dx))
        return Gradient(dx)

    return Value(y, disposable=True), back


def _rounded_linear(
    tape: Tape, x: Value, weight: Tensor, bias: Tensor | None, grads: tuple[Tensor, Tensor | None], *, first: bool
) -> tuple[Value, Back]:
    """``linear`` with products of rounded copies, which are rounded themselves; the bias is added to them unrounded."""
    data, dtype = x.data, tape.products
    y = data.new_empty(data.shape[0], weight.shape[1], data.shape[2])
    low_x, low_y = torch.empty_like(data, dtype=dtype), torch.empty_like(y, dtype=dtype)
    low_weight = torch.empty_like(weight, dtype=dtype)

    def forward() -> None:
        low_x.copy_(data)
        low_weight.copy_(weight)
        y.copy_(torch.bmm(low_weight, low_x, out=low_y))
        if bias is not None:
            y.add_(bias.unsqueeze(2))

    tape.forward.append(forward)

    def back(dy: Gradient) -> Gradient:
        d, (grad_weight, grad_bias) = dy.data, grads
        low_d, low_grad = torch.empty_like(d, dtype=dtype), torch.empty_like(low_weight)
        dx, low_dx = (d, low_d) if first else (torch.empty_like(data), torch.empty_like(low_x))

        def backward() -> None:
            low_d.copy_(d)
            grad_weight.copy_(torch.bmm(low_d, low_x.mT, out=low_grad))
            if grad_bias is not None:
                torch.sum(d, -1, out=grad_bias)
            if not first:
                dx.copy_(torch.bmm(low_weight.mT, low_d, out=low_dx))

        tape.backward.append(backward)
        return Gradient(dx)

    return Value(y, disposable=True), back


def activation(tape: Tape, x: Value, kind: ActivationKind, slope: float) -> tuple[Value, Back]:
    """An elementwise function, in place where its derivative can be told from its output; softmax over the features."""
    if kind is ActivationKind.IDENTITY:
        return x, lambda dy: dy
    data = x.data
    from_output = kind not in (ActivationKind.GELU, ActivationKind.SILU)
    y = data if x.disposable and from_output else torch.empty_like(data)
    tape.forward.append(_activate(kind, slope, data, y))

    def back(dy: Gradient) -> Gradient:
        d = dy.data
        tape.backward.append(_deactivate(kind, slope, d, data, y))
        return dy

    return Value(y, disposable=False), back


def _activate(kind: ActivationKind, slope: float, x: Tensor, y: Tensor) -> Action:
    actions: dict[ActivationKind, Action] = {
        ActivationKind.RELU: lambda: torch.clamp_min(x, 0, out=y),
        ActivationKind.LEAKY_RELU: lambda: _aten.leaky_relu.out(x, slope, out=y),
        ActivationKind.TANH: lambda: torch.tanh(x, out=y),
        ActivationKind.SIGMOID: lambda: torch.sigmoid(x, out=y),
        ActivationKind.GELU: lambda: _aten.gelu.out(x, out=y),
        ActivationKind.SILU: lambda: _aten.silu.out(x, out=y),
        ActivationKind.SOFTMAX: lambda: torch.softmax(x, 1, out=y),
    }
    return actions[kind]


def _deactivate(kind: ActivationKind, slope: float, d: Tensor, x: Tensor, y: Tensor) -> Action:
    """Turn the gradient of the output into that of the input, in place."""
    actions: dict[ActivationKind, Action] = {
        ActivationKind.RELU: lambda: _aten.threshold_backward.grad_input(d, y, 0, grad_input=d),
        ActivationKind.LEAKY_RELU: lambda: _aten.leaky_relu_backward.grad_input(d, y, slope, True, grad_input=d),
        ActivationKind.TANH: lambda: _aten.tanh_backward.grad_input(d, y, grad_input=d),
        ActivationKind.SIGMOID: lambda: _aten.sigmoid_backward.grad_input(d, y, grad_input=d),
        ActivationKind.GELU: lambda: _aten.gelu_backward.grad_input(d, x, grad_input=d),
        ActivationKind.SILU: lambda: _aten.silu_backward.grad_input(d, x, grad_input=d),
        ActivationKind.SOFTMAX: lambda: d.sub_((d * y).sum(1, keepdim=True)).mul_(y),
    }
    return actions[kind]


@dataclass(slots=True)
class Counter:
    """The optimiser step that dropout draws for, a number or an int64 tensor; the plan's owner sets it."""

    step: int | Tensor = 0


def dropout(tape: Tape, x: Value, p: float, keys: Tensor, counter: Counter) -> tuple[Value, Back]:
    """Zero with probability p by the masks of ``random.keep_mask``; ``keys`` is (R,)."""
    if not tape.training or p == 0:
        return x, lambda dy: dy
    y = x.data if x.disposable else torch.empty_like(x.data)
    data = x.data
    mask = _Mask(data, p, keys, counter)
    tape.forward.append(mask.draw)
    tape.forward.append(lambda: torch.mul(data, mask.scaled, out=y))

    def back(dy: Gradient) -> Gradient:
        d = dy.data
        tape.backward.append(lambda: d.mul_(mask.scaled))
        return dy

    return Value(y, disposable=True), back


class _Mask:
    """``random.keep_mask`` in wrapping 32-bit arithmetic on buffers made once."""

    def __init__(self, like: Tensor, p: float, keys: Tensor, counter: Counter) -> None:
        _, features, batch = like.shape
        numbers = torch.arange(batch * features, device=like.device, dtype=torch.int32)
        self._positions = numbers.view(batch, features).mT.contiguous()
        self._keys, self._counter = keys, counter
        self._bits = torch.empty(like.shape, dtype=torch.int32, device=like.device)
        self._shifted = torch.empty_like(self._bits)
        self._keep = torch.empty(like.shape, dtype=torch.bool, device=like.device)
        self._threshold = drop_threshold(p) - 2**31
        self._scale = 0.0 if p == 1 else 1 / (1 - p)
        self.scaled = torch.empty_like(like)

    def draw(self) -> None:
        """Make the masks of the counter's step."""
        per_step = _mixed((self._keys + self._counter.step * GOLDEN) & MASK)
        torch.add(self._positions, _wrap(per_step).view(-1, 1, 1), out=self._bits)
        bits, shifted = self._bits, self._shifted
        for shift, multiplier in zip((16, 15), MULTIPLIERS, strict=True):
            torch.bitwise_right_shift(bits, shift, out=shifted).bitwise_and_((1 << (32 - shift)) - 1)
            bits.bitwise_xor_(shifted).mul_(_signed(multiplier))
        bits.bitwise_xor_(-(2**31))
        if self._threshold >= 2**31:
            self.scaled.zero_()
            return
        torch.ge(bits, self._threshold, out=self._keep)
        self.scaled.copy_(self._keep).mul_(self._scale)


def _mixed(x: Tensor) -> Tensor:
    """The mixing of ``random.keep_mask`` on int64 that hold 32-bit numbers."""
    for shift, multiplier in zip((16, 15), MULTIPLIERS, strict=True):
        x = ((x ^ (x >> shift)) * multiplier) & MASK
    return x


def _wrap(x: Tensor) -> Tensor:
    """Numbers below 2^32 as the int32 with the same bits."""
    return torch.where(x >= 2**31, x - 2**32, x).to(torch.int32)


def _signed(x: int) -> int:
    return x - 2**32 if x >= 2**31 else x


@dataclass(frozen=True, slots=True)
class Affine:
    """Scale and shift (R, F) of a normalisation, and where their gradients go."""

    scale: Tensor
    shift: Tensor
    grad_scale: Tensor
    grad_shift: Tensor


def layernorm(tape: Tape, x: Value, affine: Affine) -> tuple[Value, Back]:
    """Normalise every example over its features."""
    return _normalise(tape, x, affine, 1, None)


def batchnorm(tape: Tape, x: Value, affine: Affine, running: tuple[Tensor, Tensor]) -> tuple[Value, Back]:
    """Normalise every feature over the batch; ``running`` mean and variance are (R * F,)."""
    if tape.training:
        return _normalise(tape, x, affine, 2, running)
    data, y = x.data, torch.empty_like(x.data)
    mean, variance = (stat.view(len(data), -1, 1) for stat in running)
    scale, shift = affine.scale.unsqueeze(2), affine.shift.unsqueeze(2)
    tape.forward.append(lambda: torch.sub(data, mean, out=y).mul_(scale * torch.rsqrt(variance + NORM_EPS)).add_(shift))
    return Value(y, disposable=True), _no_way_back


def _no_way_back(dy: Gradient) -> Gradient:
    raise AssertionError("an evaluation has no backward pass")


def _normalise(
    tape: Tape, x: Value, affine: Affine, dim: int, running: tuple[Tensor, Tensor] | None
) -> tuple[Value, Back]:
    data = x.data
    count = data.shape[dim]
    normal, y = torch.empty_like(data), torch.empty_like(data)
    mean = data.new_empty([1 if axis == dim else size for axis, size in enumerate(data.shape)])
    variance, root = torch.empty_like(mean), torch.empty_like(mean)
    scale, shift = affine.scale.unsqueeze(2), affine.shift.unsqueeze(2)

    def forward() -> None:
        torch.mean(data, dim, keepdim=True, out=mean)
        torch.sub(data, mean, out=normal)
        torch.mul(normal, normal, out=y)
        torch.mean(y, dim, keepdim=True, out=variance)
        torch.add(variance, NORM_EPS, out=root).rsqrt_()
        normal.mul_(root)
        torch.mul(normal, scale, out=y).add_(shift)

    tape.forward.append(forward)
    if running is not None:
        means, variances = (stat.view(len(data), -1, 1) for stat in running)
        unbiased = count / max(1, count - 1)
        tape.forward.append(lambda: means.lerp_(mean, BATCHNORM_MOMENTUM))
        tape.forward.append(lambda: variances.lerp_(variance * unbiased, BATCHNORM_MOMENTUM))

    def back(dy: Gradient) -> Gradient:
        d, product = dy.data, torch.empty_like(data)

        def backward() -> None:
            torch.mul(d, normal, out=product)
            torch.sum(product, 2, out=affine.grad_scale)
            torch.sum(d, 2, out=affine.grad_shift)
            d.mul_(scale)
            torch.mul(d, normal, out=product)
            along = product.mean(dim, keepdim=True)
            d.sub_(d.mean(dim, keepdim=True)).sub_(torch.mul(normal, along, out=product)).mul_(root)

        tape.backward.append(backward)
        return dy

    return Value(y, disposable=True), back
