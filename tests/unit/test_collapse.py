"""Collapse: what folds, into what, and that folding changes no output."""

from collections import Counter
from itertools import groupby
from random import Random

import numpy as np
import pytest

from tests.unit.test_degrees_of_freedom import _forward, _random_affine, _shapes
from tuilab.analysis.collapse import Cost, apply, find_collapses, fold
from tuilab.analysis.counting import count
from tuilab.analysis.folding import fold_weights
from tuilab.analysis.freedom import degrees_of_freedom, is_transparent
from tuilab.spec.errors import LabError
from tuilab.spec.layers import Activation, ActivationKind, Layer, Linear, Repeat, Stack, Sum
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack, parse
from tuilab.spec.shapes import stack_shape

CASES = [
    ("3", 10, 10, "", [("serial", (0,), 2, 73, 61, 110)]),
    ("1", 10, 10, "", [("serial", (0,), 2, 31, 29, 110)]),
    ("", 10, 10, "", []),
    ("14 relu 14 tanh", 2, 2, "14 relu 14 tanh", []),
    ("14 relu 14 14 relu", 2, 2, "14 relu 14 relu", [("serial", (2,), 2, 420, 210, 210)]),
    ("8 identity dropout(0) 4 relu", 2, 2, "4 relu", [("serial", (0,), 4, 60, 12, 12)]),
    ("linear(8, init=xavier_normal) identity relu", 2, 2, "linear(8, init=xavier_normal) identity relu", []),
    ("linear(8, trainable=false) 4 relu", 2, 2, "linear(8, trainable=false) 4 relu", []),
    ("8 dropout(0.5) 4 relu", 2, 2, "8 dropout(0.5) 4 relu", []),
    ("linear(3, bias=false) out(bias=false)", 3, 3, "out(bias=false)", [("serial", (0,), 2, 18, 9, 9)]),
    (
        "linear(3, bias=false) linear(2, bias=false) relu",
        3,
        3,
        "linear(2, bias=false) relu",
        [("serial", (0,), 2, 15, 6, 6)],
    ),
    ("3 linear(2, bias=false) relu", 3, 3, "2 relu", [("serial", (0,), 2, 18, 8, 8)]),
    ("4*(14 14 relu)", 2, 2, "4*(14 relu)", [("serial", (0, 0), 2, 420, 210, 210)]),
    ("4*(14 relu 14)", 2, 2, "14 relu 3*(14 relu)", None),
    ("2*(14 relu 14) relu", 2, 2, "14 relu 14 relu 14 relu", None),
    ("5*(3)", 2, None, "3", [("serial", (0,), 1, 57, 9, 9)]),
    ("sum(1 | 1)", 1, None, "1", [("parallel", (0,), 1, 4, 2, 2)]),
    ("sum(1 | 1 | 1) relu", 2, 2, "1 relu", [("parallel", (0,), 1, 9, 3, 3)]),
    ("residual(3) relu", 3, 3, "3 relu", [("parallel", (0,), 1, 12, 12, 12)]),
    ("residual(3 relu 3 3)", 3, 3, "residual(3 relu 3)", [("serial", (0, 2), 2, 24, 12, 12)]),
    ("sum(3 | 3 relu 3 | 3)", 2, 2, "sum(3 | 3 relu 3)", [("parallel", (0,), 1, 39, 24, 30)]),
    ("sum(5 relu 3 | 4 4 tanh 3)", 2, 2, "sum(5 relu 3 | 4 tanh 3)", [("serial", (0, 1, 0), 2, 32, 12, 12)]),
    ("sum(5 relu 3 | identity | 3 tanh 3)", 3, None, "sum(5 relu 3 | identity | 3 tanh 3)", []),
    ("residual(identity) relu", 3, None, "residual(identity) relu", []),
]


@pytest.mark.parametrize(("notation", "in_features", "out_features", "folded", "found"), CASES)
def test_what_folds_is_found_and_folded(notation, in_features, out_features, folded, found):
    network = Network(parse(notation), (in_features,), out_features)
    assert format_stack(fold(network).stack) == folded
    if found is not None:
        assert [
            (c.kind, c.path, c.num_layers, c.num_params, c.degrees_of_freedom, c.folded_params)
            for c in find_collapses(network)
        ] == found


def test_the_ends_of_a_repeat_fold_into_each_other():
    (found,) = find_collapses(Network(parse("4*(14 relu 14)"), (2,), 2))[:1]
    assert (found.kind, found.path, format_stack(found.folded)) == ("copies", (0,), "14 relu 3*(14 relu) 14")


def test_a_collapse_inside_a_repeat_says_how_often():
    (found,) = find_collapses(Network(parse("3*(2*(5 5 relu) tanh)"), (2,), 2))
    assert (found.times, found.run.paths) == (6, ((0, 0, 0), (0, 0, 1)))
    assert found.costs == (Cost(5, 60, 30), Cost(1, 45, 15))


def test_images_are_left_alone_until_they_are_flat():
    network = Network(parse("flatten 4 flatten 3 relu"), (1, 4, 4), 2)
    assert format_stack(fold(network).stack) == "flatten 3 relu"


def test_brackets_in_brackets_fold_without_looking_at_each_copy():
    notation = "4 relu"
    for _ in range(30):
        notation = f"2*(4 {notation})"
    folded = fold(Network(parse(notation), (4,), 4))
    assert fold(folded) == folded


@pytest.mark.parametrize(("notation", "in_features", "out_features"), [case[:3] for case in CASES])
def test_applying_collapses_one_by_one_ends_where_fold_ends(notation, in_features, out_features):
    network = folded = Network(parse(notation), (in_features,), out_features)
    while found := find_collapses(folded):
        folded = apply(folded, found[0])
    assert folded.stack == fold(network).stack


def test_folding_never_shrinks_the_family_and_leaves_nothing_to_fold():
    rng = Random(11)
    for _ in range(300):
        features = rng.randint(1, 4)
        network = Network(_random_affine(rng, features, None, 2), (features,), rng.choice([None, 2]))
        if network.out_features is not None:
            network = Network((*network.stack, *parse("2 relu")), (features,), 2)
        folded = fold(network)
        assert find_collapses(folded) == ()
        assert folded.check() == network.check()
        if network.out_features is None:
            assert degrees_of_freedom(folded) >= degrees_of_freedom(network)


@pytest.mark.parametrize("seed", range(100))
def test_folded_weights_compute_the_same_outputs(seed):
    rng, draw = Random(seed), np.random.default_rng(seed)
    features = rng.randint(1, 6)
    stack = _random_affine(rng, features, None, 2)
    shapes, end = _shapes(stack, features)
    values = [draw.normal(size=shape) / np.sqrt(shape[0]) for shape in shapes]
    x = draw.normal(size=(50, features))
    expected = _forward(stack, x, list(values))
    pairs: list[tuple[np.ndarray, np.ndarray | None]] = []
    for value in values:
        if value.ndim == 2:
            pairs.append((value.T, None))
        else:
            pairs[-1] = (pairs[-1][0], value)
    weight, bias = fold_weights(stack, pairs, features)
    assert weight.shape == (end, features)
    assert (bias is None) == (len(pairs) == len(values))
    actual = x @ weight.T + (0 if bias is None else bias)
    assert np.abs(actual - expected).max() <= 1e-12 * max(1, np.abs(expected).max())


def test_a_deep_chain_folds_to_rounding():
    draw = np.random.default_rng(0)
    stack = parse("512*(16)")
    pairs: list[tuple[np.ndarray, np.ndarray | None]] = [
        (np.linalg.qr(draw.normal(size=(16, 16)))[0], draw.normal(size=16) * 0.1) for _ in range(512)
    ]
    x = expected = draw.normal(size=(20, 16))
    for weight, bias in pairs:
        expected = expected @ weight.T + bias
    weight, bias = fold_weights(stack, pairs, 16)
    assert bias is not None
    assert np.abs(x @ weight.T + bias - expected).max() < 1e-12


def test_a_non_linearity_cannot_be_folded():
    with pytest.raises(LabError, match="relu is not an affine map"):
        fold_weights(parse("relu"), [], 3)


def _random_seams(rng: Random, features: int, depth: int, *, sums: bool) -> Stack:
    """A stack of linear layers, activations, repeats and sums, with many places where a repeat meets a layer."""
    layers: list[Layer] = []
    for _ in range(rng.randint(1, 4)):
        kind = rng.random()
        if depth and kind < 0.45:
            body = _random_seams(rng, features, depth - 1, sums=sums)
            layers.append(Repeat(rng.randint(1, 3), body))
        elif sums and depth and kind < 0.52:
            width = rng.randint(1, 4)
            branches = ((*_random_seams(rng, features, depth - 1, sums=sums), Linear(width)) for _ in range(2))
            layers.append(Sum(tuple(branches)))
        elif kind < 0.6:
            layers.append(Activation(ActivationKind.IDENTITY))
        elif kind < 0.8:
            layers.append(Linear(rng.randint(1, 4), bias=rng.random() < 0.7))
        else:
            layers.append(Activation(ActivationKind.TANH))
        features = stack_shape((layers[-1],), (features,))[0]
    return tuple(layers)


def _unrolled(stack: Stack) -> Stack:
    """The stack without repeats and without layers that change nothing."""
    layers: list[Layer] = []
    for layer in stack:
        match layer:
            case Repeat(times, body):
                layers += _unrolled(body) * times
            case Sum(branches):
                layers.append(Sum(tuple(map(_unrolled, branches))))
            case _ if not is_transparent(layer):
                layers.append(layer)
            case _:
                pass
    return tuple(layers)


def _told(network: Network) -> Counter[object]:
    """Every collapse up to the numbers of its layers, once for each copy."""
    told: Counter[object] = Counter()
    for found in find_collapses(network):
        kind = "parallel" if found.kind == "parallel" else "serial"
        for cost in found.costs:
            told[kind, _unrolled(found.run.layers), cost.num_params, cost.degrees_of_freedom] += cost.times
    return told


def _random_network(rng: Random, *, sums: bool = True) -> Network:
    features = rng.randint(1, 4)
    return Network(_random_seams(rng, features, 2, sums=sums), (features,), rng.choice([None, 3]))


@pytest.mark.parametrize("seed", range(4))
def test_a_stack_with_repeats_collapses_where_it_does_when_written_out(seed):
    rng = Random(seed)
    for _ in range(250):
        network = _random_network(rng)
        written = Network(_unrolled(network.stack), network.in_shape, network.out_features)
        assert _told(network) == _told(written), format_stack(network.stack)


@pytest.mark.parametrize("seed", range(4))
def test_folding_leaves_nothing_to_fold(seed):
    rng = Random(seed)
    for _ in range(250):
        network = _random_network(rng)
        says = format_stack(network.stack)
        folded = fold(network)
        assert fold(folded) == folded, says
        assert find_collapses(folded) == (), says
        assert folded.check() == network.check()
        if not find_collapses(network):
            assert _unrolled(folded.stack) == _unrolled(network.stack), says


def test_layers_in_a_row_never_have_fewer_degrees_of_freedom_than_parameters_without_a_word():
    rng = Random(5)
    quiet = 0
    for _ in range(1000):
        network = _random_network(rng, sums=False)
        if not find_collapses(network):
            quiet += 1
            assert degrees_of_freedom(network) == count(network).num_params, format_stack(network.stack)
    assert quiet > 200


@pytest.mark.parametrize("seed", range(2))
def test_folding_one_by_one_in_any_order_ends_in_the_same_layers(seed):
    rng = Random(seed)
    for _ in range(120):
        network = folded = _random_network(rng)
        while found := find_collapses(folded):
            mended = apply(folded, rng.choice(found))
            assert mended != folded
            assert mended.check() == network.check()
            folded = mended
        assert _unrolled(folded.stack) == _unrolled(fold(network).stack), format_stack(network.stack)


@pytest.mark.parametrize("seed", range(100))
def test_a_folded_network_with_repeats_computes_the_same_outputs(seed):
    rng, draw = Random(seed), np.random.default_rng(seed)
    network = _random_network(rng, sums=False)
    written, folded = _unrolled(network.layers), _unrolled(fold(network).layers)
    features = network.in_shape[0]
    values = [draw.normal(size=shape) / np.sqrt(shape[0]) for shape in _shapes(written, features)[0]]
    x = draw.normal(size=(50, features))
    left, params, width = list(values), list[np.ndarray](), features
    for linear, run in groupby(written, lambda layer: isinstance(layer, Linear)):
        if linear:
            layers = tuple(layer for layer in run if isinstance(layer, Linear))
            pairs = [(left.pop(0).T, left.pop(0) if layer.bias else None) for layer in layers]
            weight, bias = fold_weights(layers, pairs, width)
            params += [weight.T] if bias is None else [weight.T, bias]
            width = len(weight)
    assert [value.shape for value in params] == _shapes(folded, features)[0]
    actual, expected = _forward(folded, x, params), _forward(written, x, list(values))
    assert np.abs(actual - expected).max() <= 1e-12 * max(1, np.abs(expected).max())


def test_ten_billion_copies_are_folded_at_their_ends():
    network = Network(parse("3 14583333331*(3 relu) 5 14583333331*(relu 3)"), (3,), 3)
    assert [found.run.paths for found in find_collapses(network)] == [((0,), (1, 0)), ((3, 1), (4,))]
    assert format_stack(fold(network).stack) == "14583333331*(3 relu) 5 14583333330*(relu 3) relu"
    ends = Network(parse("14583333331*(3 relu 4)"), (3,), 3)
    assert [found.times for found in find_collapses(ends)] == [14583333330, 1]
    assert format_stack(fold(ends).stack) == "3 relu 14583333330*(3 relu)"
