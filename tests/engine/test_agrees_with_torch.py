"""Packed training is plain PyTorch training of every replica, step by step."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.engine.plain import train_plainly
from tuilab.engine.batches import BatchOrder
from tuilab.engine.data import make_splits
from tuilab.engine.layout import lay_out
from tuilab.engine.pack import Job, Member, initial_values
from tuilab.engine.random import generator
from tuilab.engine.torch_packs import AutogradPack, PlanPack
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.task import Blobs, Digits, Radial, facts
from tuilab.spec.training import (
    Adam,
    AdamW,
    Cosine,
    Loss,
    Momentum,
    Nesterov,
    RmsProp,
    Sgd,
    StepDecay,
    Training,
    Warmup,
)

STEPS = 12
BLOBS = Blobs(classes=3, dim=5, num_train=70, num_val=40, num_test=50)
TWO_BLOBS = Blobs(classes=2, dim=5, num_train=70, num_val=40, num_test=50)
RADIAL = Radial(dim=4, num_train=70, num_val=40, num_test=50)
IMAGES = Digits(image=True, num_train=70)

DENSE = [
    "",
    "7",
    "7 relu",
    "7 leaky_relu(0.2)",
    "7 tanh",
    "7 sigmoid",
    "7 gelu",
    "7 silu",
    "7 softmax",
    "7 identity 6",
    "linear(7, bias=false) relu",
    "3*(6 relu)",
    "8 relu dropout(0.3) 6 dropout(0.5)",
    "6 layernorm tanh",
    "6 batchnorm relu",
    "batchnorm 6 relu batchnorm",
    "6 residual(6 relu 6) relu",
    "sum(4|4)",
    "sum(6 relu 4|4|layernorm 4 tanh) relu",
    "5 residual(sum(5 relu|residual(5 tanh)) dropout(0.2))",
    "relu 6 relu relu tanh",
    "residual(identity) 4",
    "tanh",
    "layernorm",
    "sum(out|7 relu out)",
]
IMAGE = [
    "conv(3, 3) relu flatten 6 relu",
    "conv(4, 3, stride=2, padding=1, bias=false) batchnorm relu maxpool(2) flatten",
    "conv(2, 2) layernorm gelu avgpool(3, stride=2, padding=1) flatten 5 tanh",
    "residual(conv(1, 3, padding=1) tanh dropout(0.4)) flatten",
    "softmax sum(conv(2, 3)|conv(2, 3) relu) maxpool(2, padding=1) flatten",
]
OPTIMIZERS = [
    Sgd(),
    Sgd(momentum=0.8, nesterov=True, weight_decay=0.01),
    Momentum(weight_decay=0.02),
    Nesterov(),
    Adam(),
    Adam(beta1=0.8, beta2=0.95, eps=1e-4, weight_decay=0.05),
    AdamW(weight_decay=0.1),
    RmsProp(),
    RmsProp(alpha=0.9, momentum=0.7, weight_decay=0.01),
]
SCHEDULES = [Cosine(), Cosine(warmup=0.3, final=0.1), StepDecay(every=5, gamma=0.5), Warmup(warmup=0.5)]


def compare(make_pack, stack, task, training, rtol=1e-9):
    """Losses of every step, final parameters and scores of a pack against plain training, replica by replica."""
    known = facts(task)
    loss = training.loss or known.default_loss
    network = Network(parse(stack), known.in_shape, known.out_features(loss))
    job = Job(lay_out(network), training, loss, seed=3, device=torch.device("cpu"), dtype=torch.float64)
    splits = make_splits(task, job.seed, [4, 9])
    members = [Member(4, 0.05, splits[4]), Member(9, 0.01, splits[9]), Member(4, 0.002, splits[4])]
    pack = make_pack(job, members)
    losses = np.concatenate([pack.run(0, 5), pack.run(5, STEPS)])
    validation, training_part = pack.evaluate("val"), pack.evaluate("train")
    for replica, member in enumerate(members):
        order = BatchOrder(len(member.split.train), training, generator(job.seed, member.seed_index, "batches"))
        row = initial_values(job, [member])[0]
        expected, module = train_plainly(network, job, member, row, order.take(STEPS))
        np.testing.assert_allclose(losses[:, replica], expected, rtol=rtol, atol=rtol)
        trained = nn.utils.parameters_to_vector(module.parameters()).detach()
        torch.testing.assert_close(pack.parameters()[replica], trained, rtol=rtol * 100, atol=rtol)
        for scores, part in ((validation, member.split.val), (training_part, member.split.train)):
            loss_value, metric = plain_scores(job, module, part)
            np.testing.assert_allclose(scores.loss[replica], loss_value, rtol=rtol * 10)
            np.testing.assert_allclose(scores.metric[replica], metric, rtol=rtol * 10)


def plain_scores(job, module, part):
    module.eval()
    with torch.no_grad():
        output = module(torch.from_numpy(part.inputs).double())
    targets = torch.from_numpy(part.targets)
    if job.loss is Loss.CROSS_ENTROPY:
        return nn.functional.cross_entropy(output, targets).item(), (output.argmax(1) != targets).double().mean().item()
    if job.loss is Loss.BCE:
        wrong = (output[:, 0] > 0).long() != targets
        return nn.functional.binary_cross_entropy_with_logits(
            output[:, 0], targets.double()
        ).item(), wrong.double().mean().item()
    squared = (output - targets.double()).square()
    power = squared if job.loss is Loss.MSE else squared.square()
    return power.mean().item(), squared.mean().item() / part.targets.astype(np.float64).var()


@pytest.mark.parametrize("pack", [AutogradPack, PlanPack])
@pytest.mark.parametrize("stack", DENSE)
def test_every_dense_layer_trains_as_in_torch(pack, stack):
    compare(pack, stack, BLOBS, Training(steps=STEPS, batch_size=16))


@pytest.mark.parametrize("stack", IMAGE)
def test_every_image_layer_trains_as_in_torch(stack):
    compare(AutogradPack, stack, IMAGES, Training(steps=STEPS, batch_size=16))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimiser_updates_as_in_torch(optimizer):
    compare(PlanPack, "6 tanh", RADIAL, Training(steps=STEPS, batch_size=16, optimizer=optimizer))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_every_schedule_reaches_the_optimiser(schedule):
    compare(PlanPack, "6 tanh", RADIAL, Training(steps=STEPS, batch_size=16, schedule=schedule))


@pytest.mark.parametrize(
    ("loss", "task"),
    [(Loss.CROSS_ENTROPY, BLOBS), (Loss.BCE, TWO_BLOBS), (Loss.MSE, RADIAL), (Loss.L4, RADIAL)],
)
@pytest.mark.parametrize("pack", [AutogradPack, PlanPack])
def test_every_loss_is_that_of_torch(pack, loss, task):
    compare(pack, "6 tanh", task, Training(steps=STEPS, batch_size=16, loss=loss))


def test_a_dense_stack_may_begin_by_flattening_an_image():
    compare(PlanPack, "flatten 6 relu dropout(0.3)", IMAGES, Training(steps=STEPS, batch_size=16))


def test_a_full_batch_is_the_training_set():
    compare(PlanPack, "6 tanh", RADIAL, Training(steps=STEPS, batch_size="full"))
    compare(PlanPack, "6 tanh", RADIAL, Training(steps=STEPS, batch_size=1000))
