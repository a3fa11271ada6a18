"""The compiled kernel: one replica of a dense stack, trained through many steps with everything in cache.

A network is a table of instructions (``kernel_program``) that this code follows, so that it is compiled once for all
architectures and kept on disk. Activations are feature-major, (features, padded batch), in one flat array ``work``.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

import numpy as np
from numba import njit

from tuilab.engine.kernel_elementwise import activate, compiled, deactivate
from tuilab.engine.kernel_images import convolve, convolve_back, crop, pad, pool, pool_back
from tuilab.engine.kernel_losses import loss_and_gradient, loss_and_metric
from tuilab.engine.kernel_norms import batchnorm, batchnorm_back, layernorm, layernorm_back, row_sums
from tuilab.engine.kernel_products import outer, packed_product
from tuilab.engine.kernel_updates import update
from tuilab.engine.kernel_vectors import LANES, address, transpose_tile
from tuilab.engine.random import GOLDEN, MULTIPLIERS

LINEAR, ACTIVATE, DROPOUT, LAYERNORM, BATCHNORM, ADD, CONVOLVE, PAD, POOL = range(9)
LINEAR_BACK, ACTIVATE_BACK, MULTIPLY, LAYERNORM_BACK, BATCHNORM_BACK, COPY, ACCUMULATE = range(10, 17)
CONVOLVE_BACK, CROP, POOL_BACK = range(17, 20)
FIELDS = 16
"""Whole numbers of an instruction: its code, then offsets and sizes."""

_ZERO = np.float32(0)
_GOLDEN, _FIRST, _SECOND = np.uint32(GOLDEN), np.uint32(MULTIPLIERS[0]), np.uint32(MULTIPLIERS[1])
_SIXTEEN, _FIFTEEN = np.uint32(16), np.uint32(15)


@compiled
def follow(code, numbers, tables, work, scratch_at, state, step, begin, batch, padded, training):  # noqa: C901
    """Carry out the instructions ``code`` (instructions, FIELDS), with a float for each in ``numbers``.

    ``state`` is as for ``train``; ``begin`` is the number of the first example within its batch.
    """
    values, gradients, _, _, stats, keys = state
    for line in range(len(code)):
        op = code[line, 0]
        a, b, c, d = code[line, 1], code[line, 2], code[line, 3], code[line, 4]
        e, f, g, h = code[line, 5], code[line, 6], code[line, 7], code[line, 8]
        if op == LINEAR:
            packed_product(work, b, values, c, e, 1, work, a, values, d, f, e, padded, scratch_at)
        elif op == ACTIVATE:
            activate(d, np.float32(numbers[line]), work, a, b, c * padded)
        elif op == LINEAR_BACK:
            outer(gradients, d, work, b, work, a, g, f, padded, scratch_at)
            if e >= 0:
                row_sums(gradients, e, work, b, g, padded)
            if c >= 0:
                packed_product(work, c, values, d, 1, f, work, b, values, -1, f, g, padded, scratch_at)
        elif op == ACTIVATE_BACK:
            deactivate(e, np.float32(numbers[line]), work, a, b, c, d * padded)
        elif op == DROPOUT and training:
            _drop(work, a, b, d, c, keys[e], np.uint32(step), f, np.float32(numbers[line]), begin, padded)
        elif op == DROPOUT:
            work[b : b + c * padded] = work[a : a + c * padded]
        elif op == MULTIPLY:
            _multiply(work, a, b, c * padded)
        elif op == LAYERNORM:
            layernorm(work, a, b, c, values, d, e, f, g, padded)
        elif op == LAYERNORM_BACK:
            layernorm_back(work, a, b, values, gradients, c, d, e, f, padded)
        elif op == BATCHNORM:
            batchnorm(work, a, b, c, values, d, e, f, g, stats, h, batch, padded, training)
        elif op == BATCHNORM_BACK:
            batchnorm_back(work, a, b, values, gradients, c, d, e, f, batch, padded)
        elif op == CONVOLVE:
            convolve(work, values, tables, code[line], scratch_at, padded)
        elif op == CONVOLVE_BACK:
            convolve_back(work, values, gradients, tables, code[line], scratch_at, padded)
        elif op == PAD:
            pad(work, code[line], padded)
        elif op == CROP:
            crop(work, code[line], padded)
        elif op == POOL:
            pool(work, code[line], padded)
        elif op == POOL_BACK:
            pool_back(work, code[line], padded)
        elif op == ADD:
            _add(work, a, b, c, d * padded)
        elif op == COPY:
            work[b : b + c * padded] = work[a : a + c * padded]
        else:
            _accumulate(work, a, b, c * padded)


@njit(nogil=True, error_model="numpy", cache=True)
def train(program, work, state, examples, order, padded, loss, optimizer, rates, first_step, losses):
    """Train one replica for ``len(rates)`` steps.

    Args:
        program: instructions forward, their floats, instructions backward, their floats, tables of offsets, and places
            in ``work``: offsets of input, output and gradient by the output, the number of outputs, offsets of scratch
            and of room for the examples as they come.
        work: float32, for activations and their gradients.
        state: what the replica owns: parameters, gradients, and two states of the optimiser, (row_length,) each;
            running means and variances of its batch normalisations; (dropouts,) uint32 keys.
        examples: (examples, features) float32 inputs; classes and numeric targets as ``kernel_losses`` wants them.
        order: (steps, batch) numbers of training examples.
        padded: examples taken at once, whole vectors; a larger batch is taken in parts, whose gradients are added.
        loss: kind of loss.
        optimizer: as ``kernel_updates.describe`` says.
        rates: (steps,) float64 learning rates.
        first_step: number of the first step.
        losses: (steps,) float64, receives each batch's loss before its update.

    """
    forward, forward_numbers, backward, backward_numbers, tables, places = program
    values, gradients, first, second, _, _ = state
    inputs, labels, targets = examples
    batch, scratch = order.shape[1], places[4]
    total = np.zeros_like(gradients) if batch > padded else gradients
    for k in range(len(rates)):
        losses[k], step = 0, first_step + k
        for begin in range(0, batch, padded):
            chosen = order[k, begin : begin + padded]
            now = len(chosen)
            _gather(work, places, inputs, chosen, padded)
            follow(forward, forward_numbers, tables, work, scratch, state, step, begin, now, padded, True)
            losses[k] += loss_and_gradient(
                loss, work, places[1], places[2], places[3], now, batch, padded, labels, targets, chosen
            )
            follow(backward, backward_numbers, tables, work, scratch, state, step, begin, now, padded, True)
            if batch > padded:
                _collect(total, gradients, begin == 0)
        update(optimizer[0], optimizer[1], rates[k], step, values, total, first, second)


@njit(nogil=True, error_model="numpy", cache=True)
def evaluate(program, work, state, examples, count, padded, loss, relu, alive):
    """Mean loss and mean metric of the first ``count`` examples; arguments as for ``train``.

    ``relu`` (layers, 3) has offset, units and pixels a unit of each ReLU's output; the units that are above zero
    anywhere on any example are marked in ``alive``, one layer after the other, if it is not empty.
    """
    forward, forward_numbers, _, _, tables, places = program
    inputs, labels, targets = examples
    loss_sum, metric_sum = 0.0, 0.0
    for begin in range(0, count, padded):
        batch = min(padded, count - begin)
        _gather(work, places, inputs, np.arange(begin, begin + batch), padded)
        follow(forward, forward_numbers, tables, work, places[4], state, 0, 0, batch, padded, False)
        part, wrong = loss_and_metric(loss, work, places[1], places[3], batch, padded, labels, targets, begin)
        loss_sum += part
        metric_sum += wrong
        if len(alive):
            _mark_alive(work, relu, alive, batch, padded)
    return loss_sum / count, metric_sum / count


@compiled
def _mark_alive(work, relu, alive, batch, padded):
    unit = 0
    for layer in range(len(relu)):
        for row in range(relu[layer, 1]):
            for pixel in range(relu[layer, 2]):
                at = relu[layer, 0] + (row * relu[layer, 2] + pixel) * padded
                for j in range(batch):
                    alive[unit] |= work[at + j] > _ZERO
            unit += 1


@compiled
def _collect(total, part, first):
    if first:
        total[:] = part
    else:
        for j in range(len(total)):
            total[j] += part[j]


@compiled
def _gather(work, places, inputs, chosen, padded):
    """Put examples (chosen, features) into the input (features, padded), by tiles where there are enough features."""
    at, rows_at, features = places[0], places[5], inputs.shape[1]
    if features < LANES:
        for b in range(len(chosen)):
            row = inputs[chosen[b]]
            for f in range(features):
                work[at + f * padded + b] = row[f]
        return
    for b in range(len(chosen)):
        work[rows_at + b * features : rows_at + (b + 1) * features] = inputs[chosen[b]]
    for b in range(0, padded, LANES):
        for f in range(0, features, LANES):
            source = address(work, rows_at + b * features + f)
            transpose_tile(address(work, at + f * padded + b), padded, source, features)


@njit(inline="always")
def _mixed(x):
    """The mixing of ``random.keep_mask``; every operation is cut back to 32 bits."""
    x = np.uint32(np.uint32(x ^ np.uint32(x >> _SIXTEEN)) * _FIRST)
    return np.uint32(np.uint32(x ^ np.uint32(x >> _FIFTEEN)) * _SECOND)


@compiled
def _drop(work, x_at, y_at, mask_at, features, key, step, threshold, scale, begin, padded):
    """Dropout by the masks of ``random.keep_mask``."""
    bits = _mixed(np.uint32(key + np.uint32(step * _GOLDEN)))
    limit = np.uint32(min(threshold, 2**32 - 1))
    for f in range(features):
        x = work[x_at + f * padded : x_at + (f + 1) * padded]
        y = work[y_at + f * padded : y_at + (f + 1) * padded]
        mask = work[mask_at + f * padded : mask_at + (f + 1) * padded]
        for j in range(padded):
            drawn = _mixed(np.uint32(np.uint32((begin + j) * features + f) + bits))
            mask[j] = scale if drawn >= limit else _ZERO
        for j in range(padded):
            y[j] = x[j] * mask[j]


@compiled
def _multiply(work, a_at, b_at, count):
    a, b = work[a_at : a_at + count], work[b_at : b_at + count]
    for j in range(count):
        a[j] *= b[j]


@compiled
def _add(work, a_at, b_at, y_at, count):
    a, b, y = work[a_at : a_at + count], work[b_at : b_at + count], work[y_at : y_at + count]
    for j in range(count):
        y[j] = a[j] + b[j]


@compiled
def _accumulate(work, a_at, b_at, count):
    a, b = work[a_at : a_at + count], work[b_at : b_at + count]
    for j in range(count):
        a[j] += b[j]
