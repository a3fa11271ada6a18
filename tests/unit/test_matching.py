"""Matching: against exhaustive search, under every rule, for every kind of stack."""

from itertools import pairwise
from math import prod
from random import Random

import pytest

from tests.stacks import random_network
from tuilab.analysis.counting import count, totals
from tuilab.analysis.matching import match
from tuilab.analysis.structure import hidden_widths
from tuilab.analysis.widths import free_widths, with_widths
from tuilab.spec.errors import LabError
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack, parse

SIZES = [(2, 1), (64, 10), (784, 10)]
BUDGETS = [300, 502, 1000, 3_010, 10_000, 99_999, 1_000_000, 10_000_000]


def _chain(widths: list[int], in_features: int, out_features: int) -> int:
    return sum(m * n + n for m, n in pairwise([in_features, *widths, out_features]))


def _members(depth: int, in_features: int, out_features: int, target: int) -> list[tuple[int, int, int]]:
    """(parameters, w, k) of every member with k layers of w + 1 before depth - k of w, up to the first over twice."""
    members = []
    for width in range(1, target + 2):
        for wider in range(depth):
            widths = [width + 1] * wider + [width] * (depth - wider)
            members.append((_chain(widths, in_features, out_features), width, wider))
        if members[-1][0] > 2 * target or (depth == 1 and members[-1][0] > target):
            break
    return members


def _best(depth: int, in_features: int, out_features: int, target: int) -> tuple[int, int, int] | None:
    """By closed forms where a width alone is far from the budget; every split of the widths around it."""
    low = 1
    while _chain([low * 2] * depth, in_features, out_features) < target:
        low *= 2
    near = [w for w in range(low, 2 * low + 2) if _chain([w] * depth, in_features, out_features) <= target][-1:] or [1]
    members = [
        (_chain([w + 1] * k + [w] * (depth - k), in_features, out_features), w, k)
        for w in (near[0], near[0] + 1)
        for k in range(depth)
    ]
    if members[0][0] > target:
        return None
    return min(members, key=lambda m: (abs(m[0] - target), m[2] > 0, m[0]))


@pytest.mark.parametrize(("in_features", "out_features"), SIZES)
@pytest.mark.parametrize("target", BUDGETS)
def test_every_depth_gets_the_best_of_its_family(in_features, out_features, target):
    for depth in range(1, 33):
        best = _best(depth, in_features, out_features, target)
        for notation in (f"{depth}*(14 relu)", "9 tanh " * depth):
            network = Network(parse(notation), (in_features,), out_features)
            if best is None:
                with pytest.raises(LabError, match="are too few"):
                    match(network, target)
                continue
            value, width, wider = best
            found = match(network, target)
            assert (found.value, found.widths) == (value, (width + 1,) * wider + (width,) * (depth - wider))
            assert found.budget_error == (value - target) / target
            assert totals(Network(found.stack, (in_features,), out_features)).num_params == value


def test_the_search_for_the_best_is_itself_exhaustive():
    for depth in (1, 2, 3, 5, 8):
        for target in (300, 411, 502, 1000):
            members = _members(depth, 2, 1, target)
            if members[0][0] <= target:
                assert _best(depth, 2, 1, target) == min(members, key=lambda m: (abs(m[0] - target), m[2] > 0, m[0]))


@pytest.mark.parametrize("depth", [1, 2, 3, 7, 32])
@pytest.mark.parametrize("target", [500, 3000, 40_000])
def test_at_most_and_at_least_are_the_neighbours_of_the_budget(depth, target):
    network = Network(parse(f"{depth}*(5 relu)"), (2,), 1)
    values = sorted({value for value, _, _ in _members(depth, 2, 1, target)})
    assert match(network, target, rule="at_most").value == max(v for v in values if v <= target)
    assert match(network, target, rule="at_least").value == min(v for v in values if v >= target)


@pytest.mark.parametrize(
    ("notation", "in_shape", "out_features", "target", "matched"),
    [
        ("3*(14 relu)", (2,), 2, 502, "15 relu 2*(14 relu)"),
        ("3*(14 relu)", (2,), 2, 492, "3*(14 relu)"),
        ("32*(9 relu)", (64,), 10, 10_000, "9*(17 relu) 23*(16 relu)"),
        ("64! 10 relu", (2,), 2, 900, "64! 11 relu"),
        ("64 residual(64 relu 64) relu", (64,), 10, 20_000, "83 residual(82 relu 83) relu"),
        ("residual(32 relu 64)", (64,), 10, 20_000, "residual(150 relu 64)"),
        ("64 residual(32 relu 64!)", (8,), 10, 20_000, "64 residual(145 relu 64!)"),
        (
            "64 4*(residual(32 relu 64) relu)",
            (784,),
            10,
            100_000,
            "87 2*(residual(44 relu 87) relu) 2*(residual(43 relu 87) relu)",
        ),
        ("sum(8 relu 4 | 4) relu", (2,), 2, 502, "sum(26 relu 13 | 13) relu"),
        ("8 relu sum(identity | 5 relu 8)", (3,), 2, 502, None),
        ("16 relu 8 relu 4", (10,), None, 5_000, None),
        ("conv(16, 3) relu maxpool(2) flatten 32 relu", (1, 28, 28), 10, 50_000, None),
        (
            "conv(8, 3) residual(conv(4, 3, 1, 1) relu conv(8, 3, 1, 1)) flatten",
            (1, 8, 8),
            10,
            9_000,
            None,
        ),
        ("14 relu out relu 14 relu 2", (2,), 2, 600, None),
        ("4 flatten 5 relu", (3, 2), 2, 600, None),
    ],
)
def test_any_stack_can_be_matched(notation, in_shape, out_features, target, matched):
    network = Network(parse(notation), in_shape, out_features)
    found = match(network, target)
    if matched:
        assert format_stack(found.stack) == matched
    result = Network(found.stack, in_shape, out_features)
    assert result.check() == network.check()
    assert count(result).num_params == found.value
    assert abs(found.budget_error) < 0.05


@pytest.mark.parametrize("quantity", ["num_params", "macs", "activations"])
def test_other_quantities_can_be_the_budget(quantity):
    network = Network(parse("conv(8, 3) relu flatten 2*(20 relu)"), (1, 8, 8), 10)
    found = match(network, 20_000, quantity)
    assert getattr(totals(Network(found.stack, (1, 8, 8), 10)), quantity) == found.value
    assert abs(found.budget_error) < 0.05


def test_matching_twice_changes_nothing_and_back_returns():
    for notation in ("3*(14 relu)", "12 relu 12 relu", "4*(9 tanh layernorm)"):
        network = Network(parse(notation), (2,), 2)
        there = match(network, 700)
        assert match(Network(there.stack, (2,), 2), 700) == there
        assert match(Network(there.stack, (2,), 2), totals(network).num_params).stack == network.stack


@pytest.mark.parametrize(
    ("notation", "target", "rule", "says"),
    [
        ("3*(14 relu)", 10, "nearest", "10 parameters are too few: with width 1 this stack still has 11"),
        ("", 100, "nearest", "no width of this stack is free .* its 6 parameters cannot become 100"),
        ("14! relu", 10, "at_most", "no width of this stack is free"),
        ("14 relu", 0, "nearest", "a budget is at least 1"),
    ],
)
def test_a_budget_that_cannot_be_reached_is_a_sentence(notation, target, rule, says):
    with pytest.raises(LabError, match=says):
        match(Network(parse(notation), (2,), 2), target, rule=rule)


def test_at_least_is_content_with_the_smallest_network():
    assert match(Network(parse("3*(14 relu)"), (2,), 2), 5, rule="at_least").value == 11
    assert match(Network((), (2,), 2), 5, rule="at_least").value == 6


def test_a_billion_layers_match_at_once():
    found = match(Network(parse("1000000000*(3 relu)"), (3,), 3), 175 * 10**9)
    assert abs(found.budget_error) < 1e-9
    assert len(found.widths) <= 2


def test_widths_that_must_agree_are_one():
    widths = free_widths(Network(parse("8 2*(residual(4 relu 8)) sum(8 | 3 tanh 8!) 5 6"), (2,), None))
    assert [(width.value, width.paths) for width in widths] == [
        (8, ((0,), (1, 0, 2))),
        (4, ((1, 0, 0),)),
        (3, ((2, 1, 0),)),
        (5, ((3,),)),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_free_widths_of_random_networks_can_be_set_to_anything(seed):
    rng = Random(seed)
    for _ in range(200):
        network = random_network(rng)
        new: dict[tuple[int, ...], int] = {}
        for width in free_widths(network):
            size = rng.randint(1, 12)
            new |= dict.fromkeys(width.paths, size)
        changed = Network(with_widths(network.stack, new), network.in_shape, network.out_features)
        if network.out_features is not None or len(network.check()) == 1:
            assert changed.check() == network.check(), format_stack(network.stack)
        changed.check()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rule", ["nearest", "at_most", "at_least"])
def test_random_networks_are_matched_without_changing_anything_but_widths(seed, rule):
    rng = Random(seed)
    for _ in range(40):
        network = random_network(rng)
        target = max(1, int(totals(network).num_params * rng.choice([0.3, 0.9, 1, 1.2, 7])))
        try:
            found = match(network, target, rule=rule)
        except LabError:
            continue
        result = Network(found.stack, network.in_shape, network.out_features)
        assert totals(result).num_params == found.value
        assert found.value <= target or rule != "at_most"
        assert found.value >= target or rule != "at_least"
        before, after = count(network, 10**6).layers, count(result, 10**6).layers
        assert [row.label.split("(")[0] for row in before] == [row.label.split("(")[0] for row in after]
        locked = [prod(row.out_shape) for row in before if "locked" in row.label and len(row.out_shape) == 1]
        assert locked == [prod(row.out_shape) for row in after if "locked" in row.label and len(row.out_shape) == 1]


def test_hidden_widths_leave_out_the_projection():
    assert hidden_widths(Network(parse("3*(14 relu) 7"), (2,), 2)) == (14, 14, 14, 7)
    assert hidden_widths(Network(parse("3*(14 relu) 7"), (2,), None)) == (14, 14, 14)
    assert hidden_widths(Network(parse("2000*(14 relu 5)"), (2,), 2)) == (14, 5)
