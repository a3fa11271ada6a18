"""The runner's own copy of an experiment, and what of it the store does not know yet."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf, isnan
from operator import lt

from tuilab.spec.protocol import Points
from tuilab.store.batches import Columns
from tuilab.store.locks import LAST_WORD
from tuilab.store.reader import Reader
from tuilab.store.records import ExperimentRecord, NewRun, Progress, RunRecord, Status
from tuilab.store.schema import StoreError
from tuilab.store.writer import Writer

FLUSH_SECONDS = 0.1
"""Time between two transactions."""
HEARTBEAT_SECONDS = 5.0
"""Longest time between two signs of life."""
UNSAVED_SECONDS = 60.0
"""How long a store that cannot be written, say because it is damaged, is tried again before the experiment fails."""
_POINT_BYTES = 100
"""Of a point in memory, with its copy on the way to the store."""
UNSAVED_POINTS = 64 * 2**20 // _POINT_BYTES
"""Most points that are kept while the store cannot be written."""

_UNWRITTEN = "the last of it could not be written to the store; resume it to train that again"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class History:
    """What a store already knows of an experiment when a runner takes it on.

    Attributes:
        runs: in the order in which they were planned.
        last_steps: the last step with a point, by the run's id.
        progress: as it stands.
        added_seeds: final seeds that were added after others had been seen.

    """

    runs: tuple[RunRecord, ...] = ()
    last_steps: Mapping[int, int] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    added_seeds: int = 0


NO_HISTORY = History()


def history(reader: Reader, record: ExperimentRecord) -> History:
    """What the store knows of an experiment that is to go on; its device is chosen anew."""
    progress = Progress(
        started=record.started,
        planned_steps=record.planned_steps,
        done_steps=record.done_steps,
        result=record.result,
    )
    return History(tuple(reader.runs(record.id)), reader.last_steps(record.id), progress, record.added_seeds)


class Ledger:
    """Runs and progress of one experiment.

    Changes are kept until a transaction with them has been committed; while the store cannot be written they wait.

    Attributes:
        runs: by id.
        progress: as it stands.
        tell: leaves a note, in place of the last, for people who ask how the experiment is; needs no store.

    """

    def __init__(self, writer: Writer, experiment: str, past: History = NO_HISTORY) -> None:
        """The ledger of an experiment with this past; without one it has no runs yet."""
        self.runs = {run.id: run for run in past.runs}
        self.progress = past.progress
        self.tell: Callable[[str], None] = _keep_quiet
        self._writer = writer
        self._experiment = experiment
        self._points = Columns.empty()
        self._reported = dict(past.last_steps)
        self._changed: dict[int, None] = {}
        self._saved = self.progress
        self._flushed = self._alive = time.monotonic()
        self._failing: float | None = None
        self._hopeless = False

    def add(self, runs: Sequence[NewRun]) -> list[RunRecord] | None:
        """Remember planned runs with the ids that the store gives them; None when it cannot be written for now.

        Raises:
            StoreError: when it could not be written for too long.

        """
        try:
            records = self._writer.add_runs(self._experiment, runs)
        except StoreError as error:
            self._complain(error)
            return None
        self.runs.update((record.id, record) for record in records)
        return records

    def change(self, run: RunRecord) -> None:
        """Replace a run."""
        known = self.runs[run.id]
        if run != known:
            self.runs[run.id] = run
            self._changed[run.id] = None
            if run.step != known.step:
                self.update(replace(self.progress, done_steps=self.progress.done_steps + run.step - known.step))

    def update(self, progress: Progress) -> None:
        """Replace the progress."""
        self.progress = progress

    def report(self, points: Points) -> None:
        """Append points. Those that a run has reported already, before it was trained again, are left out."""
        columns = Columns.of_grid(points.runs, points.steps, points.train_loss, points.eval_loss, points.metric)
        if self._all_new(points):
            reached = dict.fromkeys(points.runs, points.steps[-1])
        else:
            columns = columns.only([self._is_new(*where) for where in zip(columns.runs, columns.steps, strict=True)])
            reached = dict(zip(columns.runs, columns.steps, strict=True))
        self._reported |= reached
        if isnan(sum(columns.train_loss)):
            columns = columns.only([not all(map(isnan, losses)) for losses in zip(*columns[2:], strict=True)])
        self._points.append(columns)
        self._advance(reached)

    def _advance(self, reached: Mapping[int, int]) -> None:
        """Note the steps that runs have reached, by their ids."""
        taken = 0
        for run, step in reached.items():
            known = self.runs[run]
            if not known.status.ended and step > known.step:
                self.runs[run] = replace(known, step=step)
                self._changed[run] = None
                taken += step - known.step
        if taken:
            self.update(replace(self.progress, done_steps=self.progress.done_steps + taken))

    def _all_new(self, points: Points) -> bool:
        """Whether no point need be looked at: each is of a known run, and a step later than all before."""
        runs = set(points.runs)
        if not (points.steps and len(runs) == len(points.runs) and runs <= self.runs.keys()):
            return False
        before = (max(self._reported.get(run, -1) for run in runs), *points.steps)
        return all(map(lt, before, points.steps))

    def _is_new(self, run: int, step: int) -> bool:
        """Whether the run is known and has not reported this step, nor a later one; notes that it has now."""
        if run not in self.runs or step <= self._reported.get(run, -1):
            return False
        self._reported[run] = step
        return True

    def flush(self, now: bool = False) -> bool:
        """Write what the store does not know, at most every ``FLUSH_SECONDS``; False while that is not possible.

        Raises:
            StoreError: when the store could not be written for too long, or too much waits for it.

        """
        clock = time.monotonic()
        if not now and clock - self._flushed < FLUSH_SECONDS:
            return self._failing is None
        self._flushed = clock
        news = bool(self._points.size or self._changed or self.progress != self._saved)
        if not news and clock - self._alive < HEARTBEAT_SECONDS:
            return self._failing is None
        progress = self.progress
        try:
            self._writer.write(self._experiment, self._points, [self.runs[run] for run in self._changed], progress)
        except StoreError as error:
            self._complain(error)
            return False
        self._points = Columns.empty()
        self._changed.clear()
        self._saved = progress
        self._alive = clock
        if self._failing is not None:
            log.info("the store can be written again")
            self._failing = None
            self.tell("")
        return True

    def close(self, seconds: float = inf, hopeless: Callable[[], bool] = lambda: False) -> None:
        """Write everything, in the end without the points that do not fit; else leave the message as a note.

        An experiment whose points are given up has not finished.

        Args:
            seconds: how long that is tried; a store that will not be writable by waiting is given up earlier.
            hopeless: whether to give up earlier.

        """
        deadline = time.monotonic() + seconds
        while not self._written():
            if time.monotonic() > deadline or hopeless() or self._hopeless:
                self._drop_points()
                if not self._written():
                    self.tell(f"{LAST_WORD}{self.progress.message or _UNWRITTEN}")
                return
            time.sleep(FLUSH_SECONDS)

    def _drop_points(self) -> None:
        """Give up the points that wait; their runs have not ended then, so that they can be trained again."""
        log.error("%d points are lost: the store cannot be written", self._points.size)
        for identity in set(self._points.runs):
            run = replace(self.runs[identity], status=Status.STOPPED, reason="its points could not be written")
            self.change(run)
        if self._points.size and self.progress.status is Status.FINISHED:
            self.update(replace(self.progress, status=Status.STOPPED, message=_UNWRITTEN))
        self._points = Columns.empty()

    def _written(self) -> bool:
        with suppress(StoreError):
            return self.flush(now=True)
        return False

    def _complain(self, error: StoreError) -> None:
        clock = time.monotonic()
        if self._failing is None:
            self._failing = clock
            log.warning("%s", error)
        self.tell(f"{error} ({self._points.size:,} points wait in memory)")
        if self._points.size > UNSAVED_POINTS:
            raise StoreError(f"{error} ({self._points.size:,} points waited in memory, more than it is for)")
        if clock - self._failing > UNSAVED_SECONDS and not error.passing:
            self._hopeless = True
            raise error


def _keep_quiet(_note: str) -> None:
    """Leave no note."""
