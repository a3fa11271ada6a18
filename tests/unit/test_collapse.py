"""Collapse: what folds, into what, and that folding changes no output."""

from random import Random

import numpy as np
import pytest

from tests.unit.test_degrees_of_freedom import _forward, _random_affine, _shapes
from tuilab.analysis.collapse import apply, find_collapses, fold
from tuilab.analysis.folding import fold_weights
from tuilab.analysis.freedom import degrees_of_freedom
from tuilab.spec.errors import LabError
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack, parse

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
    assert (found.times, found.path, found.last_path) == (6, (0, 0, 0), (0, 0, 1))


def test_images_are_left_alone_until_they_are_flat():
    network = Network(parse("flatten 4 flatten 3 relu"), (1, 4, 4), 2)
    assert format_stack(fold(network).stack) == "flatten 3 relu"


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
