"""What the store remembers, as frozen values."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from tuilab.analysis.caveats import ByHand
from tuilab.analysis.result import Result
from tuilab.spec.comparison import Comparison
from tuilab.spec.probes import Probes
from tuilab.spec.protocol import Change


class Status(Enum):
    """States of experiments and runs."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"
    """The process vanished: the store says running, but no runner holds the experiment's lock."""

    @property
    def ended(self) -> bool:
        return self not in (Status.QUEUED, Status.RUNNING, Status.PAUSED)

    @property
    def resumable(self) -> bool:
        """Whether it can go on: it is held, or ended before its time."""
        return self in (Status.PAUSED, Status.FAILED, Status.STOPPED, Status.LOST)


class Command(Enum):
    """What a person asks of a running experiment, left in the store for its runner."""

    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    STOP_RUN = "stop run"
    """End one run; the others go on."""
    LR = "lr"
    """Train what trains now with another learning rate."""
    STEPS = "steps"
    """Let what trains now take more steps."""


DIVERGED = "diverged"
"""What the reason begins with of a run that failed by itself: trained again, it would fail again."""
STOPPED_BY_HAND = "stopped by hand"
"""What the reason begins with of a run that a person ended while its experiment went on."""


class Phase(Enum):
    """Why a run is trained."""

    TUNING = "tuning"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """One execution of a comparison.

    Attributes:
        id: short, unique, sorts by time of creation.
        comparison: exactly what is run.
        source: preset name or file that it came from; empty for a comparison built on the bench.
        status: as the store says, LOST where its runner is gone.
        message: one sentence on why it failed or stopped, or on what it waits for; empty otherwise.
        created, started, ended: seconds since the epoch; None where not yet. A lost experiment ended with its
            runner's last sign of life. One that goes on after its end has its start moved by the time between, so that
            ``ended - started`` is the time that it took.
        device: name of the device it trains on; empty until known.
        planned_steps: optimiser steps of all runs planned so far.
        done_steps: optimiser steps taken so far, over all runs.
        result: the runner's summary, see ``Result``; None until a first final run has ended.
        added_seeds: final seeds of the comparison that were added after others had been seen.

    """

    id: str
    comparison: Comparison
    source: str
    status: Status
    message: str
    created: float
    started: float | None
    ended: float | None
    device: str
    planned_steps: int
    done_steps: int
    result: Result | None
    added_seeds: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One candidate, one seed, one learning rate, one training. None where not yet known."""

    id: int
    candidate: int
    """Index into the comparison's candidates."""
    phase: Phase
    seed_index: int
    lr: float
    status: Status
    step: int
    reason: str
    train_loss: float | None
    train_metric: float | None
    val_loss: float | None
    val_metric: float | None
    test_loss: float | None
    test_metric: float | None
    dead_fraction: float | None
    seconds: float | None
    """The run's share of its group's wall time."""
    probes: Probes | None = None
    """Of a final run whose protocol asks for them."""
    changes: tuple[Change, ...] = ()
    """What a person changed while it trained, in order: the marks on its curve."""

    @property
    def stopped_by_hand(self) -> bool:
        """Whether a person ended it while its experiment went on."""
        return self.status is Status.STOPPED and self.reason.startswith(STOPPED_BY_HAND)

    @property
    def as_planned(self) -> bool:
        """Whether nobody has interfered with it. Only such runs are evidence."""
        return not (self.changes or self.stopped_by_hand)


class Point(NamedTuple):
    """Losses of one run at one step."""

    rowid: int
    run: int
    step: int
    train_loss: float | None
    eval_loss: float | None
    metric: float | None


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be remembered, before the store has given it an id."""

    candidate: int
    phase: Phase
    seed_index: int
    lr: float


class NewPoint(NamedTuple):
    """A point to be remembered, before the store has given it a rowid."""

    run: int
    step: int
    train_loss: float | None
    eval_loss: float | None
    metric: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The part of an experiment that its runner changes; the fields are those of ``ExperimentRecord``."""

    status: Status = Status.QUEUED
    message: str = ""
    started: float | None = None
    ended: float | None = None
    device: str = ""
    planned_steps: int = 0
    done_steps: int = 0
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What a command is about.

    Attributes:
        run: the run to stop, or to change; None for all that train.
        candidate: index of the one whose runs are changed; None for all.
        value: the learning rate, or the number of steps in all.

    """

    run: int | None = None
    candidate: int | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command that waits for the runner's acknowledgement."""

    id: int
    command: Command
    order: Order = Order()


def by_hand(runs: Iterable[RunRecord]) -> tuple[ByHand, ...]:
    """What was done by hand to runs that are not as they were planned, in their order."""
    return tuple(
        ByHand(run.candidate, run.seed_index, run.phase is Phase.FINAL, run.step, run.changes, run.stopped_by_hand)
        for run in runs
        if not run.as_planned
    )
