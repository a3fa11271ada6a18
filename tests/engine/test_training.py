"""Groups: reports, failures that harm no neighbour, packing that changes nothing, stopping."""

from itertools import pairwise

import numpy as np
import pytest

from tuilab.engine.reports import evaluation_steps
from tuilab.engine.training import train_group
from tuilab.engine.watch import PATIENCE, Watch
from tuilab.spec.errors import LabError
from tuilab.spec.notation import parse
from tuilab.spec.protocol import Event, GroupFinished, GroupStarted, Points, Replica, RunFailed, RunFinished, TrainGroup
from tuilab.spec.task import Blobs, Digits, Radial, Spirals
from tuilab.spec.training import Loss, Sgd, Training, report_steps

SPIRALS = Spirals(num_train=200, num_val=100, num_test=150)


def group(stack="8 relu", task=SPIRALS, seeds=(0, 1, 2), lrs=None, runs=None, **training):
    runs = runs or range(10, 10 + len(seeds))
    lrs = lrs or [0.01] * len(seeds)
    return TrainGroup(
        group=7,
        stack=parse(stack),
        task=task,
        training=Training(**{"steps": 40, "batch_size": 32, **training}),
        seed=1,
        replicas=tuple(Replica(run=r, seed_index=s, lr=lr) for r, s, lr in zip(runs, seeds, lrs, strict=True)),
    )


def train(request, control=lambda: False):
    events: list[Event] = []
    train_group(request, events.append, control)
    return events


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def curves(events):
    """{run: {step: (train_loss, eval_loss, metric)}} of all points."""
    found: dict[int, dict[int, tuple[float | None, ...]]] = {}
    for points in of(Points, events):
        for row, step in enumerate(points.steps):
            for column, run in enumerate(points.runs):
                values = (points.train_loss[row][column], points.eval_loss[row][column], points.metric[row][column])
                found.setdefault(run, {})[step] = values
    return found


def test_a_group_reports_every_step_of_the_schedule_and_finishes_every_run():
    events = train(group())
    assert isinstance(events[0], GroupStarted)
    assert events[0].num_params == 2 * 8 + 8 + 8 * 2 + 2
    assert isinstance(events[-1], GroupFinished)
    assert (events[-1].steps, events[-1].stopped) == (3 * 40, False)
    assert events[-1].seconds > 0
    for curve in curves(events).values():
        assert tuple(curve) == report_steps(40)
        assert all(values[0] is not None for values in curve.values())
        evaluated = evaluation_steps(report_steps(40), 32, 100)
        assert tuple(step for step, values in curve.items() if values[1] is not None) == evaluated
        assert tuple(step for step, values in curve.items() if values[2] is not None) == evaluated
    assert [event.run for event in of(RunFinished, events)] == [10, 11, 12]


def test_the_final_validation_scores_are_those_of_the_last_report():
    events = train(group())
    for finished in of(RunFinished, events):
        _, eval_loss, metric = curves(events)[finished.run][40]
        assert (finished.val_loss, finished.val_metric) == (eval_loss, metric)
        assert 0 <= finished.test_metric <= 1
        assert 0 <= finished.dead_fraction <= 1


def test_training_learns():
    events = train(group("16 relu 16 relu", task=Blobs(num_train=200, noise=0.3), steps=100))
    for finished in of(RunFinished, events):
        assert finished.test_metric < 0.15


def test_the_same_group_gives_the_same_curves():
    first, second = (
        train(group("8 relu dropout(0.2) 8 batchnorm tanh")),
        train(group("8 relu dropout(0.2) 8 batchnorm tanh")),
    )
    assert curves(first) == curves(second)
    assert of(RunFinished, first) == of(RunFinished, second)


@pytest.mark.parametrize(
    ("stack", "task"),
    [
        ("8 relu", SPIRALS),
        ("3*(14 gelu) dropout(0.2)", SPIRALS),
        ("6 layernorm tanh residual(6 relu 6) sum(5|5)", SPIRALS),
        ("20 batchnorm silu", Digits(num_train=300)),
        ("8 sigmoid 8 leaky_relu softmax dropout(0.5)", SPIRALS),
        ("30 relu 7 tanh 33 relu", Radial(num_train=200)),
        ("conv(3, 3) relu flatten 10 relu", Digits(image=True, num_train=300)),
    ],
)
def test_a_run_is_the_same_whatever_it_is_packed_with(stack, task):
    together = curves(train(group(stack, task, seeds=(5, 3, 8, 4), runs=(1, 2, 3, 4), lrs=(0.1, 0.01, 0.003, 0.03))))
    alone = curves(train(group(stack, task, seeds=(3,), runs=(2,), lrs=(0.01,))))
    assert together[2] == alone[2]


def test_a_failing_run_is_told_and_its_neighbours_do_not_notice():
    task = Radial(num_train=200, num_val=100)
    request = {"task": task, "optimizer": Sgd(), "loss": Loss.MSE, "steps": 60}
    events = train(group("8 relu", seeds=(0, 1, 2), lrs=(0.01, 100.0, 0.02), **request))
    (failed,) = of(RunFailed, events)
    assert failed.run == 11
    assert 1 <= failed.step <= 60
    assert "diverged" in failed.reason
    assert [event.run for event in of(RunFinished, events)] == [10, 12]
    calm = train(group("8 relu", seeds=(0, 2), runs=(10, 12), lrs=(0.01, 0.02), **request))
    told = curves(events)
    assert told[10] == curves(calm)[10]
    assert told[12] == curves(calm)[12]
    assert told[11][60] == (None, None, None)
    assert events[-1].steps < 3 * 60


def test_a_group_whose_runs_all_fail_ends():
    events = train(group("8 relu", Radial(num_train=200), lrs=(100.0, 90.0, 80.0), optimizer=Sgd(), steps=1000))
    assert len(of(RunFailed, events)) == 3
    assert not of(RunFinished, events)
    assert events[-1].steps < 3 * 1000
    assert not events[-1].stopped


def test_a_loss_that_stays_high_has_diverged_and_one_that_comes_back_has_not():
    watch, fine = Watch(np.array([2.0, 0.001, 1.0])), np.zeros(3)
    high, dip = np.array([[3e4, 2e4, 2.0]] * 2), np.array([[3e4, 2e4, 2.0], [1.0, 2e4, 2.0]])
    for _ in range(PATIENCE - 1):
        assert watch.judge(high, fine) == ["", "", ""]
    assert watch.judge(dip, fine)[0] == ""
    assert "diverged" in watch.judge(high, fine)[1]
    assert "validation" in watch.judge(dip, np.array([0, 0, np.inf]))[2]
    assert "the loss is not" in watch.judge(np.array([[1.0, np.nan, 1.0]]), fine)[1]


@pytest.mark.parametrize(
    ("steps", "batch", "num_val"), [(1000, 64, 1024), (40, 32, 100), (7, 1, 10**6), (0, 8, 8), (1, 8, 8)]
)
def test_evaluation_takes_about_a_tenth_of_the_examples(steps, batch, num_val):
    reported = report_steps(steps)
    chosen = evaluation_steps(reported, batch, num_val)
    assert set(chosen) <= set(reported)
    assert (chosen[0], chosen[-1]) == (0, steps)
    assert all((after - before) * batch >= 3 * num_val for before, after in pairwise(chosen[:-1]))


def test_stopping_ends_the_group_without_finishing_its_runs():
    calls = iter(range(1000))
    events = train(group(steps=100_000), control=lambda: next(calls) >= 3)
    assert events[-1].stopped
    assert 0 < events[-1].steps < 3 * 100_000
    assert not of(RunFinished, events)
    assert of(Points, events)[0].steps[0] == 0


def test_a_large_network_trains_in_waves_and_every_run_finishes():
    events = train(group("1100 relu 1100 relu", seeds=(0, 1, 2, 3), steps=2))
    assert [event.run for event in of(RunFinished, events)] == [10, 11, 12, 13]
    assert {points.runs for points in of(Points, events)} == {(10, 11), (12, 13)}
    assert events[-1].steps == 8


def test_a_network_without_relu_has_no_dead_fraction():
    assert of(RunFinished, train(group("8 tanh")))[0].dead_fraction is None


def test_units_that_are_zero_on_all_validation_examples_are_dead():
    huge_biases = {"init_scale": 1e-6, "bias_std": 1.0, "steps": 1, "lrs": [1e-12] * 3}
    events = of(RunFinished, train(group("400 relu identity relu", **huge_biases)))
    assert all(event.dead_fraction == pytest.approx(0.5, abs=0.1) for event in events)


def test_a_report_of_training_is_the_mean_since_the_last_report():
    every = curves(train(group(steps=4)))[10]
    assert list(every) == [0, 1, 2, 3, 4]
    coarse = curves(train(group(steps=400)))[10]
    assert list(coarse)[:8] == [0, 1, 2, 3, 4, 5, 8, 12]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (group("conv(3, 3)"), "image"),
        (group("14583333331*(3 relu)"), "layers"),
        (group("8 batchnorm relu", batch_size=1), "at least 2"),
        (group("1_000_000_000"), "parameters"),
        (group().model_copy(update={"device": "cuda:7"}), "CUDA"),
        (group().model_copy(update={"device": "toaster"}), "device"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_sentence(request_, message):
    with pytest.raises(LabError, match=message):
        train(request_)
