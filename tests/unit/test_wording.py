"""Numbers and networks inside sentences."""

import pytest

from tuilab.analysis.wording import (
    common_places,
    hidden_depth,
    listed,
    metric_text,
    p_text,
    shape_text,
    subject,
    with_interval,
)
from tuilab.spec.notation import parse


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0000001, "p < .0001"),
        (0.00032, "p = .0003"),
        (0.0032, "p = .003"),
        (0.049, "p = .049"),
        (0.12, "p = .12"),
        (1, "p = 1"),
    ],
)
def test_p_values_show_two_or_three_decimals_and_no_leading_zero(p, text):
    assert p_text(p) == text


@pytest.mark.parametrize(
    ("metric", "mean", "half_width", "text"),
    [
        ("error", 0.0053, 0.0048, "0.53 % ± 0.48"),
        ("nmse", 0.167, 0.027, "0.167 ± 0.027"),
        ("nmse", 338.2, 41.0, "338 ± 41"),
        ("error", 0.25, None, "25 %"),
        ("error", 0.0, 0.0, "0 % ± 0"),
    ],
)
def test_a_mean_shows_as_many_digits_as_its_half_width_supports(metric, mean, half_width, text):
    assert metric_text(metric, mean, half_width) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.196, 0.1712, 0.2208), "0.196 0.171 0.221"),
        ((0.2, 0.17, 0.23), "0.200 0.170 0.230"),
        ((-0.012, -0.025, 0.0011), "-0.012 -0.025 0.001"),
        ((-0.0004, -0.05, 0.05), "0.000 -0.050 0.050"),
        ((1234.4, 1178.0, 1290.0), "1234 1178 1290"),
        ((2e-9, 1e-9, 3e-9), "2e-09 1e-09 3e-09"),
        ((0.25, 0.25, 0.25), "0.25 0.25 0.25"),
    ],
)
def test_a_value_and_its_interval_have_the_same_decimals(numbers, text):
    assert " ".join(with_interval(*numbers)) == text


def test_two_means_share_their_decimals_but_a_small_one_is_not_rounded_away():
    assert common_places("error", [(0.0052, 0.0011), (0.01339, 0.00097)]) == 2
    assert common_places("nmse", [(0.5, 0.1), (0.0004, 0.0001)]) == 5
    assert common_places("nmse", [(0.5, 0.0)]) is None


@pytest.mark.parametrize(
    ("notation", "text", "depth"),
    [
        ("", "no hidden layer", 0),
        ("100 relu", "100", 1),
        ("19 relu 19 relu", "19, 19", 2),
        ("4*(11 relu)", "4×11", 4),
        ("12 relu 4*(3 relu)", "12, 4×3", 5),
        ("4*(11 tanh)", "4×11 tanh", 4),
        ("12 relu 3 tanh", "12 relu 3 tanh", 2),
        ("residual(64 relu 64)", "residual(64 relu 64)", 2),
        ("sum(1 | 1)", "sum(1 | 1)", 1),
        ("conv(16, 3) relu maxpool(2) flatten 32 relu out", "conv(16, 3) relu maxpool(2) flatten 32 …", 2),
    ],
)
def test_a_network_is_said_as_briefly_as_it_can_be(notation, text, depth):
    assert shape_text(parse(notation)) == text
    assert hidden_depth(parse(notation)) == depth


def test_a_candidate_named_after_its_shape_is_not_said_twice():
    assert subject("4*(11 relu)", parse("4*(11 relu)"), 453) == "4*(11 relu) (453 params)"
    assert subject("deep", parse("4*(11 relu)"), 14583) == "deep (4×11, 14,583 params)"
    assert listed(["a", "b", "c"]) == "a, b and c"
