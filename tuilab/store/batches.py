"""Points as the store keeps them: one row for all points of a transaction, column after column.

A row for every point would take several times as long to write and to read.
"""

import sqlite3
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress
from math import isfinite, nan
from typing import NamedTuple, TypeVar

from tuilab.store.records import NewPoint, Point

POINT_BITS = 40
"""A batch's key is (experiment number << POINT_BITS) + the position of its first point: the points of an experiment lie
side by side in the order in which they came, without an index of their own."""
_BYTES = 8
"""Of every value."""
_Column = TypeVar("_Column", "array[int]", "array[float]")


class Columns(NamedTuple):
    """Some points, column by column; a loss that is not known is NaN."""

    runs: "array[int]"
    steps: "array[int]"
    train_loss: "array[float]"
    eval_loss: "array[float]"
    metric: "array[float]"

    @classmethod
    def empty(cls) -> "Columns":
        """No points."""
        return cls(array("q"), array("q"), array("d"), array("d"), array("d"))

    @classmethod
    def of(cls, points: Iterable[NewPoint]) -> "Columns":
        """The points, column by column."""
        runs, steps, *losses = tuple(zip(*points, strict=True)) or ((),) * len(cls._fields)
        return cls(array("q", runs), array("q", steps), *map(_floats, losses))

    @classmethod
    def of_grid(cls, runs: Sequence[int], steps: Sequence[int], *losses: Iterable[Sequence[float | None]]) -> "Columns":
        """What some runs report at some steps, step after step.

        Args:
            runs: (runs,).
            steps: (steps,).
            losses: train loss, eval loss and metric, each (steps, runs); None where not known.

        """
        width, one_run = len(runs), array("q", steps)
        every = array("q", bytes(_BYTES * len(steps) * width))
        for place in range(width):
            every[place::width] = one_run
        return cls(array("q", runs) * len(steps), every, *(_floats(list(chain.from_iterable(rows))) for rows in losses))

    @property
    def size(self) -> int:
        """Number of points."""
        return len(self.runs)

    def append(self, other: "Columns") -> None:
        """Take in the points of another behind one's own."""
        self.runs.extend(other.runs)
        self.steps.extend(other.steps)
        self.train_loss.extend(other.train_loss)
        self.eval_loss.extend(other.eval_loss)
        self.metric.extend(other.metric)

    def between(self, start: int, end: int) -> "Columns":
        """The points at the places from ``start`` to before ``end``."""
        runs, steps, *losses = self
        return Columns(runs[start:end], steps[start:end], *(column[start:end] for column in losses))

    def only(self, wanted: Sequence[bool]) -> "Columns":
        """The points that are wanted, (points,)."""
        runs, steps, *losses = self
        chosen = (array("d", compress(column, wanted)) for column in losses)
        return Columns(array("q", compress(runs, wanted)), array("q", compress(steps, wanted)), *chosen)


def pack(columns: Columns) -> bytes:
    """The points as ``unpack`` reads them."""
    runs, steps, *losses = columns
    ints = _little(runs[:]).tobytes() + _little(steps[:]).tobytes()
    return ints + b"".join(_little(column[:]).tobytes() for column in losses)


def _floats(values: Sequence[float | None]) -> "array[float]":
    try:
        return array("d", values)  # type: ignore[arg-type]
    except TypeError:
        return array("d", [nan if value is None else value for value in values])


def _little(column: _Column) -> _Column:
    """The column with its least significant bytes first, as a store has them on every machine."""
    if sys.byteorder == "big":
        column.byteswap()
    return column


def unpack(data: bytes, count: int) -> Columns:
    """The points that ``pack`` wrote.

    Raises:
        ValueError: when it did not write these bytes.

    """
    size = _BYTES * count
    if count < 1 or len(data) != size * len(Columns._fields):
        raise ValueError(f"{len(data)} bytes are not {count} points")
    ints, floats = data[: 2 * size], data[2 * size :]
    runs, steps = (_filled(array("q"), ints[start : start + size]) for start in (0, size))
    if min(steps) < 0:
        raise ValueError(f"there is no step {min(steps)}")
    return Columns(
        runs, steps, *(_filled(array("d"), floats[start : start + size]) for start in range(0, 3 * size, size))
    )


def _filled(column: _Column, data: bytes) -> _Column:
    column.frombytes(data)
    return _little(column)


def insert(connection: sqlite3.Connection, key: int, points: Columns) -> None:
    """Append points; ``key`` is that of the first."""
    connection.execute("INSERT INTO batches (id, count, data) VALUES (?, ?, ?)", (key, points.size, pack(points)))


def first_free(connection: sqlite3.Connection, number: int) -> int:
    """The key that the experiment's next point has."""
    base = number << POINT_BITS
    row = connection.execute(
        "SELECT id + count FROM batches WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1",
        (base, base + (1 << POINT_BITS)),
    ).fetchone()
    key: int = base + 1 if row is None else row[0]
    return key


def batches(connection: sqlite3.Connection, number: int, after: int) -> Iterator[tuple[int, Columns]]:
    """The experiment's points beyond position ``after``, in their order: the position of the first, and the columns.

    Raises:
        ValueError: when what the store holds are no points.

    """
    base = number << POINT_BITS
    rows = connection.execute(
        "SELECT id, count, data FROM batches WHERE id < ? AND id >= coalesce("
        "(SELECT max(id) FROM batches WHERE id > ? AND id <= ?), ?) ORDER BY id",
        (base + (1 << POINT_BITS), base, base + after + 1, base + 1),
    )
    for key, count, data in rows:
        columns, first = unpack(data, count), key - base
        skip = max(0, after + 1 - first)
        if skip < count:
            yield first + skip, columns.between(skip, count) if skip else columns


def points_of(first: int, columns: Columns) -> Iterator[Point]:
    """The points one by one; ``first`` is the position of the first."""
    losses = map(_with_none, columns[2:])
    positions = range(first, first + len(columns.runs))
    return map(Point._make, zip(positions, columns.runs, columns.steps, *losses, strict=True))


def _with_none(column: "array[float]") -> Sequence[float | None]:
    """The column with None for what is not finite; a finite sum says that all is."""
    return column if isfinite(sum(column)) else [value if isfinite(value) else None for value in column]


def pack_rows(connection: sqlite3.Connection) -> None:
    """Bring the points of a store that has a row for each into batches."""
    rows = connection.execute("SELECT id, run, step, train_loss, eval_loss, metric FROM points ORDER BY id")
    while found := rows.fetchmany(10_000):
        start = 0
        for end in range(1, len(found) + 1):
            if end == len(found) or found[end][0] != found[end - 1][0] + 1:
                insert(connection, found[start][0], Columns.of(NewPoint(*row[1:]) for row in found[start:end]))
                start = end
