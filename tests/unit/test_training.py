"""Training values: defaults, refusals, and when losses are reported."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuilab.spec.training import Adam, Cosine, LeastSquares, Momentum, Precision, Training, report_steps


def test_zero_steps_report_the_start_alone():
    assert report_steps(0) == (0,)


@given(st.integers(1, 10**9))
def test_losses_are_reported_from_the_start_to_the_end_at_few_steps(steps):
    reported = report_steps(steps)
    assert reported[0] == 0
    assert reported[-1] == steps
    assert list(reported) == sorted(set(reported))
    assert len(reported) <= 145


def test_reports_are_dense_at_first_and_even_later():
    reported = report_steps(1000)
    assert reported[:6] == (0, 1, 2, 3, 5, 8)
    assert {late - early for early, late in pairwise(reported[10:])} == {10}
    assert report_steps(3) == (0, 1, 2, 3)


def test_the_default_is_the_protocol_of_the_lab():
    training = Training()
    assert training.optimizer == Adam()
    assert training.schedule == Cosine()
    assert (training.steps, training.batch_size, training.lr, training.init.value) == (1000, 128, None, "he_normal")


def test_a_learning_rate_matters_unless_nothing_descends():
    assert Training().needs_lr
    assert not Training(steps=0).needs_lr
    assert not Training(optimizer=LeastSquares()).needs_lr


def test_products_are_float32_unless_another_precision_is_chosen():
    assert Training().precision is Precision.FLOAT32
    assert Training.model_validate({"precision": "bf16"}).precision is Precision.BF16


def test_an_optimiser_may_be_said_by_name_alone():
    assert Training.model_validate({"optimizer": "momentum"}).optimizer == Momentum(momentum=0.9)


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": {"kind": "sgd", "nesterov": True}},
        {"optimizer": {"kind": "adam", "momentum": 0.9}},
        {"optimizer": "ada"},
        {"schedule": {"kind": "cosine", "warmup": 1.0}},
        {"lr": 0},
        {"lr": float("nan")},
        {"steps": -1},
        {"precision": "fp8"},
        {"batch_size": "all"},
        {"init_scale": 0},
        {"dropout": 0.1},
    ],
)
def test_what_cannot_train_is_refused(change):
    with pytest.raises(ValidationError):
        Training.model_validate(change)


def test_training_values_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Training().steps = 3  # type: ignore[misc]
