"""Many replicas of one network at once, batch-major, differentiated by autograd: knows every kind of layer.

Shapes: R replicas, B examples, F features; an activation is (R, B, *shape).
"""

from dataclasses import dataclass
from typing import assert_never

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor

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
    parameter_slots,
)
from tuilab.engine.random import keep_mask
from tuilab.spec.layers import ActivationKind

NORM_EPS = 1e-5
BATCHNORM_MOMENTUM = 0.1


@dataclass(slots=True)
class RunningStats:
    """What batch normalisation remembers of training, replicas beside each other as channels: (R * channels,)."""

    mean: Tensor
    variance: Tensor

    def keep(self, rows: list[int], num_replicas: int) -> "RunningStats":
        """Only the replicas ``rows``."""
        mean, variance = (value.view(num_replicas, -1)[rows].flatten() for value in (self.mean, self.variance))
        return RunningStats(mean, variance)


def fresh_stats(layout: Layout, values: Tensor) -> list[RunningStats]:
    """Mean 0 and variance 1 for every batch normalisation, for as many replicas as ``values`` has rows."""
    sizes = [len(values) * channels for channels in layout.batchnorm_channels]
    return [RunningStats(values.new_zeros(size), values.new_ones(size)) for size in sizes]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the replicas of a pack own.

    Attributes:
        values: (R, row_length), the parameters.
        gradients: (R, row_length), theirs.
        dropout_keys: (dropouts, R) int64.
        stats: of every batch normalisation.

    """

    values: Tensor
    gradients: Tensor
    dropout_keys: Tensor
    stats: list[RunningStats]

    def view(self, slot: Slot) -> Tensor:
        """(R, *slot.shape) of the values."""
        return self.values[:, slot.offset : slot.end].view(-1, *slot.shape)

    def gradient(self, slot: Slot) -> Tensor:
        """(R, *slot.shape) of the gradients."""
        return self.gradients[:, slot.offset : slot.end].view(-1, *slot.shape)


@dataclass(slots=True)
class Pass:
    """One forward pass: its mode, and what it leaves behind.

    Attributes:
        step: the optimiser step that draws dropout masks; None while evaluating.
        relu: outputs of every ReLU in order, if a list is given.
        hidden: outputs of every activation, residual and sum of the stack itself, in order, if a list is given.

    """

    step: int | None = None
    relu: list[Tensor] | None = None
    hidden: list[Tensor] | None = None


class PackedNetwork:
    """The replicas' parameters as leaves of autograd that share memory with the flat buffer."""

    def __init__(self, layout: Layout, own: Parameters, products: torch.dtype) -> None:
        """The network of ``layout``; ``products`` is what the factors of products are rounded to."""
        self._layout, self._own, self._products = layout, own, products
        self._quick = pool_before_relu(layout.program)
        slots = parameter_slots(layout.program)
        self._leaves = {slot.offset: own.view(slot).detach().requires_grad_() for slot in slots}
        self._gradients = [own.gradient(slot) for slot in slots]

    def differentiate(self, loss: Tensor) -> None:
        """Write the gradients of the losses (R,) that this network's outputs led to."""
        if self._leaves:
            found = torch.autograd.grad(loss.sum(), list(self._leaves.values()))
            torch._foreach_copy_(self._gradients, list(found))

    def __call__(self, x: Tensor, run: Pass) -> Tensor:
        """The outputs (R, B, out_features) for inputs (R, B, *in_shape)."""
        for node in self._layout.program:
            x = self._node(node, x, run)
            if run.hidden is not None and isinstance(node, ActivationNode | ResidualNode | SumNode):
                run.hidden.append(x)
        return x

    def before_last(self, x: Tensor) -> Tensor:
        """The inputs (R, B, ...) of the last layer, without dropout."""
        return self._program(self._layout.program[:-1], x, Pass())

    def _program(self, program: Program, x: Tensor, run: Pass) -> Tensor:
        for node in program:
            x = self._node(node, x, run)
        return x

    def _node(self, node: Node, x: Tensor, run: Pass) -> Tensor:
        match node:
            case LinearNode(weight, bias):
                leaf = self._leaves[weight.offset]
                return _linear(x, leaf, self._leaves[bias.offset] if bias else None, self._products)
            case ConvNode(weight, bias, _, stride, padding):
                leaf = self._leaves[weight.offset]
                own_bias = self._leaves[bias.offset] if bias else None
                if self._products == x.dtype:
                    return _conv(x, leaf, own_bias, stride, padding)
                y = _conv(x.to(self._products), leaf.to(self._products), None, stride, padding).to(x.dtype)
                return y if own_bias is None else y + own_bias[:, None, :, None, None]
            case ActivationNode(kind, slope):
                y = activate(kind, slope, x)
                if run.relu is not None and kind is ActivationKind.RELU:
                    run.relu.append(y)
                return y
            case DropoutNode():
                return self._dropout(node, x, run.step)
            case LayerNormNode(weight, bias):
                normal = F.layer_norm(x, weight.shape, eps=NORM_EPS)
                ones = [1] * (x.dim() - 1 - len(weight.shape))
                scale, shift = (self._leaves[slot.offset].view(len(x), *ones, *slot.shape) for slot in (weight, bias))
                return normal * scale + shift
            case BatchNormNode():
                return self._batchnorm(node, x, training=run.step is not None)
            case PoolNode(maximum, kernel, stride, padding):
                flat = x.flatten(0, 1)
                y = (F.max_pool2d if maximum else F.avg_pool2d)(flat, kernel, stride, padding)
                return y.view(*x.shape[:2], *y.shape[1:])
            case FlattenNode():
                return x.flatten(2)
            case ResidualNode(body):
                return x + self._program(body, x, run)
            case SumNode(branches):
                total = self._program(branches[0], x, run)
                for branch in branches[1:]:
                    total = total + self._program(branch, x, run)
                return total
            case _:
                assert_never(node)

    def _dropout(self, node: DropoutNode, x: Tensor, step: int | None) -> Tensor:
        if step is None or node.p == 0:
            return x
        if node.p == 1:
            return x * 0
        positions = torch.arange(x[0].numel(), device=x.device).view(x.shape[1:])
        mask = keep_mask(self._own.dropout_keys[node.index], step, positions, node.p)
        return x * (mask.to(x.dtype) * (1 / (1 - node.p)))

    def _batchnorm(self, node: BatchNormNode, x: Tensor, *, training: bool) -> Tensor:
        replicas, batch, channels = x.shape[:3]
        stats = self._own.stats[node.index]
        side_by_side = x.transpose(0, 1).reshape(batch, replicas * channels, *x.shape[3:])
        y = F.batch_norm(
            side_by_side,
            stats.mean,
            stats.variance,
            self._leaves[node.weight.offset].reshape(-1),
            self._leaves[node.bias.offset].reshape(-1),
            training,
            BATCHNORM_MOMENTUM,
            NORM_EPS,
        )
        return y.view(batch, replicas, *x.shape[2:]).transpose(0, 1)


def activate(kind: ActivationKind, negative_slope: float, x: Tensor) -> Tensor:
    """An activation of every value; softmax along the last dimension."""
    match kind:
        case ActivationKind.RELU:
            return F.relu(x)
        case ActivationKind.LEAKY_RELU:
            return F.leaky_relu(x, negative_slope)
        case ActivationKind.TANH:
            return torch.tanh(x)
        case ActivationKind.SIGMOID:
            return torch.sigmoid(x)
        case ActivationKind.GELU:
            return F.gelu(x)
        case ActivationKind.SILU:
            return F.silu(x)
        case ActivationKind.SOFTMAX:
            return torch.softmax(x, -1)
        case ActivationKind.IDENTITY:
            return x
        case _:
            assert_never(kind)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None, products: torch.dtype) -> Tensor:
    flat = x.flatten(1, -2)
    if bias is not None and products == x.dtype:
        y = torch.baddbmm(bias.unsqueeze(1), flat, weight.mT)
    else:
        y = torch.bmm(flat.to(products), weight.to(products).mT).to(x.dtype)
        y = y if bias is None else y + bias.unsqueeze(1)
    return y.view(*x.shape[:-1], weight.shape[1])


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    if x.is_cuda:
        replicas, batch = x.shape[:2]
        y = F.conv2d(
            x.transpose(0, 1).flatten(1, 2),
            weight.flatten(0, 1),
            None if bias is None else bias.flatten(),
            stride,
            padding,
            groups=replicas,
        )
        return y.view(batch, replicas, -1, *y.shape[2:]).transpose(0, 1)
    biases = [None] * len(x) if bias is None else list(bias)
    last = torch.channels_last
    each = [
        F.conv2d(a.contiguous(memory_format=last), w.contiguous(memory_format=last), b, stride, padding)
        for a, w, b in zip(x, weight, biases, strict=True)
    ]
    return torch.stack(each) if len(each) > 1 else each[0].unsqueeze(0)


def pool_before_relu(program: Program) -> Program:
    """The same function with every ReLU behind the maximum that follows it, where it has fewer values to look at."""
    found: list[Node] = []
    for node in program:
        match node:
            case PoolNode(maximum=True) if found and isinstance(found[-1], ActivationNode):
                relu = found[-1].kind is ActivationKind.RELU
                found.insert(len(found) - 1 if relu else len(found), node)
            case ResidualNode(body):
                found.append(ResidualNode(pool_before_relu(body)))
            case SumNode(branches):
                found.append(SumNode(tuple(map(pool_before_relu, branches))))
            case _:
                found.append(node)
    return tuple(found)
