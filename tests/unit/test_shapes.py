"""Shapes: what each layer makes of an input, and what does not fit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.spec_values import dense_stacks, stacks
from tuilab.spec.errors import LabError, ShapeError
from tuilab.spec.layers import Repeat
from tuilab.spec.notation import parse
from tuilab.spec.shapes import format_shape, parse_shape, stack_shape

DIGIT = (1, 28, 28)


@pytest.mark.parametrize(
    ("notation", "shape", "result"),
    [
        ("", (7,), (7,)),
        ("64 relu 10", (784,), (10,)),
        ("64", (5, 3), (5, 64)),
        ("relu tanh dropout layernorm batchnorm softmax", (7,), (7,)),
        ("relu dropout layernorm batchnorm", DIGIT, DIGIT),
        ("layernorm relu", (5, 3), (5, 3)),
        ("conv(16, 3)", DIGIT, (16, 26, 26)),
        ("conv(16, 3, padding=1)", DIGIT, (16, 28, 28)),
        ("conv(16, 3, 2, 1)", DIGIT, (16, 14, 14)),
        ("conv(4, 28)", DIGIT, (4, 1, 1)),
        ("maxpool(2)", DIGIT, (1, 14, 14)),
        ("maxpool(3)", DIGIT, (1, 9, 9)),
        ("maxpool(3, stride=1)", DIGIT, (1, 26, 26)),
        ("maxpool(3, 1, 1)", DIGIT, DIGIT),
        ("avgpool(4)", DIGIT, (1, 7, 7)),
        ("conv(16, 3) maxpool(2) flatten", DIGIT, (16 * 13 * 13,)),
        ("flatten", (5, 3), (15,)),
        ("residual(3 relu 8)", (8,), (8,)),
        ("sum(3 | 8 3 | 3)", (8,), (3,)),
        ("4*(14 relu)", (2,), (14,)),
        ("1000000000*(14 relu)", (2,), (14,)),
        ("13*conv(1, 3)", DIGIT, (1, 2, 2)),
        ("3*(residual(2*(7 relu)))", (7,), (7,)),
    ],
)
def test_what_a_stack_makes_of_a_shape(notation, shape, result):
    assert stack_shape(parse(notation), shape) == result


@pytest.mark.parametrize(
    ("notation", "shape", "path", "problem"),
    [
        ("relu 64", DIGIT, (1,), "add flatten before it"),
        ("batchnorm", (5, 3), (0,), "batchnorm needs features or an image but gets 5x3"),
        ("conv(3, 3)", (64,), (0,), "conv needs an image (channels, height, width) but gets 64 features"),
        ("maxpool(2)", (1,), (0,), "maxpool needs an image (channels, height, width) but gets 1 feature"),
        ("relu conv(3, 29)", DIGIT, (1,), "larger than its input 1x28x28"),
        ("avgpool(2) avgpool(15)", DIGIT, (1,), "larger than its input 1x14x14"),
        ("maxpool(2, padding=2)", DIGIT, (0,), "at most half its kernel size, 1"),
        ("conv(1, 1, padding=40000)", DIGIT, (0,), "at most 65536 a side"),
        ("14*conv(1, 3)", DIGIT, (0, 0), "larger than its input 1x2x2"),
        ("residual(3)", (8,), (0,), "its input 8 features to a branch ending in 3 features"),
        ("8 residual(relu residual(9))", (8,), (1, 1), "make them equal"),
        ("sum(3 | 4)", (8,), (0,), "the branches of sum end in 3 features, 4 features"),
        ("3 sum(3 | conv(1, 1))", (8,), (1, 1, 0), "conv needs an image"),
        ("2*(3 residual(2))", (8,), (0, 1), "residual adds its input 3 features"),
        ("out", (8,), (0,), "out needs the output size"),
    ],
)
def test_layers_that_do_not_fit_are_told_by_their_place(notation, shape, path, problem):
    with pytest.raises(ShapeError) as caught:
        stack_shape(parse(notation), shape)
    assert caught.value.path == path
    assert problem in caught.value.problem


@settings(max_examples=150)
@given(stacks, st.sampled_from([(3,), (4, 3), (2, 9, 9), DIGIT]))
def test_any_stack_has_a_shape_or_an_error_with_a_place_in_it(stack, shape):
    try:
        result = stack_shape(stack, shape)
    except ShapeError as error:
        path = error.path
    else:
        assert len(result) in (1, 2, 3)
        assert min(result) >= 1
        return
    assert 0 <= path[0] < len(stack)


@settings(max_examples=150)
@given(dense_stacks, st.integers(1, 50), st.integers(1, 6))
def test_a_repeat_has_the_shape_of_its_expansion(stack, width, times):
    repeated = (Repeat(times, stack),) if stack else ()
    assert stack_shape(repeated, (width,)) == stack_shape(stack * times, (width,))


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("64", (64,)),
        (" 64 ", (64,)),
        ("1x28x28", (1, 28, 28)),
        ("3X5", (3, 5)),
        ("1×8×8", (1, 8, 8)),
        ("1 x 2", (1, 2)),
    ],
)
def test_a_shape_is_read_from_text(text, shape):
    assert parse_shape(text) == shape
    assert parse_shape(format_shape(shape)) == shape


@pytest.mark.parametrize("text", ["", "x", "0", "-3", "3x0", "1x2x3x4", "3.5", "3x", "axb", "9" * 40, "64 10", "²"])
def test_text_that_is_no_shape_is_refused(text):
    with pytest.raises(LabError, match="is not a shape"):
        parse_shape(text)
