"""Losses of the compiled kernel on one replica's batch, feature-major; columns that pad the batch get gradient 0."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

import numpy as np

from tuilab.engine.kernel_elementwise import compiled, exp, log1p
from tuilab.spec.training import Loss

KINDS = {Loss.CROSS_ENTROPY: 0, Loss.BCE: 1, Loss.MSE: 2, Loss.L4: 3}
"""What the kernel calls the losses."""
_ZERO, _HALF, _ONE, _TWO, _FOUR = (np.float32(value) for value in (0, 0.5, 1, 2, 4))


@compiled
def loss_and_gradient(kind, work, z_at, d_at, features, batch, whole, padded, labels, numbers, chosen):
    """What some examples add to the mean loss of their batch; the gradient by the outputs goes to ``d_at``.

    Args:
        kind: as in ``KINDS``.
        work: where outputs (features, padded) stand at ``z_at``.
        z_at: likewise.
        d_at: offset of the gradient, as large as the outputs.
        features: outputs of the network.
        batch: examples that count.
        whole: examples of the whole batch that they belong to.
        padded: length of a row.
        labels: (examples,) int64 classes; for the numeric losses unused.
        numbers: (examples, features) float32 targets; for cross-entropy unused.
        chosen: (batch,) numbers of the batch's examples.

    """
    work[d_at : d_at + features * padded] = _ZERO
    if kind == 0:
        return _cross_entropy(work, z_at, d_at, features, batch, whole, padded, labels, chosen)
    total = 0.0
    scale = _ONE / np.float32(whole * features)
    for f in range(features):
        z = work[z_at + f * padded : z_at + f * padded + batch]
        d = work[d_at + f * padded : d_at + f * padded + batch]
        for b in range(batch):
            d[b] = numbers[chosen[b], f]
        if kind == 1:
            for b in range(batch):
                size = -z[b] if z[b] < _ZERO else z[b]
                small = exp(-size)
                positive = _ZERO if z[b] < _ZERO else z[b]
                total += positive - z[b] * d[b] + log1p(small)
                share = (small if z[b] < _ZERO else _ONE) / (_ONE + small)
                d[b] = (share - d[b]) * scale
        elif kind == 2:
            for b in range(batch):
                error = z[b] - d[b]
                total += error * error
                d[b] = _TWO * scale * error
        else:
            for b in range(batch):
                error = z[b] - d[b]
                square = error * error
                total += square * square
                d[b] = _FOUR * scale * square * error
    return total / (whole * features)


@compiled
def _cross_entropy(work, z_at, d_at, features, batch, whole, padded, labels, chosen):
    top, norm = np.empty(batch, np.float32), np.zeros(batch, np.float32)
    top[:] = work[z_at : z_at + batch]
    for f in range(1, features):
        z = work[z_at + f * padded : z_at + f * padded + batch]
        for b in range(batch):
            top[b] = top[b] if z[b] < top[b] else z[b]
    for f in range(features):
        z = work[z_at + f * padded : z_at + f * padded + batch]
        d = work[d_at + f * padded : d_at + f * padded + batch]
        for b in range(batch):
            e = exp(z[b] - top[b])
            d[b] = e
            norm[b] += e
    total = 0.0
    for b in range(batch):
        total += np.log(norm[b]) + top[b] - work[z_at + labels[chosen[b]] * padded + b]
        norm[b] = _ONE / (norm[b] * np.float32(whole))
    for f in range(features):
        d = work[d_at + f * padded : d_at + f * padded + batch]
        for b in range(batch):
            d[b] *= norm[b]
    share = _ONE / np.float32(whole)
    for b in range(batch):
        work[d_at + labels[chosen[b]] * padded + b] -= share
    return total / whole


@compiled
def loss_and_metric(kind, work, z_at, features, batch, padded, labels, numbers, first):
    """Sums over the examples ``first`` to ``first + batch``: the loss, and wrong answers or squared errors."""
    if kind == 0:
        return _cross_entropy_and_error(work, z_at, features, batch, padded, labels[first : first + batch])
    loss, metric, share = 0.0, 0.0, 1 / features
    y = np.empty(batch, np.float32)
    for f in range(features):
        z = work[z_at + f * padded : z_at + f * padded + batch]
        for b in range(batch):
            y[b] = numbers[first + b, f]
        for b in range(batch):
            u, v = z[b], y[b]
            if kind == 1:
                size, positive = (-u, _ZERO) if u < _ZERO else (u, u)
                loss += share * (positive - u * v + log1p(exp(-size)))
                metric += share if (u > _ZERO) != (v > _HALF) else 0.0
            else:
                square = (u - v) * (u - v)
                loss += share * (square if kind == 2 else square * square)
                metric += share * square
    return loss, metric


@compiled
def _cross_entropy_and_error(work, z_at, features, batch, padded, labels):
    top, norm, best = np.empty(batch, np.float32), np.zeros(batch, np.float32), np.zeros(batch, np.int32)
    top[:] = work[z_at : z_at + batch]
    for f in range(1, features):
        z = work[z_at + f * padded : z_at + f * padded + batch]
        for b in range(batch):
            u, v = top[b], z[b]
            best[b] = best[b] if v <= u else np.int32(f)
            top[b] = u if v <= u else v
    for f in range(features):
        z = work[z_at + f * padded : z_at + f * padded + batch]
        for b in range(batch):
            norm[b] += exp(z[b] - top[b])
    loss, metric = 0.0, 0.0
    for b in range(batch):
        loss += np.log(norm[b]) + top[b] - work[z_at + labels[b] * padded + b]
        metric += 0.0 if best[b] == labels[b] else 1.0
    return loss, metric
