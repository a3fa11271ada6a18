"""Layers that are not trainable: written, read and counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.analysis.counting import count
from tuilab.analysis.frozen import frozen_params, has_frozen
from tuilab.analysis.outline import count_as_written
from tuilab.analysis.wording import subject
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack, parse


@pytest.mark.parametrize(
    "text",
    ["linear(200, trainable=false) relu", "linear(4, bias=false, init=identity, locked=true, trainable=false)"],
)
def test_a_frozen_layer_is_written_as_it_is_read(text):
    assert format_stack(parse(text)) == text
    assert has_frozen(parse(text))
    assert not has_frozen(parse(text.replace("trainable=false", "trainable=true")))


def test_frozen_parameters_count_but_do_not_train():
    counted = count(Network(parse("linear(200, trainable=false) relu"), (20,), 1))
    assert (counted.num_params, counted.num_trainable) == (20 * 200 + 200 + 201, 201)
    assert counted.degrees_of_freedom <= 201
    assert [row.num_trainable for row in counted.layers] == [0, 0, 201]


@given(st.integers(1, 6), st.integers(1, 5), st.sampled_from(["{}*(linear({}, trainable=false) relu)"]))
def test_trainable_columns_add_up_however_a_repeat_is_shown(times, width, form):
    stack = parse(f"{form.format(times, width)} residual({width} sum({width}|linear({width}, trainable=false)))")
    network = Network(stack, (3,), 2)
    expanded, closed = count(network), count(network, max_rows=0)
    outline = count_as_written(network)
    frozen = frozen_params(network.layers, (3,))
    assert frozen == (3 * width + width) + (times - 1) * (width * width + width) + width * width + width
    for counted in (expanded, closed, outline):
        assert counted.num_trainable == counted.num_params - frozen
        assert counted.num_trainable == sum(row.num_trainable for row in counted.layers)


def test_a_sentence_does_not_call_a_frozen_layer_a_plain_one():
    assert "1×" not in subject("fixed", parse("1*(linear(9, trainable=false) relu)"), 30)
