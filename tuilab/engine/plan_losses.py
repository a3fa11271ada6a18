"""Losses of a plan: the loss of each replica and its gradient by the outputs, feature-major, without autograd."""

from typing import assert_never

import torch
from torch import Tensor

from tuilab.engine.plan_operations import Gradient, Tape
from tuilab.spec.training import Loss


def add_loss(tape: Tape, loss: Loss, output: Tensor, target: Tensor, result: Tensor) -> Gradient:
    """Append a loss to the forward pass and its gradient to the backward pass.

    Args:
        tape: where to.
        loss: which.
        output: (R, out_features, B).
        target: (R, 1, B) int64 classes for cross-entropy, else (R, out_features, B) floats; a buffer that is refilled.
        result: (R,), receives the mean loss of each replica.

    Returns:
        where the gradient by the output will be.

    """
    gradient = torch.empty_like(output)
    replicas, features, batch = output.shape
    scratch = torch.empty_like(output)
    match loss:
        case Loss.CROSS_ENTROPY:
            chosen = output.new_empty(replicas, 1, batch)
            ones = output.new_full((replicas, 1, batch), -1.0)

            def forward() -> None:
                torch.log_softmax(output, 1, out=scratch)
                torch.gather(scratch, 1, target, out=chosen)
                torch.mean(chosen, (1, 2), out=result)
                result.neg_()

            def backward() -> None:
                torch.exp(scratch, out=gradient).scatter_add_(1, target, ones).mul_(1 / batch)

        case Loss.BCE:

            def forward() -> None:
                torch.clamp_min(output, 0, out=scratch)
                torch.abs(output, out=gradient).neg_().exp_().log1p_()
                scratch.add_(gradient).addcmul_(output, target, value=-1)
                torch.mean(scratch, (1, 2), out=result)

            def backward() -> None:
                torch.sigmoid(output, out=gradient).sub_(target).mul_(1 / (batch * features))

        case Loss.MSE | Loss.L4:
            power = 2 if loss is Loss.MSE else 4

            def forward() -> None:
                torch.sub(output, target, out=gradient)
                torch.mul(gradient, gradient, out=scratch)
                if power == 4:
                    gradient.mul_(scratch)
                    scratch.mul_(scratch)
                torch.mean(scratch, (1, 2), out=result)

            def backward() -> None:
                gradient.mul_(power / (batch * features))

        case _:
            assert_never(loss)
    tape.forward.append(forward)
    tape.backward.append(backward)
    return Gradient(gradient)
