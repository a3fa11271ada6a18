"""What each candidate buys for its parameters, its compute and its time: the efficiency table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import median

from tuilab.analysis.counting import count
from tuilab.analysis.plan_cost import batch_size, training_flops
from tuilab.analysis.scaling import Answer
from tuilab.analysis.statistics import mean, t_half_width
from tuilab.spec.comparison import Candidate, Comparison
from tuilab.spec.task import TaskFacts, facts


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """What is known of a candidate before it is trained.

    Attributes:
        name: the candidate's.
        num_params, degrees_of_freedom: nominal, and what is left after collapse.
        macs, activations: per sample, forward.
        batch: examples a step.

    """

    name: str
    num_params: int
    degrees_of_freedom: int
    macs: int
    activations: int
    batch: int


def candidate_facts(comparison: Comparison, task_facts: TaskFacts | None = None) -> tuple[CandidateFacts, ...]:
    """What is known of every candidate before it is trained.

    Raises:
        LabError: when a network does not fit the task, or a CSV file cannot be read.

    """
    known = task_facts or facts(comparison.task)
    return tuple(_facts_of(comparison, candidate, known) for candidate in comparison.candidates)


def _facts_of(comparison: Comparison, candidate: Candidate, known: TaskFacts) -> CandidateFacts:
    counted = count(comparison.network_of(candidate, known), max_rows=0)
    return CandidateFacts(
        name=candidate.name,
        num_params=counted.num_params,
        degrees_of_freedom=counted.degrees_of_freedom,
        macs=counted.macs,
        activations=counted.activations,
        batch=batch_size(comparison.training_of(candidate), known),
    )


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One final run, ended or not. None where not known.

    Attributes:
        candidate: index of its candidate.
        seed_index: which seed.
        steps: optimiser steps taken.
        failed: whether it diverged.
        seconds: its share of its group's wall time.
        train_metric, test_metric, test_loss: after the last step.
        dead_fraction: share of ReLU units that are zero on every validation example.
        curve: (step, validation metric), by step.
        regions, regions_at_start: linear regions on a 2-D slice of the inputs, trained and at initialisation.
        line_regions, line_regions_at_start: the same on a line.
        effective_rank: of its last hidden layer's outputs, see ``spectrum.effective_rank``.
        readouts: test metric of a linear readout of the inputs and of each hidden layer.

    """

    candidate: int
    seed_index: int
    steps: int
    failed: bool = False
    seconds: float | None = None
    train_metric: float | None = None
    test_metric: float | None = None
    test_loss: float | None = None
    dead_fraction: float | None = None
    curve: tuple[tuple[int, float | None], ...] = ()
    regions: float | None = None
    regions_at_start: float | None = None
    line_regions: float | None = None
    line_regions_at_start: float | None = None
    effective_rank: float | None = None
    readouts: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class EfficiencyRow:
    """One candidate's line of the table; None where nothing is known. Means are over finished final runs.

    Attributes:
        flops: of training, over all its final runs to date.
        metric, half_width: test metric with its 95 % t interval.
        gap: test minus train metric.
        failure_rate: share of its ended runs that failed.
        loss_per_param: mean test loss over thousands of parameters; it falls with size alone, so read it beside the
            metric.
        seconds: of one run.
        steps_to_target, seconds_to_target: medians over its runs; None when fewer than half got there.
        reached: runs that got to the target, of how many.
        on_front: whether no candidate with at most its parameters is clearly better, see ``pareto_front``.
        equivalence: how many times its parameters the shallowest family would need, where there is one.
        readouts: mean test metric of linear readouts of the inputs and of each hidden layer.
        target: the validation metric that was to be reached; None without curves.

    """

    name: str
    num_params: int
    degrees_of_freedom: int
    macs: int
    activations: int
    flops: int
    metric: float | None
    half_width: float | None
    gap: float | None
    failure_rate: float | None
    loss_per_param: float | None
    seconds: float | None
    steps_to_target: float | None
    seconds_to_target: float | None
    reached: tuple[int, int]
    on_front: bool | None
    equivalence: Answer | None
    dead_fraction: float | None
    regions: float | None
    regions_at_start: float | None
    line_regions: float | None
    line_regions_at_start: float | None
    effective_rank: float | None
    readouts: tuple[float, ...]
    target: float | None = None


def efficiency_table(
    candidates: Sequence[CandidateFacts],
    runs: Sequence[RunFacts],
    target: float | None = None,
    equivalences: Mapping[str, Answer] | None = None,
) -> tuple[EfficiencyRow, ...]:
    """The table, a row a candidate in the order given.

    Args:
        candidates: the comparison's.
        runs: final runs of any of them.
        target: validation metric to reach; without it, ``common_target``.
        equivalences: equivalence factors by candidate name.

    """
    goal = common_target(len(candidates), runs) if target is None else target
    groups = [[run for run in runs if run.candidate == index] for index in range(len(candidates))]
    scores = [_scores(own) for own in groups]
    front = pareto_front(
        [(one.num_params, mean(score), t_half_width(score)) for one, score in zip(candidates, scores, strict=True)]
    )
    known = equivalences or {}
    return tuple(
        _row(one, own, goal, on_front, known.get(one.name))
        for one, own, on_front in zip(candidates, groups, front, strict=True)
    )


def _scores(runs: Sequence[RunFacts]) -> list[float]:
    return [run.test_metric for run in runs if run.test_metric is not None and not run.failed]


def _mean(values: Sequence[float | None]) -> float | None:
    return mean([value for value in values if value is not None])


def _row(
    candidate: CandidateFacts,
    runs: Sequence[RunFacts],
    target: float | None,
    on_front: bool | None,
    equivalence: Answer | None,
) -> EfficiencyRow:
    scores = _scores(runs)
    finished = [run for run in runs if not run.failed]
    ended = [run for run in runs if run.failed or run.test_metric is not None]
    hits = [] if target is None else [steps_to_target(run.curve, target) for run in ended if not run.failed]
    times = [seconds_at(run, step) for run, step in zip((r for r in ended if not r.failed), hits, strict=False)]
    loss = _mean([run.test_loss for run in finished])
    both = [(run.test_metric, run.train_metric) for run in finished]
    return EfficiencyRow(
        name=candidate.name,
        num_params=candidate.num_params,
        degrees_of_freedom=candidate.degrees_of_freedom,
        macs=candidate.macs,
        activations=candidate.activations,
        flops=training_flops(candidate.macs, candidate.batch, sum(run.steps for run in runs)),
        metric=mean(scores),
        half_width=t_half_width(scores),
        gap=mean([test - train for test, train in both if test is not None and train is not None]),
        failure_rate=sum(run.failed for run in ended) / len(ended) if ended else None,
        loss_per_param=None if loss is None or not candidate.num_params else 1000 * loss / candidate.num_params,
        seconds=_mean([run.seconds for run in finished if run.test_metric is not None]),
        steps_to_target=_usual(hits, len(ended)),
        seconds_to_target=_usual(times, len(ended)),
        reached=(sum(hit is not None for hit in hits), len(ended)),
        on_front=on_front,
        equivalence=equivalence,
        dead_fraction=_mean([run.dead_fraction for run in finished]),
        regions=_mean([run.regions for run in finished]),
        regions_at_start=_mean([run.regions_at_start for run in finished]),
        line_regions=_mean([run.line_regions for run in finished]),
        line_regions_at_start=_mean([run.line_regions_at_start for run in finished]),
        effective_rank=_mean([run.effective_rank for run in finished]),
        readouts=_readouts([run.readouts for run in finished if run.readouts]),
        target=target,
    )


def _readouts(runs: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(fsum(layer) / len(layer) for layer in zip(*runs, strict=True))


def common_target(num_candidates: int, runs: Sequence[RunFacts]) -> float | None:
    """The hardest validation metric that every candidate's mean run ends at or below; None without curves.

    A candidate whose every run failed has no say.
    """
    ends: list[float] = []
    for index in range(num_candidates):
        last = [_last(run.curve) for run in runs if run.candidate == index and not run.failed]
        typical = _mean(last)
        if typical is not None:
            ends.append(typical)
    return max(ends, default=None)


def _last(curve: Sequence[tuple[int, float | None]]) -> float | None:
    return next((value for _, value in reversed(curve) if value is not None), None)


def steps_to_target(curve: Sequence[tuple[int, float | None]], target: float) -> int | None:
    """The first reported step at which the validation metric is at or below the target; None when never."""
    return next((step for step, value in curve if value is not None and value <= target), None)


def seconds_at(run: RunFacts, step: int | None) -> float | None:
    """Wall time of a run at one of its steps, which are taken as equally long."""
    if step is None or run.seconds is None or not run.steps:
        return None
    return run.seconds * step / run.steps


def _usual(values: Sequence[float | None], runs: int) -> float | None:
    """The median over all runs, in which those without a value come last; None when it falls among them."""
    known = sorted(value for value in values if value is not None)
    ranked = [*known, *[float("inf")] * (runs - len(known))]
    middle = median(ranked) if ranked else float("inf")
    return None if middle == float("inf") else middle


def pareto_front(points: Sequence[tuple[float, float | None, float | None]]) -> tuple[bool | None, ...]:
    """Whether each (cost, metric, half-width) is on the front; None without a metric.

    A point leaves the front only when another costs no more and is better by more than both half-widths together
    show, so that overlapping intervals keep both. A missing half-width counts as none.
    """

    def beaten(cost: float, metric: float, half: float) -> bool:
        return any(
            other_cost <= cost and other is not None and other + (other_half or 0.0) < metric - half
            for other_cost, other, other_half in points
        )

    return tuple(None if metric is None else not beaten(cost, metric, half or 0.0) for cost, metric, half in points)
