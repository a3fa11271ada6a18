"""Examples: the tasks' formulas, splits per seed, standardisation on the training part only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuilab.engine.data import Part, bundled_table, make_splits
from tuilab.engine.generated import draw, sawtooth, target_function
from tuilab.engine.random import generator
from tuilab.spec.errors import LabError
from tuilab.spec.task import (
    Additive,
    Blobs,
    Bundled,
    Circles,
    Csv,
    Digits,
    Mnist1d,
    Parity,
    Plane,
    Radial,
    Sawtooth,
    Spirals,
    Teacher,
    Wave,
    Xor,
    facts,
    split_sizes,
)

GENERATED = [
    Spirals(num_train=60),
    Spirals(classes=3, num_train=60),
    Circles(num_train=60),
    Xor(num_train=60),
    Blobs(num_train=60),
    Parity(num_train=60),
    Radial(num_train=60),
    Sawtooth(num_train=60),
    Additive(num_train=60),
    Teacher(num_train=60),
    Plane(num_train=60),
    Wave(num_train=60),
    Mnist1d(num_train=60),
]
TABLES = [
    Digits(),
    Digits(image=True, shift=3),
    Digits(reconstruct=True),
    Digits(image=True, shift=2, reconstruct=True),
    Bundled(kind="wine"),
    Bundled(kind="breast_cancer"),
    Bundled(kind="iris"),
    Bundled(kind="diabetes"),
]


def raw(task, count=4000, seed=0):
    return draw(task, seed, count, generator(seed, 0, "test"))


@pytest.mark.parametrize("task", [*GENERATED, *TABLES], ids=str)
def test_the_arrays_have_the_sizes_that_the_task_promises(task):
    split, known = make_splits(task, 0, [0])[0], facts(task)
    assert split.train.inputs.shape == (known.num_train, *known.in_shape)
    if known.classes is None:
        assert split.train.targets.shape == (known.num_train, known.num_targets)
    else:
        assert split.train.targets.dtype == np.int64
        assert set(np.unique(split.test.targets)) <= set(range(known.classes))


@pytest.mark.parametrize("task", [*GENERATED, *TABLES], ids=str)
def test_a_seed_gives_the_same_examples_again_and_another_seed_others(task):
    first, again = make_splits(task, 5, [1])[1], make_splits(task, 5, [2, 1])[1]
    other_index, other_seed = make_splits(task, 5, [2])[2], make_splits(task, 6, [1])[1]
    np.testing.assert_array_equal(first.test.inputs, again.test.inputs)
    np.testing.assert_array_equal(first.train.targets, again.train.targets)
    assert not np.array_equal(first.train.inputs, other_index.train.inputs)
    assert not np.array_equal(first.train.inputs, other_seed.train.inputs)


@pytest.mark.parametrize("task", [*GENERATED, *TABLES], ids=str)
def test_inputs_are_standardised_on_the_training_part_alone(task):
    split = make_splits(task, 0, [0])[0]
    x = split.train.inputs.astype(np.float64)
    axis = None if isinstance(task, Digits) else 0
    np.testing.assert_allclose(x.mean(axis), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis), 1, atol=1e-5)
    assert abs(split.test.inputs.astype(np.float64).mean()) > 1e-7
    if split.train.targets.dtype == np.float32:
        np.testing.assert_allclose(split.train.targets.astype(np.float64).std(), 1, atol=1e-5)


def test_spirals_follow_their_formula():
    task = Spirals(turns=1.5, noise=0, classes=3)
    data = raw(task)
    x = data.inputs / 1.7
    radius = np.hypot(x[:, 0], x[:, 1])
    expected = 2 * np.pi * (1.5 * radius + data.targets / 3)
    difference = np.angle(np.exp(1j * (np.arctan2(x[:, 1], x[:, 0]) - expected)))
    np.testing.assert_allclose(difference, 0, atol=1e-9)
    np.testing.assert_allclose(np.quantile(radius**2, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.03)


def test_circles_lie_at_their_radii():
    data = raw(Circles(noise=0, factor=0.3))
    np.testing.assert_allclose(np.linalg.norm(data.inputs, axis=1), np.where(data.targets == 1, 0.3, 1.0))


def test_xor_is_whether_the_signs_differ():
    data = raw(Xor(noise=0))
    np.testing.assert_array_equal(data.targets, data.inputs[:, 0] * data.inputs[:, 1] < 0)
    assert np.abs(data.inputs).max() <= 1


def test_parity_counts_the_negative_signs_of_the_first_bits():
    data = raw(Parity(bits=3, dim=7))
    np.testing.assert_array_equal(data.targets, (data.inputs[:, :3] < 0).sum(1) % 2)
    assert set(np.unique(data.inputs)) == {-1.0, 1.0}


def test_radial_and_additive_follow_their_formulas():
    x = np.array([[1.0, 2.0, 0.5, -1.0, 0.0]])
    squared = 1 + 4 + 0.25 + 1
    assert target_function(Radial(dim=5), 0, x)[0] == pytest.approx(np.sin(2 * 5**0.5 * (squared / 5 - 1)))
    expected = sum(np.sin(3 * value + 0.7 * index) for index, value in enumerate(x[0]))
    assert target_function(Additive(dim=5), 0, x)[0] == pytest.approx(expected)


@given(st.floats(0, 1), st.integers(1, 8))
def test_a_sawtooth_of_k_folds_has_two_to_the_k_pieces(x, folds):
    phase = x * 2**folds
    expected = 1 - abs(phase % 2 - 1)
    assert sawtooth(np.array([x]), folds)[0] == pytest.approx(expected, abs=1e-9)


def test_the_teacher_is_the_same_for_all_seeds_and_has_variance_one():
    task = Teacher()
    x = np.random.default_rng(0).standard_normal((50_000, 8))
    y = target_function(task, 3, x)
    assert y.var() == pytest.approx(1, rel=0.05)
    np.testing.assert_array_equal(y[:5], target_function(task, 3, x[:5]))
    assert not np.allclose(y, target_function(task, 4, x))


def test_the_plane_leaves_the_noise_share_unexplained():
    data = raw(Plane(dim=10, noise=0.2), count=50_000)
    design = np.column_stack([data.inputs, np.ones(len(data.inputs))])
    residual = data.targets - design @ np.linalg.lstsq(design, data.targets, rcond=None)[0]
    assert residual.var() / data.targets.var() == pytest.approx(0.2, abs=0.01)
    assert data.targets.var() == pytest.approx(1, abs=0.03)


def test_blob_centres_are_drawn_once_for_the_experiment():
    task = Blobs(noise=0, dim=3)
    first, second = raw(task), draw(task, 0, 100, generator(0, 8, "other"))
    assert len(np.unique(np.vstack([first.inputs, second.inputs]), axis=0)) == task.classes
    assert np.abs(first.inputs).max() <= task.spread


@settings(max_examples=20)
@given(st.floats(0, 0.4), st.floats(0, 0.4), st.none() | st.integers(4, 100), st.integers(0, 5))
def test_a_table_is_cut_into_parts_that_share_no_row(val, test, num_train, seed_index):
    task = Bundled(kind="diabetes", val_fraction=val, test_fraction=test, num_train=num_train)
    split = make_splits(task, 0, [seed_index])[seed_index]
    assert (len(split.train), len(split.val), len(split.test)) == split_sizes(task, 442)
    rows = np.vstack([split.train.inputs, split.val.inputs, split.test.inputs])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_fewer_training_examples_leave_validation_and_test_as_they_are():
    large, small = make_splits(Digits(), 0, [0])[0], make_splits(Digits(num_train=100), 0, [0])[0]
    np.testing.assert_array_equal(large.test.targets, small.test.targets)
    np.testing.assert_array_equal(large.train.targets[:100], small.train.targets)


def test_label_noise_touches_training_labels_only():
    clean, noisy = make_splits(Digits(), 0, [0])[0], make_splits(Digits(label_noise=0.5), 0, [0])[0]
    np.testing.assert_array_equal(clean.test.targets, noisy.test.targets)
    np.testing.assert_array_equal(clean.val.targets, noisy.val.targets)
    np.testing.assert_array_equal(clean.train.inputs, noisy.train.inputs)
    changed = (clean.train.targets != noisy.train.targets).mean()
    assert changed == pytest.approx(0.5 * 0.9, abs=0.05)


def test_label_noise_is_refused_for_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a,y", *(f"{i}.5,{i * i}.5" for i in range(40))]))
    with pytest.raises(LabError, match="label_noise"):
        make_splits(Csv(path=str(path), target="y", label_noise=0.1), 0, [0])


def test_a_shifted_digit_is_the_digit_somewhere_on_a_larger_canvas():
    split = make_splits(Digits(image=True, shift=4), 0, [0])[0]
    images = split.train.inputs[:, 0]
    assert images.shape[1:] == (12, 12)
    lit = images > images.min() + 1e-6
    heights = [np.ptp(np.flatnonzero(image.any(1))) + 1 for image in lit]
    assert max(heights) == 8
    tops = {int(np.flatnonzero(image.any(1))[0]) for image in lit}
    assert tops >= {0, 1, 2, 3, 4}
    assert images.sum() == pytest.approx(0, abs=5)


def test_flat_and_image_digits_are_the_same_numbers():
    flat, image = make_splits(Digits(), 0, [0])[0], make_splits(Digits(image=True), 0, [0])[0]
    np.testing.assert_array_equal(flat.train.inputs, image.train.inputs.reshape(-1, 64))


def test_a_csv_file_becomes_arrays_and_constant_columns_stay_finite(tmp_path):
    rows = [f"{i % 7},5,{i},{'yes' if i % 2 else 'no'}" for i in range(40)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a,b,c,label", *rows]))
    split = make_splits(Csv(path=str(path), target="label"), 0, [0])[0]
    assert split.train.inputs.shape == (24, 3)
    assert np.isfinite(split.test.inputs).all()
    np.testing.assert_array_equal(split.train.inputs[:, 1], 0)
    assert set(np.unique(split.train.targets)) == {0, 1}


def test_a_target_without_variance_has_variance_one_for_the_metric():
    part = Part(np.zeros((4, 1), np.float32), np.array([[2], [2], [2], [5]], np.float32))
    assert part.target_variance(3) == 1.0
    assert part.target_variance(4) == pytest.approx(27 / 16)


def test_bundled_digits_lie_between_zero_and_one():
    table = bundled_table("digits")
    assert table.inputs.shape == (1797, 64)
    assert (table.inputs.min(), table.inputs.max()) == (0, 1)


def test_a_wave_is_a_sine_of_so_many_periods():
    data = raw(Wave(periods=3))
    np.testing.assert_allclose(data.targets[:, 0], np.sin(6 * np.pi * data.inputs[:, 0]), atol=1e-12)
    assert 0 <= data.inputs.min() < data.inputs.max() <= 1


def test_digits_to_be_reconstructed_are_their_own_targets():
    split = make_splits(Digits(reconstruct=True), 0, [0])[0]
    np.testing.assert_array_equal(split.test.inputs, split.test.targets)
    shifted = make_splits(Digits(image=True, shift=2, reconstruct=True), 0, [0])[0]
    np.testing.assert_array_equal(shifted.train.inputs.reshape(-1, 100), shifted.train.targets)


def test_the_error_of_answering_the_mean_image_is_near_one():
    part = make_splits(Digits(reconstruct=True), 0, [0])[0].test
    y = part.targets.astype(np.float64)
    error = ((y - y.mean(0)) ** 2).mean() / part.target_variance(len(part))
    assert error == pytest.approx(1)
    assert ((y - 0) ** 2).mean() > 1.5 * part.target_variance(len(part))


def test_label_noise_is_refused_for_pixels():
    with pytest.raises(ValidationError, match="predicts numbers"):
        Digits(reconstruct=True, label_noise=0.1)


def test_signals_stand_anywhere_and_are_told_apart_where_they_stand():
    """A classifier by the best match over all shifts knows far more than one that compares number by number."""
    task = Mnist1d(noise=0)
    train, test = raw(task, 2000), draw(task, 0, 300, generator(0, 1, "test"))
    nearest = train.targets[((test.inputs[:, None] - train.inputs[None]) ** 2).sum(-1).argmin(1)]
    means = np.stack([train.inputs[train.targets == label].mean(0) for label in range(10)])
    by_mean = ((test.inputs[:, None] - means[None]) ** 2).sum(-1).argmin(1)
    assert (nearest == test.targets).mean() > 0.5
    assert (by_mean == test.targets).mean() < 0.45
    assert np.bincount(train.targets, minlength=10).tolist() == [200] * 10
