"""Probes: what a network looks like inside, before and after training; slow beside training, so a protocol asks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from tuilab.analysis.region_count import regions_on_line, regions_on_plane
from tuilab.analysis.spectrum import effective_rank
from tuilab.engine.data import Part, Split
from tuilab.engine.generated import FloatArray
from tuilab.engine.layout import (
    ActivationNode,
    BatchNormNode,
    DropoutNode,
    FlattenNode,
    Layout,
    LinearNode,
    Slot,
    nodes,
    parameter_slots,
)
from tuilab.engine.packed import PackedNetwork, Parameters, Pass
from tuilab.spec.errors import LabError
from tuilab.spec.layers import ActivationKind
from tuilab.spec.probes import Probes

MAX_PARAMS = 200_000
"""Larger networks are not probed."""
MAX_REGIONS = 20_000
_MAX_EXAMPLES = 2048
"""Examples that readouts are fitted to, and judged on."""
_RIDGE = 1e-3
"""Times the number of examples, beside features of variance 1."""

Affine: TypeAlias = tuple[FloatArray, FloatArray]
Row: TypeAlias = NDArray[np.float32]
"""The parameters of one replica in order, without gaps."""


def probe(layout: Layout, split: Split, start: Row, end: Row) -> Probes | None:
    """Measure one replica.

    Args:
        layout: its network.
        split: its examples.
        start: its parameters before training.
        end: its parameters after training.

    Returns:
        None for networks with batch normalisation, whose answers depend on more than their parameters, and for large
        ones.

    """
    if layout.num_params > MAX_PARAMS or any(isinstance(node, BatchNormNode) for node in nodes(layout.program)):
        return None
    inside = _Inside(layout, end)
    before, after = (dense_relu(layout, row) for row in (start, end))
    hidden = inside.hidden(split.val.inputs[:_MAX_EXAMPLES])
    return Probes(
        regions=_on_rectangle(after, split),
        regions_at_start=_on_rectangle(before, split),
        line_regions=_on_axis(after, split),
        line_regions_at_start=_on_axis(before, split),
        effective_rank=_rank(hidden[-1]) if hidden else None,
        readouts=readouts(inside.hidden, split),
    )


@dataclass(frozen=True, slots=True)
class _Inside:
    """One replica whose hidden values can be looked at."""

    layout: Layout
    row: Row

    def hidden(self, inputs: NDArray[np.float32]) -> list[FloatArray]:
        """(examples, features) after each activation and residual of the stack, in order."""
        values = torch.zeros(1, self.layout.row_length)
        for slot, own in _pieces(self.layout, self.row):
            values[0, slot.offset : slot.end] = torch.from_numpy(own)
        keys = torch.zeros(self.layout.num_dropouts, 1, dtype=torch.int64)
        network = PackedNetwork(self.layout, Parameters(values, torch.zeros_like(values), keys, []), values.dtype)
        found: list[torch.Tensor] = []
        with torch.no_grad():
            network(torch.from_numpy(inputs).unsqueeze(0), Pass(hidden=found))
        return [each[0].flatten(1).double().numpy() for each in found]


def without_gaps(layout: Layout, row: Row) -> Row:
    """The parameters (num_params,) of a replica's row (row_length,)."""
    slots = parameter_slots(layout.program)
    return np.concatenate([row[:0], *(row[slot.offset : slot.end] for slot in slots)])


def _pieces(layout: Layout, row: Row) -> list[tuple[Slot, Row]]:
    slots = parameter_slots(layout.program)
    return list(zip(slots, np.split(row, np.cumsum([slot.size for slot in slots])[:-1]), strict=True)) if slots else []


def dense_relu(layout: Layout, row: Row) -> list[Affine] | None:
    """The affine maps between the ReLUs of a dense stack; None for any other network."""
    own = {slot.offset: values.astype(np.float64).reshape(slot.shape) for slot, values in _pieces(layout, row)}
    layers: list[Affine] = []
    fresh = True
    for index, node in enumerate(layout.program):
        match node:
            case LinearNode(weight, bias):
                w = own[weight.offset]
                b = own[bias.offset] if bias else np.zeros(len(w))
                if fresh:
                    layers.append((w, b))
                else:
                    layers[-1] = (w @ layers[-1][0], w @ layers[-1][1] + b)
                fresh = False
            case ActivationNode(ActivationKind.RELU) if layers and not fresh:
                fresh = True
            case ActivationNode(ActivationKind.IDENTITY) | DropoutNode():
                pass
            case FlattenNode() if index == 0:
                pass
            case _:
                return None
    return None if fresh else layers


def _frame(split: Split) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The first principal axes (axes, features) of the training inputs, and how far the inputs reach along each.

    Returns:
        mean (features,); mean plus each of these is where the inputs begin; and each of these leads to where they end.

    """
    x = _flat(_first(split.train))
    mean = x.mean(0)
    axes = _svd(x - mean)[1][:2]
    along = (x - mean) @ axes.T
    least, most = along.min(0), along.max(0)
    return mean, axes * least[:, None], axes * (most - least)[:, None]


def _on_axis(layers: list[Affine] | None, split: Split) -> int | None:
    if layers is None:
        return None
    mean, begin, sides = _frame(split)
    return _counted(lambda: regions_on_line(layers, mean + begin[0], mean + begin[0] + sides[0]))


def _on_rectangle(layers: list[Affine] | None, split: Split) -> int | None:
    mean, begin, sides = _frame(split)
    if layers is None or len(sides) < 2:
        return None
    return _counted(lambda: regions_on_plane(layers, mean + begin[0] + begin[1], sides[0], sides[1], MAX_REGIONS))


def _counted(count: Callable[[], int]) -> int | None:
    try:
        return count()
    except LabError:
        return None


def _rank(values: FloatArray) -> float:
    return effective_rank(_svd(values - values.mean(0))[0].tolist())


def _svd(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Singular values and right singular vectors; by torch, whose LAPACK keeps to the engine's threads."""
    _, singular, right = torch.linalg.svd(torch.from_numpy(values), full_matrices=False)
    return singular.numpy(), right.numpy()


def readouts(hidden: Callable[[NDArray[np.float32]], list[FloatArray]], split: Split) -> tuple[float, ...]:
    """The test metric of linear readouts of the inputs and of each of the hidden values."""
    train, test = (_first(part) for part in (split.train, split.test))
    pairs = zip([_flat(train), *hidden(train.inputs)], [_flat(test), *hidden(test.inputs)], strict=True)
    return tuple(float(f"{_readout(fitted, train, judged, test):.6g}") for fitted, judged in pairs)


def _first(part: Part) -> Part:
    return Part(part.inputs[:_MAX_EXAMPLES], part.targets[:_MAX_EXAMPLES])


def _flat(part: Part) -> FloatArray:
    return part.inputs.reshape(len(part), -1).astype(np.float64)


def _readout(fitted: FloatArray, train: Part, judged: FloatArray, test: Part) -> float:
    mean, std = fitted.mean(0), fitted.std(0)
    std = np.where(std > 0, std, 1.0)
    x, z = (fitted - mean) / std, (judged - mean) / std
    classes = train.targets.ndim == 1
    number = int(max(train.targets.max(), test.targets.max())) + 1 if classes else 0
    wanted = np.eye(number)[train.targets.astype(np.int64)] if classes else train.targets.astype(np.float64)
    centre = wanted.mean(0)
    design, aim = torch.from_numpy(x), torch.from_numpy(wanted - centre)
    gram = design.T @ design + _RIDGE * len(x) * torch.eye(x.shape[1], dtype=design.dtype)
    weight = torch.linalg.solve(gram, design.T @ aim).numpy()
    answer = z @ weight + centre
    if classes:
        return float((answer.argmax(1) != test.targets).mean())
    return float(((answer - test.targets) ** 2).mean()) / test.target_variance(len(test))
