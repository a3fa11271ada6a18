"""The reduced copy of an experiment's points: its curves, so that opening it need not read every point."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TypeAlias

from tuilab.store.batches import POINT_BITS, Columns, batches, first_free
from tuilab.store.curves import Curves
from tuilab.store.records import Phase

REDUCE_POINTS = 16_384
"""Points beyond the copy from which it is brought up to date; for a long experiment a sixteenth of those in it."""

MANY_POINTS = 4096
"""Points from which NumPy takes them in; for fewer it is not worth its import."""

CurveKey: TypeAlias = tuple[int, float | None]
"""A candidate's index, and the learning rate of its tuning runs; None for its final runs."""


def stretches(keys: Iterable[CurveKey | None]) -> Iterator[tuple[CurveKey | None, int, int]]:
    """Points of one kind that lie side by side, as those of runs that train together do: kind, first, one past last."""
    start = 0
    for key, alike in groupby(keys):
        end = start + len(list(alike))
        yield key, start, end
        start = end


def bring_up_to_date(connection: sqlite3.Connection, number: int, *, at_once: bool = False) -> None:
    """Take the experiment's new points into its reduced copy, when there are enough of them or ``at_once``."""
    query = "SELECT reduced FROM experiments WHERE number = ?"
    reduced: int = connection.execute(query, (number,)).fetchone()[0]
    fresh = first_free(connection, number) - (number << POINT_BITS) - 1 - reduced
    if fresh > 0 and (at_once or fresh >= max(REDUCE_POINTS, reduced // 16)):
        _take_in(connection, number, reduced)
        connection.execute("UPDATE experiments SET reduced = ? WHERE number = ?", (reduced + fresh, number))


def _take_in(connection: sqlite3.Connection, number: int, reduced: int) -> None:
    """Bring the curves of those runs up to date that have points beyond position ``reduced``."""
    kinds = _Kinds(connection, number)
    rows: dict[CurveKey, Columns] = {}
    for _, columns in batches(connection, number, reduced):
        for kind, start, end in stretches(map(kinds.__getitem__, columns.runs)):
            if kind is not None:
                rows.setdefault(kind, Columns.empty()).append(columns.between(start, end))
    known, many = read_curves(connection, number), sum(new.size for new in rows.values()) >= MANY_POINTS
    for key, new in rows.items():
        curves = known.get(key) or Curves.empty()
        if many:
            from tuilab.analysis.bulk import extend

            extend((curves.train_loss, curves.eval_loss, curves.metric), new.steps, new[2:])
        else:
            curves.extend(new.steps, new.train_loss, new.eval_loss, new.metric)
        where = (number, *key)
        connection.execute("DELETE FROM curves WHERE experiment = ? AND candidate = ? AND lr IS ?", where)
        connection.execute("INSERT INTO curves VALUES (?, ?, ?, ?)", (*where, curves.to_bytes()))


class _Kinds(dict[int, CurveKey | None]):
    """The curves that each run of an experiment belongs to, by its id; None for a run that it has not."""

    def __init__(self, connection: sqlite3.Connection, number: int) -> None:
        super().__init__()
        self._connection, self._number = connection, number
        self._kinds: dict[CurveKey, CurveKey] = {}

    def __missing__(self, run: int) -> CurveKey | None:
        """Look the run up: a long experiment has many whose points are all in the copy already."""
        query = "SELECT candidate, phase, lr FROM runs WHERE id = ? AND experiment = ?"
        row = self._connection.execute(query, (run, self._number)).fetchone()
        kind = None
        if row is not None:
            candidate, phase, lr = row
            kind = candidate, None if phase == Phase.FINAL.value else lr
            # One and the same tuple for all its runs, which are then compared in no time.
            kind = self._kinds.setdefault(kind, kind)
        self[run] = kind
        return kind


def read_curves(connection: sqlite3.Connection, number: int) -> Mapping[CurveKey, Curves]:
    """The reduced copy.

    Raises:
        ValueError: when what the store holds are no curves.

    """
    rows = connection.execute(
        "SELECT candidate, lr, data FROM curves WHERE experiment = ? AND typeof(candidate) = 'integer'"
        " AND typeof(lr) IN ('null', 'real')",
        (number,),
    )
    return {(candidate, lr): Curves.from_bytes(data) for candidate, lr, data in rows}


def reduce_all(connection: sqlite3.Connection) -> None:
    """Make the reduced copy of every experiment."""
    for (number,) in connection.execute("SELECT number FROM experiments").fetchall():
        bring_up_to_date(connection, number, at_once=True)
