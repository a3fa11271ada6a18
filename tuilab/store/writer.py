"""Writing the store: experiments are created and removed by anybody, and filled by their one runner."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.seeds import more_seeds
from tuilab.store.batches import POINT_BITS, Columns, first_free, insert
from tuilab.store.home import checkpoint_folder, experiment_lock, log_files, make_home, store_file
from tuilab.store.ids import new_id
from tuilab.store.locks import FileLock
from tuilab.store.records import (
    DIVERGED,
    STOPPED_BY_HAND,
    Command,
    NewPoint,
    NewRun,
    Order,
    Progress,
    RunRecord,
    SentCommand,
    Status,
)
from tuilab.store.reduction import bring_up_to_date
from tuilab.store.rows import (
    ADD_SEEDS,
    REOPEN_EXPERIMENT,
    REOPEN_RUNS,
    UPDATE_PROGRESS,
    UPDATE_RESULT,
    UPDATE_RUN,
    comparison_from_text,
    comparison_to_text,
    progress_values,
    result_to_text,
    run_values,
)
from tuilab.store.schema import create, readable, told

if TYPE_CHECKING:
    from tuilab.analysis.result import Result

NOTHING_MORE = Order()


class Writer:
    """A connection that writes. Makes the lab's folder and brings the store's schema up to date when opened.

    Every method is one transaction: after an error nothing of it has been written.
    """

    def __init__(self, home: Path) -> None:
        """Open the store of the lab in ``home``.

        Raises:
            LabError: when the folder cannot be made, or the store cannot be used.

        """
        make_home(home)
        self.home = home
        self.path = store_file(home)
        self._connection = create(self.path)
        self._result: tuple[str, Result | None] = ("", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def create_experiment(
        self, comparison: Comparison, source: str = "", device: str = "auto", *, launch: bool = False
    ) -> str:
        """Remember an experiment that is to be run, and return its id.

        Args:
            comparison: exactly what is run.
            source: preset name or file that it came from.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            launch: whether a runner is about to be started for it, and missed when it does not come.

        """
        text, now = comparison_to_text(comparison), time.time()
        with self._transaction() as connection:
            newest = connection.execute("SELECT max(id) FROM experiments WHERE typeof(id) = 'text'").fetchone()[0]
            identity = new_id(newest)
            connection.execute(
                "INSERT INTO experiments (id, comparison, source, wanted_device, status, created, launched)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (identity, text, source, device, Status.QUEUED.value, now, now if launch else None),
            )
        return identity

    def launched(self, experiment: str) -> None:
        """Note that a runner has been started for the experiment, so that it is missed when it does not come."""
        with self._transaction() as connection:
            connection.execute("UPDATE experiments SET launched = ? WHERE id = ?", (time.time(), experiment))

    def claim(self, experiment: str) -> bool:
        """Note that a runner holds the experiment's lock and begins; False where it may not be run (again)."""
        with self._transaction() as connection:
            now = time.time()
            changed = connection.execute(
                "UPDATE experiments SET claimed = ?, heartbeat = ? WHERE id = ? AND claimed IS NULL AND status = ?",
                (now, now, experiment, Status.QUEUED.value),
            )
        return changed.rowcount == 1

    def cancel(self, experiment: str, message: str) -> bool:
        """Mark an experiment that no runner has claimed as stopped; False where one has."""
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE experiments SET status = ?, message = ?, ended = ? WHERE id = ? AND claimed IS NULL"
                " AND status = ?",
                (Status.STOPPED.value, message, time.time(), experiment, Status.QUEUED.value),
            )
        return changed.rowcount == 1

    def fail(self, experiment: str, message: str) -> None:
        """Mark an experiment as failed before anything of it went on; what it has found stays as it is."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE experiments SET status = ?, message = ?, ended = ? WHERE id = ?",
                (Status.FAILED.value, message, time.time(), experiment),
            )

    def reopen(self, experiment: str) -> bool:
        """Queue an experiment again that was lost, stopped or failed, with its runs that were not trained to an end.

        Commands that nobody obeyed are dropped. False, and nothing is changed, where it has finished or has a runner.

        Raises:
            LabError: when there is no such experiment.

        """
        return self._requeue_unattended(experiment, REOPEN_EXPERIMENT)

    def add_seeds(self, experiment: str, seeds: int) -> bool:
        """Queue an experiment again that has ended, as ``reopen`` does, with so many more final seeds.

        Seeds that are added once a final run has ended are counted: they were added after others had been seen.
        False, and nothing is changed, where it waits for a runner or has one.

        Raises:
            LabError: when there is no such experiment, or it may not have so many seeds.

        """
        return self._requeue_unattended(experiment, ADD_SEEDS, seeds)

    def _requeue_unattended(self, experiment: str, statement: str, seeds: int = 0) -> bool:
        """Queue the experiment again while runners are kept away from it; False where one is there already."""
        lock = FileLock(experiment_lock(self.home, experiment))
        try:
            requeued = lock.acquire() and self._requeue(experiment, statement, seeds)
            if requeued:
                # Not before: it may say why the experiment failed, where nothing else does.
                lock.note("")
            return requeued
        finally:
            lock.release()

    def _requeue(self, experiment: str, statement: str, seeds: int = 0) -> bool:
        now = time.time()
        with self._transaction() as connection:
            number = self._number(experiment)
            values: dict[str, float | str] = {"number": number, "now": now}
            if seeds:
                row = connection.execute("SELECT comparison FROM experiments WHERE number = ?", (number,)).fetchone()
                with readable(self.path):
                    after = more_seeds(comparison_from_text(row[0]), seeds)
                values |= {"seeds": seeds, "comparison": comparison_to_text(after)}
            requeued = connection.execute(statement, values).rowcount == 1
            if requeued:
                own_ends = {"diverged": f"{DIVERGED}%", "by_hand": f"{STOPPED_BY_HAND}%"}
                connection.execute(REOPEN_RUNS, {"number": number, **own_ends})
                connection.execute(
                    "UPDATE commands SET acknowledged = ? WHERE experiment = ? AND acknowledged IS NULL", (now, number)
                )
        return requeued

    def set_environment(self, experiment: str, environment: Mapping[str, str]) -> None:
        """Remember what the experiment ran on: versions, platform, devices."""
        text = json.dumps(dict(environment), ensure_ascii=False)
        with self._transaction() as connection:
            connection.execute("UPDATE experiments SET environment = ? WHERE id = ?", (text, experiment))

    def add_runs(self, experiment: str, runs: Sequence[NewRun]) -> list[RunRecord]:
        """Remember runs that are planned, with their new ids, in the order given."""
        records = []
        with self._transaction() as connection:
            number = self._number(experiment)
            for run in runs:
                inserted = connection.execute(
                    "INSERT INTO runs (experiment, candidate, phase, seed_index, lr, status) VALUES (?, ?, ?, ?, ?, ?)",
                    (number, run.candidate, run.phase.value, run.seed_index, run.lr, Status.QUEUED.value),
                )
                records.append(_fresh(inserted.lastrowid or 0, run))
        return records

    def write(
        self,
        experiment: str,
        points: Columns | Sequence[NewPoint] = (),
        runs: Sequence[RunRecord] = (),
        progress: Progress | None = None,
    ) -> None:
        """One batch: append points, replace runs and the experiment's progress; also a sign of life.

        Raises:
            LabError: when the store cannot be written; then nothing of the batch is in it.

        """
        columns = points if isinstance(points, Columns) else Columns.of(points)
        with self._transaction() as connection:
            number = self._number(experiment)
            if columns.size:
                insert(connection, first_free(connection, number), columns)
            connection.executemany(UPDATE_RUN, map(run_values, runs))
            connection.execute("UPDATE experiments SET heartbeat = ? WHERE number = ?", (time.time(), number))
            if progress is not None:
                connection.execute(UPDATE_PROGRESS, progress_values(progress, number))
                if (experiment, progress.result) != self._result:
                    connection.execute(UPDATE_RESULT, (result_to_text(progress.result), number))
            ended = progress is not None and progress.status.ended
            if columns.size or ended:
                with readable(self.path):
                    bring_up_to_date(connection, number, at_once=ended)
        if progress is not None:
            self._result = experiment, progress.result

    def send(self, experiment: str, command: Command, order: Order = NOTHING_MORE) -> int:
        """Leave a command for the experiment's runner, and return the command's id."""
        with self._transaction() as connection:
            inserted = connection.execute(
                "INSERT INTO commands (experiment, command, sent, run, candidate, value) VALUES (?, ?, ?, ?, ?, ?)",
                (self._number(experiment), command.value, time.time(), order.run, order.candidate, order.value),
            )
        return inserted.lastrowid or 0

    def waiting_commands(self, experiment: str) -> list[SentCommand]:
        """Commands not yet acknowledged, oldest first."""
        with told(self.path):
            rows = self._connection.execute(
                "SELECT c.id, c.command, c.run, c.candidate, c.value FROM commands c"
                " JOIN experiments e ON e.number = c.experiment"
                " WHERE e.id = ? AND c.acknowledged IS NULL ORDER BY c.id",
                (experiment,),
            ).fetchall()
        with readable(self.path):
            return [SentCommand(identity, Command(command), Order(*order)) for identity, command, *order in rows]

    def acknowledge(self, command: SentCommand) -> None:
        """Note that the runner obeys the command."""
        with self._transaction() as connection:
            connection.execute("UPDATE commands SET acknowledged = ? WHERE id = ?", (time.time(), command.id))

    def delete(self, experiment: str) -> None:
        """Forget an experiment with everything in it, its log and its checkpoints included.

        Raises:
            LabError: when it is running, or does not exist.

        """
        lock = FileLock(experiment_lock(self.home, experiment))
        if not lock.acquire():
            raise LabError(f"experiment {experiment} is running; stop it first (tuilab stop {experiment})")
        try:
            with self._transaction() as connection:
                number = self._number(experiment)
                base = number << POINT_BITS
                connection.execute("DELETE FROM batches WHERE id BETWEEN ? AND ?", (base, base + (1 << POINT_BITS) - 1))
                connection.execute("DELETE FROM experiments WHERE number = ?", (number,))
            for part in log_files(self.home, experiment):
                part.unlink(missing_ok=True)
            shutil.rmtree(checkpoint_folder(self.home, experiment), ignore_errors=True)
            lock.path.unlink(missing_ok=True)
        finally:
            lock.release()

    def _number(self, experiment: str) -> int:
        row = self._connection.execute("SELECT number FROM experiments WHERE id = ?", (experiment,)).fetchone()
        if row is None:
            raise LabError(f"there is no experiment {experiment}; tuilab ls lists them")
        number: int = row[0]
        return number

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        with told(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _fresh(identity: int, run: NewRun) -> RunRecord:
    return RunRecord(
        id=identity,
        candidate=run.candidate,
        phase=run.phase,
        seed_index=run.seed_index,
        lr=run.lr,
        status=Status.QUEUED,
        step=0,
        reason="",
        train_loss=None,
        train_metric=None,
        val_loss=None,
        val_metric=None,
        test_loss=None,
        test_metric=None,
        dead_fraction=None,
        seconds=None,
    )
