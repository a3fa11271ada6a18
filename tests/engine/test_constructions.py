"""Networks that are written down: no step is taken and the answer is there."""

import numpy as np
import pytest

from tests.engine.test_training import group, of, train
from tuilab.analysis.counting import count
from tuilab.spec.errors import LabError
from tuilab.spec.network import Network
from tuilab.spec.notation import parse
from tuilab.spec.protocol import Points, RunFinished
from tuilab.spec.task import Sawtooth, Wave


@pytest.mark.parametrize("folds", [1, 2, 5, 10])
def test_the_triangle_map_needs_two_units_a_fold_and_no_training(folds):
    stack = f"{folds}*(2 relu)"
    assert count(Network(parse(stack), (1,), 1)).num_params == 6 * folds + 1
    task = Sawtooth(folds=folds, num_train=500, num_val=100, num_test=500)
    events = train(group(stack, task, init="tent", steps=0))
    for finished in of(RunFinished, events):
        assert finished.test_metric < 1e-6
    assert all(points.steps == (0,) for points in of(Points, events))


@pytest.mark.parametrize(("units", "rel"), [(8, 0.35), (16, 0.1), (32, 0.05), (64, 0.1)])
def test_the_interpolant_errs_as_its_theorem_says(units, rel):
    """Mean square of f''(x) (x - a)(b - x) / 2 is h^4 f''^2 / 120; two periods have a mean f''^2 of (4 pi)^4 / 2."""
    task = Wave(periods=2, num_train=20_000, num_val=100, num_test=20_000)
    events = train(group(f"{units} relu", task, seeds=(0,), init="interpolant", steps=0))
    expected = (4 * np.pi) ** 4 / 120 / units**4
    assert of(RunFinished, events)[0].test_metric == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize(
    ("init", "stack"),
    [
        ("tent", "3 relu"),
        ("tent", "2*(2 tanh)"),
        ("tent", "linear(2, bias=false) relu"),
        ("tent", "out"),
        ("tent", "2 relu dropout(0.1)"),
        ("interpolant", "2*(5 relu)"),
        ("interpolant", "5 tanh"),
    ],
)
def test_a_stack_that_is_not_the_construction_is_refused(init, stack):
    with pytest.raises(LabError, match=r"init .* construct"):
        train(group(stack, Sawtooth(num_train=50), init=init))


def test_constructions_are_for_one_number():
    with pytest.raises(LabError, match="one input"):
        train(group("2 relu", init="tent"))


def test_a_construction_is_no_init_of_one_layer():
    with pytest.raises(LabError, match="whole network"):
        train(group("linear(2, init=tent) relu", Sawtooth(num_train=50)))
