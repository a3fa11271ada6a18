"""From final runs to a result: numbers for each candidate, and an honest verdict on each pair."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuilab.analysis.caveats import ByHand, caveats
from tuilab.analysis.result import CandidateResult, PairVerdict, Result
from tuilab.analysis.statistics import holm, mean, t_half_width
from tuilab.analysis.verdict import Side, Trial, examine, judge
from tuilab.analysis.wording import count_text, metric_text, subject
from tuilab.spec.comparison import Comparison, VerdictKind
from tuilab.spec.notation import format_stack
from tuilab.spec.task import Bundled, Csv, Digits, TaskFacts, facts


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
    added_seeds: int = 0,
    by_hand: Sequence[ByHand] = (),
) -> Result:
    """What the final runs so far say.

    Every candidate is tested against the reference (the budget's, else the first), and so is every further pair that
    the comparison expects something of; p values are adjusted by Holm over all of them. A failed run is scored as a
    network that has learnt nothing, so that it counts against its candidate.

    Args:
        comparison: what is being run.
        counts: (num_params, macs) of each candidate.
        finals: the final runs that have ended, in any order.
        task_facts: of the comparison's task; read from the task where not given.
        added_seeds: final seeds that were added after the others had been seen, which a caveat tells.
        by_hand: runs with which somebody interfered, which a caveat tells; none of them is among the final runs.

    Raises:
        LabError: when the task is a CSV file that can no longer be read and ``task_facts`` is not given.

    """
    known = task_facts or facts(comparison.task)
    runs = [
        sorted((run for run in finals if run.candidate == index), key=lambda run: run.seed_index)
        for index in range(len(comparison.candidates))
    ]
    candidates = tuple(_candidate(comparison, index, counts[index], own) for index, own in enumerate(runs))
    least = min(map(len, runs))
    complete = least >= comparison.protocol.final_seeds
    prefix = "" if complete else f"so far ({least} of {count_text(comparison.protocol.final_seeds, 'seed')}): "
    sides = [
        _side(comparison, index, candidate, runs[index], chance_metric(known))
        for index, candidate in enumerate(candidates)
    ]
    pairs = _pairs(comparison, sides, known, prefix) if any(runs) else ()
    return Result(
        metric=known.metric,
        candidates=candidates,
        verdict=_verdict(candidates, sides, pairs, known.metric, prefix),
        comparisons=tuple(pair.sentence for pair in pairs[1:]),
        complete=complete,
        pairs=pairs,
        caveats=caveats(comparison, candidates, known, complete, chance_metric(known), added_seeds, by_hand),
    )


def chance_metric(task_facts: TaskFacts) -> float:
    """The metric of a network that has learnt nothing: guessing one of the classes, or answering the mean."""
    return 1.0 if task_facts.classes is None else 1 - 1 / task_facts.classes


def score_of_failure(finished: Sequence[float], chance: float) -> float:
    """What a failed run counts as: a network that has learnt nothing, but never less than its candidate's worst run."""
    return max([chance, *finished])


def reference_index(comparison: Comparison) -> int:
    """The candidate that all others are tested against: the budget's reference where it names one, else the first."""
    names = [candidate.name for candidate in comparison.candidates]
    reference = comparison.protocol.budget.reference
    return names.index(reference) if isinstance(reference, str) else 0


def split_ratio(comparison: Comparison, task_facts: TaskFacts) -> float:
    """n_test / n_train of the task's splits; 0 for generated tasks, whose seeds share no examples."""
    match comparison.task:
        case Digits() | Bundled() | Csv() as table:
            whole = table.model_copy(update={"num_train": None})
            uncapped = task_facts.num_train if table.num_train is None else facts(whole).num_train
            num_test = uncapped * table.test_fraction / (1 - table.val_fraction - table.test_fraction)
            return num_test / task_facts.num_train
        case _:
            return 0.0


def _candidate(comparison: Comparison, index: int, count: tuple[int, int], runs: Sequence[FinalRun]) -> CandidateResult:
    candidate = comparison.candidates[index]
    values = tuple(run.metric for run in runs if run.metric is not None)
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
        steps_per_second=mean([run.steps_per_second for run in runs if run.steps_per_second is not None]),
    )


def _side(comparison: Comparison, index: int, result: CandidateResult, runs: Sequence[FinalRun], chance: float) -> Side:
    worst = score_of_failure(result.values, chance)
    return Side(
        name=result.name,
        subject=subject(result.name, comparison.candidates[index].stack, result.num_params),
        scores={run.seed_index: worst if run.metric is None else run.metric for run in runs},
        mean=result.mean,
        half_width=result.half_width,
        failures=result.failures,
    )


def _pairs(
    comparison: Comparison, sides: Sequence[Side], task_facts: TaskFacts, prefix: str
) -> tuple[PairVerdict, ...]:
    """Every pair after Holm, most interesting first: expected ones, then by p value."""
    protocol = comparison.protocol
    floor = split_ratio(comparison, task_facts) if protocol.test == "nadeau_bengio" else 0.0
    by_name = {side.name: side for side in sides}
    planned = planned_pairs(comparison)
    trials = [examine(by_name[one], by_name[other], protocol, floor) for one, other in planned]
    tested = [trial for trial in trials if trial.p is not None]
    adjusted = dict(zip(map(id, tested), holm([trial.p for trial in tested if trial.p is not None]), strict=True))
    expected = [{one.candidate, one.against} for one in comparison.expect]

    def interest(pair: tuple[Trial, float | None]) -> tuple[int, float]:
        names = {pair[0].candidate.name, pair[0].against.name}
        rank = expected.index(names) if names in expected else len(expected)
        return rank, 2.0 if pair[1] is None else pair[1]

    ordered = sorted(((trial, adjusted.get(id(trial))) for trial in trials), key=interest)
    return tuple(judge(trial, p, len(trials), protocol, task_facts.metric, prefix) for trial, p in ordered)


def planned_pairs(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """(candidate, against) of every pair that is tested: all against the reference, then further expected ones."""
    reference = comparison.candidates[reference_index(comparison)].name
    pairs = [(candidate.name, reference) for candidate in comparison.candidates if candidate.name != reference]
    for expected in comparison.expect:
        pair = (expected.candidate, expected.against)
        if pair not in pairs and pair[::-1] not in pairs and pair[0] != pair[1]:
            pairs.append(pair)
    return tuple(pairs)


def _verdict(
    candidates: Sequence[CandidateResult],
    sides: Sequence[Side],
    pairs: Sequence[PairVerdict],
    metric: str,
    prefix: str,
) -> str:
    if pairs:
        return pairs[0].sentence + _tally(pairs[1:])
    if not any(side.scores for side in sides):
        return "no final run has ended yet"
    only = candidates[0]
    if only.mean is None:
        return f"{prefix}{sides[0].subject} failed in every run"
    shown = metric_text(metric, only.mean, only.half_width)
    seeds = count_text(len(only.values), "seed")
    failed = f" and {only.failures} failed" if only.failures else ""
    return f"{prefix}{sides[0].subject} has a test {metric} of {shown} over {seeds}{failed}; there is no rival"


def _tally(others: Sequence[PairVerdict]) -> str:
    """What the further pairs say, by number: ``; of 2 more pairs 1 better, 1 cannot tell``."""
    if not others:
        return ""
    counts = [(kind, sum(pair.kind is kind for pair in others)) for kind in VerdictKind]
    told = ", ".join(f"{count} {kind.value}" for kind, count in counts if count)
    return f"; of {count_text(len(others), 'more pair')}: {told}"
