"""The examples of a task for one seed: split, standardised on the training part only, as float32 arrays."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tuilab.engine.generated import FloatArray, Raw, Targets, draw
from tuilab.engine.random import generator
from tuilab.spec.errors import LabError
from tuilab.spec.table import read_table
from tuilab.spec.task import Bundled, Csv, Digits, Task, split_sizes

Table: TypeAlias = Digits | Bundled | Csv


@dataclass(frozen=True, slots=True)
class Part:
    """Examples as a network sees them.

    Attributes:
        inputs: (examples, *in_shape) float32, standardised.
        targets: (examples,) int64 class numbers, or (examples, num_targets) float32, standardised.

    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32] | NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.inputs)

    def target_variance(self, count: int) -> float:
        """Variance of the first ``count`` numeric targets (1 if it is 0): ``nmse`` is the squared error over it."""
        variance = float(self.targets[:count].astype(np.float64).var(axis=0).mean())
        return variance if variance > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the task's own numbers became standardised ones: (number - mean) / deviation, column by column."""

    mean_x: FloatArray
    std_x: FloatArray
    mean_y: FloatArray
    std_y: FloatArray


@dataclass(frozen=True, slots=True)
class Split:
    """The training, validation and test examples of one seed, and how they were standardised."""

    train: Part
    val: Part
    test: Part
    scaling: Scaling


def make_splits(task: Task, seed: int, seed_indices: Iterable[int]) -> dict[int, Split]:
    """The split of every seed index, each drawn or cut from generators of its own.

    Numeric targets are standardised too, so ``nmse`` (mean squared error over the variance of the part's target) is a
    ratio within standardised units, which equals the ratio in the task's own units.

    Raises:
        LabError: when a table cannot be used.

    """
    if isinstance(task, Digits | Bundled | Csv):
        table = _table(task)
        return {index: _cut(task, table, seed, index) for index in dict.fromkeys(seed_indices)}
    sizes = (task.num_train, task.num_val, task.num_test)
    parts = ("train", "val", "test")
    return {
        index: _standardise(
            *(
                draw(task, seed, size, generator(seed, index, f"data/{part}"))
                for part, size in zip(parts, sizes, strict=True)
            )
        )
        for index in dict.fromkeys(seed_indices)
    }


def preload() -> None:
    """Import what the bundled tables need, so that the first request does not wait for it."""
    bundled_table("digits")


@lru_cache(maxsize=8)
def bundled_table(name: str) -> Raw:
    """A table that scikit-learn brings along; the pixels of digits lie in [0, 1]."""
    from sklearn import datasets

    loaders = {
        "digits": datasets.load_digits,
        "wine": datasets.load_wine,
        "breast_cancer": datasets.load_breast_cancer,
        "iris": datasets.load_iris,
        "diabetes": datasets.load_diabetes,
    }
    x, y = loaders[name](return_X_y=True)
    inputs = np.asarray(x, dtype=np.float64) / (16.0 if name == "digits" else 1.0)
    if name == "diabetes":
        return Raw(inputs, np.asarray(y, dtype=np.float64)[:, None])
    return Raw(inputs, np.asarray(y, dtype=np.int64))


def _table(task: Table) -> Raw:
    if not isinstance(task, Csv):
        return bundled_table(task.kind)
    table = read_table(task.path, task.target, task.predict)
    targets = np.asarray(table.targets, dtype=np.float64)
    return Raw(
        np.asarray(table.inputs, dtype=np.float64).reshape(table.num_rows, table.num_inputs),
        targets[:, None] if table.classes is None else targets.astype(np.int64),
    )


def _cut(task: Table, table: Raw, seed: int, index: int) -> Split:
    num_train, num_val, num_test = split_sizes(task, len(table.inputs))
    order = generator(seed, index, "split").permutation(len(table.inputs))
    test, val, rest = np.split(order, [num_test, num_test + num_val])
    inputs = table.inputs
    if isinstance(task, Digits):
        inputs = _canvas(task, table.inputs, generator(seed, index, "shift"))
    targets = table.targets
    if isinstance(task, Digits) and task.reconstruct:
        targets = inputs.reshape(len(inputs), -1)
    parts = [Raw(inputs[rows], targets[rows]) for rows in (rest[:num_train], val, test)]
    if task.label_noise > 0:
        parts[0] = _mislabel(parts[0], targets, task.label_noise, generator(seed, index, "label noise"))
    return _standardise(*parts, pixels=isinstance(task, Digits))


def _canvas(task: Digits, inputs: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Digits as images, each at a random place of a canvas ``shift`` pixels larger; flat unless ``image``."""
    count, side = len(inputs), 8 + task.shift
    canvas = np.zeros((count, 1, side, side))
    corner = rng.integers(0, task.shift + 1, (count, 2))
    span = np.arange(8)
    rows, columns = corner[:, :1] + span, corner[:, 1:] + span
    canvas[np.arange(count)[:, None, None], 0, rows[:, :, None], columns[:, None, :]] = inputs.reshape(count, 8, 8)
    return canvas if task.image else canvas.reshape(count, side * side)


def _mislabel(part: Raw, all_labels: Targets, share: float, rng: np.random.Generator) -> Raw:
    """Replace a share of the labels by classes drawn at random (which may be the right ones)."""
    if all_labels.dtype != np.int64:
        raise LabError("task: label_noise is for classes; leave it at 0 for a target that is a number")
    noisy = part.targets.astype(np.int64)
    chosen = rng.permutation(len(noisy))[: round(share * len(noisy))]
    noisy[chosen] = rng.integers(0, int(all_labels.max()) + 1, len(chosen))
    return Raw(part.inputs, noisy)


def _standardise(train: Raw, val: Raw, test: Raw, *, pixels: bool = False) -> Split:
    """Shift and scale by the training part's mean and deviation, column by column.

    Pixels have one unit, so they share one mean and one deviation: a pixel that is lit in few training images would
    otherwise explode in the others.
    """
    along = None if pixels else 0
    mean_x, std_x = _moments(train.inputs, along)
    numeric = train.targets.dtype == np.float64
    mean_y, std_y = _moments(train.targets.astype(np.float64), along) if numeric else (np.zeros(()), np.ones(()))

    def part(raw: Raw) -> Part:
        targets: Targets = raw.targets
        inputs = ((raw.inputs - mean_x) / std_x).astype(np.float32)
        if numeric:
            return Part(inputs, ((targets - mean_y) / std_y).astype(np.float32))
        return Part(inputs, targets.astype(np.int64))

    return Split(part(train), part(val), part(test), Scaling(mean_x, std_x, mean_y, std_y))


def _moments(values: FloatArray, axis: int | None) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation; a column that is constant up to rounding has deviation 1."""
    mean, std = np.asarray(values.mean(axis=axis)), np.asarray(values.std(axis=axis))
    return mean, np.where(std > 1e-12 * np.maximum(1.0, np.abs(mean)), std, 1.0)
