"""Notation and stacks are inverse to each other, and wrong notation is told by column."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.spec_values import stacks
from tuilab.spec.errors import NotationError
from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    Init,
    LayerNorm,
    Linear,
    MaxPool,
    Out,
    Repeat,
    Residual,
    Stack,
    Sum,
)
from tuilab.spec.network import rows
from tuilab.spec.notation import MAX_DEPTH, MAX_TEXT, column_of, format_layer, format_stack, parse
from tuilab.spec.vocabulary import LAYER_NAMES

RELU = Activation(ActivationKind.RELU)


@settings(max_examples=250)
@given(stacks)
def test_notation_of_a_stack_reads_back_as_the_stack(stack):
    assert parse(format_stack(stack)) == stack


@settings(max_examples=200)
@given(stacks)
def test_printing_is_settled_after_one_round(stack):
    text = format_stack(stack)
    assert format_stack(parse(text)) == text


@settings(max_examples=150)
@given(stacks, st.data())
def test_spaces_and_case_do_not_matter(stack, data):
    text = format_stack(stack)
    space = data.draw(st.sampled_from(["  ", "\t", "\n", " \n "]))
    assert parse(text.replace(" ", space)) == stack
    assert parse(f"{space}{text}{space}") == stack


@settings(max_examples=400)
@given(st.text(st.sampled_from("0123 *()|,=!.ex_relusmdtp"), max_size=40) | st.text(max_size=40))
@example("3*(14 relu")
@example("٣")
def test_any_text_is_a_stack_or_an_error_inside_the_text(text):
    outcome = _outcome(text)
    if isinstance(outcome, NotationError):
        assert 1 <= outcome.column <= len(text) + 1
        assert outcome.text == text
    else:
        assert parse(format_stack(outcome)) == outcome


def _outcome(text: str) -> Stack | NotationError:
    try:
        return parse(text)
    except NotationError as error:
        return error


@pytest.mark.parametrize(
    ("text", "stack"),
    [
        ("", ()),
        ("  ", ()),
        ("100 relu", (Linear(100), RELU)),
        ("14relu", (Linear(14), RELU)),
        ("4*(14 relu)", (Repeat(4, (Linear(14), RELU)),)),
        ("4 × (14 relu)", (Repeat(4, (Linear(14), RELU)),)),
        ("3*relu", (Repeat(3, (RELU,)),)),
        ("2*3*14", (Repeat(2, (Repeat(3, (Linear(14),)),)),)),
        ("64!", (Linear(64, locked=True),)),
        ("1_000", (Linear(1000),)),
        ("linear(64)", (Linear(64),)),
        ("linear(64, false)", (Linear(64, bias=False),)),
        ("linear(64, bias=false, init=he_uniform)", (Linear(64, False, Init.HE_UNIFORM),)),
        ("linear(64, trainable=false)", (Linear(64, trainable=False),)),
        ("LINEAR(64) ReLU", (Linear(64), RELU)),
        ("out", (Out(),)),
        ("out(bias=false, init=identity)", (Out(False, Init.IDENTITY),)),
        ("dropout", (Dropout(0.5),)),
        ("dropout(.25)", (Dropout(0.25),)),
        ("dropout(p=1e-3)", (Dropout(0.001),)),
        ("leaky_relu", (Activation(ActivationKind.LEAKY_RELU, 0.01),)),
        ("leaky_relu(0.2)", (Activation(ActivationKind.LEAKY_RELU, 0.2),)),
        ("gelu silu tanh sigmoid", tuple(Activation(ActivationKind(k)) for k in ("gelu", "silu", "tanh", "sigmoid"))),
        ("softmax identity", (Activation(ActivationKind.SOFTMAX), Activation(ActivationKind.IDENTITY))),
        ("layernorm batchnorm flatten", (LayerNorm(), BatchNorm(), Flatten())),
        ("conv(16, 3)", (Conv(16, 3),)),
        ("conv(16, 3, 2, 1)", (Conv(16, 3, 2, 1),)),
        ("conv(16, kernel_size=3, padding=1)", (Conv(16, 3, padding=1),)),
        ("maxpool(2)", (MaxPool(2),)),
        ("avgpool(3, 1, 1)", (AvgPool(3, 1, 1),)),
        ("residual(64 relu 64)", (Residual((Linear(64), RELU, Linear(64))),)),
        ("sum(1 | 1)", (Sum(((Linear(1),), (Linear(1),))),)),
        ("sum(3)", (Sum(((Linear(3),),)),)),
        ("relu(  )", (RELU,)),
    ],
)
def test_what_notation_means(text, stack):
    assert parse(text) == stack


@pytest.mark.parametrize(
    ("stack", "text"),
    [
        ((), ""),
        ((Linear(8),), "8"),
        ((Linear(8, locked=True),), "8!"),
        ((Linear(8, bias=False, locked=True),), "linear(8, bias=false, locked=true)"),
        ((Repeat(4, (Linear(14), RELU)),), "4*(14 relu)"),
        ((Repeat(2, (RELU,)),), "2*(relu)"),
        ((Dropout(0.1),), "dropout(0.1)"),
        ((Conv(16, 3),), "conv(16, 3)"),
        ((MaxPool(2, 2),), "maxpool(2, stride=2)"),
        ((Sum(((Linear(1),), (Linear(1, bias=False),))),), "sum(1 | linear(1, bias=false))"),
    ],
)
def test_how_stacks_are_written(stack, text):
    assert format_stack(stack) == text


def test_a_layer_is_written_as_it_is_inside_a_stack():
    assert format_layer(Residual((Linear(3),))) == "residual(3)"


WRONG = [
    ("rleu", 1, "did you mean 'relu'?"),
    ("14 rleu", 4, "did you mean 'relu'?"),
    ("relu relu6", 6, "unknown layer 'relu6'"),
    ("conv2d(3, 3)", 1, "did you mean 'conv'?"),
    ("relu14", 1, "unknown layer"),
    ("xyzzy", 1, "known: linear, out"),
    ("14 true", 4, "unknown layer 'true'"),
    ("14, relu", 3, "expected a layer, but found ','"),
    ("14 | 3", 4, "found '|'"),
    (")", 1, "found ')'"),
    ("(14)", 1, "found '('"),
    ("14 (relu)", 4, "found '('"),
    ("relu)", 5, "found ')'"),
    ("14!!", 4, "found '!'"),
    ("relu!", 5, "found '!'"),
    ("14 = relu", 4, "found '='"),
    ("*3", 1, "found '*'"),
    ("3*", 3, "after '*'"),
    ("3 *", 4, "after '*'"),
    ("3**4", 3, "after '*'"),
    ("3*)", 3, "after '*'"),
    ("3*3*", 5, "after '*'"),
    ("3*(", 4, "at least one layer"),
    ("3*()", 4, "at least one layer"),
    ("3*(14", 6, "to close the repeat, but the text ends"),
    ("3*(14 relu))", 12, "found ')'"),
    ("3*sum", 6, "after sum"),
    ("0", 1, "at least 1"),
    ("14 0", 4, "at least 1"),
    ("0*(3)", 1, "at least 1"),
    ("1.5", 1, "whole number"),
    ("14.0", 1, "whole number"),
    ("1e3", 1, "whole number"),
    ("2.5*(3)", 1, "whole number"),
    ("9999999999999999", 1, "at most 10^15"),
    ("9" * 40, 1, "at most 10^15"),
    ("-3", 1, "unexpected character '-'"),
    ("14 @ relu", 4, "unexpected character '@'"),
    ("ré", 2, "unexpected character 'é'"),
    ("14\nrelu ?", 9, "unexpected character '?'"),
    ("14 \x1b[31m", 4, "unexpected character '\\x1b'"),
    ("14 relu # note", 9, "unexpected character '#'"),
    ("٣", 1, "unexpected character"),
    ("sum", 4, "expected '(' after sum"),
    ("sum()", 5, "a branch of sum needs"),
    ("sum(3", 6, "branches are separated by '|'"),
    ("sum(3 | )", 9, "a branch of sum needs"),
    ("sum(3, 4)", 6, "found ','"),
    ("sum(3 | residual())", 18, "residual needs"),
    ("residual", 9, "expected '(' after residual"),
    ("residual(3", 11, "to close residual"),
    ("residual 3", 10, "found '3'"),
    ("2*(residual(sum(3 | 4)) (5)", 25, "to close the repeat"),
    ("dropout(", 9, "p is a number, not the end of the text"),
    ("dropout(2)", 9, "between 0 and 1"),
    ("dropout(1e999)", 9, "between 0 and 1"),
    ("dropout(a)", 9, "not 'a'"),
    ("dropout(0.1, 0.2)", 14, "at most 1 argument"),
    ("dropout(0.1, p=0.2)", 14, "given twice"),
    ("dropout(q=0.1)", 9, "it takes p"),
    ("dropout(p=)", 11, "not ')'"),
    ("dropout(0.1", 12, "the text ends"),
    ("dropout(0.1 0.2)", 13, "expected ','"),
    ("relu(3)", 6, "no arguments"),
    ("relu(", 6, "to close relu"),
    ("relu(x=1)", 6, "it takes none"),
    ("leaky_relu(slope=0.1)", 12, "negative_slope"),
    ("linear", 1, "as in linear(8)"),
    ("3 linear()", 3, "as in linear(8)"),
    ("linear(0)", 8, "at least 1"),
    ("linear(3.5)", 8, "whole number"),
    ("linear(3, maybe)", 11, "true or false"),
    ("linear(3, bias=1)", 16, "true or false"),
    ("linear(3, init=he)", 16, "he_normal"),
    ("linear(3, true, he_normal, true, true, 5)", 40, "at most 5 arguments"),
    ("linear(3,, 4)", 10, "not ','"),
    ("conv(16)", 1, "as in conv(8, 3)"),
    ("conv(16, 0)", 10, "at least 1"),
    ("conv(16, 3, 1, -1)", 16, "unexpected character '-'"),
    ("conv(16, 3, kernel_size=3)", 13, "given twice"),
    ("maxpool()", 1, "as in maxpool(3)"),
    ("maxpool(2, stride=0)", 19, "at least 1"),
    ("avgpool(x)", 9, "not 'x'"),
    ("layernorm(64)", 11, "no arguments"),
    ("out(3)", 5, "true or false"),
    ("out(width=3)", 5, "it takes bias, init"),
]


@pytest.mark.parametrize(("text", "column", "problem"), WRONG)
def test_wrong_notation_is_told_by_column(text, column, problem):
    with pytest.raises(NotationError) as caught:
        parse(text)
    assert (caught.value.column, caught.value.text) == (column, text)
    assert problem in caught.value.problem
    assert str(caught.value) == f"stack notation, column {column}: {caught.value.problem}"


def test_brackets_nest_to_the_limit_and_no_deeper():
    fits = "residual(" * MAX_DEPTH + "3" + ")" * MAX_DEPTH
    assert format_stack(parse(fits)) == fits
    with pytest.raises(NotationError, match="nest deeper"):
        parse("residual(" + fits + ")")
    with pytest.raises(NotationError, match="nest deeper"):
        parse("2*" * (MAX_DEPTH + 1) + "3")


def test_too_long_a_text_is_refused_unread():
    assert len(parse("3 " * (MAX_TEXT // 2))) == MAX_TEXT // 2
    with pytest.raises(NotationError, match="longer than"):
        parse("3 " * (MAX_TEXT // 2) + "3")


def test_every_layer_name_is_known_to_the_parser():
    for name in LAYER_NAMES:
        with pytest.raises(NotationError) as caught:
            parse(f"{name}(?")
        assert "unknown layer" not in caught.value.problem


@settings(max_examples=100)
@given(stacks)
def test_every_layer_has_a_column_in_the_text_that_writes_it(stack):
    text = format_stack(stack)
    columns = [column_of(text, path) or 0 for path, _ in rows(parse(text))]
    assert columns == sorted(columns)
    for column, (_, layer) in zip(columns, rows(parse(text)), strict=True):
        assert text[column - 1 :].startswith(format_layer(layer)[:3])
    assert column_of(text, (len(stack),)) is None


def test_columns_reach_into_brackets():
    text = "relu  2*(3 sum(1 | 14 tanh))"
    assert [column_of(text, path) for path, _ in rows(parse(text))] == [1, 7, 10, 12, 16, 20, 23]
