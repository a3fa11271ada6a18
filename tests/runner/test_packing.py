"""How runs share groups."""

from hypothesis import given
from hypothesis import strategies as st

from tuilab.analysis.counting import count
from tuilab.runner.packing import GROUP_BYTES, MAX_REPLICAS, MIN_REPLICAS, Load, load_of, pack
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.task import TaskFacts
from tuilab.spec.training import Training

TASK = TaskFacts(in_shape=(2,), classes=2, num_targets=1, num_train=2048)
SMALL = Load(replica_bytes=1000, step_macs=1000, steps=10)


def load(stack: str, **training: object) -> Load:
    network = Network(parse(stack), TASK.in_shape, 2)
    return load_of(count(network), Training.model_validate(training), TASK)


@given(runs=st.integers(0, 700), replica_bytes=st.integers(1, 2 * GROUP_BYTES), at_least=st.integers(1, 40))
def test_every_run_is_in_one_group_and_no_group_is_too_large(runs, replica_bytes, at_least):
    groups = pack(range(runs), Load(replica_bytes, 1, 1), at_least)
    assert [run for group in groups for run in group] == list(range(runs))
    sizes = [len(group) for group in groups]
    assert max(sizes, default=0) <= MAX_REPLICAS
    assert all(size == 1 or size * replica_bytes <= GROUP_BYTES for size in sizes)
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_one_group_holds_what_fits_and_more_groups_keep_more_slots_busy():
    assert len(pack(range(24), SMALL, at_least=1)) == 1
    assert [len(group) for group in pack(range(24), SMALL, at_least=5)] == [5, 5, 5, 5, 4]
    assert len(pack(range(24), SMALL, at_least=100)) == 24 // MIN_REPLICAS
    assert len(pack(range(3), SMALL, at_least=2)) == 1


def test_a_network_too_large_for_the_cap_still_trains_alone():
    assert len(pack(range(3), Load(2**40, 1, 1), at_least=1)) == 3


def test_a_load_counts_weights_with_gradients_and_moments_activations_and_data():
    # [2, 100, 2]: 502 parameters, 202 outputs (ReLU's included), 400 MACs.
    one = load("100 relu", steps=30, batch_size=64)
    activations = count(Network(parse("100 relu"), (2,), 2)).activations
    assert one.replica_bytes == 4 * (4 * 502 + 2 * activations * 2048 + 2 * 2 * 2048)
    assert one.step_macs == 3 * 400 * 64
    assert one.steps == 30


def test_a_batch_is_never_larger_than_the_data():
    assert load("4", batch_size="full").step_macs == load("4", batch_size=10**6).step_macs == 3 * 16 * 2048


def test_a_group_of_twice_the_replicas_takes_longer_but_not_twice_as_long():
    assert SMALL.seconds(4) < SMALL.seconds(8) < 2 * SMALL.seconds(4)
