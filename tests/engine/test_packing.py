"""How many replicas share a pack, and that it changes none of them."""

import numpy as np
import pytest
import torch

from tuilab.engine import packing
from tuilab.engine.data import make_splits
from tuilab.engine.layout import lay_out
from tuilab.engine.pack import Job, Member
from tuilab.engine.packing import make_packs, pack_size
from tuilab.engine.torch_packs import PlanPack
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.task import Digits, Spirals, facts
from tuilab.spec.training import Training

SPIRALS = Spirals(num_train=64, num_val=16, num_test=16)


def job_of(stack, task=SPIRALS, device="cpu", **training):
    known = facts(task)
    layout = lay_out(Network(parse(stack), known.in_shape, known.out_features(known.default_loss)))
    return Job(layout, Training(**training), known.default_loss, 0, torch.device(device))


def members_of(job, number, task=SPIRALS):
    (split,) = make_splits(task, job.seed, [0]).values()
    return [Member(seed, 0.01 * (seed % 3 + 1), split) for seed in range(number)]


@pytest.fixture
def no_kernel(monkeypatch):
    monkeypatch.setattr(packing, "find_kernel", lambda: None)


def test_a_pack_is_what_a_core_keeps_in_its_caches_and_never_only_a_few():
    # 2-100-2: 502 parameters and 202 outputs for each of 50 examples, padded to multiples of 16.
    narrow = job_of("100 relu", batch_size=50)
    assert pack_size(narrow, 64) == (16 << 20) // (20 * narrow.layout.num_params + 8 * 50 * 202)
    assert pack_size(job_of("100 relu", batch_size="full"), 64) < pack_size(narrow, 64)
    assert pack_size(job_of("2*(1000 relu)", batch_size=50), 64) == 8


def test_dropout_and_norms_count_as_layers_that_put_something_out():
    plain, longer = (job_of(stack, batch_size=50) for stack in ("100 relu", "100 layernorm relu dropout(0.5)"))
    assert pack_size(longer, 64) < pack_size(plain, 64)


@pytest.mark.usefixtures("no_kernel")
def test_every_replica_is_in_one_pack_and_equal_rates_stand_together():
    job = job_of("300 relu 300 batchnorm relu", batch_size=64)
    size = pack_size(job, 64)
    members = members_of(job, 2 * size + 1)
    packs = make_packs(job, members)
    assert [len(positions) for _, positions in packs] == [size, size, 1]
    assert all(type(pack) is PlanPack for pack, _ in packs)
    dealt = [position for _, positions in packs for position in positions]
    assert sorted(dealt) == list(range(len(members)))
    assert [members[position].lr for position in dealt] == sorted(member.lr for member in members)


@pytest.mark.usefixtures("no_kernel")
def test_a_replica_learns_the_same_in_packs_of_any_size(monkeypatch):
    job = job_of("12 tanh 5 relu", batch_size=16)
    members = members_of(job, 11)

    def losses():
        found = np.empty((6, len(members)))
        for pack, positions in make_packs(job, members):
            found[:, positions] = pack.run(0, 6)
        return found

    together = losses()
    monkeypatch.setattr(packing, "_PACK_BYTES", 0)
    monkeypatch.setattr(packing, "_SMALLEST_PACK", 3)
    assert len(make_packs(job, members)) == 4
    np.testing.assert_array_equal(losses(), together)


@pytest.mark.usefixtures("no_kernel")
def test_convolutions_train_one_replica_at_a_time_on_a_processor():
    digits = Digits(image=True)
    job = job_of("conv(4, 3) relu flatten", digits, batch_size=16)
    assert [len(positions) for _, positions in make_packs(job, members_of(job, 3, digits))] == [1, 1, 1]


def test_on_a_gpu_a_pack_is_as_large_as_what_is_in_memory_at_once():
    job = job_of("100 relu", device="cuda")
    assert pack_size(job, 64) == packing.wave_size(job.layout, "cuda")
