"""Bounds on linear regions: published values, the sum written out, and sizes that only logarithms hold."""

from itertools import product
from math import comb, isclose, log10, prod
from random import Random

import pytest

from tuilab.analysis.regions import montufar_lower, region_bounds, relu_layers, serra_lower, upper_bound, zaslavsky
from tuilab.spec.network import Network
from tuilab.spec.notation import parse


def _runs(*widths: int) -> list[tuple[int, int]]:
    return [(width, 1) for width in widths]


def _written_out(inputs: int, widths: tuple[int, ...]) -> int:
    """The sum of Serra et al. 2018, Theorem 1, term by term."""
    total = 0
    for js in product(*(range(width + 1) for width in widths)):
        left = inputs
        for width, j in zip(widths, js, strict=True):
            if j > min(left, width):
                break
            left = min(left, width - j)
        else:
            total += prod(comb(width, j) for width, j in zip(widths, js, strict=True))
    return total


@pytest.mark.parametrize(("units", "inputs", "regions"), [(3, 2, 7), (4, 2, 11), (10, 2, 56), (5, 9, 32), (0, 2, 1)])
def test_one_layer_reaches_what_zaslavsky_counted(units, inputs, regions):
    assert zaslavsky(units, inputs).exact == regions
    assert upper_bound(inputs, _runs(units)).exact == regions


@pytest.mark.parametrize(
    ("widths", "montufar", "serra", "upper"),
    [((4, 4), 44, None, 121), ((8, 8), 592, 925, 1369), ((6, 6, 6), 1782, 5632, 10648)],
)
def test_published_bounds_in_two_dimensions(widths, montufar, serra, upper):
    low, lower, high = (bound(2, _runs(*widths)) for bound in (montufar_lower, serra_lower, upper_bound))
    assert low is not None
    assert high is not None
    assert (low.exact, lower and lower.exact, high.exact) == (montufar, serra, upper)


def test_depth_loses_regions_where_the_input_is_as_large_as_the_network():
    bounds = [upper_bound(60, _runs(*widths)) for widths in [(60,), (30, 30), (20, 20, 20)]]
    assert [f"{bound.exact:.2e}" for bound in bounds if bound.exact] == ["1.15e+18", "6.36e+17", "3.60e+17"]


def test_in_one_dimension_bounds_meet():
    for widths in [(3,), (3, 4), (5, 3, 7)]:
        lower, upper = serra_lower(1, _runs(*widths)), upper_bound(1, _runs(*widths))
        assert lower == upper
        assert upper.exact == prod(width + 1 for width in widths)


def test_the_upper_bound_is_the_sum_written_out():
    rng = Random(2)
    for _ in range(200):
        inputs, widths = rng.randint(1, 6), tuple(rng.randint(1, 6) for _ in range(rng.randint(1, 4)))
        assert upper_bound(inputs, _runs(*widths)).exact == _written_out(inputs, widths)


def test_no_lower_bound_exceeds_the_upper():
    rng = Random(3)
    for _ in range(300):
        inputs, widths = rng.randint(1, 5), [rng.randint(1, 25) for _ in range(rng.randint(1, 4))]
        upper = upper_bound(inputs, _runs(*widths)).log10
        for lower in (montufar_lower(inputs, _runs(*widths)), serra_lower(inputs, _runs(*widths))):
            assert lower is None or lower.log10 <= upper + 1e-9


def test_runs_bound_like_their_layers_and_logarithms_like_exact_numbers():
    for width, times in [(3, 4), (7, 3), (20, 2)]:
        for bound in (montufar_lower, serra_lower, upper_bound):
            assert bound(2, [(width, times)]) == bound(2, _runs(*[width] * times))
    assert isclose(zaslavsky(1300, 900).log10, log10(sum(comb(1300, j) for j in range(901))))
    assert isclose(zaslavsky(4000, 1800).log10, log10(sum(comb(4000, j) for j in range(1801))), rel_tol=1e-9)
    assert zaslavsky(1300, 900).exact == sum(comb(1300, j) for j in range(901))


@pytest.mark.parametrize(
    ("notation", "in_shape", "expected"),
    [
        ("3*(14 relu)", (2,), ((14, 3),)),
        ("14 relu 2*(5 relu) 4 leaky_relu", (2,), ((14, 1), (5, 2), (4, 1))),
        ("2*(3 relu 4 relu)", (2,), ((3, 1), (4, 1), (3, 1), (4, 1))),
        ("2*(3*(4 relu))", (2,), ((4, 6),)),
        ("flatten 14 batchnorm relu dropout(0.5)", (2, 2, 2), ((14, 1),)),
        ("", (2,), ()),
        ("14 tanh", (2,), None),
        ("relu 14 relu", (2,), None),
        ("residual(3 relu 2)", (2,), None),
        ("3 layernorm relu", (2,), None),
        ("100000*(3 relu 4 relu)", (2,), None),
    ],
)
def test_plain_relu_stacks_are_recognised(notation, in_shape, expected):
    assert relu_layers(Network(parse(notation), in_shape, 2)) == expected


def test_a_network_is_bounded_after_folding():
    linear = region_bounds(Network(parse("4*(14)"), (2,), 2))
    assert linear is not None
    assert (linear.zaslavsky.exact, linear.montufar, linear.serra_lower, linear.upper.exact) == (1, None, None, 1)
    chain = region_bounds(Network(parse("9 9 relu"), (2,), 2))
    assert chain is not None
    assert (chain.montufar, chain.upper.exact) == (None, 46)
    assert region_bounds(Network(parse("9 tanh"), (2,), 2)) is None


def test_any_size_answers():
    huge = region_bounds(Network(parse("14583333331*(3 relu)"), (3,), 3))
    assert huge is not None
    assert huge.upper.exact is None
    assert isclose(huge.upper.log10, 14583333331 * log10(8))
    wide = region_bounds(Network(parse("1158*(12288 relu)"), (12288,), 12288))
    assert wide is not None
    assert isclose(wide.upper.log10, 1158 * 12288 * log10(2))
