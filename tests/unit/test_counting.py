"""Counting: published numbers, repeats in closed form, rows that add up."""

from random import Random

import pytest

from tests.stacks import random_network, random_stack
from tuilab.analysis.counting import count, num_rows, tally, totals
from tuilab.analysis.outline import as_far_as_it_fits, count_as_written
from tuilab.spec.errors import ShapeError
from tuilab.spec.layers import Linear, Out, Repeat, Residual, Stack, Sum
from tuilab.spec.network import Network, rows
from tuilab.spec.notation import parse
from tuilab.spec.shapes import stack_shape


def _network(notation: str, in_features: int, out_features: int | None) -> Network:
    return Network(parse(notation), (in_features,), out_features)


@pytest.mark.parametrize(
    ("notation", "in_features", "out_features", "params"),
    [
        ("100 relu", 2, 2, 502),
        ("20 relu 20 relu", 2, 2, 522),
        ("3*(14 relu)", 2, 2, 492),
        ("40 relu", 64, 10, 3010),
        ("143 relu", 5, 1, 1002),
        ("2*(512 relu)", 784, 10, 669706),
        ("5*(3)", 3, None, 60),
        ("", 64, 10, 650),
        ("14583333331*(3 relu)", 3, 3, 174_999_999_984),
        ("", 7, None, 0),
    ],
)
def test_published_parameter_counts(notation, in_features, out_features, params):
    assert count(_network(notation, in_features, out_features)).num_params == params


def test_macs_count_weight_multiplies_only():
    assert count(_network("20 relu 20 relu", 2, 2)).macs == 2 * 20 + 20 * 20 + 20 * 2
    image = Network(parse("conv(16, 3) relu maxpool(2) layernorm flatten 32"), (1, 28, 28), 10)
    assert count(image).macs == 16 * 9 * 26 * 26 + 16 * 13 * 13 * 32 + 32 * 10
    assert count(Network(parse("4"), (5, 3))).macs == 5 * 3 * 4


def test_activations_are_the_outputs_of_leaves_without_the_batch():
    assert count(_network("8 relu residual(5 tanh 8)", 3, 2)).activations == 8 + 8 + 5 + 5 + 8 + 2


def test_every_parameter_is_trainable():
    counted = count(_network("8 relu layernorm", 3, 2))
    assert counted.num_trainable == counted.num_params
    assert [row.num_trainable for row in counted.layers] == [row.num_params for row in counted.layers]


def test_rows_say_what_where_and_how_deep():
    counted = count(_network("14 relu residual(6 relu 14!) sum(3 | linear(3, bias=false)) 2*(5 tanh)", 2, 2))
    assert [(row.path, row.nesting, row.label) for row in counted.layers] == [
        ((0,), 0, "linear(14)"),
        ((1,), 0, "relu"),
        ((2,), 0, "residual"),
        ((2, 0), 1, "linear(6)"),
        ((2, 1), 1, "relu"),
        ((2, 2), 1, "linear(14, locked=true)"),
        ((3,), 0, "sum"),
        ((3, 0, 0), 1, "linear(3)"),
        ((3, 1, 0), 1, "linear(3, bias=false)"),
        ((4, 0), 0, "linear(5)"),
        ((4, 1), 0, "tanh"),
        ((4, 0), 0, "linear(5)"),
        ((4, 1), 0, "tanh"),
        ((5,), 0, "linear(2)"),
    ]
    assert all(row.times == 1 for row in counted.layers)
    residual = counted.layers[2]
    assert (residual.in_shape, residual.out_shape, residual.num_params, residual.activations) == ((14,), (14,), 0, 0)


def test_a_repeat_too_long_for_the_table_is_one_row_with_totals():
    network = _network("4*(14 relu) 7", 2, 2)
    long, short = count(network, max_rows=10), count(network, max_rows=7)
    assert [row.label for row in short.layers] == ["4*(14 relu)", "linear(7)", "linear(2)"]
    row = short.layers[0]
    assert (row.times, row.in_shape, row.out_shape, row.num_params) == (
        4,
        (2,),
        (14,),
        2 * 14 + 14 + 3 * (14 * 14 + 14),
    )
    assert len(long.layers) == 10
    assert long.num_params == short.num_params


def test_a_repeat_counts_like_its_expansion():
    for body in ("3 relu", "5 residual(2 tanh 5)", "conv(2, 3, padding=1) relu", "conv(3, 2)", "avgpool(2, stride=1)"):
        shape = (2, 9, 9) if body[0] in "ca" else (7,)
        for times in range(1, 8):
            repeated = count(Network(parse(f"{times}*({body})"), shape), max_rows=0)
            written = count(Network(parse(" ".join([body] * times)), shape))
            assert (repeated.num_params, repeated.macs, repeated.activations, repeated.degrees_of_freedom) == (
                written.num_params,
                written.macs,
                written.activations,
                written.degrees_of_freedom,
            )


def test_a_quadrillion_repeats_inside_a_quadrillion_answer():
    times = 10**15
    counted = count(_network(f"{times}*(2*(3) {times}*(3))", 3, None))
    assert counted.num_params == times * (times + 2) * 12
    assert len(counted.layers) == 1
    assert len(count_as_written(_network(f"{times}*(2*(3) {times}*(3))", 3, None)).layers) == 5


def test_ten_thousand_written_layers_have_a_row_each():
    counted = count(_network("14 relu " * 5000, 2, 2))
    assert len(counted.layers) == 10_001
    assert counted.num_params == 42 + 4999 * 210 + 30


def _written(stack: Stack) -> int:
    rows = 0
    for layer in stack:
        match layer:
            case Residual(body) | Repeat(_, body):
                rows += 1 + _written(body)
            case Sum(branches):
                rows += 1 + sum(map(_written, branches))
            case _:
                rows += 1
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_columns_add_up_to_the_totals_however_repeats_are_shown(seed):
    rng = Random(seed)
    for _ in range(100):
        network = random_network(rng)
        expected = totals(network)[1:]
        tables = [count(network, max_rows=rows) for rows in (0, 3, 10, 1000)]
        for table in [*tables, count_as_written(network)]:
            columns = [
                sum(getattr(row, name) for row in table.layers) for name in ("num_params", "macs", "activations")
            ]
            assert tuple(columns) == expected
            assert (table.num_params, table.macs, table.activations) == expected
        assert len(tables[-1].layers) == num_rows(network.layers)
        assert len(count_as_written(network).layers) == _written(network.layers)


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_a_long_stack_follow_every_edit(seed):
    rng = Random(seed)
    stack = random_stack(rng, (8,), 500, depth=1)
    for _ in range(10):
        at = rng.randrange(len(stack))
        shape, after = stack_shape(stack[:at], (8,)), stack_shape(stack[: at + 1], (8,))
        added = random_stack(rng, shape, rng.randrange(3), depth=1)
        stack = (*stack[:at], *added, Linear(after[0]), *stack[at + 1 :])
        network = Network(stack, (8,), 3)
        table, whole = count_as_written(network), count(network, max_rows=0)
        assert [row.path for row in table.layers] == [path for path, _ in rows(network.layers)]
        top = [(row.in_shape, row.out_shape) for row in table.layers if not row.nesting]
        assert top == [(row.in_shape, row.out_shape) for row in whole.layers if not row.nesting]
        for name in ("num_params", "num_trainable", "macs", "activations"):
            assert sum(getattr(row, name) for row in table.layers) == getattr(table, name) == getattr(whole, name)
        assert table.degrees_of_freedom == whole.degrees_of_freedom


@pytest.mark.parametrize("seed", range(3))
def test_a_stack_that_does_not_fit_has_its_rows_and_is_counted_up_to_there(seed):
    rng = Random(seed)
    for length in (3, 20, 200):
        stack = random_stack(rng, (8,), length, depth=2)
        assert as_far_as_it_fits(Network(stack, (8,), 3)) == count_as_written(Network(stack, (8,), 3)).layers
        at = rng.randrange(length)
        shape = stack_shape(stack[:at], (8,))
        wrong = Residual((Linear(shape[0] + 1),))
        found = as_far_as_it_fits(Network((*stack[:at], wrong, *stack[at:]), (8,), 3))
        assert [row.path for row in found] == [path for path, _ in rows((*stack[:at], wrong, *stack[at:], Out()))]
        before = count_as_written(Network(stack[:at], (8,))).layers
        assert found[: len(before)] == before
        residual, body, *after = found[len(before) :]
        assert (residual.in_shape, residual.out_shape, residual.num_params) == (shape, (), 0)
        assert body.num_params == (shape[-1] + 1) * (shape[0] + 1)
        assert all(not row.out_shape and not row.num_params for row in after)


def test_rows_as_written_carry_all_copies():
    rows = count_as_written(_network("4*(14 2*(8 relu))", 784, 10)).layers
    assert [(row.path, row.label, row.times, row.in_shape, row.out_shape, row.num_params) for row in rows] == [
        ((0,), "4*", 4, (784,), (8,), 0),
        ((0, 0), "linear(14)", 4, (784,), (14,), 785 * 14 + 3 * 9 * 14),
        ((0, 1), "2*", 8, (14,), (8,), 0),
        ((0, 1, 0), "linear(8)", 8, (14,), (8,), 4 * (15 * 8 + 9 * 8)),
        ((0, 1, 1), "relu", 8, (8,), (8,), 0),
        ((1,), "linear(10)", 1, (8,), (10,), 90),
    ]


@pytest.mark.parametrize(
    ("notation", "in_shape", "out_features", "path", "says"),
    [
        ("4 conv(2, 3)", (3,), None, (1,), "layer 2: conv needs an image"),
        ("4 residual(3 relu)", (4,), 2, (1,), "layer 2: residual adds its input"),
        ("sum(3 | 4 relu)", (4,), 2, (0,), "layer 1: the branches of sum"),
        ("2*(4 sum(3 | 3 maxpool(2)))", (4,), 2, (0, 1, 1, 1), "layer 6: maxpool needs an image"),
        ("3*(conv(2, 3))", (1, 6, 6), None, (0, 0), "layer 2: conv with kernel 3 is larger than its input"),
        ("conv(2, 3)", (1, 6, 6), 3, (1,), "the output: .*add flatten"),
        ("residual(3 relu) out relu 4", (3,), 3, (3,), "layer 6: the network ends in 4 but the task needs 3"),
        (f"{200 * '5 relu '} residual(4)", (3,), 3, (400,), "layer 401: residual adds its input"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(notation, in_shape, out_features, path, says):
    network = Network(parse(notation), in_shape, out_features)
    for counter in (count, count_as_written, totals):
        with pytest.raises(ShapeError, match=says) as caught:
            counter(network)
        assert caught.value.path == path
        assert str(caught.value).startswith(says[:7])


def test_a_part_of_a_stack_is_tallied_on_its_own():
    assert tally(parse("8 relu 4"), (2,)) == ((4,), 24 + 36, 16 + 32, 20)
