"""Linear regions against closed forms."""

import time
from collections.abc import Sequence
from itertools import pairwise
from math import comb, prod
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tuilab.analysis.region_count import pieces_on_line, regions_on_line, regions_on_plane
from tuilab.analysis.spectrum import effective_rank

Network: TypeAlias = list[tuple[NDArray[np.float64], NDArray[np.float64]]]
ZERO, ONE = np.zeros(1), np.ones(1)


def triangle_map(folds: int) -> Network:
    """The triangle map T(x) = 2 relu(x) - 4 relu(x - 1/2) composed with itself."""
    first = (np.array([[1.0], [1.0]]), np.array([0.0, -0.5]))
    between = (np.array([[2.0, -4.0], [2.0, -4.0]]), np.array([0.0, -0.5]))
    return [first, *[between] * (folds - 1), (np.array([[2.0, -4.0]]), np.zeros(1))]


def tents(depth: int) -> Network:
    """The triangle map of both coordinates, composed with itself."""
    spread = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    join = np.array([[2.0, -4, 0, 0], [0, 0, 2, -4]])
    bias = np.array([0, -0.5, 0, -0.5])
    return [(spread, bias), *[(spread @ join, bias)] * (depth - 1), (join, np.zeros(2))]


def random_network(widths: Sequence[int], inputs: int, seed: int, bias: float = 0.5) -> Network:
    rng = np.random.default_rng(seed)
    sizes = [inputs, *widths, 2]
    return [
        (rng.normal(size=(after, before)) * np.sqrt(2 / before), rng.normal(size=after) * bias)
        for before, after in pairwise(sizes)
    ]


def upper_bound(inputs: int, widths: Sequence[int]) -> int:
    """Serra, Tjandraatmadja and Ramalingam 2018, theorem 1, by recursion over the layers."""

    def rest(dimension: int, left: tuple[int, ...]) -> int:
        if not left:
            return 1
        width = left[0]
        return sum(comb(width, j) * rest(min(dimension, width - j), left[1:]) for j in range(min(dimension, width) + 1))

    return rest(inputs, tuple(widths))


@pytest.mark.parametrize("folds", range(1, 15))
def test_the_folded_triangle_map_has_two_to_the_folds_pieces(folds):
    assert regions_on_line(triangle_map(folds), ZERO, ONE) == 2**folds
    assert pieces_on_line(triangle_map(folds), ZERO, ONE) == 2**folds


@pytest.mark.parametrize("depth", range(1, 6))
def test_folded_tents_of_the_plane_have_four_to_the_depth_regions(depth):
    assert regions_on_plane(tents(depth), np.zeros(2), np.array([1.0, 0]), np.array([0, 1.0])) == 4**depth


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 10, 30])
def test_lines_in_general_position_cut_the_plane_as_zaslavsky_says(lines):
    network = random_network([lines], 2, lines)
    far = 1e5
    found = regions_on_plane(network, np.array([-far, -far]), np.array([2 * far, 0]), np.array([0, 2 * far]))
    assert found == sum(comb(lines, j) for j in range(3))


@pytest.mark.parametrize("seed", range(5))
def test_one_layer_has_one_region_and_one_more_for_each_line_and_each_crossing_inside(seed):
    (weight, bias), last = random_network([12], 2, seed)
    low, high = -1.0, 1.0
    square = np.array([[low, low], [high, low], [high, high], [low, high]])
    sides = square @ weight.T + bias
    lines = int(((sides.min(axis=0) < 0) & (sides.max(axis=0) > 0)).sum())
    crossings = 0
    for i in range(12):
        for j in range(i):
            point = np.linalg.solve(weight[[i, j]], -bias[[i, j]])
            crossings += bool((np.abs(point) < 1).all())
    found = regions_on_plane([(weight, bias), last], square[0], np.array([2.0, 0]), np.array([0, 2.0]))
    assert found == 1 + lines + crossings


@given(st.integers(3, 12), st.integers(0, 1000))
def test_lines_through_one_point_leave_no_slivers(lines, seed):
    rng = np.random.default_rng(seed)
    angles = np.pi * (np.arange(lines) + rng.uniform(0.1, 0.9, lines)) / lines
    weight = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    point = rng.uniform(-0.5, 0.5, 2)
    network = [(weight, -weight @ point), (np.ones((1, lines)), np.zeros(1))]
    square = np.array([-1.0, -1.0]), np.array([2.0, 0]), np.array([0, 2.0])
    assert regions_on_plane(network, *square) == 2 * lines


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(0, 10_000))
def test_no_count_exceeds_the_upper_bound(widths, seed):
    network = random_network(widths, 2, seed)
    corner, side = np.array([-9.0, -9.0]), 18 * np.eye(2)
    assert regions_on_plane(network, corner, side[0], side[1]) <= upper_bound(2, widths)
    along = regions_on_line(network, corner, -corner)
    assert pieces_on_line(network, corner, -corner) <= along <= prod(width + 1 for width in widths)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=3), st.integers(0, 10_000))
def test_a_line_crosses_as_many_regions_as_a_fine_sampling_finds(widths, seed):
    network = random_network(widths, 3, seed)
    start, end = np.array([-3.0, 1.0, 0.5]), np.array([3.0, -1.0, 0.2])
    values = start + np.linspace(0, 1, 4001)[:, None] * (end - start)
    patterns = []
    for weight, bias in network[:-1]:
        values = np.maximum(values @ weight.T + bias, 0)
        patterns.append(values > 0)
    pattern = np.concatenate(patterns, axis=1)
    sampled = 1 + int((pattern[1:] != pattern[:-1]).any(axis=1).sum())
    assert sampled <= regions_on_line(network, start, end) <= sampled + 4, "a sampling may step over a few"


def test_a_slice_of_a_larger_input_is_counted_in_its_plane():
    network = random_network([20], 7, 1)
    rng = np.random.default_rng(2)
    corner, first, second = rng.normal(size=(3, 7))
    (weight, bias), last = network
    flat = [(weight @ np.stack([first, second], axis=1), bias + weight @ corner), last]
    expected = regions_on_plane(flat, np.zeros(2), np.array([1.0, 0]), np.array([0, 1.0]))
    assert regions_on_plane(network, corner, first, second) == expected


def test_an_affine_network_is_one_region():
    assert regions_on_line([(np.eye(2), np.zeros(2))], np.zeros(2), np.ones(2)) == 1
    assert regions_on_plane([(np.eye(2), np.zeros(2))], np.zeros(2), np.array([1.0, 0]), np.array([0, 1.0])) == 1


def test_three_thousand_regions_are_counted_within_about_a_second_of_processor_time():
    network = random_network([40, 40, 40], 2, 1)
    began = time.process_time()
    found = regions_on_plane(network, np.array([-5.0, -5]), np.array([10.0, 0]), np.array([0, 10.0]))
    assert found > 3000
    assert time.process_time() - began < 3 * found / 3000, (
        "three times the aim, of processor time: the machine may be busy"
    )


def test_the_effective_rank_counts_equal_directions_and_ignores_empty_ones():
    assert effective_rank([2.0, 2.0, 2.0]) == pytest.approx(3)
    assert effective_rank([5.0, 0.0]) == pytest.approx(1)
    assert 1 < effective_rank([1.0, 0.1]) < 2
    assert effective_rank([0.0]) == 0
