"""From final runs to a result: numbers for each candidate and an honest verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuilab.analysis.result import CandidateResult, Result
from tuilab.analysis.statistics import mean, t_half_width
from tuilab.spec.comparison import Comparison
from tuilab.spec.notation import format_stack
from tuilab.spec.task import TaskFacts, facts


@dataclass(frozen=True, slots=True)
class FinalRun:
    """One final run that has ended.

    Attributes:
        candidate: index into the comparison's candidates.
        seed_index: which seed; candidates share seeds, so runs of equal index see the same data.
        lr: its learning rate.
        metric: on the test part; None when the run failed.
        steps_per_second: of its group, over all replicas; None where unknown.

    """

    candidate: int
    seed_index: int
    lr: float
    metric: float | None
    steps_per_second: float | None


def summarise(
    comparison: Comparison,
    counts: Sequence[tuple[int, int]],
    finals: Sequence[FinalRun],
    task_facts: TaskFacts | None = None,
) -> Result:
    """What the final runs so far say.

    Args:
        comparison: what is being run.
        counts: (num_params, macs) of each candidate.
        finals: the final runs that have ended, in any order.
        task_facts: of the comparison's task; read from the task where not given.

    Raises:
        LabError: when the task is a CSV file that can no longer be read and ``task_facts`` is not given.

    """
    known = task_facts or facts(comparison.task)
    candidates = tuple(_candidate(comparison, index, counts[index], finals) for index in range(len(counts)))
    ended = sum(len(one.values) + one.failures for one in candidates)
    planned = comparison.protocol.final_seeds * len(comparison.candidates)
    told = "; ".join(f"{one.name} {one.mean:.4g}" for one in candidates if one.mean is not None)
    return Result(known.metric, candidates, f"mean {known.metric}: {told}", complete=ended >= planned)


def _candidate(
    comparison: Comparison, index: int, count: tuple[int, int], finals: Sequence[FinalRun]
) -> CandidateResult:
    candidate = comparison.candidates[index]
    runs = sorted((run for run in finals if run.candidate == index), key=lambda run: run.seed_index)
    values = tuple(run.metric for run in runs if run.metric is not None)
    rates = [run.steps_per_second for run in runs if run.steps_per_second is not None]
    return CandidateResult(
        name=candidate.name,
        notation=format_stack(candidate.stack),
        num_params=count[0],
        macs=count[1],
        lr=runs[-1].lr if runs else None,
        values=values,
        mean=mean(values),
        half_width=t_half_width(values),
        failures=len(runs) - len(values),
        steps_per_second=mean(rates),
    )
