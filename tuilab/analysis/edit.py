"""Editing a stack: every operation returns a new stack and where the cursor goes.

Rows are layers as written, in the order of ``network.rows``: a container's row, then the rows inside it. Operations on
several rows take the path of the first and their number; they are neighbours in one stack. The path one past the end
of the stack is the row of the implied final projection.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tuilab.spec.errors import LabError
from tuilab.spec.layers import Layer, Repeat, Residual, Stack, Sum, children
from tuilab.spec.network import Path
from tuilab.spec.notation import format_layer


@dataclass(frozen=True, slots=True)
class Edited:
    """The outcome of an edit.

    Attributes:
        stack: the new stack.
        cursor: path of the row that the edit was about, or of its nearest neighbour.

    """

    stack: Stack
    cursor: Path


def layer_at(stack: Stack, path: Path) -> Layer:
    """The layer at ``path``.

    Raises:
        LabError: when there is none, as at the implied final projection.

    """
    around = stack_at(stack, path[:-1])
    if not path or not 0 <= path[-1] < len(around):
        raise LabError("the final projection follows from the task; write out to state it, then it can be edited")
    return around[path[-1]]


def rows_at(stack: Stack, path: Path, number: int = 1) -> Stack:
    """The layers of ``number`` rows from ``path``, for copying."""
    layer_at(stack, path)
    return stack_at(stack, path[:-1])[path[-1] : path[-1] + number]


def insert_after(stack: Stack, path: Path, layers: Stack) -> Edited:
    """Put ``layers`` after the row at ``path``; the empty path is before everything. The cursor is on the last."""
    at = min(path[-1] + 1, len(stack_at(stack, path[:-1]))) if path else 0
    edited = _with_stack(stack, path[:-1], lambda around: (*around[:at], *layers, *around[at:]))
    return Edited(edited, (*path[:-1], at + len(layers) - 1))


def insert_before(stack: Stack, path: Path, layers: Stack) -> Edited:
    """Put ``layers`` before the row at ``path``. The cursor is on the first."""
    at = path[-1]
    return Edited(_with_stack(stack, path[:-1], lambda around: (*around[:at], *layers, *around[at:])), path)


def substitute(stack: Stack, path: Path, layers: Stack, number: int = 1) -> Edited:
    """Put ``layers``, at least one, in the place of ``number`` rows."""
    layer_at(stack, path)
    at = path[-1]
    return Edited(_with_stack(stack, path[:-1], lambda around: (*around[:at], *layers, *around[at + number :])), path)


def delete(stack: Stack, path: Path, number: int = 1) -> Edited:
    """Delete rows; a container or branch that would be empty goes too. The cursor is on what follows, else before."""
    layer_at(stack, path)
    around, at = stack_at(stack, path[:-1]), path[-1]
    left = (*around[:at], *around[at + number :])
    if left or len(path) == 1:
        edited = _with_stack(stack, path[:-1], lambda _: left)
        return Edited(edited, (*path[:-1], max(min(at, len(left) - 1), 0)))
    parent, branch = _container_of(stack, path)
    layer = layer_at(stack, parent)
    if not isinstance(layer, Sum) or len(layer.branches) == 1:
        return delete(stack, parent)
    assert branch is not None
    branches = (*layer.branches[:branch], *layer.branches[branch + 1 :])
    return substitute(stack, parent, (Sum(branches),))


def duplicate(stack: Stack, path: Path, number: int = 1) -> Edited:
    """Put a copy of the rows after them. The cursor is on the first row of the copy."""
    copy = rows_at(stack, path, number)
    edited = insert_after(stack, (*path[:-1], path[-1] + len(copy) - 1), copy)
    return Edited(edited.stack, (*path[:-1], path[-1] + len(copy)))


def move_down(stack: Stack, path: Path, number: int = 1) -> Edited:
    """Move rows down by one, into and out of containers as they come; the last rows stay."""
    rows = rows_at(stack, path, number)
    around, at = stack_at(stack, path[:-1]), path[-1]
    without = (*around[:at], *around[at + len(rows) :])
    if at < len(without):
        below = without[at]
        if children(below):
            inside = _first_inside(below)
            return _relocate(stack, path, without, (*path[:-1], at, *inside), rows)
        return _relocate(stack, path, without, (*path[:-1], at + 1), rows)
    if len(path) == 1 or not without:
        return Edited(stack, path)
    parent, branch = _container_of(stack, path)
    layer = layer_at(stack, parent)
    if branch is not None and isinstance(layer, Sum) and branch + 1 < len(layer.branches):
        return _relocate(stack, path, without, (*parent, branch + 1, 0), rows)
    return _relocate(stack, path, without, (*parent[:-1], parent[-1] + 1), rows)


def move_up(stack: Stack, path: Path, number: int = 1) -> Edited:
    """Move rows up by one, into and out of containers as they come; the first rows stay. Undoes ``move_down``."""
    rows = rows_at(stack, path, number)
    around, at = stack_at(stack, path[:-1]), path[-1]
    without = (*around[:at], *around[at + len(rows) :])
    if at > 0:
        above = without[at - 1]
        if children(above):
            inside = _last_inside(above)
            return _relocate(stack, path, without, (*path[:-1], at - 1, *inside), rows)
        return _relocate(stack, path, without, (*path[:-1], at - 1), rows)
    if len(path) == 1 or not without:
        return Edited(stack, path)
    parent, branch = _container_of(stack, path)
    layer = layer_at(stack, parent)
    if branch and isinstance(layer, Sum):
        return _relocate(stack, path, without, (*parent, branch - 1, len(layer.branches[branch - 1])), rows)
    return _relocate(stack, path, without, parent, rows)


def wrap_repeat(stack: Stack, path: Path, number: int = 1, times: int = 2) -> Edited:
    """Put rows into a repeat."""
    return substitute(stack, path, (Repeat(times, rows_at(stack, path, number)),), number)


def wrap_residual(stack: Stack, path: Path, number: int = 1) -> Edited:
    """Put rows into a residual."""
    return substitute(stack, path, (Residual(rows_at(stack, path, number)),), number)


def wrap_sum(stack: Stack, path: Path, number: int = 1, branches: int = 2) -> Edited:
    """Put rows into a sum, as each of its branches."""
    return substitute(stack, path, (Sum((rows_at(stack, path, number),) * branches),), number)


def unwrap(stack: Stack, path: Path) -> Edited:
    """Put the inside of a container in its place: a repeat's body once, a sum's branches one after the other.

    On a layer inside a container, that container is unwrapped.

    Raises:
        LabError: when there is no container here.

    """
    bodies = children(layer_at(stack, path))
    if not bodies:
        if len(path) == 1:
            raise LabError("nothing to unwrap here; put the cursor on a repeat, a residual or a sum, or inside one")
        return unwrap(stack, _container_of(stack, path)[0])
    return substitute(stack, path, tuple(layer for body in bodies for layer in body))


def peel(stack: Stack, path: Path) -> Edited:
    """Write the first copy of a repeat out before it, so that it can be edited alone.

    Raises:
        LabError: when the row is not a repeat.

    """
    match layer_at(stack, path):
        case Repeat(times, body):
            rest = () if times == 1 else body if times == 2 else (Repeat(times - 1, body),)
            return substitute(stack, path, (*body, *rest))
        case layer:
            raise LabError(f"{format_layer(layer)} is not a repeat; only repeats have copies to write out")


def stack_at(stack: Stack, path: Path) -> Stack:
    """The stack inside the container at ``path`` (for a sum with the branch's index), the whole for the empty path."""
    at = 0
    while at < len(path):
        if not 0 <= path[at] < len(stack):
            raise LabError("there is no layer here")
        layer = stack[path[at]]
        bodies = children(layer)
        at += 1
        if isinstance(layer, Sum):
            branch = path[at] if at < len(path) else -1
            at += 1
            bodies = bodies[branch : branch + 1] if branch >= 0 else ()
        if not bodies:
            raise LabError("there is no layer here")
        stack = bodies[0]
    return stack


def _with_stack(stack: Stack, path: Path, change: Callable[[Stack], Stack]) -> Stack:
    """``stack`` with the stack at ``path`` changed."""
    if not path:
        return change(stack)
    at, *inner = path
    layer = stack[at]
    match layer:
        case Residual(body):
            layer = Residual(_with_stack(body, tuple(inner), change))
        case Repeat(times, body):
            layer = Repeat(times, _with_stack(body, tuple(inner), change))
        case Sum(branches):
            branch, *rest = inner
            body = _with_stack(branches[branch], tuple(rest), change)
            layer = Sum((*branches[:branch], body, *branches[branch + 1 :]))
        case _:
            raise LabError("there is no layer here")
    return (*stack[:at], layer, *stack[at + 1 :])


def _container_of(stack: Stack, path: Path) -> tuple[Path, int | None]:
    """The path of the container around ``path``, and the branch when it is a sum."""
    parent = path[:-1]
    if len(parent) > 1:
        around = _find(stack, parent[:-1])
        if isinstance(around, Sum):
            return parent[:-1], parent[-1]
    return parent, None


def _find(stack: Stack, path: Path) -> Layer | None:
    try:
        return layer_at(stack, path)
    except LabError:
        return None


def _first_inside(layer: Layer) -> Path:
    return (0, 0) if isinstance(layer, Sum) else (0,)


def _last_inside(layer: Layer) -> Path:
    bodies = children(layer)
    return (len(bodies) - 1, len(bodies[-1])) if isinstance(layer, Sum) else (len(bodies[-1]),)


def _relocate(stack: Stack, path: Path, without: Stack, target: Path, rows: Stack) -> Edited:
    """Take the rows out of the stack at ``path`` and put them at ``target``, a path in the stack without them."""
    taken = _with_stack(stack, path[:-1], lambda _: without)
    return insert_before(taken, target, rows)
