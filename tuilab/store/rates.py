"""How fast this lab has trained before, for estimating what a comparison will take."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import log

from tuilab.analysis.counting import totals
from tuilab.analysis.efficiency import CandidateFacts, candidate_facts
from tuilab.analysis.plan_cost import PlanCost, batch_size, plan_cost, planned_tuning_runs, training_flops
from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.task import TaskFacts, facts
from tuilab.store.reader import Reader
from tuilab.store.records import ExperimentRecord, RunRecord, Status
from tuilab.store.schema import StoreDamagedError

LOOKED_AT = 20
"""Experiments, from the newest on, that are asked for their rates."""
GUESSED_STEP_SECONDS = 3e-4
"""What a step of a packed group takes besides its arithmetic, where nothing has been measured yet: about what two cores
need for small networks."""
GUESSED_FLOPS_PER_SECOND = 3e10
"""Of small matrices on the same two cores. With both guesses the shipped presets took from a quarter to four times as
long as estimated, start-up aside."""
_FAR = log(10.0)
"""A measured network whose step costs ten times more or less (natural logarithm) than the planned one says nothing."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How fast runs of one candidate were.

    Attributes:
        flops: of one optimiser step.
        rate: optimiser steps a second over all replicas and everything trained beside them.

    """

    flops: int
    rate: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a comparison will cost, and whether the time was measured on this machine or guessed."""

    cost: PlanCost
    measured: bool


def estimate(reader: Reader, comparison: Comparison, device: str = "auto") -> Estimate:
    """What the comparison will cost, from the rates of earlier experiments where there are any of its size.

    Args:
        reader: of the lab.
        comparison: what would be run.
        device: that it would be run on, as a person asks for it.

    Raises:
        LabError: when a network does not fit the task, or a CSV file cannot be read.

    """
    return estimate_at(tuple(measured_rates(reader, device)), comparison)


def estimate_at(
    measured: Sequence[Measured],
    comparison: Comparison,
    known: TaskFacts | None = None,
    counts: Sequence[tuple[int, int]] | None = None,
) -> Estimate:
    """What the comparison will cost at these rates, guessed where none is of its size.

    Args:
        measured: how fast other networks were.
        comparison: what would be run.
        known: facts of its task, where they have been read already.
        counts: (num_params, macs) of each candidate, where they have been counted already.

    Raises:
        LabError: as ``estimate``.

    """
    known = known or facts(comparison.task)
    if counts is None:
        counted = [totals(comparison.network_of(candidate, known)) for candidate in comparison.candidates]
        counts = [(one.num_params, one.macs) for one in counted]
    rates, all_measured = [], True
    for candidate, (_, macs) in zip(comparison.candidates, counts, strict=True):
        flops = training_flops(macs, batch_size(comparison.training_of(candidate), known), 1)
        rate = nearest_rate(measured, flops)
        all_measured = all_measured and rate is not None
        groups = planned_tuning_runs(comparison, candidate), comparison.protocol.final_seeds
        rates.append(rate or guessed_rate(flops, *groups))
    return Estimate(plan_cost(comparison, counts, rates, known), all_measured)


def measured_rates(reader: Reader, device: str = "auto") -> Iterable[Measured]:
    """The rates of the newest finished experiments, newest first.

    Args:
        reader: of the lab.
        device: ``auto`` takes whatever device there was; any other only experiments on its kind.

    """
    looked_at = 0
    for record in reader.experiments():
        with suppress(StoreDamagedError):
            if record.status is Status.FINISHED and _on_kind(reader, record, device):
                yield from rates_of(record, reader.runs(record.id))
                looked_at += 1
        if looked_at == LOOKED_AT:
            return


def rates_of(record: ExperimentRecord, runs: Sequence[RunRecord]) -> tuple[Measured, ...]:
    """How fast each candidate of an experiment was; empty where that is not known.

    Groups that trained beside each other count together: the seconds of all runs over the experiment's wall time say
    how many there were.
    """
    try:
        known: TaskFacts = facts(record.comparison.task)
        candidates = candidate_facts(record.comparison, known)
    except LabError:
        return ()
    total = sum(run.seconds or 0.0 for run in runs)
    if record.started is None or record.ended is None or total <= 0:
        return ()
    beside = max(1.0, total / max(record.ended - record.started, 1e-3))
    found = []
    for index, one in enumerate(candidates):
        own = [run for run in runs if run.candidate == index and run.seconds]
        seconds, steps = sum(run.seconds or 0.0 for run in own), sum(run.step for run in own)
        if seconds > 0 and steps:
            found.append(Measured(_step_flops(one), beside * steps / seconds))
    return tuple(found)


def nearest_rate(measured: Iterable[Measured], flops: int) -> float | None:
    """The rate of the network whose step costs most nearly the same, the first of equals; None when all are far.

    A step that costs more than the measured one is taken to last longer in proportion; one that costs less is not
    taken to be quicker.
    """

    def distance(one: Measured) -> float:
        return abs(log((one.flops + 1) / (flops + 1)))

    best = min(measured, key=distance, default=None)
    if best is None or distance(best) > _FAR:
        return None
    return best.rate * min(1.0, (best.flops + 1) / (flops + 1))


def guessed_rate(flops: int, *groups: int) -> float:
    """Optimiser steps a second over all runs of a network with so many FLOPs a step, where nothing was measured.

    Args:
        flops: of one step of one run.
        groups: how many runs train together as one group, for each group; a run alone where nothing is said.

    """
    runs = [number for number in groups if number] or [1]
    seconds = len(runs) * GUESSED_STEP_SECONDS + sum(runs) * flops / GUESSED_FLOPS_PER_SECOND
    return sum(runs) / seconds


def _step_flops(candidate: CandidateFacts) -> int:
    return training_flops(candidate.macs, candidate.batch, 1)


def _on_kind(reader: Reader, record: ExperimentRecord, device: str) -> bool:
    """Whether the experiment ran on the wanted kind of device."""
    if device == "auto":
        return True
    used = reader.environment(record.id).get("slots", "cpu")
    return used.startswith("cuda") == device.startswith("cuda")
