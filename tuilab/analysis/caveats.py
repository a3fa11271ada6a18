"""What a reader must know before believing a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuilab.analysis.result import CandidateResult
from tuilab.analysis.wording import count_text, hidden_depth, listed, number, percent
from tuilab.spec.comparison import Comparison
from tuilab.spec.protocol import Change
from tuilab.spec.task import Bundled, Csv, Digits, TaskFacts

FEW_SEEDS = 10
"""Fewer final seeds than this are said."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """A run with which somebody interfered while it trained: it is no evidence.

    Attributes:
        candidate: index into the comparison's candidates.
        seed_index: which seed.
        final: whether it was a final run; else one to tune.
        step: how far it came.
        changes: what was changed.
        stopped: whether it was ended.

    """

    candidate: int
    seed_index: int
    final: bool
    step: int
    changes: tuple[Change, ...]
    stopped: bool


def caveats(
    comparison: Comparison,
    candidates: Sequence[CandidateResult],
    task_facts: TaskFacts,
    complete: bool,
    chance: float,
    added_seeds: int = 0,
    by_hand: Sequence[ByHand] = (),
) -> tuple[str, ...]:
    """The caveats of a result, most important first; the last one always stands.

    Args:
        comparison: what was run.
        candidates: what the final runs say of each.
        task_facts: of its task.
        complete: whether every planned final run has ended.
        chance: the metric of a network that has learnt nothing.
        added_seeds: final seeds that were added after the others had been seen.
        by_hand: runs with which somebody interfered, which are left out.

    """
    found = [
        shared_lr_caveat(comparison),
        _added(comparison, added_seeds),
        _changed(comparison, [one for one in by_hand if one.changes and not one.stopped]),
        _stopped(comparison, [one for one in by_hand if one.stopped]),
        _failures(candidates, task_facts.metric, chance),
        _stuck(candidates, task_facts.metric, chance),
        _splits(comparison),
        _untested_splits(comparison),
        _interim(complete),
        _few_seeds(comparison, complete),
    ]
    return (
        *filter(None, found),
        "One task is an example, not a rate: it says nothing about how often this happens on other tasks.",
    )


def shared_lr_caveat(comparison: Comparison) -> str:
    """The warning of a comparison whose learning rates were not tuned; empty where every candidate was tuned."""
    fixed = [(candidate, comparison.training_of(candidate).lr) for candidate in comparison.candidates]
    depths: dict[float, set[int]] = {}
    for candidate, lr in fixed:
        if lr is not None:
            depths.setdefault(lr, set()).add(hidden_depth(candidate.stack))
    shared = [lr for lr, of_lr in depths.items() if len(of_lr) > 1]
    if shared:
        rates = listed([number(lr) for lr in shared])
        return (
            f"Networks of different depth share the fixed learning rate {rates} instead of being tuned: "
            "what looks like an effect of depth may be an effect of the learning rate."
        )
    if depths and len(comparison.candidates) > 1:
        return "Learning rates were fixed by the preset, not tuned: a difference may be one of learning rates."
    return ""


def _added(comparison: Comparison, added_seeds: int) -> str:
    if not added_seeds or len(comparison.candidates) < 2:
        return ""
    seeds = count_text(comparison.protocol.final_seeds, "final seed")
    return (
        f"{added_seeds:,} of the {seeds} were added after the others had been seen: whoever adds until a difference "
        "shows finds differences that are not there; a new experiment with all seeds from the start would settle it."
    )


def _changed(comparison: Comparison, runs: Sequence[ByHand]) -> str:
    if not runs:
        return ""
    whats = {what for run in runs for change in run.changes for what in _what(change)}
    return (
        f"Changed by hand while they trained ({listed(sorted(whats))}): {_count_by_name(comparison, runs)}. "
        "They are left out of every number here; their seeds are trained again as planned."
    )


def _what(change: Change) -> list[str]:
    lr = [] if change.lr is None else [f"learning rate {number(change.lr)} from step {change.step:,}"]
    steps = [] if change.steps is None else [f"{change.steps:,} steps in all from step {change.step:,}"]
    return lr + steps


def _stopped(comparison: Comparison, runs: Sequence[ByHand]) -> str:
    if not runs:
        return ""
    return (
        f"Stopped by hand: {_count_by_name(comparison, runs)}. They are left out; whoever stops runs that look bad "
        "makes what is left look better than it is."
    )


def _count_by_name(comparison: Comparison, runs: Sequence[ByHand]) -> str:
    told = []
    for index, candidate in enumerate(comparison.candidates):
        for final, kind in ((True, "final run"), (False, "tuning run")):
            count = sum(run.candidate == index and run.final is final for run in runs)
            told += [f"{count_text(count, kind)} of {candidate.name}"] if count else []
    return listed(told)


def _failures(candidates: Sequence[CandidateResult], metric: str, chance: float) -> str:
    failed = [one for one in candidates if one.failures]
    if not failed:
        return ""
    told = listed([f"{one.failures} of {len(one.values) + one.failures} of {one.name}" for one in failed])
    score = f"{metric} {percent(chance) if metric == 'error' else number(chance)}, or its worst run"
    return (
        f"Runs failed: {told}. In the tests a failed run counts as a network that has learnt nothing ({score}); "
        "the means shown are those of the finished runs."
    )


def _stuck(candidates: Sequence[CandidateResult], metric: str, chance: float) -> str:
    stuck = [(one.name, stuck_runs(one.values, chance)) for one in candidates]
    told = [f"{number} of {name}" for name, number in stuck if number]
    baseline = "guessing" if metric == "error" else "answering the mean"
    return f"Runs that ended no better than {baseline}: {listed(told)}; they are counted, not dropped." if told else ""


def stuck_runs(values: Sequence[float], chance: float) -> int:
    """How many finished runs never got below the metric of a network that has learnt nothing."""
    return sum(learnt_nothing(value, chance) for value in values)


def learnt_nothing(metric: float, chance: float) -> bool:
    """Whether a metric is that of a network that has learnt nothing, give or take what few examples make of it."""
    return metric >= 0.98 * chance


def _splits(comparison: Comparison) -> str:
    if isinstance(comparison.task, Digits | Bundled | Csv) and comparison.protocol.test != "nadeau_bengio":
        return (
            "The seeds are splits of one table and share rows, which this test takes for independent: its p values are "
            "too small; set protocol.test to nadeau_bengio."
        )
    return ""


def _untested_splits(comparison: Comparison) -> str:
    if comparison.protocol.test == "nadeau_bengio" and not isinstance(comparison.task, Digits | Bundled | Csv):
        return "Every seed draws new data, so nothing was corrected: the test is a plain paired t test."
    return ""


def _interim(complete: bool) -> str:
    if complete:
        return ""
    return (
        "Interim: whoever looks often and stops at the first significant p value finds differences that are not there."
    )


def _few_seeds(comparison: Comparison, complete: bool) -> str:
    seeds = comparison.protocol.final_seeds
    if not complete or seeds >= FEW_SEEDS or len(comparison.candidates) < 2:
        return ""
    return f"Only {count_text(seeds, 'seed')}: intervals are wide and small effects stay hidden."
