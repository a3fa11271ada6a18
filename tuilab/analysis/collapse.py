"""Collapse: layers that together say no more than fewer layers would.

Affine maps without a non-linearity between them compose (serial) and add up (parallel) to one affine map:
W = W_2 W_1 and b = W_2 b_1 + b_2, or W = W_1 + W_2 and b = b_1 + b_2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from tuilab.analysis.counting import tally
from tuilab.analysis.edit import stack_at
from tuilab.analysis.families import Affine
from tuilab.analysis.freedom import stack_degrees, stack_family
from tuilab.analysis.open_runs import Copies, OpenRuns, Run
from tuilab.analysis.stack_folding import Folder, is_affine, num_affine
from tuilab.spec.layers import Layer, Out, Repeat, Residual, Stack, Sum, contains_out
from tuilab.spec.network import Network, Path
from tuilab.spec.shapes import Shape

Kind: TypeAlias = Literal["serial", "parallel", "copies"]


class Cost(NamedTuple):
    """What some copies of layers that collapse cost, each of them.

    Attributes:
        times: such copies.
        num_params: nominal parameters.
        degrees_of_freedom: what tells the functions of these layers apart.

    """

    times: int
    num_params: int
    degrees_of_freedom: int


@dataclass(frozen=True, slots=True)
class Collapse:
    """Layers that fold into fewer without changing the function.

    Attributes:
        kind: serial (affine layers one after the other), parallel (affine branches added), or copies (the end of a
            repeat's body folds with the start of its next copy).
        path: of the first layer of the stack that holds them.
        num_layers: how many layers of that stack hold them, repeats that they reach into included; the last may be
            the implied final projection.
        folded: what stands for those layers afterwards.
        run: the layers themselves.
        costs: of the surrounding repeats' copies; more than one where some have an input of another shape. The most
            frequent is first.
        folded_params: nominal parameters of the one layer that such a copy folds into.
        family: the affine maps that such a copy reaches; None where they are not all affine.

    """

    kind: Kind
    path: Path
    num_layers: int
    folded: Stack
    run: Run
    costs: tuple[Cost, ...]
    folded_params: int
    family: Affine | None

    @property
    def times(self) -> int:
        """Copies of them in the network."""
        return sum(cost.times for cost in self.costs)

    @property
    def num_params(self) -> int:
        """Nominal parameters of the most frequent copy."""
        return self.costs[0].num_params

    @property
    def degrees_of_freedom(self) -> int:
        """Degrees of freedom of the most frequent copy."""
        return self.costs[0].degrees_of_freedom


def find_collapses(network: Network) -> tuple[Collapse, ...]:
    """Every place where layers fold into fewer, outermost and first ones first.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    return tuple(iterate_collapses(network))


def iterate_collapses(network: Network) -> Iterator[Collapse]:
    """``find_collapses`` one by one."""
    return _Finder(network).collapses()


def fold(network: Network) -> Network:
    """The network with everything folded that folds: the same functions (or more, where a bottleneck disappears).

    Raises:
        ShapeError: when layers do not fit each other.

    """
    folder, stack, before = Folder(network.out_features), _written(network), None
    while stack != before:
        before, stack = stack, folder.fold(stack, network.in_shape)
    return Network(_unwritten(network, stack), network.in_shape, network.out_features)


def apply(network: Network, collapse: Collapse) -> Network:
    """The network with one collapse folded."""
    path, stack, folded = collapse.path, network.stack, collapse.folded
    if len(path) > 1 or path[0] + collapse.num_layers <= len(stack):
        stack = _replace(stack, path, collapse.num_layers, folded)
    else:
        stack = (*stack[: path[0]], *(folded[:-1] if folded[-1] == Out() else folded))
    return Network(stack, network.in_shape, network.out_features)


def _written(network: Network) -> Stack:
    """The stack with its final projection stated."""
    if network.out_features is None or contains_out(network.stack):
        return network.stack
    return (*network.stack, Out())


def _unwritten(network: Network, stack: Stack) -> Stack:
    """The stack with its final projection implied where it was."""
    implied = network.out_features is not None and not contains_out(network.stack)
    return stack[:-1] if implied and stack[-1] == Out() else stack


def _replace(stack: Stack, path: Path, num_layers: int, folded: Stack) -> Stack:
    at, *inner = path
    if not inner:
        return (*stack[:at], *folded, *stack[at + num_layers :])
    layer = stack[at]
    match layer:
        case Residual(body):
            layer = Residual(_replace(body, tuple(inner), num_layers, folded))
        case Repeat(times, body):
            layer = Repeat(times, _replace(body, tuple(inner), num_layers, folded))
        case Sum(branches):
            branch, *rest = inner
            replaced = _replace(branches[branch], tuple(rest), num_layers, folded)
            layer = Sum((*branches[:branch], replaced, *branches[branch + 1 :]))
        case _:
            raise AssertionError(path)
    return (*stack[:at], layer, *stack[at + 1 :])


class _Finder:
    """What folds in one network."""

    def __init__(self, network: Network) -> None:
        self._stack = _written(network)
        self._folder = Folder(network.out_features)
        self._runs = OpenRuns(network.layers, network.in_shape, is_affine, containers=True)

    def collapses(self) -> Iterator[Collapse]:
        runs = [copies for copies in self._runs.runs if num_affine(copies[0].run.layers) > 1]
        for copies in sorted([*runs, *self._runs.branched], key=_order):
            path, number = copies[0].run.segment
            layers = stack_at(self._stack, path[:-1])[path[-1] : path[-1] + number]
            found = self._collapse(copies, path, layers)
            if found.folded != layers:
                yield found

    def _collapse(self, copies: list[Copies], path: Path, layers: Stack) -> Collapse:
        copies = sorted(copies, key=lambda some: -some.times)
        run = copies[0].run
        kind, folded, after = self._folded(run, layers)
        return Collapse(
            kind,
            path,
            len(layers),
            folded,
            run,
            tuple(_cost(some) for some in copies),
            tally(tuple(map(self._folder.resolved, after)), run.shape).num_params,
            stack_family(run.layers, run.shape),
        )

    def _folded(self, run: Run, layers: Stack) -> tuple[Kind, Stack, Stack]:
        """The kind, what stands for the layers that hold the run, and what stands for the run."""
        if not _is_serial(run):
            folded = self._added(run.layers[0], run.shape, layers)
            return "parallel", folded, folded
        shape = self._runs.shapes.get(run.segment[0], run.shape)
        one = self._folder.one(run.layers, run.shape)
        if run.wrap is None:
            return "serial", self._folder.joined(layers, shape), one
        (repeat,) = layers
        assert isinstance(repeat, Repeat)
        return "copies", self._folder.turned(repeat, shape), one

    def _added(self, layer: Layer, shape: Shape, layers: Stack) -> Stack:
        """A residual or sum as written with its affine branches as one, where they are more than one."""
        (written,) = layers
        if isinstance(written, Sum):
            return self._folder.merged(written, shape)
        return self._folder.one(layers, shape) if is_affine(layer, shape) else layers


def _is_serial(run: Run) -> bool:
    return len(run.atoms) > 1 or isinstance(run.layers[0], Repeat)


def _order(copies: list[Copies]) -> tuple[Path, int]:
    """Outermost and first ones first; at the same layers a run, then a repeat's end, what follows it, branches."""
    run = copies[0].run
    path, _ = run.segment
    if not _is_serial(run):
        return path, 3
    return path, 1 if run.wrap is not None else 0 if run.atoms[0].path == path else 2


def _cost(copies: Copies) -> Cost:
    layers, shape = copies.run.layers, copies.run.shape
    return Cost(copies.times, tally(layers, shape).num_params, stack_degrees(layers, shape))
