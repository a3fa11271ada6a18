"""What an experiment will cost, for showing before it runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuilab.spec.comparison import Candidate, Comparison
from tuilab.spec.task import TaskFacts, facts
from tuilab.spec.training import Training

TRAINING_FLOPS_PER_MAC = 6
"""Two FLOPs a multiply-accumulate, and training costs three forward passes (Kaplan et al. 2020, section 2.1)."""


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What is planned. Extensions of the learning-rate grid and the protocol's extra tuning seeds come on top.

    Attributes:
        runs: trainings, tuning and final.
        tuning_runs: how many of them tune.
        steps: optimiser steps over all runs.
        flops: of training, counting weight multiplies only.
        seconds: estimated from the measured rate; None where no rate is known.

    """

    runs: int
    tuning_runs: int
    steps: int
    flops: int
    seconds: float | None


def plan_cost(
    comparison: Comparison,
    counts: Sequence[tuple[int, int]],
    rate: float | Sequence[float | None] | None = None,
    task_facts: TaskFacts | None = None,
) -> PlanCost:
    """What the comparison will cost.

    Args:
        comparison: what would be run.
        counts: (num_params, macs) of each candidate.
        rate: optimiser steps a second over all replicas, for all candidates or one for each; None where unknown.
        task_facts: of the comparison's task; read from the task where not given.

    Raises:
        LabError: when the task is a CSV file that cannot be read and ``task_facts`` is not given.

    """
    known = task_facts or facts(comparison.task)
    rates = list(rate) if isinstance(rate, Sequence) else [rate] * len(comparison.candidates)
    tuning_runs = runs = steps = flops = 0
    seconds: float | None = 0.0
    for candidate, (_, macs), own_rate in zip(comparison.candidates, counts, rates, strict=True):
        training = comparison.training_of(candidate)
        tuning = planned_tuning_runs(comparison, candidate)
        own_runs = tuning + comparison.protocol.final_seeds
        own_steps = own_runs * training.steps
        tuning_runs, runs, steps = tuning_runs + tuning, runs + own_runs, steps + own_steps
        flops += training_flops(macs, batch_size(training, known), own_steps)
        seconds = None if seconds is None or not own_rate else seconds + own_steps / own_rate
    return PlanCost(runs, tuning_runs, steps, flops, seconds)


def planned_tuning_runs(comparison: Comparison, candidate: Candidate) -> int:
    """Runs that choose the candidate's learning rate; 0 where there is nothing to choose."""
    protocol = comparison.protocol
    grid = set(protocol.lr_grid)
    training = comparison.training_of(candidate)
    fixed = training.lr is not None or not training.needs_lr or (len(grid) == 1 and not protocol.extend_grid)
    return 0 if fixed else len(grid) * protocol.tuning_seeds


def batch_size(training: Training, task_facts: TaskFacts) -> int:
    """Examples a step."""
    if training.batch_size == "full":
        return task_facts.num_train
    return min(training.batch_size, task_facts.num_train)


def training_flops(macs: int, batch: int, steps: int) -> int:
    """FLOPs of training for some steps: 2 a multiply-accumulate, 3 passes, ``batch`` examples a step."""
    return TRAINING_FLOPS_PER_MAC * macs * batch * steps
