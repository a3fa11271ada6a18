"""Which runs a candidate needs next, as a pure function of the runs it has had.

Nothing else is remembered between two calls, so a runner that takes over an experiment plans as the first one would.
"""

import math
from collections.abc import Sequence
from statistics import fmean

from tuilab.analysis.caveats import learnt_nothing
from tuilab.spec.comparison import Protocol
from tuilab.spec.protocol import total_steps
from tuilab.spec.training import Training
from tuilab.store.records import NewRun, Phase, RunRecord

TUNING_SEED = 1_000_000
"""Seed index of the first tuning run: final runs, which count from 0, never see its data."""
LOWEST_LR, HIGHEST_LR = 1e-5, 10.0
"""Bounds of an extended grid."""
MAX_EXTENSIONS = 2
"""How often a grid is extended on either side."""
CONTENDERS = 3
"""How many of the best learning rates of a failure-prone candidate get further seeds."""
_WORST = 1.0
"""The least metric that a failed run counts as: every wrong answer, or no better than the mean of the targets."""
_LADDER = (*(float(f"{digit}e{power}") for power in range(-5, 1) for digit in (1, 3)), HIGHEST_LR)
"""Half decades within the bounds."""
_RUNG = 1.8
"""Least factor between two neighbours of an extended grid, so that 0.3 is followed by 1 and 0.1 by 0.3."""


def next_runs(
    candidate: int, training: Training, protocol: Protocol, runs: Sequence[RunRecord], chance: float
) -> tuple[NewRun, ...]:
    """The runs that follow once ``runs`` have ended; empty when the candidate is done.

    A candidate is tuned over the protocol's grid first, unless its training fixes the learning rate or the grid leaves
    no choice; where it is failure-prone, its best rates get further seeds; then its final runs use the best. Where the
    protocol has more final seeds than the candidate has had, because some were added, the others follow at the same
    learning rate.

    Args:
        candidate: index into the comparison's candidates.
        training: the candidate's.
        protocol: the comparison's.
        runs: every run of the candidate so far, all of them ended.
        chance: the metric of a network that has learnt nothing.

    """
    replaced = twins(candidate, runs)
    if replaced:
        return replaced
    tuned = bool(runs)
    runs = [run for run in runs if _has_its_place(run)]
    final = [run for run in runs if run.phase is Phase.FINAL]
    if final:
        return _final(candidate, final[0].lr, missing_seeds(protocol, runs))
    lr = fixed_lr(training, protocol)
    if lr is not None:
        return _final(candidate, lr, range(protocol.final_seeds))
    tried = sorted({run.lr for run in runs})
    if not tried and tuned:
        return ()
    if not tried:
        return _tuning(candidate, sorted(set(protocol.lr_grid)), protocol)
    best = choose_lr(runs)
    further = extension(best, tried, protocol) if protocol.extend_grid else ()
    if further:
        return _tuning(candidate, further, protocol)
    again = retuned(runs, protocol, chance)
    if again:
        return _tuning(candidate, again, protocol, extra=True)
    return _final(candidate, best, range(protocol.final_seeds))


def twins(candidate: int, runs: Sequence[RunRecord]) -> tuple[NewRun, ...]:
    """Runs that take the places of those that somebody has changed while they trained: the same, as planned."""
    places = {(run.phase, run.seed_index, run.lr) for run in runs if _has_its_place(run)}
    changed = dict.fromkeys(
        (run.phase, run.seed_index, run.lr) for run in runs if run.changes and not run.stopped_by_hand
    )
    return tuple(NewRun(candidate, *place) for place in changed if place not in places)


def _has_its_place(run: RunRecord) -> bool:
    """Whether the run is the one that was planned; a final run that was stopped by hand is not planned again."""
    return run.as_planned or (run.stopped_by_hand and run.phase is Phase.FINAL)


def missing_seeds(protocol: Protocol, runs: Sequence[RunRecord]) -> tuple[int, ...]:
    """The final seeds of the protocol that a candidate has no run with, as planned."""
    had = {run.seed_index for run in runs if run.phase is Phase.FINAL and _has_its_place(run)}
    return tuple(seed for seed in range(protocol.final_seeds) if seed not in had)


def fixed_lr(training: Training, protocol: Protocol) -> float | None:
    """The learning rate of a candidate that needs no tuning; None where there is a choice."""
    if training.lr is not None:
        return training.lr
    if not training.needs_lr:
        return protocol.lr_grid[0]
    only_one = len(set(protocol.lr_grid)) == 1 and not protocol.extend_grid
    return protocol.lr_grid[0] if only_one else None


def choose_lr(runs: Sequence[RunRecord]) -> float:
    """The best learning rate of ``ranked``."""
    return ranked(runs)[0]


def ranked(runs: Sequence[RunRecord]) -> list[float]:
    """Learning rates by mean validation metric, best first.

    Ties go to the lower loss, then to fewer failures, then to the smaller rate. A run that failed counts as the worst:
    at least 1, and at least the largest metric of any run here.

    Args:
        runs: tuning runs of one candidate that have ended; at least one.

    """
    metrics = [run.val_metric for run in runs if run.val_metric is not None]
    worst = max([_WORST, *metrics])

    def score(lr: float) -> tuple[float, float, float, float]:
        own = [run for run in runs if run.lr == lr]
        metric = fmean(worst if run.val_metric is None else run.val_metric for run in own)
        loss = fmean(math.inf if run.val_loss is None else run.val_loss for run in own)
        return metric, loss, fmean(run.val_metric is None for run in own), lr

    return sorted({run.lr for run in runs}, key=score)


def retuned(runs: Sequence[RunRecord], protocol: Protocol, chance: float) -> tuple[float, ...]:
    """Learning rates that need the protocol's extra tuning seeds, best first; empty once the best have had them.

    Where one run in four fails, four seeds tell little: a rate looks best because none of its runs happened to fail.
    A candidate is failure-prone when at one of its best rates some runs diverged or learnt nothing and some did not;
    a rate at which all fail has nothing left to be learnt about. Rates that come among the best once others have had
    their seeds get theirs in turn, so that the rate that wins was measured with all of them.

    Args:
        runs: tuning runs of one candidate that have ended; at least one.
        protocol: how many extra seeds there are.
        chance: the metric of a network that has learnt nothing.

    """
    failed: dict[float, list[bool]] = {lr: [] for lr in ranked(runs)[:CONTENDERS]}
    for run in runs:
        if run.lr in failed:
            failed[run.lr].append(run.val_metric is None or learnt_nothing(run.val_metric, chance))
    served = {run.lr for run in runs if run.seed_index >= TUNING_SEED + protocol.tuning_seeds}
    mixed = any(any(own) and not all(own) for own in failed.values())
    if not protocol.retune_seeds or not (mixed or served & failed.keys()):
        return ()
    return tuple(lr for lr, own in failed.items() if lr not in served and not all(own))


def extension(best: float, tried: Sequence[float], protocol: Protocol) -> tuple[float, ...]:
    """Learning rates to try next because the best so far sits at an edge; empty where it does not, or at a limit.

    Args:
        best: the best learning rate so far.
        tried: all learning rates so far.
        protocol: its grid tells how often it has been extended already.

    """
    further = []
    if best == min(tried) and sum(lr < min(protocol.lr_grid) for lr in tried) < MAX_EXTENSIONS:
        further += [lr for lr in _LADDER if lr <= best / _RUNG][-1:]
    if best == max(tried) and sum(lr > max(protocol.lr_grid) for lr in tried) < MAX_EXTENSIONS:
        further += [lr for lr in _LADDER if lr >= best * _RUNG][:1]
    return tuple(further)


def planned_steps(training: Training, protocol: Protocol, runs: Sequence[RunRecord]) -> int:
    """Optimiser steps of a candidate: of the runs it has, and of those that are sure to follow.

    Runs that ended early count with the steps they took.
    """
    known = sum(run.step if run.status.ended else total_steps(training.steps, run.changes) for run in runs)
    known += sum(one.phase is Phase.TUNING for one in twins(0, runs)) * training.steps
    if any(run.phase is Phase.FINAL for run in runs):
        return known + len(missing_seeds(protocol, runs)) * training.steps
    tuning = 0
    if not runs and fixed_lr(training, protocol) is None:
        tuning = len(set(protocol.lr_grid)) * protocol.tuning_seeds
    return known + (tuning + protocol.final_seeds) * training.steps


def _tuning(candidate: int, lrs: Sequence[float], protocol: Protocol, *, extra: bool = False) -> tuple[NewRun, ...]:
    first, number = (protocol.tuning_seeds, protocol.retune_seeds) if extra else (0, protocol.tuning_seeds)
    seeds = range(TUNING_SEED + first, TUNING_SEED + first + number)
    return tuple(NewRun(candidate, Phase.TUNING, seed, lr) for lr in lrs for seed in seeds)


def _final(candidate: int, lr: float, seeds: Sequence[int]) -> tuple[NewRun, ...]:
    return tuple(NewRun(candidate, Phase.FINAL, seed, lr) for seed in seeds)
