"""Products in bf16 and TF32: what is rounded, what stays float32, and where each may be had."""

import numpy as np
import pytest
import torch

from tests.engine.test_agrees_with_torch import BLOBS, IMAGES, RADIAL
from tests.engine.test_graph_pack import make as make_pack
from tests.engine.test_training import group, train
from tuilab.engine.graph_pack import GraphPack
from tuilab.engine.packing import make_packs
from tuilab.engine.precision import products_in
from tuilab.engine.torch_packs import AutogradPack, PlanPack
from tuilab.spec.errors import LabError
from tuilab.spec.training import Precision, Sgd

STEPS = 12
BF16_EPS = 2.0**-8
DENSE = "9 relu dropout(0.2) residual(9 layernorm gelu) linear(6, bias=false) batchnorm tanh"
IMAGE = "conv(3, 3) relu conv(2, 2, bias=false) maxpool(2) flatten 6 tanh"
CASES = [
    (PlanPack, DENSE, BLOBS),
    (GraphPack, DENSE, BLOBS),
    (AutogradPack, DENSE, BLOBS),
    (AutogradPack, IMAGE, IMAGES),
]


def make(kind, stack, task, precision, **training):
    return make_pack(kind, stack, task, dtype=torch.float32, precision=precision, steps=STEPS, **training)


def trained(kind, stack, task, precision, **training):
    pack = make(kind, stack, task, precision, **training)
    return pack.run(0, STEPS), pack.parameters(), pack.evaluate("val").loss


@pytest.mark.parametrize(("kind", "stack", "task"), CASES)
def test_bf16_trains_as_float32_does_but_for_its_rounding(kind, stack, task):
    exact, rounded = (trained(kind, stack, task, p, optimizer=Sgd()) for p in (Precision.FLOAT32, Precision.BF16))
    for known, found in zip(exact, rounded, strict=True):
        assert not np.array_equal(known, found)
        np.testing.assert_allclose(found, known, rtol=2 * BF16_EPS, atol=2 * BF16_EPS)


@pytest.mark.parametrize(("kind", "stack", "task"), CASES)
def test_float32_is_the_same_bit_for_bit_before_and_after_bf16(kind, stack, task):
    def all_bits():
        return trained(kind, stack, task, Precision.FLOAT32)

    before = all_bits()
    trained(kind, stack, task, Precision.BF16)
    for known, found in zip(before, all_bits(), strict=True):
        np.testing.assert_array_equal(found, known)


def test_a_plan_rounds_what_autograd_rounds():
    """Bf16 moves these losses by 0.003 and these parameters by 0.0007."""
    plan = trained(PlanPack, DENSE, BLOBS, Precision.BF16, optimizer=Sgd())
    for kind in (GraphPack, AutogradPack):
        for by_plan, found in zip(plan, trained(kind, DENSE, BLOBS, Precision.BF16, optimizer=Sgd()), strict=True):
            np.testing.assert_allclose(found, by_plan, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [PlanPack, AutogradPack])
def test_factors_and_products_are_rounded_and_the_bias_is_not(kind):
    pack = make(kind, "", RADIAL, Precision.BF16, batch_size="full")
    weight, bias = pack.parameters().split([4, 1], 1)
    split = pack._examples.members[0].split
    inputs, targets = (torch.from_numpy(each) for each in (split.val.inputs, split.val.targets))
    low = (inputs.bfloat16().double() @ weight[0].bfloat16().double()).bfloat16().float()
    expected = (low + bias[0] - targets.flatten()).square().mean()
    assert pack.evaluate("val").loss[0] == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("kind", [PlanPack, AutogradPack])
def test_weights_and_moments_keep_what_bf16_cannot_hold(kind):
    pack = make(kind, DENSE, BLOBS, Precision.BF16)
    pack.run(0, STEPS)
    for memory in pack.memories():
        for name, tensor in memory.tensors.items():
            assert tensor.dtype == torch.float32, name
            assert not torch.equal(tensor.bfloat16().float(), tensor), name


def test_bf16_is_not_for_the_compiled_kernel():
    pack = make(PlanPack, "6 relu", RADIAL, Precision.BF16)
    ((found, _),) = make_packs(pack._job, pack._examples.members)
    assert type(found) is PlanPack


def test_a_processor_refuses_tf32_in_one_sentence_before_anything_starts():
    with pytest.raises(LabError, match="precision tf32 needs a CUDA device"):
        train(group(precision="tf32"))


@pytest.mark.parametrize("precision", Precision)
def test_tf32_is_allowed_where_it_is_wanted_and_as_before_afterwards(precision):
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    with products_in(precision, torch.device("cuda")):
        assert [switch.allow_tf32 for switch in switches] == [precision is Precision.TF32] * 2
    assert [switch.allow_tf32 for switch in switches] == before
