"""Initial parameters: variances and shapes of every init, from generators of their own."""

import numpy as np
import pytest
import torch

from tuilab.engine.init import initial_row, initial_weight
from tuilab.engine.layout import lay_out
from tuilab.engine.random import generator
from tuilab.spec.layers import Init
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.training import Training

SHAPE = (300, 200)


def weight(init, shape=SHAPE):
    return initial_weight(init, shape, generator(0, 0, "init"))


def row(stack, in_shape=(6,), out=3, **training):
    layout = lay_out(Network(parse(stack), in_shape, out))
    return layout, initial_row(layout, Training(**training), generator(0, 0, "init"))


@pytest.mark.parametrize(
    ("init", "variance", "largest"),
    [
        (Init.TORCH, 1 / (3 * 200), 200**-0.5),
        (Init.HE_NORMAL, 2 / 200, None),
        (Init.HE_UNIFORM, 2 / 200, (6 / 200) ** 0.5),
        (Init.XAVIER_NORMAL, 2 / 500, None),
        (Init.XAVIER_UNIFORM, 2 / 500, (6 / 500) ** 0.5),
    ],
)
def test_random_inits_have_their_variance_and_bounds(init, variance, largest):
    w = weight(init)
    assert w.var() == pytest.approx(variance, rel=0.03)
    assert w.mean() == pytest.approx(0, abs=4 * (variance / w.size) ** 0.5)
    if largest is not None:
        assert np.abs(w).max() == pytest.approx(largest, rel=0.01)
        assert np.abs(w).max() <= largest


def test_a_convolution_counts_its_window_in_the_fans():
    assert weight(Init.HE_NORMAL, (64, 32, 3, 3)).var() == pytest.approx(2 / (32 * 9), rel=0.05)
    assert weight(Init.XAVIER_NORMAL, (64, 32, 3, 3)).var() == pytest.approx(2 / (96 * 9), rel=0.05)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (20, 20)])
def test_orthogonal_is_orthonormal_times_the_gain_of_relu(shape):
    w = weight(Init.ORTHOGONAL, shape) / 2**0.5
    gram = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(gram, np.eye(20), atol=1e-12)


def test_sparse_has_fifteen_normal_inputs_a_unit():
    w = weight(Init.SPARSE)
    assert ((w != 0).sum(1) == 15).all()
    assert w[w != 0].std() == pytest.approx(1, rel=0.05)
    assert ((weight(Init.SPARSE, (4, 9)) != 0).sum(1) == 9).all()


def test_identity_is_the_eye_of_any_shape_and_passes_an_image_through():
    np.testing.assert_array_equal(weight(Init.IDENTITY, (3, 5)), np.eye(3, 5))
    kernel = torch.from_numpy(weight(Init.IDENTITY, (2, 2, 3, 3)))
    image = torch.randn(1, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.conv2d(image, kernel, padding=1), image)


def test_biases_are_normal_unless_the_init_has_its_own_way():
    layout, values = row("2000", init=Init.HE_NORMAL, bias_std=0.3)
    bias = layout.program[0].bias
    assert values[bias.offset : bias.end].std() == pytest.approx(0.3, rel=0.1)
    layout, values = row("2000", init=Init.TORCH)
    assert np.abs(values[bias.offset : bias.end]).max() == pytest.approx(6**-0.5, rel=0.01)
    layout, values = row("2000", init=Init.IDENTITY)
    assert not values[bias.offset : bias.end].any()


def test_the_scale_multiplies_weights_only():
    layout, plain = row("5 relu layernorm")
    _, scaled = row("5 relu layernorm", init_scale=3.0)
    first, norm = layout.program[0], layout.program[2]
    np.testing.assert_allclose(scaled[: first.weight.end], 3 * plain[: first.weight.end], rtol=1e-6)
    np.testing.assert_array_equal(scaled[first.bias.offset : norm.bias.end], plain[first.bias.offset : norm.bias.end])
    np.testing.assert_array_equal(plain[norm.weight.offset : norm.weight.end], 1)
    np.testing.assert_array_equal(plain[norm.bias.offset : norm.bias.end], 0)


def test_a_layer_may_override_the_init():
    layout, values = row("linear(6, init=identity) relu", init=Init.HE_NORMAL)
    first = layout.program[0]
    np.testing.assert_array_equal(values[: first.weight.end].reshape(6, 6), np.eye(6))
    assert values[layout.program[2].weight.offset :].any()


def test_nothing_draws_from_a_global_generator():
    before = torch.get_rng_state(), np.random.get_state(legacy=False)
    row("3*(5 relu)")
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_equal(before[1], np.random.get_state(legacy=False))
