"""Scans and the outline of a stack."""

from fractions import Fraction

import pytest

from tuilab.analysis.counting import totals
from tuilab.analysis.scanning import (
    match_depth,
    scan_activation,
    scan_depths,
    scan_widths,
    with_depth,
    without_activations,
)
from tuilab.analysis.structure import depth, merge_copies
from tuilab.spec.errors import LabError
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack, parse


@pytest.mark.parametrize(
    ("notation", "new_depth", "expected"),
    [
        ("3*(14 relu)", 0, ""),
        ("3*(14 relu)", 1, "14 relu"),
        ("3*(14 relu)", 5, "5*(14 relu)"),
        ("14 relu 14 relu", 4, "4*(14 relu)"),
        ("14 relu 3*(14 relu)", 2, "2*(14 relu)"),
        ("64 relu 32 relu", 1, "64 relu"),
        ("64 relu 32 relu", 5, "64 relu 4*(32 relu)"),
        ("flatten 14 relu dropout(0.2)", 2, "flatten 2*(14 relu dropout(0.2))"),
        ("4*(14 relu) dropout(0.5)", 6, "6*(14 relu) dropout(0.5)"),
        ("14 relu out softmax", 3, "3*(14 relu) out softmax"),
        ("64 4*(residual(32 relu 64))", 5, "64 2*(residual(32 relu 64))"),
        ("conv(16, 3) relu maxpool(2) flatten 32 relu", 3, "conv(16, 3) relu maxpool(2) flatten 2*(32 relu)"),
        ("2*(3 relu 4 relu)", 8, "4*(3 relu 4 relu)"),
        ("sum(3 relu 4 | 4)", 4, "2*(sum(3 relu 4 | 4))"),
    ],
)
def test_another_depth_repeats_or_drops_blocks(notation, new_depth, expected):
    assert format_stack(with_depth(parse(notation), new_depth)) == expected


@pytest.mark.parametrize(
    ("notation", "new_depth", "says"),
    [
        ("64 4*(residual(32 relu 64))", 4, "the nearest below is 3"),
        ("relu", 2, "no hidden layer that could be repeated"),
        ("14 relu", -1, "at least 0"),
    ],
)
def test_a_depth_that_cannot_be_had_is_a_sentence(notation, new_depth, says):
    with pytest.raises(LabError, match=says):
        with_depth(parse(notation), new_depth)


def test_a_scan_of_depths_keeps_the_budget():
    network = Network(parse("3*(14 relu)"), (2,), 2)
    stacks = scan_depths(network, (1, 2, 4, 8, 16, 40))
    members = [Network(stack, (2,), 2) for stack in stacks]
    assert [depth(member) for member in members] == [1, 2, 4, 8, 16, 40]
    assert all(abs(totals(member).num_params - 492) <= 40 for member in members)
    assert format_stack(stacks[0]) == "98 relu"


def test_depths_beyond_the_budget_are_left_out_and_none_at_all_is_an_error():
    network = Network(parse("3*(14 relu)"), (2,), 2)
    assert len(scan_depths(network, (1, 400), target=500)) == 1
    with pytest.raises(LabError, match="are too few"):
        scan_depths(network, (400, 800), target=500)


def test_a_scan_of_widths_scales_every_free_width():
    network = Network(parse("8 residual(5 relu 8) 3! relu"), (2,), 2)
    stacks = scan_widths(network, (Fraction(1, 2), Fraction(1), Fraction(1), Fraction(2)))
    assert list(map(format_stack, stacks)) == [
        "4 residual(3 relu 4) 3! relu",
        "8 residual(5 relu 8) 3! relu",
        "16 residual(10 relu 16) 3! relu",
    ]


def test_a_scan_of_activation_is_with_and_without():
    with_them, without = scan_activation(Network(parse("3*(14 relu) residual(tanh) softmax"), (2,), 2))
    assert format_stack(with_them) == "3*(14 relu) residual(tanh) softmax"
    assert format_stack(without) == "3*(14) residual(identity)"
    assert without_activations(without) == without
    added, plain = scan_activation(Network(parse("2*(14) sum(3 | 3)"), (2,), 2))
    assert format_stack(added) == "2*(14 relu) sum(3 | 3) relu"
    assert format_stack(plain) == "2*(14) sum(3 | 3)"


@pytest.mark.parametrize(
    ("notation", "out_features", "expected"),
    [
        ("", 2, 0),
        ("3*(14 relu)", 2, 3),
        ("14 relu 2", None, 1),
        ("14 relu out", 2, 1),
        ("8 residual(4 relu 8) sum(3 | 3 relu 3) layernorm", 2, 5),
        ("conv(3, 3) flatten 4", 2, 2),
        ("relu", None, 0),
    ],
)
def test_depth_counts_hidden_layers_with_weights(notation, out_features, expected):
    assert depth(Network(parse(notation), (1, 8, 8), out_features)) == expected


@pytest.mark.parametrize(
    ("notation", "expected"),
    [
        ("14 relu 2*(14 relu)", "3*(14 relu)"),
        ("2*(14 relu) 14 relu 14 relu tanh", "4*(14 relu) tanh"),
        ("2*(14 relu) 14 relu 3*(14 relu)", "6*(14 relu)"),
        ("14 relu 14 relu", "14 relu 14 relu"),
        ("2*(14 relu) 2*(15 relu)", "2*(14 relu) 2*(15 relu)"),
        ("relu 2*(14 relu)", "relu 2*(14 relu)"),
        ("2*(3) 3*(2*(3))", "4*(2*(3))"),
    ],
)
def test_copies_beside_a_repeat_join_it(notation, expected):
    assert format_stack(merge_copies(parse(notation))) == expected


@pytest.mark.parametrize(("width", "layers"), [(3, 14_583_333_333), (64, 42_067_307), (1024, 166_730), (12288, 1158)])
def test_depth_alone_reaches_175_billion_parameters(width, layers):
    network = Network(parse(f"{width} relu"), (width,), width)
    found = match_depth(network, 175_000_000_000)
    assert abs(depth(Network(found.stack, (width,), width)) + 1 - layers) <= 1
    assert abs(found.budget_error) < 1e-3


@pytest.mark.parametrize(("rule", "copies", "value"), [("nearest", 5, 369), ("at_most", 4, 297), ("at_least", 5, 369)])
def test_depth_is_matched_under_every_rule(rule, copies, value):
    found = match_depth(Network(parse("5 tanh 8 relu 8 relu"), (2,), 2), 368, rule=rule)
    assert (format_stack(found.stack), found.value) == (f"5 tanh {copies}*(8 relu)", value)


def test_a_depth_that_no_budget_allows_is_a_sentence():
    network = Network(parse("5 tanh 8 relu 8 relu"), (2,), 2)
    assert match_depth(network, 1, rule="at_least").value == 81
    with pytest.raises(LabError, match="one block already has 81"):
        match_depth(network, 50)
    with pytest.raises(LabError, match="no hidden layer"):
        match_depth(Network((), (2,), 2), 50)
