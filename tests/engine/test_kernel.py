"""The compiled kernel does what the plan does, to rounding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.test_agrees_with_torch import BLOBS, DENSE, IMAGE, IMAGES, OPTIMIZERS, RADIAL, TWO_BLOBS
from tuilab.engine.data import make_splits
from tuilab.engine.kernel_loading import compile_kernel, find_kernel
from tuilab.engine.layout import lay_out
from tuilab.engine.pack import Job, Member
from tuilab.engine.torch_packs import AutogradPack, PlanPack
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.task import Digits, Plane, Spirals, facts
from tuilab.spec.training import LeastSquares, Loss, Momentum, Sgd, Training

pytest.importorskip("numba")
STEPS = 12


@pytest.fixture(scope="module", autouse=True)
def kernel():
    """Compiled once for the machine, which takes half a minute; then from the cache."""
    assert compile_kernel()
    find_kernel.cache_clear()
    found = find_kernel()
    assert found is not None
    return found


def make(kind, stack, task, dtype=torch.float32, seeds=(4, 9), **training):
    chosen = Training(**{"steps": STEPS, "batch_size": 16, **training})
    known = facts(task)
    loss = chosen.loss or known.default_loss
    layout = lay_out(Network(parse(stack), known.in_shape, known.out_features(loss)))
    job = Job(layout, chosen, loss, 3, torch.device("cpu"), dtype)
    splits = make_splits(task, 3, seeds)
    return kind(job, [Member(seed, 0.03, splits[seed]) for seed in seeds])


def agree(kernel, stack, task, exact_kind=PlanPack, **training):
    """Losses of every step and scores of the kernel in float32 against a torch pack in float64."""
    fast = make(kernel, stack, task, **training)
    exact = make(exact_kind, stack, task, torch.float64, **training)
    for first, last in ((0, 5), (5, STEPS)):
        np.testing.assert_allclose(fast.run(first, last), exact.run(first, last), rtol=3e-4, atol=1e-5)
    for part in ("train", "val", "test"):
        scores, expected = fast.evaluate(part), exact.evaluate(part)
        np.testing.assert_allclose(scores.loss, expected.loss, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(scores.metric, expected.metric, rtol=1e-3, atol=0.03)
    return fast, exact


@pytest.mark.parametrize("stack", [stack for stack in DENSE if "softmax" not in stack and stack[-9:] != "batchnorm"])
def test_every_layer_agrees_with_the_plan(kernel, stack):
    optimizer = Sgd(momentum=0.9)
    fast, exact = agree(kernel, stack, BLOBS, optimizer=optimizer)
    np.testing.assert_allclose(fast.parameters(), exact.parameters().numpy(), rtol=1e-3, atol=2e-5)
    dead, expected = fast.dead_fraction(), exact.dead_fraction()
    assert (dead is None) == (expected is None)
    if expected is not None:
        np.testing.assert_allclose(dead, expected)


KNOWN_IMAGE = [
    *[stack for stack in IMAGE if not any(name in stack for name in ("softmax", "batchnorm", "layernorm"))],
    "conv(5, 3) relu maxpool(2) conv(9, 2, padding=1) relu maxpool(3, stride=2, padding=1) flatten 7 relu",
    "conv(3, 3, stride=2, padding=2) tanh avgpool(2, padding=1) conv(2, 1, bias=false) flatten",
    "avgpool(2) dropout(0.3) conv(17, 3) relu flatten batchnorm dropout(0.2) 5 relu layernorm",
    "sum(conv(2, 3)|conv(2, 3) relu) maxpool(2, stride=1, padding=1) residual(conv(2, 5, padding=2) relu) flatten",
    "maxpool(3, stride=3) relu maxpool(2) flatten",
    "conv(4, 8) relu flatten",
    "conv(3, 1) conv(4, 2, stride=3) relu flatten",
    "conv(17, 3) relu conv(18, 2, padding=1) maxpool(2) conv(3, 2) flatten",
]


@pytest.mark.parametrize("stack", KNOWN_IMAGE)
@pytest.mark.parametrize("batch_size", [16, 37])
def test_every_image_layer_agrees_with_autograd(kernel, stack, batch_size):
    training = {"optimizer": Sgd(momentum=0.9), "batch_size": batch_size}
    fast, exact = agree(kernel, stack, IMAGES, AutogradPack, **training)
    np.testing.assert_allclose(fast.parameters(), exact.parameters().numpy(), rtol=1e-3, atol=2e-4)
    dead, expected = fast.dead_fraction(), exact.dead_fraction()
    assert (dead is None) == (expected is None)
    if expected is not None:
        np.testing.assert_allclose(dead, expected)


def test_a_large_image_is_taken_in_parts_of_the_batch(kernel):
    task = Digits(image=True, shift=24, num_train=60, val_fraction=0.02, test_fraction=0.02)
    agree(kernel, "conv(16, 3) relu maxpool(2) flatten", task, AutogradPack, batch_size=40, optimizer=Sgd())


@pytest.mark.parametrize("optimizer", [o for o in OPTIMIZERS if not isinstance(o, LeastSquares)], ids=str)
def test_every_optimiser_agrees_with_the_plan(kernel, optimizer):
    fast, exact = agree(kernel, "6 tanh", RADIAL, optimizer=optimizer)
    np.testing.assert_allclose(fast.parameters(), exact.parameters().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("loss", "task"),
    [(Loss.CROSS_ENTROPY, BLOBS), (Loss.BCE, TWO_BLOBS), (Loss.MSE, RADIAL), (Loss.L4, RADIAL)],
)
@pytest.mark.parametrize("batch_size", [16, 17, 1, "full"])
def test_every_loss_and_every_batch_size_agree_with_the_plan(kernel, loss, task, batch_size):
    agree(kernel, "6 tanh 5 relu", task, loss=loss, batch_size=batch_size, optimizer=Sgd())


def test_a_flattened_image_and_several_targets_agree_with_the_plan(kernel):
    agree(kernel, "flatten 6 relu", IMAGES)
    agree(kernel, "33 relu dropout(0.2) 17 gelu", Digits(num_train=100))
    agree(kernel, "20 sigmoid", Digits(num_train=100, reconstruct=True), optimizer=Momentum())


def test_two_kernel_packs_give_the_same_bits_alone_and_together(kernel):
    stack = "14 relu dropout(0.1) residual(14 layernorm silu) 3 tanh"
    together, alone = make(kernel, stack, Spirals(), seeds=(1, 2, 3)), make(kernel, stack, Spirals(), seeds=(2,))
    np.testing.assert_array_equal(together.run(0, STEPS)[:, 1], alone.run(0, STEPS)[:, 0])
    np.testing.assert_array_equal(together.parameters()[1], alone.parameters()[0])
    assert together.evaluate("test").loss[1] == alone.evaluate("test").loss[0]


def test_two_plan_packs_give_the_same_bits_alone_and_together():
    stack = "14 relu dropout(0.1) residual(14 layernorm silu) 3 tanh"
    together, alone = make(PlanPack, stack, Spirals(), seeds=(1, 2, 3)), make(PlanPack, stack, Spirals(), seeds=(2,))
    np.testing.assert_array_equal(together.run(0, STEPS)[:, 1], alone.run(0, STEPS)[:, 0])
    np.testing.assert_array_equal(together.parameters()[1].numpy(), alone.parameters()[0].numpy())


def test_replicas_that_leave_do_not_change_the_others(kernel):
    pack, other = make(kernel, "5 relu", RADIAL, seeds=(1, 2, 3)), make(kernel, "5 relu", RADIAL, seeds=(1, 3))
    pack.run(0, 6)
    pack.keep([0, 2])
    other.run(0, 6)
    np.testing.assert_array_equal(pack.run(6, STEPS), other.run(6, STEPS))


def test_a_loss_that_is_not_a_number_is_reported_as_such(kernel):
    for loss, task in ((Loss.CROSS_ENTROPY, BLOBS), (Loss.BCE, TWO_BLOBS), (Loss.MSE, RADIAL)):
        pack = make(kernel, "5 relu 5 tanh 5 gelu 5 silu 5 sigmoid", task, loss=loss)
        pack._replicas[0].state[0][:] = np.nan
        losses = pack.run(0, 2)
        assert np.isnan(losses[:, 0]).all()
        assert np.isfinite(losses[:, 1]).all()


def test_what_the_kernel_does_not_know_it_says(kernel):
    def knows(stack, **training):
        return kernel.knows(make(PlanPack, stack, Plane(num_train=20, num_val=20, num_test=20), **training)._job)

    assert knows("5 relu")
    assert not knows("5 softmax")
    assert not knows("5 relu", optimizer=Momentum(momentum_schedule="sutskever"))


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.booleans(), st.integers(0, 1000))
def test_products_of_any_size_are_those_of_numpy(rows, inner, vectors, bias, seed):
    from tuilab.engine.kernel_products import outer, product, scratch_size
    from tuilab.engine.kernel_tiles import SLACK
    from tuilab.engine.kernel_vectors import LANES

    rng, batch = np.random.default_rng(seed), vectors * LANES
    w, x, d = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((rows, inner), (inner, batch), (rows, batch))
    )
    shift = rng.standard_normal(rows).astype(np.float32)
    slack = np.full(SLACK, 7, np.float32)
    parameters = np.concatenate([w.ravel(), shift])
    y, flat_x = np.concatenate([np.empty(rows * batch, np.float32), slack]), np.concatenate([x.ravel(), slack])
    product(y, 0, parameters, 0, inner, 1, flat_x, 0, parameters, w.size if bias else -1, rows, inner, batch)
    np.testing.assert_allclose(y[: rows * batch].reshape(rows, batch), w @ x + bias * shift[:, None], atol=2e-5)
    np.testing.assert_array_equal(y[rows * batch :], slack)
    work = np.concatenate([d.ravel(), x.ravel(), np.empty(scratch_size(rows, inner, batch), np.float32), slack])
    gradient = np.full(rows * inner + 1, 7, np.float32)
    outer(gradient, 0, work, 0, work, d.size, rows, inner, batch, d.size + x.size)
    np.testing.assert_allclose(gradient[:-1].reshape(rows, inner), d @ x.T, atol=5e-5)
    assert gradient[-1] == 7


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("rows", "inner", "vectors"), [(300, 270, 8), (37, 600, 9), (260, 260, 1), (15, 9, 40), (3, 300, 7)]
)
def test_products_larger_than_the_cache_are_those_of_numpy(turned, rows, inner, vectors):
    from tuilab.engine.kernel_products import outer, packed_product, scratch_size
    from tuilab.engine.kernel_tiles import SLACK
    from tuilab.engine.kernel_vectors import LANES

    rng, batch = np.random.default_rng(1), vectors * LANES
    w, x, d = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((rows, inner), (inner, batch), (rows, batch))
    )
    shift, scratch = (
        rng.standard_normal(rows).astype(np.float32),
        max(scratch_size(rows, inner, batch), scratch_size(inner, rows, batch)),
    )
    free = np.full(scratch + SLACK, 7, np.float32)
    parameters = np.concatenate([(w.T if turned else w).ravel(), shift])
    y, work = np.full(rows * batch + 1, 7, np.float32), np.concatenate([x.ravel(), free])
    strides = (1, rows) if turned else (inner, 1)
    packed_product(y, 0, parameters, 0, *strides, work, 0, parameters, w.size, rows, inner, batch, x.size)  # type: ignore[call-arg]
    np.testing.assert_allclose(y[:-1].reshape(rows, batch), w @ x + shift[:, None], atol=2e-4)
    work, gradient = np.concatenate([d.ravel(), x.ravel(), free]), np.full(w.size + 1, 7, np.float32)
    outer(gradient, 0, work, 0, work, d.size, rows, inner, batch, d.size + x.size)
    np.testing.assert_allclose(gradient[:-1].reshape(rows, inner), d @ x.T, atol=2e-4)
    assert (y[-1], gradient[-1]) == (7, 7)
    np.testing.assert_array_equal(work[-SLACK:], 7)
