"""The counter against torch: modules written here from torch.nn alone, their parameters and real forward passes."""

from collections.abc import Callable
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.stacks import random_network
from tuilab.analysis.counting import count, totals
from tuilab.analysis.outline import count_as_written
from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    MaxPool,
    Repeat,
    Residual,
    Stack,
    Sum,
)
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack, parse
from tuilab.spec.shapes import Shape

_ACTIVATIONS: dict[ActivationKind, Callable[[], nn.Module]] = {
    ActivationKind.RELU: nn.ReLU,
    ActivationKind.LEAKY_RELU: nn.LeakyReLU,
    ActivationKind.TANH: nn.Tanh,
    ActivationKind.SIGMOID: nn.Sigmoid,
    ActivationKind.GELU: nn.GELU,
    ActivationKind.SILU: nn.SiLU,
    ActivationKind.SOFTMAX: lambda: nn.Softmax(-1),
    ActivationKind.IDENTITY: nn.Identity,
}


class _Torch:
    """Builds each layer as torch.nn has it, runs it at once, and notes what it saw."""

    def __init__(self) -> None:
        self.outputs: list[int] = []
        self.shapes: list[tuple[Shape, Shape]] = []
        self.params = 0
        self.trainable = 0
        self.multiplies = 0

    def stack(self, stack: Stack, x: Tensor) -> Tensor:
        for layer in stack:
            x = self.layer(layer, x)
        return x

    def layer(self, layer: Layer, x: Tensor) -> Tensor:
        if isinstance(layer, Repeat):
            for _ in range(layer.times):
                x = self.stack(layer.body, x)
            return x
        if isinstance(layer, Residual | Sum):
            at = len(self.shapes)
            self.shapes.append(((), ()))
            bodies = (layer.body,) if isinstance(layer, Residual) else layer.branches
            ends = [self.stack(body, x) for body in bodies]
            total = torch.stack(ends).sum(0) + (x if isinstance(layer, Residual) else 0)
            assert all(end.shape == total.shape for end in ends)
            self.shapes[at] = (tuple(x.shape[1:]), tuple(total.shape[1:]))
            return total
        module = _module(layer, tuple(x.shape[1:]))
        result: Tensor = module(x)
        self.params += sum(p.numel() for p in module.parameters())
        self.trainable += sum(p.numel() for p in module.parameters() if p.requires_grad)
        self.outputs.append(result[0].numel())
        self.shapes.append((tuple(x.shape[1:]), tuple(result.shape[1:])))
        if isinstance(module, nn.Linear | nn.Conv2d):
            positions = result[0].numel() // (result.shape[-1] if isinstance(module, nn.Linear) else result.shape[1])
            self.multiplies += module.weight.numel() * positions
        return result


def _module(layer: Layer, shape: Shape) -> nn.Module:
    match layer:
        case Linear(width, bias, trainable=trainable):
            return nn.Linear(shape[-1], width, bias=bias).requires_grad_(trainable)
        case Activation(kind):
            return _ACTIVATIONS[kind]()
        case Dropout(p):
            return nn.Dropout(p)
        case LayerNorm():
            return nn.LayerNorm(shape if len(shape) == 3 else shape[-1:])
        case BatchNorm():
            return (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(shape[0])
        case Conv(channels, kernel, stride, padding, bias):
            return nn.Conv2d(shape[0], channels, kernel, stride, padding, bias=bias)
        case MaxPool(kernel, pool_stride, padding):
            return nn.MaxPool2d(kernel, pool_stride, padding)
        case AvgPool(kernel, pool_stride, padding):
            return nn.AvgPool2d(kernel, pool_stride, padding)
        case Flatten():
            return nn.Flatten()
        case _:
            raise AssertionError(layer)


def _check(network: Network) -> None:
    oracle = _Torch()
    with torch.no_grad():
        result = oracle.stack(network.layers, torch.zeros(2, *network.in_shape))
    counted = count(network, max_rows=100_000)
    says = format_stack(network.stack)
    assert (counted.num_params, counted.num_trainable) == (oracle.params, oracle.trainable), says
    assert counted.macs == oracle.multiplies, says
    assert counted.activations == sum(oracle.outputs), says
    assert [(row.in_shape, row.out_shape) for row in counted.layers] == oracle.shapes, says
    assert tuple(result.shape[1:]) == network.check(), says
    assert 0 <= counted.degrees_of_freedom <= counted.num_trainable, says
    expected = (oracle.params, oracle.multiplies, sum(oracle.outputs))
    assert totals(network)[1:] == expected
    for rows in (count(network, max_rows=1).layers, count_as_written(network).layers):
        assert tuple(sum(getattr(r, name) for r in rows) for name in ("num_params", "macs", "activations")) == expected


@pytest.mark.parametrize(
    ("notation", "in_shape", "out_features"),
    [
        ("linear(7, bias=false)", (5, 3), None),
        ("7 layernorm tanh batchnorm leaky_relu dropout(0.5) gelu silu sigmoid softmax identity", (3,), 4),
        ("conv(16, 3) relu maxpool(2) flatten 32 relu", (1, 28, 28), 10),
        (
            "conv(8, 5, stride=2, padding=2, bias=false) batchnorm layernorm avgpool(3, 1, 1)",
            (3, 9, 7),
            None,
        ),
        ("maxpool(3, stride=2, padding=1)", (2, 8, 5), None),
        ("6 residual(4 relu 6) sum(3 | 5 tanh 3 | linear(3, bias=false))", (2,), 2),
        ("3*(8 relu 2*(residual(5 relu 8)))", (2,), 1),
        ("sum(conv(4, 3, padding=1) | conv(4, 1)) flatten", (3, 6, 6), 5),
        ("", (4,), 3),
        ("", (4,), None),
        ("8 relu out(bias=false)", (4,), 3),
        ("2*(conv(2, 3)) flatten", (1, 9, 9), 3),
        ("flatten 4", (3, 5), 2),
        ("linear(20, trainable=false) relu 3*(linear(4, bias=false, trainable=false) 5)", (3,), 2),
    ],
)
def test_every_layer_kind_counts_like_its_torch_module(notation, in_shape, out_features):
    _check(Network(parse(notation), in_shape, out_features))


def test_two_thousand_random_networks_count_like_their_torch_modules():
    rng = Random(20240)
    for _ in range(2000):
        _check(random_network(rng))


@settings(max_examples=100)
@given(st.randoms(use_true_random=False))
def test_any_network_counts_like_its_torch_module(rng):
    _check(random_network(rng))
