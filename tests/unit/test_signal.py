"""The signal at initialisation: closed forms, random networks, and depths that overflow everything else."""

from collections.abc import Callable
from itertools import product
from math import isclose, log10

import numpy as np
import pytest

from tuilab.analysis.signal import fourth_moment_ratio, log10_alive, signal
from tuilab.spec.layers import Init
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.training import Training


def _network(notation: str, in_features: int = 64, out_features: int | None = 8) -> Network:
    return Network(parse(notation), (in_features,), out_features)


def _training(init: Init, bias_std: float = 0.0, scale: float = 1.0) -> Training:
    return Training(init=init, bias_std=bias_std, init_scale=scale)


@pytest.mark.parametrize(
    ("notation", "init", "hidden"),
    [
        ("5*(64 relu)", Init.HE_NORMAL, 1.0),
        ("5*(linear(64, bias=false) relu)", Init.TORCH, 6.0**-5),
        ("5*(64)", Init.HE_UNIFORM, 2.0**5),
        ("5*(64 leaky_relu(0.5))", Init.HE_NORMAL, 1.25**5),
        ("5*(64)", Init.XAVIER_NORMAL, 1.0),
        ("32", Init.XAVIER_UNIFORM, 2 * 64 / 96),
        ("5*(64)", Init.ORTHOGONAL, 2.0**5),
        ("128", Init.ORTHOGONAL, 1.0),
        ("5*(64)", Init.SPARSE, 15.0**5),
        ("5*(64)", Init.IDENTITY, 1.0),
        ("128", Init.IDENTITY, 0.5),
        ("3*(residual(64))", Init.HE_NORMAL, 27.0),
        ("sum(64 | 64 | identity)", Init.HE_NORMAL, 5.0),
        ("64 layernorm", Init.HE_NORMAL, 1.0),
        ("64 dropout(0.5)", Init.HE_NORMAL, 4.0),
        ("linear(64, init=identity)", Init.HE_NORMAL, 1.0),
        ("64 softmax", Init.HE_NORMAL, 64.0**-2),
    ],
)
def test_closed_forms(notation, init, hidden):
    assert isclose(signal(_network(notation), _training(init)).log10_hidden, log10(hidden), abs_tol=1e-9)


def test_scale_and_bias_enter():
    assert isclose(signal(_network("64"), _training(Init.HE_NORMAL, scale=3)).log10_hidden, log10(18))
    assert isclose(signal(_network("64"), _training(Init.HE_NORMAL, bias_std=0.5)).log10_hidden, log10(2.25))
    torch_default = signal(_network("64"), _training(Init.TORCH, bias_std=9)).log10_hidden
    assert isclose(torch_default, log10(1 / 3 + 1 / (3 * 64)))


def test_extremes_are_those_of_any_layer():
    found = signal(_network("64 relu 64 relu"), _training(Init.TORCH))
    assert found.log10_largest == 0
    assert found.log10_smallest == found.log10_output < found.log10_hidden < 0


@pytest.mark.parametrize("body", ["64 relu", "64 tanh", "residual(64 relu 64)", "64 gelu", "64 sigmoid", "64 silu"])
@pytest.mark.parametrize("init", [Init.HE_NORMAL, Init.TORCH, Init.XAVIER_NORMAL])
def test_a_repeat_is_followed_like_its_expansion(body, init):
    training = _training(init, bias_std=0.1)
    repeated, written = signal(_network(f"300*({body})"), training), signal(_network(f"{body} " * 300), training)
    assert isclose(repeated.log10_hidden, written.log10_hidden, rel_tol=1e-3, abs_tol=5e-3)


@pytest.mark.parametrize("times", [3, 4, 5, 12])
@pytest.mark.parametrize("body", ["8 relu 3*(4 relu)", "4 tanh 2*(8 relu 4)", "2*(residual(64 relu 64)) 64 relu"])
@pytest.mark.parametrize("init", [Init.HE_NORMAL, Init.TORCH])
def test_repeats_in_repeats_are_followed_like_their_expansion(times, body, init):
    training = _training(init, bias_std=0.1)
    inner = f"{times}*({body})" if "residual" not in body else f"64 {times}*({body})"
    repeated, written = signal(_network(f"4*({inner})"), training), signal(_network(f"{inner} " * 4), training)
    assert isclose(repeated.log10_hidden, written.log10_hidden, rel_tol=1e-6, abs_tol=1e-6)


@pytest.mark.parametrize("kinds", [*product(["relu", "tanh", "gelu", "softmax"], repeat=2)])
def test_a_hundred_million_layers_in_four_repeats_answer(kinds):
    outer, inner = kinds
    network = _network(f"100*(8 {outer} 100*(4 relu 100*(residual(4 tanh 4) 100*(4 {inner}))))", 8)
    found = signal(network, _training(Init.HE_NORMAL, bias_std=0.05))
    assert found.log10_smallest <= found.log10_hidden <= found.log10_largest


def test_depths_without_end_answer():
    assert isclose(signal(_network("1000000000*(64)"), _training(Init.HE_NORMAL)).log10_hidden, 1e9 * log10(2))
    shrinks = signal(_network("1000000000*(linear(64, bias=false) relu)"), _training(Init.TORCH))
    assert isclose(shrinks.log10_hidden, -1e9 * log10(6))
    grows = signal(_network("1000000*(64 relu)"), _training(Init.HE_NORMAL, bias_std=0.05)).log10_hidden
    assert isclose(grows, log10(1 + 1e6 * 0.05**2 / 2), rel_tol=1e-6)


_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid"])
def test_wide_random_networks_answer_as_expected(name):
    draw = np.random.default_rng(4)
    moments = []
    for _ in range(20):
        x = draw.normal(size=(20, 300))
        for _ in range(4):
            x = _FUNCTIONS[name](x @ draw.normal(size=(300, 300)) * np.sqrt(2 / 300) + 0.3 * draw.normal(size=300))
        moments.append((x**2).mean())
    expected = 10 ** signal(_network(f"4*(300 {name})", 300), _training(Init.HE_NORMAL, bias_std=0.3)).log10_hidden
    assert isclose(np.mean(moments), expected, rel_tol=0.05)


@pytest.mark.parametrize(
    ("notation", "dead"),
    [
        ("3*(3 relu)", 0.3301),
        ("9*(5 relu)", 0.2485),
        ("3*(3 tanh)", 0.0),
        ("64 4*(residual(1 relu 64))", 0.0),
        ("sum(1 relu | 1 relu)", 0.25),
        ("1 relu", 0.5),
    ],
)
def test_the_probability_of_a_dead_network(notation, dead):
    assert isclose(1 - 10 ** log10_alive(_network(notation)), dead, abs_tol=5e-5)


def test_random_networks_die_as_often():
    draw, dead = np.random.default_rng(0), 0
    for _ in range(4000):
        x = draw.normal(size=2)
        for _ in range(3):
            x = np.maximum(draw.normal(size=(3, len(x))) @ x + draw.normal(size=3), 0)
            if not x.any():
                dead += 1
                break
    assert abs(dead / 4000 - 0.3301) < 0.03


def test_depth_alone_to_175_billion_parameters_is_dead():
    assert isclose(log10_alive(_network("14583333331*(3 relu)", 3, 3)), -8.457e8, rel_tol=1e-3)


@pytest.mark.parametrize(("widths", "ratio"), [((10, 10), 2.25), ((20,) * 5, 3.0517578125), ((), 1.0)])
def test_the_spread_of_random_networks(widths, ratio):
    assert isclose(fourth_moment_ratio(widths), ratio)
