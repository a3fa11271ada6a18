"""Losses and metrics of packed outputs."""

from typing import assert_never

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor

from tuilab.spec.training import Loss


def loss_per_example(loss: Loss, output: Tensor, target: Tensor) -> Tensor:
    """The loss of every example, a mean over outputs for numbers.

    Args:
        loss: which.
        output: (replicas, examples, out_features).
        target: (replicas, examples) int64 classes for cross-entropy, else (replicas, examples, out_features) floats.

    Returns:
        (replicas, examples).

    """
    match loss:
        case Loss.CROSS_ENTROPY:
            return F.cross_entropy(output.flatten(0, 1), target.flatten(), reduction="none").view(target.shape)
        case Loss.BCE:
            return F.binary_cross_entropy_with_logits(output, target, reduction="none").mean(-1)
        case Loss.MSE:
            return (output - target).square().mean(-1)
        case Loss.L4:
            return (output - target).square().square().mean(-1)
        case _:
            assert_never(loss)


def metric_per_example(loss: Loss, output: Tensor, target: Tensor) -> Tensor:
    """1 where the answer is wrong; for numbers the squared error: (replicas, examples), shapes as for the loss."""
    match loss:
        case Loss.CROSS_ENTROPY:
            return (output.argmax(-1) != target).to(output.dtype)
        case Loss.BCE:
            return ((output > 0) != (target > 0.5)).to(output.dtype).mean(-1)
        case Loss.MSE | Loss.L4:
            return (output - target).square().mean(-1)
        case _:
            assert_never(loss)


def as_target(loss: Loss, targets: Tensor, dtype: torch.dtype) -> Tensor:
    """Targets as the loss wants them: class numbers as they are for cross-entropy, else (examples, outputs) floats."""
    if loss is Loss.CROSS_ENTROPY:
        return targets
    return targets.to(dtype).view(len(targets), -1)
