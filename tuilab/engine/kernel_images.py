"""Images in the compiled kernel: convolutions, pooling and padding.

An image is (channels, height, width, padded batch): a pixel is a row of the batch, and a row of pixels one long stretch
of numbers. A convolution is then a product of its weights with rows of pixels that begin at the offsets of its window,
and its derivatives are products of the same kind; no window is ever copied.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from tuilab.engine.kernel_elementwise import compiled
from tuilab.engine.kernel_norms import row_sums
from tuilab.engine.kernel_products import add_dots, add_to_taps, gather_floats, window_product, window_scratch
from tuilab.engine.kernel_tiles import NO_BIAS
from tuilab.engine.kernel_vectors import LANES, address, copy_vector, transpose_tile
from tuilab.engine.kernel_windows import add_scaled, give_to_maximum, window_maximum

_ZERO, _ONE = np.float32(0), np.float32(1)
_PANEL = window_scratch()


@compiled
def convolve(work, values, tables, line, scratch, padded):
    """Y = convolution of x; see ``kernel_program`` for the fields of ``line``."""
    x, y, weight, bias, channels, _, width, outs, rows, columns, size, stride, table = to_fixed_tuple(line[1:14], 13)
    inner, out_row = channels * size * size, columns * padded
    windows = tables[table + inner : table + 2 * inner]
    weights, biases, start = address(values, weight), address(values, bias), NO_BIAS if bias < 0 else 0
    steps, length = (1, out_row) if stride == 1 else (columns, padded)
    for i in range(rows):
        for j in range(steps):
            to, source = y + i * out_row + j * padded, x + (i * width + j) * stride * padded
            window_product(
                address(work, to), rows * out_row, weights, inner, address(work, source), windows,
                biases, start, outs, inner, length, address(work, scratch),
            )  # fmt: skip


@compiled
def convolve_back(work, values, gradients, tables, line, scratch, padded):
    """Gradients of weight and bias from that of the output, and that of the input unless its place is below 0."""
    x, d, dx, weight, bias, channels, height, width, outs, rows, columns, size, stride, table, spread = to_fixed_tuple(
        line[1:16], 15
    )
    inner, out_row = channels * size * size, columns * padded
    if stride == 1 and channels >= LANES:
        _weight_gradient(
            work, gradients, weight, x, d, channels, height, width, outs, rows, columns, size, scratch, padded
        )
    else:
        gradients[weight : weight + outs * inner] = _ZERO
        steps, stretches, length = (1, rows, out_row) if stride == 1 else (rows, columns, padded)
        apart = width * padded if stride == 1 else stride * padded
        for i in range(steps):
            add_dots(
                gradients, weight, work, d + i * out_row, rows * out_row, x + i * stride * width * padded,
                table + inner, outs, inner, stretches, length, apart, length, tables, scratch,
            )  # fmt: skip
    if bias >= 0:
        row_sums(gradients, bias, work, d, outs, rows * out_row)
    if dx < 0:
        return
    _spread(work, d, spread, outs, rows, columns, height + size - 1, width + size - 1, size, stride, padded)
    taps, turned = outs * size * size, scratch + _PANEL
    from_weights = tables[table + 2 * inner : table + 2 * inner + taps]
    windows = tables[table + 2 * inner + taps : table + 2 * inner + 2 * taps]
    for c in range(channels):
        source = address(values, weight + c * size * size)
        gather_floats(address(work, turned + c * taps), source, from_weights, taps)
    for i in range(height):
        top, bottom = max(0, i - (rows - 1) * stride), min(size, i + 1)
        if bottom <= top:
            for c in range(channels):
                row = dx + (c * height + i) * width * padded
                work[row : row + width * padded] = _ZERO
            continue
        first = top * outs * size
        source = address(work, spread + i * (width + size - 1) * padded)
        window_product(
            address(work, dx + i * width * padded), height * width * padded,
            address(work, turned + first), taps, source, windows[first:], source, NO_BIAS,
            channels, (bottom - top) * outs * size, width * padded, address(work, scratch),
        )  # fmt: skip


@compiled
def _weight_gradient(
    work, gradients, weight, x, d, channels, height, width, outs, rows, columns, size, scratch, padded
):
    """Gradient of a weight (outs, channels, size, size), for a stride of 1 and at least ``LANES`` channels.

    ``LANES`` channels of a row of the image are transposed at a time, to (pixels and batch, channels); the gradient for
    one place in the window is then a product of gradients by the output with rows of these.
    """
    out_row, block = columns * padded, size * outs * LANES
    turned = scratch + size * block
    for begin in range(0, channels, LANES):
        first = min(begin, channels - LANES)
        work[scratch:turned] = _ZERO
        for r in range(height):
            source = x + (first * height + r) * width * padded
            for p in range(0, width * padded, LANES):
                to = address(work, turned + p * LANES)
                transpose_tile(to, LANES, address(work, source + p), height * width * padded)
            for k in range(max(0, r - rows + 1), min(size, r + 1)):
                add_to_taps(
                    address(work, scratch + k * block), address(work, d + (r - k) * out_row), rows * out_row, outs,
                    address(work, turned), out_row, size, padded * LANES,
                )  # fmt: skip
        for k in range(size):
            for tap in range(size):
                for o in range(outs):
                    source, to = scratch + k * block + (tap * outs + o) * LANES, weight + o * channels * size * size
                    for c in range(LANES):
                        gradients[to + ((first + c) * size + k) * size + tap] = work[source + c]


def convolution_scratch(channels: int, outs: int, size: int, width: int, padded: int) -> int:
    """Floats that a convolution of images so wide and its derivative overwrite."""
    return max(_PANEL + channels * outs * size * size, (size * size * outs + width * padded) * LANES)


@compiled
def _spread(work, d, spread, outs, rows, columns, height, width, size, stride, padded):
    """Put each pixel of a gradient where its window begins, ``size - 1`` into an image that is zero elsewhere."""
    for o in range(outs):
        for i in range(rows):
            for j in range(columns):
                source = d + ((o * rows + i) * columns + j) * padded
                target = spread + ((o * height + i * stride + size - 1) * width + j * stride + size - 1) * padded
                for b in range(0, padded, LANES):
                    copy_vector(address(work, target + b), address(work, source + b))


@compiled
def pad(work, line, padded):
    """Put an image into the middle of a larger one whose border stays zero."""
    x, y, channels, height, width, border = to_fixed_tuple(line[1:7], 6)
    across = width + 2 * border
    for c in range(channels):
        for i in range(height):
            source = x + (c * height + i) * width * padded
            target = y + ((c * (height + 2 * border) + i + border) * across + border) * padded
            work[target : target + width * padded] = work[source : source + width * padded]


@compiled
def crop(work, line, padded):
    """Take an image out of the middle of a larger one."""
    y, x, channels, height, width, border = to_fixed_tuple(line[1:7], 6)
    across = width + 2 * border
    for c in range(channels):
        for i in range(height):
            target = x + (c * height + i) * width * padded
            source = y + ((c * (height + 2 * border) + i + border) * across + border) * padded
            work[target : target + width * padded] = work[source : source + width * padded]


@compiled
def pool(work, line, padded):
    """Maximum or mean over windows; what lies outside the image counts as no maximum, and as zero in a mean."""
    x, y, channels, height, width, rows, columns, size, stride, border, maximum = to_fixed_tuple(line[1:12], 11)
    share, across = _ONE / np.float32(size * size), width * padded
    if not maximum:
        work[y : y + channels * rows * columns * padded] = _ZERO
    for c in range(channels):
        for i in range(rows):
            top, bottom = max(0, i * stride - border), min(height, i * stride - border + size)
            for j in range(columns):
                left, right = max(0, j * stride - border), min(width, j * stride - border + size)
                at, begin = (
                    y + ((c * rows + i) * columns + j) * padded,
                    x + ((c * height + top) * width + left) * padded,
                )
                for b in range(0, padded, LANES):
                    if maximum:
                        window_maximum(work, at + b, begin + b, bottom - top, right - left, across, padded)
                    else:
                        for row in range(bottom - top):
                            for column in range(right - left):
                                add_scaled(work, at + b, begin + b + row * across + column * padded, share)


@compiled
def pool_back(work, line, padded):
    """The gradient of the input; of equal maxima in a window the first gets it."""
    x, y, d, dx, channels, height, width, rows, columns, size, stride, border, maximum = to_fixed_tuple(line[1:14], 13)
    share, across = _ONE / np.float32(size * size), width * padded
    work[dx : dx + channels * height * width * padded] = _ZERO
    for c in range(channels):
        for i in range(rows):
            top, bottom = max(0, i * stride - border), min(height, i * stride - border + size)
            for j in range(columns):
                left, right = max(0, j * stride - border), min(width, j * stride - border + size)
                at, begin = ((c * rows + i) * columns + j) * padded, ((c * height + top) * width + left) * padded
                high, wide = bottom - top, right - left
                for b in range(0, padded, LANES):
                    from_at, to_at = at + b, begin + b
                    if maximum:
                        give_to_maximum(
                            work, dx + to_at, d + from_at, x + to_at, y + from_at, high, wide, across, padded
                        )
                    else:
                        for row in range(high):
                            for column in range(wide):
                                place = dx + to_at + row * across + column * padded
                                add_scaled(work, place, d + from_at, share)
