"""Probes: regions, ranks and readouts of networks whose answers are known."""

from typing import Any

import numpy as np
import pytest

from tests.engine.test_training import group, of, train
from tuilab.analysis.region_count import regions_on_line
from tuilab.engine.data import Part, Scaling, Split, make_splits
from tuilab.engine.init import initial_row
from tuilab.engine.layout import lay_out
from tuilab.engine.probes import dense_relu, probe, readouts, without_gaps
from tuilab.engine.random import generator
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.protocol import RunFinished
from tuilab.spec.task import Digits, Sawtooth, Spirals, facts
from tuilab.spec.training import Training

SPIRALS = Spirals(num_train=300, num_val=200, num_test=300)


def made(stack, task=SPIRALS):
    known = facts(task)
    layout = lay_out(Network(parse(stack), known.in_shape, known.out_features(None)))
    row = without_gaps(layout, initial_row(layout, Training(), generator(0, 0, "init")))
    return layout, make_splits(task, 0, [0])[0], row


def there(found: Any) -> Any:
    """What was found, which must be something; its optional numbers are compared without asking each time."""
    assert found is not None
    return found


@pytest.mark.parametrize("folds", [2, 4, 6])
def test_the_triangle_map_has_two_to_the_k_regions_on_its_line(folds):
    task = Sawtooth(folds=folds, num_train=2000, num_val=100, num_test=100)
    request = group(f"{folds}*(2 relu)", task, init="tent", steps=0).model_copy(update={"probes": True})
    for finished in of(RunFinished, train(request)):
        assert finished.probes.regions is None
        assert finished.probes.line_regions - 2**folds in (0, 1, 2), "32-bit corners may leave slivers at the ends"
        assert finished.probes.line_regions_at_start == finished.probes.line_regions


def test_one_layer_of_n_units_has_at_most_as_many_regions_as_n_lines():
    layout, split, row = made("7 relu")
    found = there(probe(layout, split, row, row))
    assert 2 <= found.regions <= 1 + 7 + 21
    assert found.regions == found.regions_at_start
    assert 1 <= found.line_regions <= 8


def test_training_moves_the_regions_and_probes_are_only_made_when_asked_for():
    request = group("6 relu 6 relu", SPIRALS, steps=60, lrs=[0.05] * 3)
    assert all(finished.probes is None for finished in of(RunFinished, train(request)))
    found = [one.probes for one in of(RunFinished, train(request.model_copy(update={"probes": True})))]
    assert len({one.regions_at_start for one in found}) > 1
    assert any(one.regions != one.regions_at_start for one in found)
    assert all(len(one.readouts) == 3 and 1 <= one.effective_rank <= 6 for one in found)


def test_the_folded_maps_between_relus_compute_what_the_network_does():
    layout, split, row = made("5 4 relu dropout(0.3) 3 identity")
    layers = there(dense_relu(layout, row))
    assert [w.shape for w, _ in layers] == [(4, 2), (2, 4)]
    x = split.val.inputs[:9].astype(np.float64)
    hidden = np.maximum(x @ layers[0][0].T + layers[0][1], 0)
    parts = np.split(row.astype(float), np.cumsum([10, 5, 20, 4, 12, 3, 6]))
    w1, b1, w2, b2 = parts[0].reshape(5, 2), parts[1], parts[2].reshape(4, 5), parts[3]
    np.testing.assert_allclose(hidden, np.maximum((x @ w1.T + b1) @ w2.T + b2, 0), atol=1e-6)
    assert regions_on_line(layers, x[0], x[1]) >= 1


@pytest.mark.parametrize("stack", ["5 tanh", "residual(2 relu)", "relu 4", "5 layernorm relu", "5 relu relu"])
def test_networks_whose_regions_are_not_counted_have_none_but_readouts(stack):
    layout, split, row = made(stack)
    found = there(probe(layout, split, row, row))
    assert found.regions is found.line_regions is None
    assert len(found.readouts) >= 2


def test_batch_normalisation_is_not_probed():
    layout, split, row = made("5 batchnorm relu")
    assert probe(layout, split, row, row) is None


def test_an_image_is_probed_layer_by_layer():
    layout, split, row = made("conv(3, 3) relu maxpool(2) flatten 5 relu", Digits(image=True))
    found = there(probe(layout, split, row, row))
    assert len(found.readouts) == 3
    assert found.readouts[0] < 0.15
    assert found.effective_rank <= 5


def test_a_linear_network_has_no_hidden_layer_to_look_at():
    layout, split, row = made("4")
    found = there(probe(layout, split, row, row))
    assert (found.regions, found.effective_rank, len(found.readouts)) == (1, None, 1)


def test_a_readout_is_ridge_regression_judged_on_the_test_part():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3)).astype(np.float32)
    numbers = x[:, :1] ** 2 + 0.1 * rng.standard_normal((400, 1)).astype(np.float32)
    parts = [Part(x[rows], numbers[rows]) for rows in (slice(0, 200), slice(0, 0), slice(200, 400))]
    zero = np.zeros(1)
    split = Split(parts[0], parts[1], parts[2], Scaling(zero, zero, zero, zero))
    plain, squared = readouts(lambda inputs: [inputs[:, :1].astype(np.float64) ** 2], split)
    assert plain > 0.9
    assert squared == pytest.approx(0.01 / 2, rel=0.5)
    classes = [Part(part.inputs, (part.inputs[:, 0] > 0).astype(np.int64)) for part in parts]
    split = Split(classes[0], classes[1], classes[2], split.scaling)
    assert readouts(lambda _: [], split)[0] < 0.05
