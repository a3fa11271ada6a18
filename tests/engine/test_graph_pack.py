"""The path of a GPU: a step that needs nothing from the host, tested without capture wherever there is no GPU."""

import numpy as np
import pytest
import torch

from tests.engine.test_agrees_with_torch import BLOBS, OPTIMIZERS, RADIAL, TWO_BLOBS
from tuilab.engine.data import make_splits
from tuilab.engine.graph_pack import GraphPack, all_steps_alike, captured
from tuilab.engine.layout import lay_out
from tuilab.engine.pack import Job, Member
from tuilab.engine.torch_packs import PlanPack
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.task import Digits, facts
from tuilab.spec.training import Adam, Loss, Momentum, Nesterov, Training

STEPS = 300
STACK = "14 relu dropout(0.2) residual(14 layernorm gelu) batchnorm 5 tanh"


def make(kind, stack, task, device="cpu", dtype=torch.float64, **training):
    chosen = Training(**{"steps": STEPS, "batch_size": 16, **training})
    known = facts(task)
    loss = chosen.loss or known.default_loss
    layout = lay_out(Network(parse(stack), known.in_shape, known.out_features(loss)))
    job = Job(layout, chosen, loss, 3, torch.device(device), dtype)
    splits = make_splits(task, 3, [4, 9])
    return kind(job, [Member(4, 0.01, splits[4]), Member(9, 0.01, splits[9]), Member(9, 0.02, splits[9])])


def agree(first, second, rtol=1e-9):
    for begin, end in ((0, 7), (7, STEPS)):
        np.testing.assert_allclose(first.run(begin, end), second.run(begin, end), rtol=rtol, atol=rtol)
    torch.testing.assert_close(first.parameters().cpu(), second.parameters().cpu(), rtol=rtol, atol=rtol)
    for part in ("train", "val", "test"):
        scores, expected = first.evaluate(part), second.evaluate(part)
        np.testing.assert_allclose(scores.loss, expected.loss, rtol=rtol)
        np.testing.assert_allclose(scores.metric, expected.metric, rtol=rtol)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_steps_on_the_device_are_those_of_the_plan(optimizer):
    agree(*(make(kind, "6 tanh", RADIAL, optimizer=optimizer) for kind in (GraphPack, PlanPack)))


@pytest.mark.parametrize(
    ("loss", "task", "batch_size"),
    [
        (Loss.CROSS_ENTROPY, BLOBS, 16),
        (Loss.BCE, TWO_BLOBS, 7),
        (Loss.L4, RADIAL, "full"),
        (Loss.CROSS_ENTROPY, Digits(image=True, num_train=70), 16),
    ],
)
def test_losses_masks_and_batches_on_the_device_are_those_of_the_plan(loss, task, batch_size):
    stack = "flatten 8 relu" if isinstance(task, Digits) else STACK
    agree(*(make(kind, stack, task, loss=loss, batch_size=batch_size) for kind in (GraphPack, PlanPack)))


def as_it_is(step):
    """A capture whose replay takes the step itself: what a graph does, without a GPU."""
    return step


def unable(_step):
    raise RuntimeError("operation not permitted when stream is capturing")


def with_capture(capture):
    return lambda job, members: GraphPack(job, members, capture)


def test_a_captured_step_is_replayed_until_a_learning_rate_or_the_replicas_change():
    captures = []

    def counting(step):
        captures.append(step)
        return step

    first, second = make(with_capture(counting), STACK, BLOBS), make(PlanPack, STACK, BLOBS)
    for begin, end, expected in ((0, 3, 0), (3, 20, 1), (20, 30, 2), (30, 40, 3)):
        np.testing.assert_allclose(first.run(begin, end), second.run(begin, end), rtol=1e-9)
        assert len(captures) == expected
        for pack in (first, second):
            if end == 20:
                pack.set_lr(1, 0.003)
            if end == 30:
                pack.keep([0, 2])


def test_a_step_that_cannot_be_captured_is_taken_from_the_same_state_and_said_once(caplog):
    packs = [make(kind, STACK, BLOBS) for kind in (with_capture(unable), with_capture(as_it_is), GraphPack)]
    for begin, end in ((0, 7), (7, 20), (20, 40)):
        losses = [pack.run(begin, end) for pack in packs]
        np.testing.assert_array_equal(losses[0], losses[1])
        np.testing.assert_array_equal(losses[0], losses[2])
        for pack in packs:
            pack.set_lr(1, 0.003)
    for pack in packs:
        pack.keep([0, 2])
    np.testing.assert_array_equal(packs[0].run(40, 60), packs[2].run(40, 60))
    (record,) = caplog.records
    assert "training goes on without: operation not permitted when stream is capturing" in record.message


def test_what_is_wrong_with_a_step_itself_is_not_taken_for_a_failed_capture():
    def broken(_step):
        raise ValueError("not a capture's error")

    with pytest.raises(ValueError, match="not a capture"):
        make(with_capture(broken), STACK, BLOBS).run(0, 7)


def test_replicas_may_leave_between_two_steps():
    first, second = (make(kind, STACK, BLOBS) for kind in (GraphPack, PlanPack))
    for pack in (first, second):
        pack.run(0, 5)
        pack.keep([0, 2])
    np.testing.assert_allclose(first.run(5, 20), second.run(5, 20), rtol=1e-9)


def test_a_rising_momentum_is_not_replayed_as_it_was_at_the_capture():
    assert all_steps_alike(Adam())
    assert all_steps_alike(Momentum())
    assert not all_steps_alike(Momentum(momentum_schedule="sutskever"))
    assert not all_steps_alike(Nesterov(momentum_schedule="sutskever"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_replayed_step_on_a_gpu_is_that_of_the_processor():
    agree(make(GraphPack, STACK, BLOBS, "cuda"), make(PlanPack, STACK, BLOBS), rtol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_rising_momentum_on_a_gpu_is_that_of_the_processor():
    optimizer = Momentum(momentum_schedule="sutskever")
    first, second = (make(GraphPack, "6 tanh", RADIAL, device, optimizer=optimizer) for device in ("cuda", "cpu"))
    agree(first, second, rtol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_trains_on_where_a_capture_breaks_off():
    def waiting(step):
        def never_in_a_capture():
            step()
            torch.cuda.synchronize()

        return captured(never_in_a_capture)

    agree(make(with_capture(waiting), STACK, BLOBS, "cuda"), make(PlanPack, STACK, BLOBS), rtol=1e-6)
