"""What the screen knows of one experiment, and how rows of the store change it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from tuilab.runner.plan import planned_steps
from tuilab.spec.comparison import LETTERS
from tuilab.store.curves import Curves
from tuilab.store.records import ExperimentRecord, Phase, Point, RunRecord, Status
from tuilab.store.reduction import CurveKey, stretches

_RUN_OF, _STEP_OF = attrgetter("run"), attrgetter("step")
_WINDOW = 10.0
"""Seconds over which the rate of steps is taken."""


@dataclass(frozen=True, slots=True)
class CandidateLive:
    """How far one candidate is.

    Attributes:
        index: in the comparison.
        letter, name: the candidate's.
        phase: TUNING until its final runs are known.
        status: QUEUED until a run trains; FINISHED once all final runs have ended; that of the experiment where that
            ended before.
        lr: of the final runs; while tuning the one whose curve is shown; None before.
        curves: of the final runs once they have points, else of the best learning rate so far.
        curves_phase: which runs the curves are of.
        steps_done, steps_planned: optimiser steps over all its runs, those to come included.
        run_steps: optimiser steps of one run.
        seeds_done, seeds_planned: final runs.
        failures: final runs that diverged.
        steps_per_second: over its runs; None while unknown.

    """

    index: int
    letter: str
    name: str
    phase: Phase
    status: Status
    lr: float | None
    curves: Curves
    curves_phase: Phase
    steps_done: int
    steps_planned: int
    run_steps: int
    seeds_done: int
    seeds_planned: int
    failures: int
    steps_per_second: float | None

    @property
    def progress(self) -> float:
        """Part of the steps that is done, 0 to 1."""
        return min(1.0, self.steps_done / self.steps_planned) if self.steps_planned else 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Steps done by each candidate at some time (seconds since the epoch)."""

    time: float
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LiveState:
    """One experiment as the screen shows it.

    Attributes:
        experiment: as of the last rows.
        runs: all of them.
        candidates: in the comparison's order.
        last_rowid: of the points taken in; ask the store for those after it.
        steps_per_second: over all candidates; None while unknown.
        seconds: wall time since the start; 0 before.
        seconds_left: None where unknown or ended.

    """

    experiment: ExperimentRecord
    runs: tuple[RunRecord, ...] = ()
    candidates: tuple[CandidateLive, ...] = ()
    last_rowid: int = 0
    steps_per_second: float | None = None
    seconds: float = 0.0
    seconds_left: float | None = None
    curves: Mapping[CurveKey, Curves] = field(default_factory=dict)
    """Every curve there is; candidates point at the ones to show."""
    run_steps: Mapping[int, int] = field(default_factory=dict)
    """Last step that each run reported."""
    waiting: tuple[Point, ...] = ()
    """Points of runs that were not among the rows yet."""
    samples: tuple[Sample, ...] = ()

    @property
    def steps_done(self) -> int:
        """Optimiser steps of all runs so far."""
        return sum(candidate.steps_done for candidate in self.candidates)

    @property
    def steps_planned(self) -> int:
        """Optimiser steps of all runs, those to come included."""
        return sum(candidate.steps_planned for candidate in self.candidates)

    @property
    def progress(self) -> float:
        """Part of the steps that is done, 0 to 1."""
        return min(1.0, self.steps_done / self.steps_planned) if self.steps_planned else 1.0


def empty(experiment: ExperimentRecord) -> LiveState:
    """An experiment of which nothing is known but its record."""
    return reduce(LiveState(experiment), experiment, (), (), now=experiment.created)


def restored(state: LiveState, last_rowid: int, curves: Mapping[CurveKey, Curves]) -> LiveState:
    """A state that has taken no points in yet, with the store's reduced copy of those up to ``last_rowid``."""
    return replace(state, last_rowid=last_rowid, curves=_wanted(curves))


def reduce(
    state: LiveState,
    experiment: ExperimentRecord,
    runs: Sequence[RunRecord],
    points: Sequence[Point],
    *,
    now: float | None = None,
) -> LiveState:
    """The state after some more rows of the store; the old state stays as it is.

    Args:
        state: before; one of another experiment is forgotten.
        experiment: its record as it is now.
        runs: all its runs as they are now; read them after the points.
        points: those after ``state.last_rowid``, in order of rowid.
        now: seconds since the epoch.

    """
    if state.experiment.id != experiment.id:
        state = LiveState(experiment)
    now = time.time() if now is None else now
    keys: dict[int, CurveKey] = {run.id: (run.candidate, None if run.phase is Phase.FINAL else run.lr) for run in runs}
    fresh = [*state.waiting, *points] if state.waiting else points
    curves, waiting = _extend(state.curves, keys, fresh)
    new_steps = dict(zip(map(_RUN_OF, points), map(_STEP_OF, points), strict=True))
    run_steps = {**state.run_steps, **new_steps} if points else state.run_steps
    own: list[list[RunRecord]] = [[] for _ in experiment.comparison.candidates]
    for run in runs:
        own[run.candidate].append(run)
    done = tuple(sum(max(run.step, run_steps.get(run.id, 0)) for run in one) for one in own)
    samples = _sampled(state.samples, Sample(_moment(experiment, now), done), experiment)
    candidates = tuple(
        _candidate(experiment, index, own[index], curves, done[index], _rate(samples, index))
        for index in range(len(own))
    )
    rate = _rate(samples, None)
    left = sum(max(0, one.steps_planned - one.steps_done) for one in candidates)
    return LiveState(
        experiment,
        tuple(runs),
        candidates,
        max([state.last_rowid, *(point.rowid for point in points[-1:])]),
        steps_per_second=rate,
        seconds=_moment(experiment, now) - experiment.started if experiment.started else 0.0,
        seconds_left=left / rate if rate and experiment.status is Status.RUNNING else None,
        curves=curves,
        run_steps=run_steps,
        waiting=waiting,
        samples=samples,
    )


def _extend(
    curves: Mapping[CurveKey, Curves], keys: Mapping[int, CurveKey], points: Sequence[Point]
) -> tuple[Mapping[CurveKey, Curves], tuple[Point, ...]]:
    """The curves with more points, and the points whose run is unknown."""
    if not points:
        return curves, ()
    sorted_points: dict[CurveKey, list[Point]] = {key: [] for key in keys.values()}
    unknown: list[Point] = []
    for key, start, end in stretches(map(keys.get, map(_RUN_OF, points))):
        (unknown if key is None else sorted_points[key]).extend(points[start:end])
    extended = {key: curves.get(key, Curves.empty()).extended(own) for key, own in sorted_points.items() if own}
    return _wanted({**curves, **extended}), tuple(unknown)


def _wanted(curves: Mapping[CurveKey, Curves]) -> Mapping[CurveKey, Curves]:
    """Without those of tuning runs whose candidate has final runs: they are not shown any more, and take memory."""
    return {key: one for key, one in curves.items() if key[1] is None or (key[0], None) not in curves}


def _moment(experiment: ExperimentRecord, now: float) -> float:
    """Now, or when the experiment ended; never before its start."""
    moment = now if experiment.ended is None else experiment.ended
    return max(moment, experiment.started or 0.0)


def _sampled(samples: tuple[Sample, ...], sample: Sample, experiment: ExperimentRecord) -> tuple[Sample, ...]:
    """The samples of the last seconds; an experiment that has ended, or is new to us, counts from its start."""
    if experiment.started is None:
        return ()
    start = Sample(experiment.started, (0,) * len(sample.steps))
    if experiment.status.ended or not samples:
        return (start, sample)
    kept = [old for old in samples if sample.time - old.time <= _WINDOW]
    before = samples[: len(samples) - len(kept)][-1:]
    return (*before, *kept, sample)


def _rate(samples: tuple[Sample, ...], index: int | None) -> float | None:
    """Steps a second of one candidate, or of all."""
    if len(samples) < 2:
        return None
    first, last = samples[0], samples[-1]
    steps = [b - a for a, b in zip(first.steps, last.steps, strict=True)]
    taken = sum(steps) if index is None else steps[index]
    return taken / (last.time - first.time) if taken > 0 and last.time > first.time else None


def _candidate(
    experiment: ExperimentRecord,
    index: int,
    runs: Sequence[RunRecord],
    curves: Mapping[CurveKey, Curves],
    steps_done: int,
    rate: float | None,
) -> CandidateLive:
    comparison = experiment.comparison
    candidate = comparison.candidates[index]
    training = comparison.training_of(candidate)
    finals = [run for run in runs if run.phase is Phase.FINAL]
    best = _best_tuning(curves, index)
    shown = curves.get((index, None))
    result = experiment.result.candidates[index] if experiment.result else None
    return CandidateLive(
        index=index,
        letter=LETTERS[index],
        name=candidate.name,
        phase=Phase.FINAL if finals or training.lr is not None or not training.needs_lr else Phase.TUNING,
        status=_status(experiment, runs, finals),
        lr=finals[0].lr if finals else training.lr if training.lr is not None else best,
        curves=shown or curves.get((index, best)) or Curves.empty(),
        curves_phase=Phase.TUNING if shown is None and best is not None else Phase.FINAL,
        steps_done=steps_done,
        steps_planned=max(steps_done, planned_steps(training, comparison.protocol, runs)),
        run_steps=training.steps,
        seeds_done=sum(run.status is Status.FINISHED for run in finals),
        seeds_planned=len(finals) or comparison.protocol.final_seeds,
        failures=sum(run.status is Status.FAILED for run in finals),
        steps_per_second=(result.steps_per_second if result else None) or rate,
    )


def _status(experiment: ExperimentRecord, runs: Sequence[RunRecord], finals: Sequence[RunRecord]) -> Status:
    if finals and all(run.status.ended for run in finals):
        for status in (Status.STOPPED, Status.FINISHED):
            if any(run.status is status for run in finals):
                return status
        return Status.FAILED
    if experiment.status.ended or (experiment.status is Status.PAUSED and runs):
        return experiment.status
    return Status.RUNNING if any(run.status is Status.RUNNING for run in runs) else Status.QUEUED


def _best_tuning(curves: Mapping[CurveKey, Curves], index: int) -> float | None:
    """The learning rate whose tuning runs have the lowest eval loss at their last step."""
    last = {
        lr: curve.eval_loss.last_mean
        for (candidate, lr), curve in curves.items()
        if candidate == index and lr is not None
    }
    known = {lr: mean for lr, mean in last.items() if mean is not None}
    return min(known, key=lambda lr: (known[lr], lr)) if known else next(iter(last), None)
