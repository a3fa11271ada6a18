"""What a network needs, from small to 175 billion parameters."""

from tuilab.analysis.counting import count, totals
from tuilab.analysis.memory import needs, seconds
from tuilab.spec.network import Network
from tuilab.spec.notation import parse


def test_needs_of_a_small_network():
    counted = totals(Network(parse("8 relu"), (2,), 1))
    found = needs(counted, batch_size=10)
    assert (counted.num_params, counted.macs, counted.activations) == (33, 24, 17)
    assert (found.weights_fp32, found.weights_bf16, found.adam_training) == (132, 66, 528)
    assert found.activations == 17 * 10 * 4
    assert found.training_memory == 528 + 680
    assert (found.flops_per_step, found.flops_6n) == (6 * 24 * 10, 6 * 33)


def test_needs_of_175_billion_parameters():
    found = needs(count(Network(parse("14583333331*(3 relu)"), (3,), 3)))
    assert round(found.weights_fp32 / 1e9) == 700
    assert round(found.weights_bf16 / 1e9) == 350
    assert round(found.adam_training / 1e12, 1) == 2.8
    assert f"{found.flops_6n:.2e}" == "1.05e+12"


def test_time_at_a_rate():
    assert seconds(6e9, 2e9) == 3
    assert seconds(1, 0) == float("inf")
