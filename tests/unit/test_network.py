"""Networks: the implied projection, and whether the whole fits."""

import pytest

from tuilab.spec.errors import ShapeError
from tuilab.spec.layers import Init, Linear, contains_out
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack, parse


@pytest.mark.parametrize(
    ("notation", "layers"),
    [
        ("", "10"),
        ("14 relu", "14 relu 10"),
        ("14 relu out", "14 relu 10"),
        ("out(bias=false)", "linear(10, bias=false)"),
        ("14 out(init=identity)", "14 linear(10, init=identity)"),
        ("sum(out | out)", "sum(10 | 10)"),
        ("sum(4 out | out(bias=false)) relu", "sum(4 10 | linear(10, bias=false)) relu"),
        ("2*(residual(64 out))", "2*(residual(64 10))"),
    ],
)
def test_the_projection_to_the_output_is_implied_unless_stated(notation, layers):
    assert format_stack(Network(parse(notation), (64,), 10).layers) == layers


def test_without_an_output_size_the_stack_is_the_whole_network():
    network = Network(parse("14 relu"), (64,))
    assert network.layers is network.stack
    assert network.check() == (14,)


def test_the_projection_keeps_its_initialisation():
    assert Network(parse("out(init=orthogonal)"), (3,), 2).layers == (Linear(2, True, Init.ORTHOGONAL),)


def test_resolving_leaves_no_out_behind():
    network = Network(parse("2*(sum(residual(3*(out)) | out))"), (10,), 10)
    assert contains_out(network.stack)
    assert not contains_out(network.layers)
    assert network.check() == (10,)


@pytest.mark.parametrize(
    ("notation", "in_shape", "path", "problem"),
    [
        ("out 4", (64,), (1,), "ends in 4 but the task needs 10"),
        ("out layernorm 3", (64,), (2,), "ends in 3"),
        ("conv(4, 3)", (1, 8, 8), (1,), "add flatten before it"),
        ("3", (5, 64), (1,), "ends in 5x10 but the task needs 10"),
        ("residual(out)", (64,), (0,), "a branch ending in 10 features"),
    ],
)
def test_a_network_that_does_not_fit_its_task_is_told_by_layer(notation, in_shape, path, problem):
    with pytest.raises(ShapeError) as caught:
        Network(parse(notation), in_shape, 10).check()
    assert caught.value.path == path
    assert problem in str(caught.value)


def test_out_without_a_task_says_what_to_give():
    with pytest.raises(ShapeError, match="--out"):
        Network(parse("3 out"), (4,)).check()
