"""What a network needs: bytes for weights, training and activations, FLOPs for a step, seconds at a measured rate."""

from dataclasses import dataclass

from tuilab.analysis.counting import NetworkCount, Totals


@dataclass(frozen=True, slots=True)
class Needs:
    """What a network needs at one batch size.

    Attributes:
        weights_fp32: bytes of the weights at 4 a parameter.
        weights_bf16: bytes of the weights at 2 a parameter.
        adam_training: bytes for weights, gradients and both moments of Adam, in fp32: 16 a parameter.
        activations: bytes of all layer outputs of a batch, in fp32, kept for the backward pass.
        training_memory: bytes of a training step with Adam: ``adam_training`` and ``activations``.
        flops_per_step: 2 FLOPs a MAC, three times the forward pass, over the batch.
        flops_6n: the rule of thumb 6 N per sample: exact for weights that are used once per sample, without biases.

    """

    weights_fp32: int
    weights_bf16: int
    adam_training: int
    activations: int
    training_memory: int
    flops_per_step: int
    flops_6n: int


def needs(counted: NetworkCount | Totals, batch_size: int = 1) -> Needs:
    """What a counted network needs with batches of ``batch_size`` examples."""
    params = counted.num_params
    activations = 4 * counted.activations * batch_size
    return Needs(
        weights_fp32=4 * params,
        weights_bf16=2 * params,
        adam_training=16 * params,
        activations=activations,
        training_memory=16 * params + activations,
        flops_per_step=3 * 2 * counted.macs * batch_size,
        flops_6n=6 * params,
    )


def seconds(flops: float, flops_per_second: float) -> float:
    """Time for ``flops`` at a measured rate; infinite at rate 0."""
    return flops / flops_per_second if flops_per_second > 0 else float("inf")
