"""Runs of layers that nothing separates, in the order in which data meets them: across the ends of repeats too.

A repeat is not written out: what its copies look like from outside is the open run that they start with and the one
that they end with. So ``2*(relu 4)`` before an ``out`` has a run of two, and 10^10 copies take no longer than two.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from tuilab.analysis.structure import stack_depth
from tuilab.spec.layers import Activation, Layer, Repeat, Residual, Stack, Sum, children
from tuilab.spec.network import Path
from tuilab.spec.shapes import Shape, output_shape, stack_shape

IsOpen: TypeAlias = Callable[[Layer, Shape], bool]
"""Whether a layer without layers inside belongs to a run."""


class Atom(NamedTuple):
    """A layer of a run as written, which may be a repeat, residual or sum, and the shape that it gets."""

    path: Path
    layer: Layer
    shape: Shape


class Run(NamedTuple):
    """Layers one after the other.

    Attributes:
        atoms: at least one.
        wrap: the repeat whose end and start the run joins; None for every other run.
        seam: how many of ``atoms`` stand before the end of that repeat; 0 without one.

    """

    atoms: tuple[Atom, ...]
    wrap: Path | None = None
    seam: int = 0

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the layers stand, in the order of the data."""
        return tuple(atom.path for atom in self.atoms)

    @property
    def layers(self) -> Stack:
        """The layers, in the order of the data."""
        return tuple(atom.layer for atom in self.atoms)

    @property
    def shape(self) -> Shape:
        """What the first of them gets."""
        return self.atoms[0].shape

    @property
    def segment(self) -> tuple[Path, int]:
        """Path of the first and number of the layers of one stack that hold the run, repeats at its ends included."""
        if self.wrap is not None:
            return self.wrap, 1
        first, last = self.atoms[0].path, self.atoms[-1].path
        at = meeting(first, last)
        return first[: at + 1], last[at] - first[at] + 1

    @property
    def in_one_stack(self) -> bool:
        """Whether the layers are neighbours as written."""
        return self.wrap is None and self.atoms[0].path[:-1] == self.atoms[-1].path[:-1]

    def between(self, start: int, stop: int) -> "Run":
        """Some of the layers."""
        seam = self.seam - start
        if self.wrap is None or not 0 < seam < stop - start:
            return Run(self.atoms[start:stop])
        return Run(self.atoms[start:stop], self.wrap, seam)


def meeting(one: Path, other: Path) -> int:
    """The index in both paths that says where they stand in the innermost stack that holds both."""
    at = 0
    while at < min(len(one), len(other)) - 1 and one[at] == other[at]:
        at += 1
    return at


class Copies(NamedTuple):
    """A run as some of its copies are; copies differ where they get inputs of other shapes."""

    run: Run
    times: int


class _Ends(NamedTuple):
    """What a layer or stack is to its neighbours.

    Attributes:
        head: the open layers at its start; all of it where nothing in it closes a run.
        tail: the open layers at its end; None where nothing in it closes a run.
        shape: that of its output.

    """

    head: tuple[Atom, ...]
    tail: tuple[Atom, ...] | None
    shape: Shape


_CLOSED = ((), ())


class OpenRuns:
    """The runs of a stack, each as a list of its copies.

    Attributes:
        runs: those of more than one layer, or of a repeat, without layers without weights at their ends.
        branched: residuals and sums, as runs of one layer.
        shapes: what each repeat gets, the last time that it is met.

    """

    def __init__(self, layers: Stack, shape: Shape, is_open: IsOpen, *, containers: bool) -> None:
        """Walk through ``layers``, a network's without ``out``, on an input of ``shape``.

        Args:
            layers: a stack that fits.
            shape: that of the input.
            is_open: whether a layer without layers inside belongs to a run.
            containers: whether residuals and sums of such layers do.

        """
        self._is_open = is_open
        self._containers = containers
        self._runs: dict[tuple[tuple[Path, ...], Path | None], list[Copies]] = {}
        self._branched: dict[Path, list[Copies]] = {}
        self.shapes: dict[Path, Shape] = {}
        self._whole(layers, shape, (), 1)

    @property
    def runs(self) -> list[list[Copies]]:
        """Each run with its copies, in no order."""
        return list(self._runs.values())

    @property
    def branched(self) -> list[list[Copies]]:
        """Each residual and sum with its copies, in no order."""
        return list(self._branched.values())

    def _whole(self, stack: Stack, shape: Shape, path: Path, times: int) -> _Ends:
        """A stack that nothing goes on from: a branch, or the network."""
        ends = self._stack(stack, shape, path, times)
        self._found(Run(ends.head), times)
        self._found(Run(ends.tail or ()), times)
        return ends

    def _stack(self, stack: Stack, shape: Shape, path: Path, times: int) -> _Ends:
        head: tuple[Atom, ...] | None = None
        run: list[Atom] = []
        for index, layer in enumerate(stack):
            ends = self._layer(layer, shape, (*path, index), times)
            shape = ends.shape
            run += ends.head
            if ends.tail is not None:
                if head is None:
                    head = tuple(run)
                else:
                    self._found(Run(tuple(run)), times)
                run = list(ends.tail)
        return _Ends(tuple(run), None, shape) if head is None else _Ends(head, tuple(run), shape)

    def _layer(self, layer: Layer, shape: Shape, path: Path, times: int) -> _Ends:
        match layer:
            case Repeat():
                return self._repeat(layer, shape, path, times)
            case Residual() | Sum():
                return self._branches(layer, shape, path, times)
            case _:
                after = shape if isinstance(layer, Activation) else output_shape(layer, shape)
                if self._is_open(layer, shape):
                    return _Ends((Atom(path, layer, shape),), None, after)
                return _Ends(*_CLOSED, after)

    def _branches(self, layer: Residual | Sum, shape: Shape, path: Path, times: int) -> _Ends:
        bodies = children(layer)
        paths = [path] if isinstance(layer, Residual) else [(*path, branch) for branch in range(len(bodies))]
        branches = [self._whole(body, shape, at, times) for body, at in zip(bodies, paths, strict=True)]
        atom = Atom(path, layer, shape)
        _add(self._branched.setdefault(path, []), Run((atom,)), times)
        if self._containers and all(branch.tail is None for branch in branches):
            return _Ends((atom,), None, branches[0].shape)
        return _Ends(*_CLOSED, branches[0].shape)

    def _repeat(self, layer: Repeat, shape: Shape, path: Path, times: int) -> _Ends:
        """All copies; those that get the same shape are looked at once."""
        first: _Ends | None = None
        last: _Ends | None = None
        self.shapes[path] = shape
        left, before = layer.times, shape
        while left:
            after = stack_shape(layer.body, before)
            copies = left if after == before else 1
            ends = self._stack(layer.body, before, path, times * copies)
            if last is not None:
                self._wrap(last, ends, path, times)
            self._wrap(ends, ends, path, times * (copies - 1))
            first, last = first or ends, ends
            left, before = left - copies, after
        assert first is not None
        assert last is not None
        if layer.times == 1:
            return first
        if first.tail is None:
            return _Ends((Atom(path, layer, shape),), None, before)
        return _Ends(first.head, last.tail or (), before)

    def _wrap(self, one: _Ends, other: _Ends, path: Path, times: int) -> None:
        """The run from the end of a copy into the start of the next."""
        if one.tail is not None and other.tail is not None:
            self._found(Run((*one.tail, *other.head), path, len(one.tail)), times)

    def _found(self, run: Run, times: int) -> None:
        start, stop = 0, len(run.atoms)
        while start < stop and not stack_depth((run.atoms[start].layer,)):
            start += 1
        while start < stop and not stack_depth((run.atoms[stop - 1].layer,)):
            stop -= 1
        if times and (stop - start > 1 or (stop > start and isinstance(run.atoms[start].layer, Repeat))):
            kept = run.between(start, stop)
            _add(self._runs.setdefault((kept.paths, kept.wrap), []), kept, times)


def _add(copies: list[Copies], run: Run, times: int) -> None:
    """Count ``times`` more copies of a run."""
    for at, known in enumerate(copies):
        if known.run.shape == run.shape:
            copies[at] = Copies(known.run, known.times + times)
            return
    copies.append(Copies(run, times))
