"""Normalisation in the compiled kernel, feature-major: one row of ``work`` is one feature of the whole padded batch."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201

import numpy as np

from tuilab.engine.kernel_elementwise import compiled
from tuilab.engine.packed import BATCHNORM_MOMENTUM, NORM_EPS

_ZERO, _ONE = np.float32(0), np.float32(1)
_EPS, _MOMENTUM = np.float32(NORM_EPS), np.float32(BATCHNORM_MOMENTUM)


@compiled
def row_sums(out, out_at, work, at, rows, padded):
    """``out[row]`` = sum of a row, for every row."""
    for row in range(rows):
        values = work[at + row * padded : at + (row + 1) * padded]
        total = _ZERO
        for j in range(padded):
            total += values[j]
        out[out_at + row] = total


@compiled
def layernorm(work, x_at, y_at, features, values, scale_at, shift_at, normal_at, root_at, padded):
    """Normalise each example over its features; keeps the normalised values and 1 / deviation of each example."""
    share = _ONE / np.float32(features)
    mean, root = np.zeros(padded, np.float32), work[root_at : root_at + padded]
    root[:] = _ZERO
    for f in range(features):
        x = work[x_at + f * padded : x_at + (f + 1) * padded]
        for j in range(padded):
            mean[j] += x[j] * share
    for f in range(features):
        x = work[x_at + f * padded : x_at + (f + 1) * padded]
        for j in range(padded):
            root[j] += (x[j] - mean[j]) * (x[j] - mean[j]) * share
    for j in range(padded):
        root[j] = _ONE / np.sqrt(root[j] + _EPS)
    for f in range(features):
        x = work[x_at + f * padded : x_at + (f + 1) * padded]
        y = work[y_at + f * padded : y_at + (f + 1) * padded]
        normal = work[normal_at + f * padded : normal_at + (f + 1) * padded]
        scale, shift = values[scale_at + f], values[shift_at + f]
        for j in range(padded):
            n = (x[j] - mean[j]) * root[j]
            normal[j] = n
            y[j] = n * scale + shift


@compiled
def layernorm_back(work, d_at, features, values, gradients, scale_at, shift_at, normal_at, root_at, padded):
    """Gradients of scale and shift, and in place at ``d_at`` from that of the output to that of the input."""
    share = _ONE / np.float32(features)
    mean, along, root = np.zeros(padded, np.float32), np.zeros(padded, np.float32), work[root_at : root_at + padded]
    for f in range(features):
        d = work[d_at + f * padded : d_at + (f + 1) * padded]
        normal = work[normal_at + f * padded : normal_at + (f + 1) * padded]
        scale, grad_scale, grad_shift = values[scale_at + f], _ZERO, _ZERO
        for j in range(padded):
            grad_scale += d[j] * normal[j]
            grad_shift += d[j]
        gradients[scale_at + f], gradients[shift_at + f] = grad_scale, grad_shift
        for j in range(padded):
            d[j] *= scale
            mean[j] += d[j] * share
            along[j] += d[j] * normal[j] * share
    for f in range(features):
        d = work[d_at + f * padded : d_at + (f + 1) * padded]
        normal = work[normal_at + f * padded : normal_at + (f + 1) * padded]
        for j in range(padded):
            d[j] = (d[j] - mean[j] - normal[j] * along[j]) * root[j]


@compiled
def batchnorm(
    work, x_at, y_at, features, values, scale_at, shift_at, normal_at, root_at, stats, stats_at, batch, padded, training
):
    """Normalise each feature over the batch, or by what ``stats`` (means, then variances) remembers of training."""
    for f in range(features):
        x = work[x_at + f * padded : x_at + (f + 1) * padded]
        y = work[y_at + f * padded : y_at + (f + 1) * padded]
        normal = work[normal_at + f * padded : normal_at + (f + 1) * padded]
        mean, variance = stats[stats_at + f], stats[stats_at + features + f]
        if training:
            mean, variance = _ZERO, _ZERO
            for j in range(batch):
                mean += x[j]
            mean /= np.float32(batch)
            for j in range(batch):
                variance += (x[j] - mean) * (x[j] - mean)
            variance /= np.float32(batch)
            unbiased = variance * (np.float32(batch) / np.float32(max(1, batch - 1)))
            stats[stats_at + f] += _MOMENTUM * (mean - stats[stats_at + f])
            stats[stats_at + features + f] += _MOMENTUM * (unbiased - stats[stats_at + features + f])
        root = _ONE / np.sqrt(variance + _EPS)
        work[root_at + f] = root
        scale, shift = values[scale_at + f], values[shift_at + f]
        for j in range(padded):
            n = (x[j] - mean) * root
            normal[j] = n
            y[j] = n * scale + shift


@compiled
def batchnorm_back(work, d_at, features, values, gradients, scale_at, shift_at, normal_at, root_at, batch, padded):
    """Gradients of scale and shift, and in place at ``d_at`` from that of the output to that of the input."""
    share = _ONE / np.float32(batch)
    for f in range(features):
        d = work[d_at + f * padded : d_at + (f + 1) * padded]
        normal = work[normal_at + f * padded : normal_at + (f + 1) * padded]
        grad_scale, grad_shift = _ZERO, _ZERO
        for j in range(batch):
            grad_scale += d[j] * normal[j]
            grad_shift += d[j]
        gradients[scale_at + f], gradients[shift_at + f] = grad_scale, grad_shift
        factor = values[scale_at + f] * work[root_at + f]
        for j in range(batch):
            d[j] = factor * (d[j] - share * grad_shift - normal[j] * (share * grad_scale))
