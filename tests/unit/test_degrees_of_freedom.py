"""Degrees of freedom against their definition: the rank of the Jacobian of outputs by parameters at generic points."""

from functools import reduce
from random import Random

import numpy as np
import pytest

from tuilab.analysis.counting import count
from tuilab.analysis.freedom import degrees_of_freedom
from tuilab.spec.layers import Activation, ActivationKind, Layer, Linear, Repeat, Residual, Stack, Sum
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack, parse


def _forward(stack: Stack, x: np.ndarray, params: list[np.ndarray]) -> np.ndarray:
    """x: (.., samples, features); takes the parameters, which may lead with more, from the front of ``params``."""
    for layer in stack:
        match layer:
            case Linear(_, bias):
                x = x @ params.pop(0)
                x = x + params.pop(0) if bias else x
            case Activation(ActivationKind.RELU):
                x = np.where(x.real > 0, x, 0)
            case Activation(ActivationKind.LEAKY_RELU, slope):
                x = np.where(x.real > 0, x, slope * x)
            case Activation(ActivationKind.TANH):
                x = np.tanh(x)
            case Activation(ActivationKind.IDENTITY):
                pass
            case Residual(body):
                x = x + _forward(body, x, params)
            case Sum(branches):
                x = reduce(np.add, [_forward(branch, x, params) for branch in branches])
            case Repeat(times, body):
                for _ in range(times):
                    x = _forward(body, x, params)
            case _:
                raise AssertionError(layer)
    return x


def _shapes(stack: Stack, features: int) -> tuple[list[tuple[int, ...]], int]:
    """Shapes of all parameters in order, and the features at the end."""
    shapes: list[tuple[int, ...]] = []
    for layer in stack:
        end = features
        match layer:
            case Linear(width, bias):
                shapes += [(features, width), (width,)] if bias else [(features, width)]
                end = width
            case Residual(body):
                shapes += _shapes(body, features)[0]
            case Sum(branches):
                for branch in branches:
                    more, end = _shapes(branch, features)
                    shapes += more
            case Repeat(times, body):
                for _ in range(times):
                    more, end = _shapes(body, end)
                    shapes += more
            case _:
                pass
        features = end
    return shapes, features


def jacobian_rank(network: Network, samples: int = 60) -> int:
    """The rank at random parameters and inputs, by complex steps (exact to rounding), in float64."""
    rng = np.random.default_rng(1)
    shapes, _ = _shapes(network.layers, network.in_shape[0])
    sizes = [int(np.prod(shape)) for shape in shapes]
    flat = rng.normal(size=sum(sizes))
    x = rng.normal(size=(samples, network.in_shape[0])) * 2
    if not len(flat):
        return 0
    moved = flat + 1e-30j * np.eye(len(flat))
    parts = zip(np.split(moved, np.cumsum(sizes)[:-1], axis=1), shapes, strict=True)
    params = [part.reshape(-1, *(shape if len(shape) == 2 else (1, *shape))) for part, shape in parts]
    outputs = _forward(network.layers, x.astype(complex)[None], params)
    return int(np.linalg.matrix_rank(outputs.imag.reshape(len(flat), -1) / 1e-30, rtol=1e-9))


def _network(notation: str, in_features: int, out_features: int | None) -> Network:
    return Network(parse(notation), (in_features,), out_features)


@pytest.mark.parametrize(
    ("notation", "in_features", "out_features", "nominal", "degrees"),
    [
        ("linear(3, bias=false) out(bias=false)", 10, 10, 60, 51),
        ("3", 10, 10, 73, 61),
        ("linear(20, bias=false) out(bias=false)", 10, 10, 400, 100),
        ("linear(3, bias=false) out(bias=false)", 3, 3, 18, 9),
        ("8 relu", 2, 1, 33, 25),
        ("4 relu 4 relu", 2, 1, 37, 29),
        ("sum(1 | 1)", 1, None, 4, 2),
        ("sum(linear(1, bias=false) | linear(1, bias=false))", 1, None, 2, 1),
    ],
)
def test_published_values(notation, in_features, out_features, nominal, degrees):
    counted = count(_network(notation, in_features, out_features))
    assert (counted.num_params, counted.degrees_of_freedom) == (nominal, degrees)


@pytest.mark.parametrize(
    ("notation", "in_features", "out_features"),
    [
        ("3", 4, 4),
        ("3 out(bias=false)", 4, 5),
        ("6 out(bias=false)", 2, 5),
        ("linear(3, bias=false) 2 out(bias=false)", 4, 4),
        ("linear(3, bias=false) 4 identity out(bias=false)", 4, 4),
        ("2 linear(4, bias=false) out(bias=false)", 4, 4),
        ("2 5 out(bias=false)", 4, 4),
        ("residual(3)", 3, None),
        ("residual(1 3)", 3, None),
        ("residual(1 linear(3, bias=false))", 3, None),
        ("2*(residual(1 linear(4, bias=false)))", 4, None),
        ("3*(residual(linear(1, bias=false) linear(4, bias=false)))", 4, None),
        ("4 residual(1 linear(4, bias=false)) linear(4, bias=false)", 3, None),
        ("linear(4, bias=false) residual(2 linear(4, bias=false))", 3, None),
        ("residual(2 linear(4, bias=false)) linear(2, bias=false)", 4, None),
        ("sum(1 linear(4, bias=false) | linear(1, bias=false) linear(4, bias=false))", 4, None),
        ("sum(1 linear(5, bias=false) | 1 linear(5, bias=false))", 3, None),
        ("sum(2 linear(5, bias=false) | linear(1, bias=false) linear(5, bias=false))", 2, None),
        ("sum(identity | 1 linear(4, bias=false) | linear(1, bias=false) 4)", 4, None),
        ("5*(3)", 4, 2),
        ("3 sum(2 | 1 2) 3", 2, 2),
    ],
)
def test_affine_networks_have_as_many_as_the_rank_of_the_jacobian(notation, in_features, out_features):
    network = _network(notation, in_features, out_features)
    assert degrees_of_freedom(network) == jacobian_rank(network)


def _random_affine(rng: Random, features: int, end: int | None, depth: int) -> Stack:
    layers: list[Layer] = []
    for _ in range(rng.randint(1, 3)):
        kind = rng.random()
        width = rng.randint(1, 4)
        if depth and kind < 0.25:
            layers.append(Residual(_random_affine(rng, features, features, depth - 1)))
            continue
        if depth and kind < 0.5:
            branches = tuple(_random_affine(rng, features, width, depth - 1) for _ in range(rng.randint(1, 3)))
            layers.append(Sum(branches))
        else:
            layers.append(Linear(width, bias=rng.random() < 0.4))
        features = width
    if end is not None:
        layers.append(Linear(end, bias=rng.random() < 0.3))
    return tuple(layers)


def test_random_affine_networks_have_as_many_as_the_rank_of_the_jacobian():
    rng = Random(5)
    for _ in range(400):
        features = rng.randint(1, 4)
        network = Network(_random_affine(rng, features, None, 2), (features,))
        assert degrees_of_freedom(network) == jacobian_rank(network, 15), (format_stack(network.stack), features)


@pytest.mark.parametrize(
    ("notation", "in_features", "out_features"),
    [("5 tanh 4 tanh", 3, 2), ("3 tanh 2 linear(3, bias=false) tanh", 2, 2), ("residual(3 tanh 2)", 2, None)],
)
def test_smooth_networks_whose_only_redundancy_is_linear_have_the_rank_of_the_jacobian(
    notation, in_features, out_features
):
    network = _network(notation, in_features, out_features)
    assert degrees_of_freedom(network) == jacobian_rank(network, 400)


@pytest.mark.parametrize(
    ("notation", "in_features", "out_features"),
    [
        ("6 relu", 3, 2),
        ("12 leaky_relu(0.3)", 2, 2),
        ("10 leaky_relu(0.3) 10 leaky_relu(0.3)", 4, 3),
        ("linear(8, bias=false) leaky_relu(0.1) 8 leaky_relu(0.1)", 4, 3),
        ("6 relu residual(6) relu", 4, 3),
        ("6 relu residual(1 linear(6, bias=false)) relu", 4, 3),
        ("6 relu residual(2 6) relu", 4, 3),
        ("10 relu 3 10 leaky_relu", 3, 2),
        ("12 relu relu", 3, 2),
    ],
)
def test_wide_relu_networks_lose_one_per_hidden_unit(notation, in_features, out_features):
    network = _network(notation, in_features, out_features)
    assert degrees_of_freedom(network) == jacobian_rank(network, 1500)


def _random_curved(rng: Random, features: int, depth: int) -> Stack:
    layers: list[Layer] = []
    for _ in range(rng.randint(1, 4)):
        kind = rng.random()
        if depth and kind < 0.2:
            layers.append(Residual((*_random_curved(rng, features, depth - 1), Linear(features, rng.random() < 0.5))))
        elif depth and kind < 0.4:
            width = rng.randint(1, 4)
            branches = (
                (*_random_curved(rng, features, depth - 1), Linear(width, rng.random() < 0.5))
                for _ in range(rng.randint(1, 3))
            )
            layers.append(Sum(tuple(branches)))
            features = width
        elif kind < 0.7:
            features = rng.randint(1, 4)
            layers.append(Linear(features, rng.random() < 0.7))
        else:
            layers.append(Activation(rng.choice([ActivationKind.RELU, ActivationKind.LEAKY_RELU, ActivationKind.TANH])))
    return tuple(layers)


def test_no_random_network_has_fewer_than_the_rank_of_the_jacobian():
    rng = Random(6)
    for _ in range(400):
        features = rng.randint(1, 3)
        network = Network(_random_curved(rng, features, 2), (features,))
        says = (format_stack(network.stack), features)
        assert jacobian_rank(network, 25) <= degrees_of_freedom(network) <= count(network).num_params, says


@pytest.mark.parametrize("times", [1, 2, 3, 4, 7, 12])
@pytest.mark.parametrize(
    ("body", "in_features"),
    [
        ("3 relu", 4),
        ("residual(1 linear(4, bias=false))", 4),
        ("4 relu residual(4)", 3),
        ("4", 3),
        ("sum(4 relu 4 | 4) relu", 3),
        ("4 tanh 2 4", 4),
        ("5", 9),
    ],
)
def test_a_repeat_has_as_many_as_its_expansion(body, in_features, times):
    repeated = _network(f"{times}*({body})", in_features, 2)
    written = _network(" ".join([body] * times), in_features, 2)
    assert degrees_of_freedom(repeated) == degrees_of_freedom(written)


def test_frozen_layers_add_none_and_keep_their_neighbours_scale():
    assert degrees_of_freedom(_network("linear(20, trainable=false) relu", 3, 2)) == 42
    assert degrees_of_freedom(_network("5 relu linear(20, trainable=false) relu", 3, 2)) == 20 + 42
    assert degrees_of_freedom(_network("linear(2, trainable=false)", 3, None)) == 0


def test_a_quadrillion_layers_answer():
    assert degrees_of_freedom(_network(f"{10**15}*(3)", 3, 3)) == 12
    assert degrees_of_freedom(_network(f"{10**15}*(3 relu)", 3, 3)) == 9 * 10**15 + 12
