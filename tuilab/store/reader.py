"""Reading the store: any number of readers, none of which ever makes a writer wait."""

import json
import sqlite3
import threading
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, suppress
from itertools import islice
from json import JSONDecodeError
from pathlib import Path
from types import TracebackType
from typing import Self

from tuilab.analysis.result import Result
from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError, printable
from tuilab.store import schema
from tuilab.store.batches import Columns, batches, points_of
from tuilab.store.curves import Curves
from tuilab.store.home import experiment_lock, store_file
from tuilab.store.locks import LAST_WORD, is_held, read_note
from tuilab.store.records import Command, ExperimentRecord, Point, RunRecord, Status
from tuilab.store.reduction import CurveKey, read_curves
from tuilab.store.rows import (
    LOST_MESSAGE,
    SELECT_EXPERIMENTS,
    SELECT_RUNS,
    ExperimentRow,
    comparison_from_text,
    experiment_record,
    experiment_row,
    result_from_text,
    run_record,
)
from tuilab.store.schema import (
    MIGRATIONS,
    OtherVersionError,
    StoreDamagedError,
    StoreError,
    connect,
    create,
    readable,
    told,
    version_of,
)

LAUNCH_SECONDS = 8.0
"""How long a runner that was not born with its experiment's lock, a standby, may take until it holds it."""


_HURRIED_SECONDS = 0.02
"""For which a locked store is waited for at each further look: whoever looks again and again is not held up by it."""
_CACHE_KIB = 256
"""Of pages; every query reads what has just been written, and the system keeps that in memory anyway."""


class Reader:
    """A connection that only reads. A lab without a store reads as empty.

    May be used from several threads; they take turns.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = store_file(home)
        self._connection: sqlite3.Connection | None = None
        self._turn = threading.RLock()
        self._patience: float | None = None
        self._comparisons: dict[str, tuple[str, Comparison]] = {}
        self._results: dict[str, tuple[str, Result]] = {}
        self._runs: dict[tuple[object, ...], RunRecord] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a later call opens it again."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def experiments(self, unread: "list[StoreError] | None" = None) -> list[ExperimentRecord]:
        """Every experiment that can be read, newest first.

        Args:
            unread: takes up why others cannot: they are damaged, or only another version of tuilab knows them.

        """
        records = []
        with self._turn:
            for row in self._query(SELECT_EXPERIMENTS + " ORDER BY number DESC"):
                try:
                    records.append(self._record(self._checked(row)))
                except (StoreDamagedError, OtherVersionError) as error:
                    if unread is not None:
                        unread.append(error)
        return records

    def experiment(self, identity: str) -> ExperimentRecord | None:
        """The experiment with exactly this id; None where there is none.

        Raises:
            LabError: when only another version of tuilab knows its comparison.

        """
        with self._turn:
            row = self._row(identity)
            return None if row is None else self._record(row)

    def find(self, text: str) -> ExperimentRecord:
        """The experiment whose id begins with ``text``; ``last`` is the newest.

        Raises:
            LabError: when there is none, or more than one.

        """
        wanted = text.strip().lower()
        with self._turn:
            if wanted == "last":
                rows = self._query("SELECT id FROM experiments ORDER BY number DESC LIMIT 1")
            else:
                rows = self._query(
                    "SELECT id FROM experiments WHERE substr(id, 1, max(1, ?)) = ? ORDER BY id", (len(wanted), wanted)
                )
            identities = [row["id"] for row in rows]
            if not identities:
                if wanted == "last":
                    raise LabError("there is no experiment yet; tuilab run PRESET makes one")
                raise LabError(f"there is no experiment {text!r}; tuilab ls lists them")
            if len(identities) > 1 and wanted not in identities:
                raise LabError(
                    f"{len(identities)} experiments begin with {text!r} ({', '.join(identities[:4])} ...);"
                    " write more of the id"
                )
            record = self.experiment(wanted if wanted in identities else identities[0])
        if record is None:
            raise LabError(f"there is no experiment {text!r}; tuilab ls lists them")
        return record

    def runs(self, identity: str) -> list[RunRecord]:
        """Every run of the experiment, each of one of its candidates, in the order in which they were planned."""
        with self._turn:
            known = self._row(identity)
            if known is None:
                return []
            rows = self._query(SELECT_RUNS + " WHERE experiment = ? ORDER BY id", (known.number,))
            with readable(self.path):
                width = len(self._comparison(known).candidates)
                # Most rows are what they were a moment ago, and checking one takes longer than comparing it.
                values = [tuple(row) for row in rows]
                runs = [self._runs.get(row) or run_record(row) for row in values]
                if any(run.candidate >= width for run in runs):
                    raise ValueError(f"experiment {identity} has runs of a candidate that it has not")
                self._runs = dict(zip(values, runs, strict=True))
                return runs

    def points(self, identity: str, after: int = 0, limit: int = 50_000) -> list[Point]:
        """At most ``limit`` points of the experiment beyond rowid ``after``, in the order in which they came."""
        found: list[Point] = []
        with closing(self._batches(identity, after)) as pieces:
            for first, columns in pieces:
                found += islice(points_of(first, columns), limit - len(found))
                if len(found) == limit:
                    break
        return found

    def curves(self, identity: str) -> tuple[int, Mapping[CurveKey, Curves]]:
        """The reduced copy of the experiment's points: the rowid of the last of them, 0 for none, and the curves."""
        with self._turn, told(self.path), readable(self.path):
            connection = self._open()
            if connection is None:
                return 0, {}
            connection.execute("BEGIN")
            try:
                row = connection.execute("SELECT number, reduced FROM experiments WHERE id = ?", (identity,)).fetchone()
                return (0, {}) if row is None else (row["reduced"], read_curves(connection, row["number"]))
            finally:
                connection.execute("COMMIT")

    def last_steps(self, identity: str) -> dict[int, int]:
        """The last step of each run of the experiment that has a point, by the run's id."""
        last: dict[int, int] = {}
        for _, columns in self._batches(identity, 0):
            last |= zip(columns.runs, columns.steps, strict=True)
        return last

    def _batches(self, identity: str, after: int) -> Generator[tuple[int, Columns]]:
        with self._turn, told(self.path), readable(self.path):
            number, connection = self._number(identity), self._open()
            if connection is not None:
                yield from batches(connection, number, after)

    def environment(self, identity: str) -> dict[str, str]:
        """What the experiment ran on: versions, platform, devices; empty until it has begun."""
        with self._turn:
            rows = self._query("SELECT environment FROM experiments WHERE id = ?", (identity,))
        with readable(self.path):
            found: dict[str, str] = json.loads(rows[0]["environment"]) if rows else {}
            return {printable(name): printable(value) for name, value in found.items()}

    def wanted_device(self, identity: str) -> str:
        """The device that was asked for: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
        with self._turn:
            rows = self._query("SELECT wanted_device FROM experiments WHERE id = ?", (identity,))
        with readable(self.path):
            return printable(rows[0]["wanted_device"]) if rows else "auto"

    def acknowledged(self, command: int) -> bool:
        """Whether the runner has taken note of the command with this id."""
        with self._turn:
            return bool(self._query("SELECT 1 FROM commands WHERE id = ? AND acknowledged IS NOT NULL", (command,)))

    def check(self) -> None:
        """Read everything that there is, but what only another version of tuilab knows.

        Raises:
            StoreDamagedError: when something stands there that cannot be.
            StoreError: when the store cannot be read at all.

        """
        for (identity,) in self._query("SELECT id FROM experiments ORDER BY number"):
            with suppress(OtherVersionError):
                self.experiment(identity)
                # In this order, because more may come meanwhile: a run is in the store before its points are.
                reported = self.last_steps(identity)
                self.refuse_strays(identity, reported, self.runs(identity))
            self.curves(identity)
            self.environment(identity)
            self.wanted_device(identity)

    def refuse_strays(self, identity: str, reported: Iterable[int], runs: Iterable[RunRecord]) -> None:
        """Compare the ids of runs that have points with the runs that there are.

        Raises:
            StoreDamagedError: when a point belongs to no run.
            LabError: when that is because the experiment has been removed meanwhile.

        """
        strays = {*reported} - {run.id for run in runs}
        if strays and self.experiment(identity) is None:
            raise LabError(f"there is no experiment {identity} any more; tuilab ls lists them")
        if strays:
            raise StoreDamagedError(
                self.path, f"experiment {identity} has points of a run {min(strays)} that it has not"
            )

    def stopping(self, identity: str) -> bool:
        """Whether the experiment has been told to stop since its runner began."""
        with self._turn:
            statement = """SELECT 1 FROM commands c JOIN experiments e ON e.number = c.experiment
                WHERE e.id = ? AND c.command = ? AND c.sent >= e.claimed"""
            return bool(self._query(statement, (identity, Command.STOP.value)))

    def version(self) -> int:
        """A number that changes when another connection has written; cheap enough to ask ten times a second.

        A runner that dies writes nothing: ask for the experiment itself now and then.
        """
        with self._turn:
            rows = self._query("PRAGMA data_version")
        return rows[0][0] if rows else 0

    def _query(self, statement: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        try:
            connection = self._open()
            if connection is None:
                return []
            with told(self.path):
                rows = connection.execute(statement, values).fetchall()
        except StoreError as error:
            self._wait(_HURRIED_SECONDS if error.passing else None)
            raise
        self._wait(None)
        return rows

    def _wait(self, patience: float | None) -> None:
        """How long to wait for a locked store: not as long again once a whole wait was in vain."""
        if patience != self._patience:
            self._patience = patience
            if self._connection is not None:
                seconds = schema.BUSY_SECONDS if patience is None else patience
                self._connection.execute(f"PRAGMA busy_timeout={round(1000 * seconds)}")

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is not None:
            return self._connection
        if not self.path.exists():
            return None
        connection = connect(self.path, patience=self._patience)
        try:
            version = version_of(connection, self.path)
            if 0 < version < len(MIGRATIONS):
                create(self.path).close()
            with told(self.path):
                connection.execute("PRAGMA query_only=ON")
                connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        except BaseException:
            connection.close()
            raise
        if version == 0:
            connection.close()
            return None
        connection.row_factory = sqlite3.Row
        self._connection = connection
        return connection

    def _number(self, identity: str) -> int:
        """The experiment's number in the store; 0, which no experiment has, where there is none."""
        rows = self._query("SELECT number FROM experiments WHERE id = ?", (identity,))
        return rows[0]["number"] if rows else 0

    def _row(self, identity: str) -> ExperimentRow | None:
        rows = self._query(SELECT_EXPERIMENTS + " WHERE id = ?", (identity,))
        return self._checked(rows[0]) if rows else None

    def _checked(self, row: sqlite3.Row) -> ExperimentRow:
        with readable(self.path):
            return experiment_row(row)

    def _record(self, row: ExperimentRow) -> ExperimentRecord:
        vanished = self._vanished(row)
        while vanished and (now := self._row(row.id) or row) != row:
            # A runner writes its last word and then lets go of its lock: what was read before it did is out of date.
            row, vanished = now, self._vanished(now)
        try:
            status, message = self._state(row, vanished=vanished)
            return experiment_record(row, self._comparison(row), self._result(row), status, message)
        except JSONDecodeError as error:
            raise StoreDamagedError(self.path, error) from error
        except (ValueError, TypeError) as error:
            raise OtherVersionError(
                f"experiment {row.id} was written by a version of tuilab that this one does not understand;"
                " update tuilab"
            ) from error

    def _state(self, row: ExperimentRow, *, vanished: bool) -> tuple[Status, str]:
        """Status and message: as the store has them, as a note has them that a runner left, or those of a lost one."""
        if row.status.ended:
            return row.status, row.message
        note = read_note(experiment_lock(self.home, row.id))
        if not vanished:
            return row.status, note or row.message
        if note.startswith(LAST_WORD):
            return Status.FAILED, note.removeprefix(LAST_WORD)
        return Status.LOST, LOST_MESSAGE

    def _comparison(self, row: ExperimentRow) -> Comparison:
        text = row.comparison
        known = self._comparisons.get(row.id)
        if known is None or known[0] != text:
            known = self._comparisons[row.id] = (text, comparison_from_text(text))
        return known[1]

    def _result(self, row: ExperimentRow) -> Result | None:
        text = row.result
        if text is None:
            return None
        known = self._results.get(row.id)
        if known is None or known[0] != text:
            known = self._results[row.id] = (text, result_from_text(text))
        return known[1]

    def _vanished(self, row: ExperimentRow) -> bool:
        """Whether the experiment needs a runner and has none."""
        if row.status.ended:
            return False
        if row.claimed is None and (row.launched is None or abs(time.time() - row.launched) < LAUNCH_SECONDS):
            return False
        return not is_held(experiment_lock(self.home, row.id))
