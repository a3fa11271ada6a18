"""Candidates compared where each has spent the same compute or time, beside the comparison at equal parameters."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuilab.analysis.efficiency import CandidateFacts, RunFacts, seconds_at
from tuilab.analysis.plan_cost import training_flops
from tuilab.analysis.statistics import mean, t_half_width


@dataclass(frozen=True, slots=True)
class EqualPoint:
    """A candidate where it has spent as much as every other.

    Attributes:
        spent: what it had spent at its last report within the allowance.
        metric, half_width: validation metric there, mean over runs with its 95 % t interval.

    """

    name: str
    spent: float
    metric: float | None
    half_width: float | None


def at_equal_flops(candidates: Sequence[CandidateFacts], runs: Sequence[RunFacts]) -> tuple[EqualPoint, ...]:
    """Every candidate at the training FLOPs of the cheapest one's run; empty without curves.

    A run cut short has not annealed its learning rate, which favours the candidate that ran to its end.
    """
    return _at_equal(candidates, runs, [[_flops_at(candidates, run, step) for step, _ in run.curve] for run in runs])


def at_equal_seconds(candidates: Sequence[CandidateFacts], runs: Sequence[RunFacts]) -> tuple[EqualPoint, ...]:
    """Every candidate at the wall time of the quickest one's run; empty without curves or times. See above."""
    return _at_equal(candidates, runs, [[seconds_at(run, step) for step, _ in run.curve] for run in runs])


def _flops_at(candidates: Sequence[CandidateFacts], run: RunFacts, step: int) -> float:
    candidate = candidates[run.candidate]
    return float(training_flops(candidate.macs, candidate.batch, step))


def _at_equal(
    candidates: Sequence[CandidateFacts], runs: Sequence[RunFacts], costs: Sequence[Sequence[float | None]]
) -> tuple[EqualPoint, ...]:
    spent = [(run, cost) for run, cost in zip(runs, costs, strict=True) if not run.failed and cost]
    totals = [max((value for value in cost if value is not None), default=0.0) for _, cost in spent]
    allowance = min((total for total in totals if total > 0), default=None)
    if allowance is None:
        return ()
    found = []
    for index, candidate in enumerate(candidates):
        values: list[float] = []
        at = 0.0
        for run, cost in spent:
            within = [
                (value, metric)
                for value, (_, metric) in zip(cost, run.curve, strict=True)
                if value is not None and metric is not None and value <= allowance * (1 + 1e-9)
            ]
            if run.candidate == index and within:
                at, metric = within[-1]
                values.append(metric)
        found.append(EqualPoint(candidate.name, at, mean(values), t_half_width(values)))
    return tuple(found)
