"""Folding a stack: one layer for every run of affine layers, across the ends of repeats too.

Where a run reaches into a repeat, its first or last copy is written before or after the others: ``2*(relu 4) out`` is
``relu 4 relu out``. Where the end of a body runs into its start, the body is turned: ``4*(14 relu 14)`` is
``14 relu 3*(14 relu) 14``. However many copies there are, at most one is written at each end.
"""

from collections import deque
from functools import cache

from tuilab.analysis.freedom import is_transparent
from tuilab.spec.layers import (
    Activation,
    Flatten,
    Layer,
    Linear,
    Out,
    Repeat,
    Residual,
    Stack,
    Sum,
    children,
    contains_out,
)
from tuilab.spec.network import Network
from tuilab.spec.shapes import Shape, output_shape


def is_affine(layer: Layer, shape: Shape) -> bool:
    """Whether ``layer`` is a trained affine map of the features; images and frozen layers are left alone."""
    match layer:
        case Linear(trainable=trainable):
            return trainable
        case Out():
            return True
        case Flatten():
            return len(shape) == 1
        case Residual(body) | Repeat(_, body):
            return all(is_affine(inner, shape) for inner in body)
        case Sum(branches):
            return all(is_affine(inner, shape) for branch in branches for inner in branch)
        case _:
            return is_transparent(layer)


def num_affine(stack: Stack) -> int:
    """Linear layers in ``stack``, at most two for a repeat."""
    number = 0
    for layer in stack:
        match layer:
            case Linear() | Out():
                number += 1
            case Residual(body):
                number += num_affine(body)
            case Repeat(times, body):
                number += min(times, 2) * num_affine(body)
            case Sum(branches):
                number += sum(map(num_affine, branches))
            case _:
                pass
    return number


class Folder:
    """Folds the stacks of a network whose final projection is stated; every method keeps the functions."""

    def __init__(self, out_features: int | None) -> None:
        """Fold for a task of ``out_features``; None where no stack has an ``out``."""
        self.out_features = out_features
        # Repeats in repeats ask for the same ends again and again, twice as often at every level.
        self.first = cache(self._first)
        self.last = cache(self._last)

    def after(self, layer: Layer, shape: Shape) -> Shape:
        """The shape that ``layer`` puts out."""
        if isinstance(layer, Activation):
            return shape
        if isinstance(layer, Out):
            return (*shape[:-1], self.out_features or 1)
        return output_shape(self.resolved(layer) if children(layer) else layer, shape)

    def fold(self, stack: Stack, shape: Shape) -> Stack:
        """The stack with everything folded that folds, inside first."""
        layers: list[Layer] = []
        at = shape
        for layer in stack:
            layers += (layer,) if is_affine(layer, at) else self._inside(layer, at)
            at = self.after(layer, at)
        return self.joined(tuple(layers), shape)

    def _inside(self, layer: Layer, shape: Shape) -> Stack:
        match layer:
            case Residual(body):
                return (Residual(self.fold(body, shape)),)
            case Sum(branches):
                return self.merged(Sum(tuple(self.fold(branch, shape) for branch in branches)), shape)
            case Repeat(times, body):
                return self.turned(Repeat(times, self.fold(body, shape)), shape)
            case _:
                return (layer,)

    def joined(self, stack: Stack, shape: Shape) -> Stack:
        """The stack with its runs of affine layers folded, those that reach into repeats too; not those inside."""
        joining = _Joining(self, shape)
        left = deque(stack)
        while left:
            layer = left.popleft()
            if is_affine(layer, joining.shape):
                joining.append(layer)
            else:
                left.extendleft(reversed(joining.meet(layer)))
        joining.close()
        return tuple(joining.done)

    def one(self, layers: Stack, shape: Shape) -> Stack:
        """One layer for a run of affine layers; ``layers`` itself where there is nothing to fold."""
        working = [layer for layer in layers if not is_transparent(layer)]
        if not num_affine(layers) or (len(working) == 1 and isinstance(working[0], Linear | Out)):
            return layers
        bias = _has_bias(layers)
        if contains_out(layers[-1:]):
            return (Out(bias=bias),)
        return (Linear(self.through(layers, shape)[-1], bias=bias),)

    def merged(self, layer: Sum, shape: Shape) -> Stack:
        """The sum with its affine branches merged into one."""
        flat = [branch for branch in layer.branches if all(is_affine(inner, shape) for inner in branch)]
        if len(flat) < 2 or not any(map(num_affine, flat)):
            return (layer,)
        one = self.one((Sum(tuple(flat)),), shape)
        rest = tuple(branch for branch in layer.branches if branch not in flat)
        return one if not rest else (Sum((one, *rest)),)

    def turned(self, layer: Repeat, shape: Shape) -> Stack:
        """A repeat whose body starts and ends with affine layers, with neighbouring ends folded; else the repeat."""
        if layer.times < 2:
            return (layer,)
        head, rest = self._first_of(layer.body, shape)
        if not rest or not num_affine(head):
            return (layer,)
        middle, tail = self._last_of(rest, self.through(head, shape))
        if not num_affine(tail):
            return (layer,)
        joint = self.one((*tail, *head), self.through((*head, *middle), shape))
        return (*head, *middle, *_copies(layer.times - 1, (*joint, *middle)), *tail)

    def _first(self, layer: Layer, shape: Shape) -> tuple[Stack, Stack]:
        """The affine layers that a layer which is not affine starts with, and what comes after them."""
        if not isinstance(layer, Repeat):
            return (), (layer,)
        turned = self.turned(layer, shape)
        if turned != (layer,):
            return self._first_of(turned, shape)
        head, rest = self._first_of(layer.body, shape)
        return head, (*rest, *_copies(layer.times - 1, layer.body))

    def _last(self, layer: Layer, shape: Shape) -> tuple[Stack, Stack]:
        """What comes before the affine layers that a layer which is not affine ends with, and these."""
        if not isinstance(layer, Repeat):
            return (layer,), ()
        turned = self.turned(layer, shape)
        if turned != (layer,):
            return self._last_of(turned, shape)
        others = _copies(layer.times - 1, layer.body)
        before, tail = self._last_of(layer.body, self.through(others, shape))
        return (*others, *before), tail

    def _first_of(self, stack: Stack, shape: Shape) -> tuple[Stack, Stack]:
        at = 0
        while at < len(stack) and is_affine(stack[at], shape):
            shape = self.after(stack[at], shape)
            at += 1
        if at < len(stack):
            head, rest = self.first(stack[at], shape)
            if num_affine(head):
                return (*stack[:at], *head), (*rest, *stack[at + 1 :])
        return stack[:at], stack[at:]

    def _last_of(self, stack: Stack, shape: Shape) -> tuple[Stack, Stack]:
        shapes = [shape]
        for layer in stack:
            shapes.append(self.after(layer, shapes[-1]))
        at = len(stack)
        while at and is_affine(stack[at - 1], shapes[at - 1]):
            at -= 1
        if at:
            before, tail = self.last(stack[at - 1], shapes[at - 1])
            if num_affine(tail):
                return (*stack[: at - 1], *before), (*tail, *stack[at:])
        return stack[:at], stack[at:]

    def through(self, stack: Stack, shape: Shape) -> Shape:
        """The shape that a stack puts out."""
        for layer in stack:
            shape = self.after(layer, shape)
        return shape

    def resolved(self, layer: Layer) -> Layer:
        """The layer with its final projections as linear layers."""
        return Network((layer,), (1,), self.out_features).layers[0] if contains_out((layer,)) else layer


class _Joining:
    """A stack on its way from left to right.

    Attributes:
        done: what is folded.
        shape: that of the next layer's input.

    """

    def __init__(self, folder: Folder, shape: Shape) -> None:
        self.done: list[Layer] = []
        self.shape = shape
        self._folder = folder
        self._run: list[Layer] = []
        self._run_shape = shape
        self._bent: Shape | None = None
        """The input of the last layer that is done, where that is not affine."""

    def append(self, layer: Layer) -> None:
        """An affine layer follows."""
        self._run.append(layer)
        self.shape = self._folder.after(layer, self.shape)

    def meet(self, layer: Layer) -> Stack:
        """Another layer follows; returns what is left of it to come, when its first affine layers are folded."""
        head, rest = self._folder.first(layer, self.shape)
        if num_affine(head):
            if not num_affine(tuple(self._run)):
                self._take_tail()
            run = tuple(self._run)
            if num_affine(run):
                one = self._folder.one((*run, *head), self._run_shape)
                if one != head:
                    self._run = list(one)
                    self.shape = self._folder.through(head, self.shape)
                    return rest
                self._run = []
        self.close()
        self.done.append(layer)
        self._bent = self.shape
        self.shape = self._run_shape = self._folder.after(layer, self.shape)
        return ()

    def close(self) -> None:
        """The run ends: fold it with what the repeat before it ends with."""
        run = tuple(self._run)
        if not (num_affine(run) and self._bent is not None and self._fold_into_tail(run, self._bent)):
            self.done += self._folder.one(run, self._run_shape)
        self._run = []
        self._bent = None

    def _fold_into_tail(self, run: Stack, shape: Shape) -> bool:
        """Fold ``run`` with what the last layer that is done, on an input of ``shape``, ends with, if anything."""
        before, tail = self._folder.last(self.done[-1], shape)
        if not num_affine(tail):
            return False
        one = self._folder.one((*tail, *run), self._folder.through(before, shape))
        if one != tail:
            self.done[-1:] = (*before, *one)
        return True

    def _take_tail(self) -> None:
        """Let the run begin with what the repeat before it ends with."""
        if self._bent is not None:
            before, tail = self._folder.last(self.done[-1], self._bent)
            if num_affine(tail):
                self.done[-1:] = before
                self._run[:0] = tail
                self._run_shape = self._folder.through(before, self._bent)
                self._bent = None


def _copies(times: int, body: Stack) -> Stack:
    """A repeat as short as it can be written."""
    return () if times == 0 else body if times == 1 else (Repeat(times, body),)


def _has_bias(stack: Stack) -> bool:
    """Whether any affine layer of ``stack`` has a bias; one anywhere reaches the end."""
    for layer in stack:
        match layer:
            case Linear(bias=True) | Out(bias=True):
                return True
            case Residual(body) | Repeat(_, body):
                if _has_bias(body):
                    return True
            case Sum(branches):
                if any(map(_has_bias, branches)):
                    return True
            case _:
                pass
    return False
