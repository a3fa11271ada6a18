"""What the store remembers, as frozen values."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tuilab.spec.comparison import Comparison


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
        base: folder that relative CSV paths start at.
        status: as the store says, LOST where its runner is gone.
        message: one sentence on why it failed or stopped; empty otherwise.
        created, started, ended: seconds since the epoch; None where not yet.
        device: name of the device it trains on; empty until known.
        planned_steps: optimiser steps of all runs planned so far.
        done_steps: optimiser steps taken so far, over all runs.
        seconds: wall time between start and end (or now).
        result: the runner's summary, see ``Result``; None until a first final run has ended.

    """

    id: str
    comparison: Comparison
    source: str
    base: Path
    status: Status
    message: str
    created: float
    started: float | None
    ended: float | None
    device: str
    planned_steps: int
    done_steps: int
    result: "Result | None"


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


@dataclass(frozen=True, slots=True)
class Point:
    """Losses of one run at one step."""

    rowid: int
    run: int
    step: int
    train_loss: float | None
    eval_loss: float | None
    metric: float | None


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """What the final runs of one candidate say.

    Attributes:
        name, notation: the candidate's.
        num_params, macs: per network, and per sample.
        lr: the learning rate of its final runs; None until tuned.
        values: test metric of each finished final run, by seed index.
        mean, half_width: of the values, with the 95 % t interval; None without values (half_width: with one).
        failures: final runs that diverged.
        steps_per_second: optimiser steps, over all replicas of its groups; None until a group has ended.

    """

    name: str
    notation: str
    num_params: int
    macs: int
    lr: float | None
    values: tuple[float, ...]
    mean: float | None
    half_width: float | None
    failures: int
    steps_per_second: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """What an experiment says so far.

    Attributes:
        metric: name of the metric, ``error`` or ``nmse``; lower is better.
        candidates: in the comparison's order.
        verdict: one sentence; says so when it is interim.
        comparisons: one sentence for each further pair, most interesting first.
        complete: whether every planned final run has ended.

    """

    metric: str
    candidates: tuple[CandidateResult, ...]
    verdict: str
    comparisons: tuple[str, ...] = ()
    complete: bool = False
