"""Layers that stay as they started, last layers that are solved for, and momentum that rises."""

import numpy as np
import pytest
import torch

from tuilab.engine.data import make_splits
from tuilab.engine.frozen import FrozenPack, LeastSquaresPack, solve, special_pack
from tuilab.engine.layout import lay_out
from tuilab.engine.optimizers import SgdUpdate
from tuilab.engine.pack import Job, Member
from tuilab.engine.packing import make_packs
from tuilab.engine.schedules import momentum_at
from tuilab.engine.torch_packs import AutogradPack, PlanPack
from tuilab.spec.errors import LabError
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.task import Plane, Spirals, facts
from tuilab.spec.training import AdamW, LeastSquares, Loss, Momentum, Nesterov, Training

PLANE = Plane(dim=4, num_train=60, num_val=40, num_test=40)


def job_of(stack, training, task=PLANE):
    known = facts(task)
    loss = known.default_loss
    layout = lay_out(Network(parse(stack), known.in_shape, known.out_features(loss)))
    return Job(layout, training, loss, 0, torch.device("cpu"))


def pack_of(job, task=PLANE, seeds=(0, 1), lr=0.1):
    splits = make_splits(task, job.seed, seeds)
    [(pack, _)] = make_packs(job, [Member(seed, lr, splits[seed]) for seed in seeds])
    return pack, splits


@pytest.mark.parametrize("optimizer", [Momentum(weight_decay=0.1), AdamW(weight_decay=0.5)])
def test_a_frozen_layer_stays_while_the_others_train(optimizer):
    job = job_of("linear(5, trainable=false) relu 3 tanh", Training(optimizer=optimizer, steps=20, batch_size=16))
    pack, _ = pack_of(job)
    assert isinstance(pack, FrozenPack)
    before = pack.parameters().clone()
    pack.run(0, 20)
    after = pack.parameters()
    frozen = 4 * 5 + 5
    assert torch.equal(before[:, :frozen], after[:, :frozen])
    assert (before[:, frozen:] != after[:, frozen:]).all()


def test_the_layers_behind_a_frozen_one_learn_as_they_do_alone():
    training = Training(optimizer="sgd", steps=15, batch_size=16)
    pack, _ = pack_of(job_of("linear(5, trainable=false) relu", training))
    plain = AutogradPack(job_of("5 relu", training), list(pack._examples.members))
    first, second = pack.run(0, 1), plain.run(0, 1)
    np.testing.assert_array_equal(first, second)
    last = slice(4 * 5 + 5, None)
    torch.testing.assert_close(pack.parameters()[:, last], plain.parameters()[:, last])


@pytest.mark.parametrize("width", [10, 200])
def test_least_squares_finds_the_smallest_solution_of_the_last_layer(width):
    job = job_of(f"linear({width}, trainable=false) relu", Training(optimizer=LeastSquares(), steps=1))
    pack, splits = pack_of(job)
    assert isinstance(pack, LeastSquaresPack)
    before = pack.evaluate("train").loss
    np.testing.assert_allclose(pack.run(0, 1)[0], before)
    for row, seed in enumerate((0, 1)):
        parameters = pack.parameters()[row].double().numpy()
        weight, rest = parameters[: 4 * width].reshape(width, 4), parameters[4 * width :]
        split = splits[seed].train
        features = np.maximum(split.inputs.astype(float) @ weight.T + rest[:width], 0)
        design = np.column_stack([features, np.ones(60)])
        np.testing.assert_allclose(rest[width:], np.linalg.pinv(design) @ split.targets[:, 0], atol=2e-3)
    after = pack.evaluate("train").loss
    assert (after < before).all()
    if width > 60:
        np.testing.assert_allclose(after, 0, atol=1e-4)


def test_ridge_shrinks_the_solution_but_not_the_bias():
    rng = np.random.default_rng(0)
    features, targets = rng.standard_normal((50, 3)), rng.standard_normal((50, 1)) + 7
    none, some, all_ = (solve(features, targets, ridge, bias=True)[:, 0] for ridge in (0, 1, 1e9))
    assert np.linalg.norm(none[:3]) > np.linalg.norm(some[:3]) > 1e3 * np.linalg.norm(all_[:3])
    assert all_[3] == pytest.approx(targets.mean())


@pytest.mark.parametrize(
    ("stack", "task", "problem"),
    [
        ("5 relu", PLANE, "freeze the others"),
        ("linear(5, trainable=false) layernorm relu", PLANE, "freeze the others"),
        ("linear(5, trainable=false) relu out relu", PLANE, "last layer only"),
        ("linear(5, trainable=false) relu", Spirals(num_train=60), "squared error"),
    ],
)
def test_least_squares_refuses_what_it_cannot_solve(stack, task, problem):
    job = job_of(stack, Training(optimizer="least_squares", steps=1), task)
    with pytest.raises(LabError, match=problem):
        pack_of(job, task)


def test_the_last_layer_is_solved_without_a_bias_too():
    job = job_of("linear(8, trainable=false) relu out(bias=false)", Training(optimizer=LeastSquares(), steps=1))
    pack, _ = pack_of(job)
    pack.run(0, 1)
    assert pack.parameters().shape[1] == 4 * 8 + 8 + 8


@pytest.mark.parametrize(
    ("step", "momentum"), [(0, 0.5), (249, 0.5), (250, 0.75), (500, 5 / 6), (1000, 0.9), (2500, 21 / 22), (10**6, 0.99)]
)
def test_momentum_rises_as_sutskever_s_does(step, momentum):
    assert momentum_at("sutskever", 0.99, step) == pytest.approx(momentum)
    assert momentum_at("constant", 0.99, step) == 0.99
    assert momentum_at("sutskever", 0.6, step) == min(0.6, momentum)


@pytest.mark.parametrize("nesterov", [False, True])
def test_rising_momentum_is_sutskever_s_method_at_the_point_of_the_gradient(nesterov):
    """theta and v as in the paper: v' = mu v - lr grad(theta + [mu v]), theta' = theta + v'."""
    curvature, lr = torch.tensor([[1.0, 0.1, 3.0]], dtype=torch.float64), 0.05
    values = torch.ones(1, 3, dtype=torch.float64)
    update = SgdUpdate(values, [lr], 0.99, 0.0, nesterov=nesterov, schedule="sutskever")
    theta, velocity = values.clone(), torch.zeros_like(values)
    for step in range(600):
        mu = momentum_at("sutskever", 0.99, step)
        at = theta + mu * velocity if nesterov else theta
        torch.testing.assert_close(values, at, rtol=1e-9, atol=1e-12)
        update.step(values, curvature * values, 1.0)
        velocity = mu * velocity - lr * curvature * at
        theta = theta + velocity


def test_only_packs_on_tensors_know_momentum_that_rises():
    rising = Training(optimizer=Nesterov(momentum_schedule="sutskever"))
    assert special_pack(job_of("5 relu", rising)) is PlanPack
    assert special_pack(job_of("5 relu", Training(optimizer=Nesterov()))) is None
    assert job_of("5 relu", rising).loss is Loss.MSE
