"""Two convolutions without a non-linearity are one: the composed kernel gives the same outputs."""

from random import Random

import torch
from torch.nn import functional

from tuilab.analysis.insight_images import folded
from tuilab.spec.layers import Conv
from tuilab.spec.shapes import output_shape


def test_the_folded_convolution_computes_the_same():
    rng = Random(0)
    torch.manual_seed(0)
    for _ in range(50):
        first = Conv(rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 2), rng.randint(0, 2))
        second = Conv(rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 2))
        one = folded(first, second)
        assert one is not None
        x = torch.randn(2, 2, 12, 11, dtype=torch.float64)
        weight = torch.randn(first.out_channels, 2, first.kernel_size, first.kernel_size, dtype=torch.float64)
        other = torch.randn(
            second.out_channels, first.out_channels, second.kernel_size, second.kernel_size, dtype=torch.float64
        )
        expected = functional.conv2d(
            functional.conv2d(x, weight, stride=first.stride, padding=first.padding), other, stride=second.stride
        )
        kernel = torch.zeros(second.out_channels, 2, one.kernel_size, one.kernel_size, dtype=torch.float64)
        for row in range(second.kernel_size):
            for column in range(second.kernel_size):
                at = (row * first.stride, column * first.stride)
                part = torch.einsum("om,mikl->oikl", other[:, :, row, column], weight)
                kernel[:, :, at[0] : at[0] + first.kernel_size, at[1] : at[1] + first.kernel_size] += part
        actual = functional.conv2d(x, kernel, stride=one.stride, padding=one.padding)
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
        assert output_shape(one, (2, 12, 11)) == tuple(expected.shape[1:])


def test_padding_between_two_convolutions_keeps_them_two():
    assert folded(Conv(2, 3), Conv(2, 3, padding=1)) is None
