"""Which runs follow which: tuning, extensions, final runs."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.runner.plan import (
    HIGHEST_LR,
    LOWEST_LR,
    MAX_EXTENSIONS,
    TUNING_SEED,
    choose_lr,
    extension,
    next_runs,
    planned_steps,
)
from tuilab.spec.comparison import Protocol
from tuilab.spec.training import Training
from tuilab.store.records import NewRun, Phase, RunRecord, Status

PROTOCOL = Protocol(lr_grid=(1e-3, 1e-2, 1e-1), tuning_seeds=2, final_seeds=3)
TRAINING = Training(steps=100)
CHANCE = 1e9
"""No run of these tests has learnt nothing unless the test says so."""


def ended(run: NewRun, metric: float | None, loss: float | None = None, identity: int = 0) -> RunRecord:
    status = Status.FAILED if metric is None else Status.FINISHED
    blank: dict[str, None] = dict.fromkeys(
        ("train_loss", "train_metric", "test_loss", "test_metric", "dead_fraction", "seconds"), None
    )
    return RunRecord(
        id=identity,
        candidate=run.candidate,
        phase=run.phase,
        seed_index=run.seed_index,
        lr=run.lr,
        status=status,
        step=100 if metric is not None else 40,
        reason="",
        val_loss=loss if loss is not None else metric,
        val_metric=metric,
        **blank,  # type: ignore[arg-type]
    )


def tuned(scores: dict[float, float | None]) -> list[RunRecord]:
    return [
        ended(NewRun(0, Phase.TUNING, TUNING_SEED + seed, lr), score) for lr, score in scores.items() for seed in (0, 1)
    ]


def follow(score, protocol=PROTOCOL, training=TRAINING) -> list[list[NewRun]]:
    """Every batch of runs that a candidate gets when a learning rate scores ``score(lr)``."""
    return follow_runs(lambda run: score(run.lr), protocol, training)


def follow_runs(score, protocol=PROTOCOL, training=TRAINING) -> list[list[NewRun]]:
    """The same when a run scores ``score(run)``."""
    batches: list[list[NewRun]] = []
    runs: list[RunRecord] = []
    while batch := next_runs(0, training, protocol, runs, CHANCE):
        batches.append(list(batch))
        runs += [ended(run, score(run)) for run in batch]
    return batches


def test_a_candidate_is_tuned_on_its_own_seeds_and_then_tested_on_fresh_ones():
    tuning, final = follow(lambda lr: abs(math.log10(lr) + 2))
    assert {(run.lr, run.seed_index) for run in tuning} == {
        (lr, TUNING_SEED + seed) for lr in (1e-3, 1e-2, 1e-1) for seed in (0, 1)
    }
    assert {run.phase for run in tuning} == {Phase.TUNING}
    assert [(run.lr, run.seed_index, run.phase) for run in final] == [(1e-2, seed, Phase.FINAL) for seed in range(3)]


def test_seeds_that_are_added_follow_at_the_same_learning_rate():
    tuning, final = follow(lambda lr: abs(math.log10(lr) + 2))
    runs = [ended(run, 0.5) for run in (*tuning, *final)]
    more = replace_protocol(final_seeds=5)
    added = next_runs(0, TRAINING, more, runs, CHANCE)
    assert [(run.phase, run.seed_index, run.lr) for run in added] == [(Phase.FINAL, 3, 1e-2), (Phase.FINAL, 4, 1e-2)]
    assert planned_steps(TRAINING, more, runs) == planned_steps(TRAINING, PROTOCOL, runs) + 2 * TRAINING.steps
    runs += [ended(run, None) for run in added]
    assert next_runs(0, TRAINING, more, runs, CHANCE) == ()


def test_candidates_share_their_seeds():
    first, second = (next_runs(candidate, TRAINING, PROTOCOL, [], CHANCE) for candidate in (0, 1))
    assert [(run.lr, run.seed_index) for run in first] == [(run.lr, run.seed_index) for run in second]
    assert {run.candidate for run in second} == {1}


def test_a_fixed_learning_rate_skips_tuning():
    (final,) = follow(lambda lr: 0.0, training=Training(lr=0.05))
    assert {(run.phase, run.lr) for run in final} == {(Phase.FINAL, 0.05)}


def test_a_grid_without_a_choice_skips_tuning():
    (final,) = follow(lambda lr: 0.0, Protocol(lr_grid=(0.02,), extend_grid=False))
    assert {(run.phase, run.lr) for run in final} == {(Phase.FINAL, 0.02)}


def test_a_grid_is_extended_by_half_decades_at_the_edge_where_the_best_sits():
    up = follow(lambda lr: -math.log10(lr))
    assert [sorted({run.lr for run in batch}) for batch in up] == [[1e-3, 1e-2, 1e-1], [0.3], [1.0], [1.0]]
    assert [batch[0].phase for batch in up] == [Phase.TUNING, Phase.TUNING, Phase.TUNING, Phase.FINAL]
    down = follow(lambda lr: math.log10(lr) + 5)
    assert [sorted({run.lr for run in batch}) for batch in down] == [[1e-3, 1e-2, 1e-1], [3e-4], [1e-4], [1e-4]]


def test_a_grid_that_is_not_to_be_extended_is_not():
    protocol = replace_protocol(extend_grid=False)
    assert [batch[0].phase for batch in follow(lambda lr: -lr, protocol)] == [Phase.TUNING, Phase.FINAL]


def replace_protocol(**changes: object) -> Protocol:
    return PROTOCOL.model_copy(update=changes)


def test_an_extension_that_turns_out_worse_ends_the_search():
    batches = follow(lambda lr: abs(math.log10(lr) + 1))
    assert [sorted({run.lr for run in batch}) for batch in batches] == [[1e-3, 1e-2, 1e-1], [0.3], [0.1]]


@given(
    grid=st.lists(st.floats(1e-6, 50), min_size=1, max_size=6, unique=True),
    best=st.floats(-6, 2),
)
def test_tuning_always_ends_within_its_bounds(grid, best):
    protocol = replace_protocol(lr_grid=tuple(grid))
    batches = follow(lambda lr: abs(math.log10(lr) - best), protocol)
    extended = {run.lr for batch in batches for run in batch} - set(grid)
    assert sum(lr < min(grid) for lr in extended) <= MAX_EXTENSIONS
    assert sum(lr > max(grid) for lr in extended) <= MAX_EXTENSIONS
    assert all(LOWEST_LR <= lr <= HIGHEST_LR for lr in extended)
    assert [batch[0].phase for batch in batches[:-1]] == [Phase.TUNING] * (len(batches) - 1)
    assert len(batches[-1]) == protocol.final_seeds
    tried = {run.lr for batch in batches[:-1] for run in batch}
    assert batches[-1][0].lr == min(tried, key=lambda lr: (abs(math.log10(lr) - best), lr))


def test_failed_runs_count_as_the_worst_and_not_as_absent():
    runs = tuned({1e-3: 0.4, 1e-2: 0.45})
    lucky = [ended(NewRun(0, Phase.TUNING, 0, 1e-1), 0.0), ended(NewRun(0, Phase.TUNING, 1, 1e-1), None)]
    assert choose_lr([*runs, *lucky]) == 1e-3
    assert choose_lr(lucky + tuned({1e-2: 0.6})) == 1e-1


def test_a_failed_run_is_no_better_than_the_worst_metric_seen():
    diverging = tuned({1e-1: 5.0})
    half = [ended(NewRun(0, Phase.TUNING, 0, 1e-2), 3.0), ended(NewRun(0, Phase.TUNING, 1, 1e-2), None)]
    assert choose_lr([*diverging, *half]) == 1e-2
    assert choose_lr([*diverging, *tuned({1e-2: None})]) == 1e-1


def test_ties_go_to_the_lower_loss_and_then_to_the_smaller_rate():
    def at(lr: float, loss: float) -> RunRecord:
        return ended(NewRun(0, Phase.TUNING, TUNING_SEED, lr), 0.1, loss)

    assert choose_lr([at(1e-3, 0.5), at(1e-2, 0.4), at(1e-1, 0.4)]) == 1e-2


def test_a_rate_at_which_one_run_gets_through_beats_one_at_which_none_does_however_bad_the_run():
    assert choose_lr([*tuned({1e-3: None}), ended(NewRun(0, Phase.TUNING, 0, 1e-2), 1.0), *tuned({1e-2: None})]) == 1e-2


def test_when_every_run_fails_the_search_goes_down_and_ends():
    batches = follow(lambda lr: None)
    assert [batch[0].lr for batch in batches] == [1e-3, 3e-4, 1e-4, 1e-4]
    assert batches[-1][0].phase is Phase.FINAL


LOTTERY = Protocol(lr_grid=(1e-4, 1e-3, 1e-2, 1e-1), tuning_seeds=2, retune_seeds=3, final_seeds=3, extend_grid=False)


def shown(batches: list[list[NewRun]]) -> list[tuple[set[float], set[int]]]:
    """The learning rates and seeds of each batch of tuning runs, seeds counted from 0."""
    return [({run.lr for run in batch}, {run.seed_index - TUNING_SEED for run in batch}) for batch in batches[:-1]]


def test_the_best_rates_of_a_candidate_that_fails_now_and_then_get_further_seeds():
    unlucky = {1e-3: {TUNING_SEED + 3}, 1e-2: {TUNING_SEED + 1}}

    def score(run: NewRun) -> float | None:
        return None if run.seed_index in unlucky.get(run.lr, ()) else {1e-3: 0.2, 1e-2: 0.1}.get(run.lr, 0.6)

    batches = follow_runs(score, LOTTERY)
    assert shown(batches) == [({1e-4, 1e-3, 1e-2, 1e-1}, {0, 1}), ({1e-4, 1e-3, 1e-2}, {2, 3, 4})]
    assert {run.lr for run in batches[-1]} == {1e-2}


def test_a_run_that_ends_no_better_than_chance_has_failed():
    def score(run: NewRun) -> float:
        return 0.5 if run.seed_index == TUNING_SEED else 0.1 + run.lr

    def number_of_batches(chance: float) -> int:
        runs: list[RunRecord] = []
        number = 0
        while batch := next_runs(0, TRAINING, LOTTERY, runs, chance):
            number += 1
            runs += [ended(run, score(run)) for run in batch]
        return number

    assert [number_of_batches(0.5), number_of_batches(0.6)] == [3, 2]


def test_a_further_run_that_is_missing_does_not_bring_the_others_again():
    first, extra, _ = follow_runs(lambda run: None if run.seed_index == TUNING_SEED else 0.1, LOTTERY)
    runs = [ended(run, None if run.seed_index == TUNING_SEED else 0.1) for run in (*first, *extra[1:])]
    assert {run.phase for run in next_runs(0, TRAINING, LOTTERY, runs, CHANCE)} == {Phase.FINAL}


@pytest.mark.parametrize("metrics", [{}, {1e-2: 0.1}, dict.fromkeys(LOTTERY.lr_grid, 0.1)])
def test_further_seeds_are_not_wasted_on_rates_at_which_all_runs_fail_or_none_does(metrics: dict[float, float]):
    assert [batch[0].phase for batch in follow(metrics.get, LOTTERY)] == [Phase.TUNING, Phase.FINAL]


def test_a_rate_at_which_every_run_fails_gets_no_further_seeds_beside_one_that_fails_now_and_then():
    def score(run: NewRun) -> float | None:
        return 0.1 if run.lr == 1e-2 and run.seed_index != TUNING_SEED else None

    assert shown(follow_runs(score, LOTTERY))[1:] == [({1e-2}, {2, 3, 4})]


def test_a_protocol_may_do_without_further_seeds():
    without = LOTTERY.model_copy(update={"retune_seeds": 0})
    batches = follow_runs(lambda run: None if run.seed_index == TUNING_SEED else 0.1, without)
    assert [batch[0].phase for batch in batches] == [Phase.TUNING, Phase.FINAL]


@given(st.randoms(use_true_random=False), st.floats(0.05, 0.9), st.booleans())
def test_the_rate_that_wins_among_failing_ones_was_measured_with_every_seed(rng, rate, extend):
    protocol = LOTTERY.model_copy(update={"extend_grid": extend})
    batches = follow_runs(lambda run: None if rng.random() < rate else rng.random(), protocol)
    runs = [run for batch in batches[:-1] for run in batch]
    seeds = {lr: sorted(run.seed_index for run in runs if run.lr == lr) for lr in {run.lr for run in runs}}
    every = list(range(TUNING_SEED, TUNING_SEED + 5))
    assert all(own in (every[:2], every) for own in seeds.values())
    if any(own == every for own in seeds.values()):
        assert seeds[batches[-1][0].lr] == every
    assert len(batches) <= 1 + 2 * MAX_EXTENSIONS + len(seeds) + 1


def test_a_grid_of_one_is_extended_on_both_sides():
    assert extension(0.01, [0.01], replace_protocol(lr_grid=(0.01,))) == (0.003, 0.03)


def test_planned_steps_hold_what_is_sure_to_follow():
    assert planned_steps(TRAINING, PROTOCOL, []) == (6 + 3) * 100
    assert planned_steps(Training(steps=100, lr=0.1), PROTOCOL, []) == 3 * 100
    tuning = [replace(run, status=Status.RUNNING, step=10) for run in tuned({1e-3: 1.0, 1e-2: 0.5, 1e-1: 1.0})]
    assert planned_steps(TRAINING, PROTOCOL, tuning) == (6 + 3) * 100
    diverged = [replace(tuning[0], status=Status.FAILED, step=10), *tuning[1:]]
    assert planned_steps(TRAINING, PROTOCOL, diverged) == 10 + (5 + 3) * 100


@given(scores=st.lists(st.none() | st.floats(0, 2), min_size=3, max_size=3))
def test_in_the_end_the_planned_steps_are_the_steps_taken(scores):
    score = dict(zip((1e-3, 1e-2, 1e-1), scores, strict=True))
    runs: list[RunRecord] = []
    while batch := next_runs(0, TRAINING, PROTOCOL, runs, CHANCE):
        runs += [ended(run, score.get(run.lr, 0.7)) for run in batch]
    assert planned_steps(TRAINING, PROTOCOL, runs) == sum(run.step for run in runs)


@pytest.mark.parametrize("edge", [LOWEST_LR, HIGHEST_LR])
def test_a_best_at_the_bounds_is_taken_as_it_is(edge):
    assert extension(edge, [edge, 0.01], replace_protocol(lr_grid=(edge, 0.01))) == ()
