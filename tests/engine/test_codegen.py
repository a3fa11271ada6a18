"""Generated modules, executed: parameters as counted, outputs as a reference written here with the same weights."""

import ast
import math
from collections.abc import Callable, Iterator
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from tests.stacks import random_network
from tuilab.analysis.codegen import torch_code
from tuilab.analysis.counting import count
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

_ACTIVATIONS: dict[ActivationKind, Callable[[Tensor], Tensor]] = {
    ActivationKind.RELU: torch.relu,
    ActivationKind.TANH: torch.tanh,
    ActivationKind.SIGMOID: torch.sigmoid,
    ActivationKind.GELU: functional.gelu,
    ActivationKind.SILU: functional.silu,
    ActivationKind.SOFTMAX: lambda x: x.exp() / x.exp().sum(-1, keepdim=True),
    ActivationKind.IDENTITY: lambda x: x,
}


def _run(stack: Stack, x: Tensor, weights: Iterator[Tensor]) -> Tensor:
    for layer in stack:
        x = _run_layer(layer, x, weights)
    return x


def _run_layer(layer: Layer, x: Tensor, weights: Iterator[Tensor]) -> Tensor:
    match layer:
        case Linear(_, bias):
            x = x @ next(weights).T
            return x + next(weights) if bias else x
        case Conv(_, _, stride, padding, bias):
            return functional.conv2d(x, next(weights), next(weights) if bias else None, stride, padding)
        case Activation(ActivationKind.LEAKY_RELU, slope):
            return torch.where(x > 0, x, slope * x)
        case Activation(kind):
            return _ACTIVATIONS[kind](x)
        case LayerNorm():
            axes = (1, 2, 3) if x.ndim == 4 else (-1,)
            spread = (x.var(axes, unbiased=False, keepdim=True) + 1e-5).sqrt()
            return (x - x.mean(axes, keepdim=True)) / spread * next(weights) + next(weights)
        case BatchNorm():
            shape = (-1, 1, 1) if x.ndim == 4 else (-1,)
            return x / math.sqrt(1 + 1e-5) * next(weights).view(shape) + next(weights).view(shape)
        case MaxPool(kernel, pool_stride, padding):
            return functional.max_pool2d(x, kernel, pool_stride, padding)
        case AvgPool(kernel, pool_stride, padding):
            return functional.avg_pool2d(x, kernel, pool_stride, padding)
        case Flatten():
            return x.reshape(len(x), -1)
        case Dropout():
            return x
        case Residual(body):
            return x + _run(body, x, weights)
        case Sum(branches):
            return torch.stack([_run(branch, x, weights) for branch in branches]).sum(0)
        case Repeat(times, body):
            for _ in range(times):
                x = _run(body, x, weights)
            return x
        case _:
            raise AssertionError(layer)


def _load(code: str, name: str) -> nn.Module:
    space: dict[str, object] = {"__name__": "generated"}
    exec(compile(code, "generated.py", "exec"), space)
    kind = space[name]
    assert isinstance(kind, type)
    module: object = kind()
    assert isinstance(module, nn.Module)
    return module


def _check(network: Network) -> None:
    code, says = torch_code(network), format_stack(network.stack)
    module = _load(code, "Network").double().eval()
    parameters = list(module.parameters())
    counted = count(network)
    assert sum(p.numel() for p in parameters) == counted.num_params, says
    assert sum(p.numel() for p in parameters if p.requires_grad) == counted.num_trainable, says
    for parameter in parameters:
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(3, *network.in_shape, dtype=torch.float64)
    weights = iter([parameter.detach() for parameter in parameters])
    with torch.no_grad():
        expected = _run(network.layers, x, weights)
        assert next(weights, None) is None
        torch.testing.assert_close(module(x), expected, rtol=1e-9, atol=1e-9, msg=lambda text: f"{says}: {text}")
    assert max(map(len, code.splitlines())) <= 100, says


@pytest.mark.parametrize(
    ("notation", "in_shape", "out_features"),
    [
        ("3*(14 relu)", (2,), 2),
        ("", (4,), 3),
        ("", (4,), None),
        ("linear(7, bias=false) leaky_relu(0.3) layernorm", (5, 3), None),
        ("64 4*(residual(32 relu 2*(16 tanh) 64)) sum(3 | 4 relu 3 | 2*(3 relu))", (8,), 2),
        ("2*(8 relu 3*(5 tanh 2*(6 silu)))", (8,), 2),
        (
            "conv(6, 3, stride=2, padding=1, bias=false) batchnorm relu maxpool(3, 1, 1) layernorm flatten",
            (2, 9, 9),
            10,
        ),
        ("3*(conv(2, 2)) avgpool(2) flatten 2*(5 gelu)", (1, 9, 9), 3),
        ("sum(2*(4) | 4)", (3,), None),
        ("linear(20, trainable=false) relu 2*(linear(4, bias=false, trainable=false))", (3,), None),
        ("10 relu " * 20, (2,), 1),
    ],
)
def test_generated_modules_count_and_compute_like_the_network(notation, in_shape, out_features):
    _check(Network(parse(notation), in_shape, out_features))


@settings(max_examples=150)
@given(st.randoms(use_true_random=False))
def test_any_network_can_be_written_down(rng: Random):
    _check(random_network(rng))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("deep & narrow", "DeepNarrow"),
        ("3 layers", "Network3Layers"),
        ("Sum", "SumNetwork"),
        ("none", "NoneNetwork"),
        ("", "Network"),
        ("été", "T"),
        ('"""); import os', "ImportOs"),
        ("residual", "ResidualNetwork"),
    ],
)
def test_any_candidate_name_becomes_a_class(name, expected):
    network = Network(parse("4 relu residual(4) sum(4 | 4)"), (2,), 2)
    assert isinstance(_load(torch_code(network, name), expected), nn.Module)


def test_torch_is_the_only_import_and_unused_helpers_are_left_out():
    code = torch_code(Network(parse("4 relu residual(4)"), (2,), 2))
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imports] == ["import torch", "from torch import Tensor, nn"]
    assert "class Residual" in code
    assert "class Sum" not in code


def test_a_billion_layers_are_a_short_text():
    assert "for _ in range(999999999):" in torch_code(Network(parse("1000000000*(3 relu)"), (2,), 2))


def test_a_small_network_reads_like_this():
    expected = '''"""A network from 2 to 2 with 492 parameters."""

import torch
from torch import Tensor, nn


class Deep(nn.Module):
    """3*(14 relu) 2"""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        layers += [nn.Linear(2, 14), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Linear(14, 14), nn.ReLU()]
        layers += [nn.Linear(14, 2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 2), returns (batch, 2)."""
        return self.layers(x)


if __name__ == "__main__":
    network = Deep()
    print(network)
    print(network(torch.zeros(2, 2)).shape)
    print(sum(parameter.numel() for parameter in network.parameters()), "parameters")
'''
    assert torch_code(Network(parse("3*(14 relu)"), (2,), 2), "deep") == expected
