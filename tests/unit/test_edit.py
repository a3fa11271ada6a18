"""Editing: every operation against small examples, and inverses on random stacks."""

from collections.abc import Callable
from random import Random

import pytest

from tests.stacks import random_network
from tuilab.analysis.edit import (
    Edited,
    delete,
    duplicate,
    insert_after,
    insert_before,
    layer_at,
    move_down,
    move_up,
    peel,
    rows_at,
    stack_at,
    substitute,
    unwrap,
    wrap_repeat,
    wrap_residual,
    wrap_sum,
)
from tuilab.analysis.layer_edits import (
    bump,
    cycle_activation,
    number_of,
    set_number,
    toggle_activation,
    toggle_bias,
    toggle_lock,
)
from tuilab.analysis.outline import count_as_written
from tuilab.spec.errors import LabError
from tuilab.spec.layers import ActivationKind, Stack
from tuilab.spec.network import Network, Path, rows
from tuilab.spec.notation import format_stack, parse

NESTED = "1 residual(2 relu sum(3 | 4 5)) 6 2*(7)"


def _edited(edited: Edited) -> tuple[str, Path]:
    return format_stack(edited.stack), edited.cursor


def _rows(stack: Stack) -> list[tuple[Path, int]]:
    """Every row with every number of neighbours from it on."""
    return [
        (path, number) for path, _ in rows(stack) for number in range(1, len(stack_at(stack, path[:-1])) - path[-1] + 1)
    ]


def _random_stacks(seed: int, number: int) -> list[Stack]:
    rng = Random(seed)
    return [random_network(rng).stack for _ in range(number)]


def test_rows_are_those_of_the_counted_outline():
    rng = Random(8)
    for _ in range(200):
        network = random_network(rng)
        written = Network(network.layers, network.in_shape)
        assert [path for path, _ in rows(written.stack)] == [row.path for row in count_as_written(written).layers]


def test_paths_go_from_top_to_bottom():
    expected = [(0,), (1,), (1, 0), (1, 1), (1, 2), (1, 2, 0, 0), (1, 2, 1, 0), (1, 2, 1, 1), (2,), (3,), (3, 0)]
    assert [path for path, _ in rows(parse(NESTED))] == expected
    assert [format_stack((layer_at(parse(NESTED), path),)) for path in expected[5:8]] == ["3", "4", "5"]


@pytest.mark.parametrize(
    ("edit", "expected", "cursor"),
    [
        (lambda s: insert_after(s, (0,), parse("8 relu")), "1 8 relu residual(2 relu sum(3 | 4 5)) 6 2*(7)", (2,)),
        (lambda s: insert_after(s, (), parse("8")), "8 1 residual(2 relu sum(3 | 4 5)) 6 2*(7)", (0,)),
        (lambda s: insert_after(s, (4,), parse("8")), "1 residual(2 relu sum(3 | 4 5)) 6 2*(7) 8", (4,)),
        (
            lambda s: insert_after(s, (1, 2, 1, 0), parse("8")),
            "1 residual(2 relu sum(3 | 4 8 5)) 6 2*(7)",
            (1, 2, 1, 1),
        ),
        (lambda s: insert_before(s, (1, 0), parse("8")), "1 residual(8 2 relu sum(3 | 4 5)) 6 2*(7)", (1, 0)),
        (lambda s: substitute(s, (1, 1), parse("tanh 9")), "1 residual(2 tanh 9 sum(3 | 4 5)) 6 2*(7)", (1, 1)),
        (lambda s: delete(s, (0,)), "residual(2 relu sum(3 | 4 5)) 6 2*(7)", (0,)),
        (lambda s: delete(s, (0,), 4), "", (0,)),
        (lambda s: delete(s, (1, 0), 2), "1 residual(sum(3 | 4 5)) 6 2*(7)", (1, 0)),
        (lambda s: delete(s, (3, 0)), "1 residual(2 relu sum(3 | 4 5)) 6", (2,)),
        (lambda s: delete(s, (1, 2, 0, 0)), "1 residual(2 relu sum(4 5)) 6 2*(7)", (1, 2)),
        (lambda s: delete(s, (1, 2, 1, 0), 2), "1 residual(2 relu sum(3)) 6 2*(7)", (1, 2)),
        (lambda s: duplicate(s, (1, 0), 2), "1 residual(2 relu 2 relu sum(3 | 4 5)) 6 2*(7)", (1, 2)),
        (lambda s: move_down(s, (0,)), "residual(1 2 relu sum(3 | 4 5)) 6 2*(7)", (0, 0)),
        (lambda s: move_down(s, (1, 0), 2), "1 residual(sum(2 relu 3 | 4 5)) 6 2*(7)", (1, 0, 0, 0)),
        (lambda s: move_down(s, (1, 2, 1, 1)), "1 residual(2 relu sum(3 | 4) 5) 6 2*(7)", (1, 3)),
        (lambda s: move_up(s, (1, 2, 1, 0)), "1 residual(2 relu sum(3 4 | 5)) 6 2*(7)", (1, 2, 0, 1)),
        (lambda s: move_up(s, (1, 0)), "1 2 residual(relu sum(3 | 4 5)) 6 2*(7)", (1,)),
        (lambda s: move_up(s, (2,)), "1 residual(2 relu sum(3 | 4 5) 6) 2*(7)", (1, 3)),
        (lambda s: move_up(s, (0,)), NESTED, (0,)),
        (lambda s: move_down(s, (3,)), NESTED, (3,)),
        (lambda s: move_down(s, (3, 0)), NESTED, (3, 0)),
        (lambda s: wrap_repeat(s, (1, 0), 2, times=3), "1 residual(3*(2 relu) sum(3 | 4 5)) 6 2*(7)", (1, 0)),
        (lambda s: wrap_residual(s, (2,), 2), "1 residual(2 relu sum(3 | 4 5)) residual(6 2*(7))", (2,)),
        (lambda s: wrap_sum(s, (0,)), "sum(1 | 1) residual(2 relu sum(3 | 4 5)) 6 2*(7)", (0,)),
        (lambda s: unwrap(s, (1,)), "1 2 relu sum(3 | 4 5) 6 2*(7)", (1,)),
        (lambda s: unwrap(s, (1, 2, 1, 1)), "1 residual(2 relu 3 4 5) 6 2*(7)", (1, 2)),
        (lambda s: peel(s, (3,)), "1 residual(2 relu sum(3 | 4 5)) 6 7 7", (3,)),
        (lambda s: set_number(s, (3,), 5), "1 residual(2 relu sum(3 | 4 5)) 6 5*(7)", (3,)),
        (lambda s: set_number(s, (1, 2, 1, 1), 50), "1 residual(2 relu sum(3 | 4 50)) 6 2*(7)", (1, 2, 1, 1)),
        (lambda s: bump(s, (0,), -5), NESTED, (0,)),
        (lambda s: bump(s, (2,), 10), "1 residual(2 relu sum(3 | 4 5)) 16 2*(7)", (2,)),
        (lambda s: toggle_activation(s, (1, 0)), "1 residual(2 sum(3 | 4 5)) 6 2*(7)", (1, 0)),
        (lambda s: toggle_activation(s, (1, 1)), "1 residual(2 sum(3 | 4 5)) 6 2*(7)", (1, 1)),
        (lambda s: toggle_activation(s, (3, 0)), "1 residual(2 relu sum(3 | 4 5)) 6 2*(7 relu)", (3, 0)),
        (lambda s: cycle_activation(s, (1, 1)), "1 residual(2 leaky_relu sum(3 | 4 5)) 6 2*(7)", (1, 1)),
        (lambda s: cycle_activation(s, (1, 0), -1), "1 residual(2 identity sum(3 | 4 5)) 6 2*(7)", (1, 0)),
        (lambda s: toggle_lock(s, (2,)), "1 residual(2 relu sum(3 | 4 5)) 6! 2*(7)", (2,)),
        (lambda s: toggle_bias(s, (0,)), "linear(1, bias=false) residual(2 relu sum(3 | 4 5)) 6 2*(7)", (0,)),
    ],
)
def test_an_edit_makes_this_stack_and_puts_the_cursor_there(edit: Callable[[Stack], Edited], expected, cursor):
    assert _edited(edit(parse(NESTED))) == (expected, cursor)


def test_the_first_copy_of_a_repeat_can_be_written_out():
    assert _edited(peel(parse("3*(7 relu)"), (0,))) == ("7 relu 2*(7 relu)", (0,))
    assert _edited(peel(parse("1*(7)"), (0,))) == ("7", (0,))


def test_probabilities_and_slopes_step_by_a_twentieth():
    assert _edited(bump(parse("dropout(0.2)"), (0,), 1)) == ("dropout(0.25)", (0,))
    assert _edited(bump(parse("dropout(0.9)"), (0,), 7)) == ("dropout(0.95)", (0,))
    assert _edited(bump(parse("leaky_relu"), (0,), 1)) == ("leaky_relu(0.06)", (0,))
    assert _edited(set_number(parse("leaky_relu"), (0,), 0.3)) == ("leaky_relu(0.3)", (0,))
    assert _edited(bump(parse("maxpool(2)"), (0,), 1)) == ("maxpool(3)", (0,))
    assert _edited(bump(parse("conv(4, 3)"), (0,), -1)) == ("conv(3, 3)", (0,))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda s: layer_at(s, (4,)), "the final projection follows from the task"),
        (lambda s: delete(s, (4,)), "the final projection follows from the task"),
        (lambda s: rows_at(s, (0, 0)), "there is no layer here"),
        (lambda s: rows_at(s, (1, 2, 7, 0)), "there is no layer here"),
        (lambda s: insert_after(s, (9, 0), s), "there is no layer here"),
        (lambda s: unwrap(s, (0,)), "nothing to unwrap here"),
        (lambda s: peel(s, (0,)), "1 is not a repeat"),
        (lambda s: set_number(s, (1, 1), 3), "relu has no number"),
        (lambda s: bump(s, (1,), 3), "has no number"),
        (lambda s: set_number(s, (0,), 0), "whole number from 1"),
        (lambda s: set_number(s, (0,), 2.5), "whole number from 1"),
        (lambda s: set_number(parse("dropout"), (0,), 2), "between 0 and 1"),
        (lambda s: set_number(parse("leaky_relu"), (0,), -1), "at least 0"),
        (lambda s: cycle_activation(s, (0,)), "no activation here"),
        (lambda s: toggle_lock(s, (1, 1)), "no width to lock"),
        (lambda s: toggle_bias(s, (1, 1)), "has no bias"),
    ],
)
def test_an_edit_that_cannot_be_made_is_a_sentence(edit, says):
    with pytest.raises(LabError, match=says):
        edit(parse(NESTED))


def test_moving_down_and_up_again_changes_nothing():
    for stack in _random_stacks(1, 80):
        for path, number in _rows(stack):
            there = move_down(stack, path, number)
            assert rows_at(there.stack, there.cursor, number) == rows_at(stack, path, number)
            if there.stack != stack or there.cursor != path:
                assert move_up(there.stack, there.cursor, number) == Edited(stack, path)
            back = move_up(stack, path, number)
            if back.stack != stack or back.cursor != path:
                assert move_down(back.stack, back.cursor, number) == Edited(stack, path)


def test_wrapping_and_unwrapping_changes_nothing():
    for stack in _random_stacks(2, 80):
        for path, number in _rows(stack):
            for wrap in (wrap_repeat, wrap_residual):
                wrapped = wrap(stack, path, number)
                assert unwrap(wrapped.stack, wrapped.cursor) == Edited(stack, path)


def test_inserting_or_duplicating_and_deleting_changes_nothing():
    for stack in _random_stacks(3, 80):
        for path, number in _rows(stack):
            copy = duplicate(stack, path, number)
            assert rows_at(copy.stack, copy.cursor, number) == rows_at(stack, path, number)
            assert delete(copy.stack, copy.cursor, number).stack == stack
            added = insert_after(stack, path, parse("5"))
            assert delete(added.stack, added.cursor).stack == stack


def test_every_cursor_points_at_a_row():
    for stack in _random_stacks(4, 80):
        for path, number in _rows(stack):
            for edit in (delete, duplicate, move_down, move_up, wrap_repeat):
                edited = edit(stack, path, number)
                paths = {path for path, _ in rows(edited.stack)} or {(0,)}
                assert edited.cursor in paths


def test_toggling_and_setting_back_changes_nothing():
    for stack in _random_stacks(5, 80):
        for path, _ in rows(stack):
            layer = layer_at(stack, path)
            value = number_of(layer)
            if value is not None:
                assert set_number(set_number(stack, path, 1).stack, path, value).stack == stack
            try:
                cycled = cycle_activation(stack, path)
            except LabError:
                continue
            for _ in range(len(ActivationKind) - 1):
                cycled = cycle_activation(cycled.stack, path)
            assert count_kinds(cycled.stack) == count_kinds(stack)


def count_kinds(stack: Stack) -> list[str]:
    return [type(layer_at(stack, path)).__name__ for path, _ in rows(stack)]
