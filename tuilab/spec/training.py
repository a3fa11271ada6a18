"""Training: how a network is optimised."""

from enum import Enum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from tuilab.spec.fields import LearningRate, PositiveInt, Value, from_name
from tuilab.spec.layers import Init

MomentumFactor = Annotated[float, Field(ge=0, lt=1)]


class Sgd(Value):
    """Stochastic gradient descent, with classical (Polyak) or Nesterov momentum as in torch.optim.SGD."""

    kind: Literal["sgd"] = "sgd"
    momentum: MomentumFactor = 0.0
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


MomentumSchedule = Literal["constant", "sutskever"]
"""``sutskever`` lets momentum rise to its value: at update t it is min(1 - 1 / (2 (floor(t / 250) + 1)), momentum)
(Sutskever et al. 2013, equation 5)."""


class Momentum(Value):
    """SGD with classical momentum 0.9; short for ``sgd`` with ``momentum``."""

    kind: Literal["momentum"] = "momentum"
    momentum: MomentumFactor = 0.9
    momentum_schedule: MomentumSchedule = "constant"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class Nesterov(Value):
    """SGD with Nesterov momentum 0.9 (Sutskever et al. 2013)."""

    kind: Literal["nesterov"] = "nesterov"
    momentum: MomentumFactor = 0.9
    momentum_schedule: MomentumSchedule = "constant"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class Adam(Value):
    """Adam (Kingma and Ba 2015); weight decay is added to the gradient as in torch.optim.Adam."""

    kind: Literal["adam"] = "adam"
    beta1: MomentumFactor = 0.9
    beta2: MomentumFactor = 0.999
    eps: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class AdamW(Value):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"
    beta1: MomentumFactor = 0.9
    beta2: MomentumFactor = 0.999
    eps: Annotated[float, Field(gt=0)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.01


class RmsProp(Value):
    """RMSprop (Tieleman and Hinton 2012), as in torch.optim.RMSprop."""

    kind: Literal["rmsprop"] = "rmsprop"
    alpha: MomentumFactor = 0.99
    eps: Annotated[float, Field(gt=0)] = 1e-8
    momentum: MomentumFactor = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class LeastSquares(Value):
    """No descent: the last layer is solved for at the first step, on a network whose other layers are not trainable.

    Of all weights with the least squared error on the training part, the smallest (Belkin et al. 2019). Learning rate,
    schedule and batch size mean nothing then.
    """

    kind: Literal["least_squares"] = "least_squares"
    ridge: Annotated[float, Field(ge=0)] = 0.0
    """Times the number of examples times the squared length of the weights, added to the squared error."""


_AnyOptimizer: TypeAlias = Annotated[
    Sgd | Momentum | Nesterov | Adam | AdamW | RmsProp | LeastSquares, Field(discriminator="kind")
]
_OptimizerName: TypeAlias = Literal["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "least_squares"]
Optimizer = Annotated[_AnyOptimizer, BeforeValidator(from_name, json_schema_input_type=_OptimizerName | _AnyOptimizer)]


class Constant(Value):
    """The learning rate as given, all the way."""

    kind: Literal["constant"] = "constant"


class Cosine(Value):
    """Half a cosine from the learning rate to ``final`` times it, after a linear warm-up."""

    kind: Literal["cosine"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Part of the steps during which the rate rises linearly from zero."""
    final: Annotated[float, Field(ge=0, le=1)] = 0.0


class StepDecay(Value):
    """The learning rate times ``gamma`` after every ``every`` steps."""

    kind: Literal["step"] = "step"
    every: PositiveInt = 500
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1


class Warmup(Value):
    """A linear rise from zero over part of the steps, then constant."""

    kind: Literal["warmup"] = "warmup"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1


_AnySchedule: TypeAlias = Annotated[Constant | Cosine | StepDecay | Warmup, Field(discriminator="kind")]
_ScheduleName: TypeAlias = Literal["constant", "cosine", "step", "warmup"]
Schedule = Annotated[_AnySchedule, BeforeValidator(from_name, json_schema_input_type=_ScheduleName | _AnySchedule)]


class Loss(Enum):
    """What is minimised, as a mean over the batch (and over outputs for regression)."""

    CROSS_ENTROPY = "cross_entropy"
    """Softmax cross-entropy; one output per class."""
    BCE = "bce"
    """Sigmoid cross-entropy on one output; two classes only."""
    MSE = "mse"
    """Mean squared error."""
    L4 = "l4"
    """Mean fourth power of the error (Arora, Cohen and Hazan 2018)."""


class Precision(Enum):
    """What the products of ``linear`` and ``conv`` are computed in; all else, the weights included, is float32."""

    FLOAT32 = "float32"
    """As everything else."""
    TF32 = "tf32"
    """Factors rounded to 10 bits of mantissa, on a CUDA device only."""
    BF16 = "bf16"
    """Factors and products rounded to bfloat16, 7 bits of mantissa, forward and backward."""


class Training(Value):
    """How a candidate is trained."""

    optimizer: Optimizer = Adam()
    lr: LearningRate | None = None
    """A fixed learning rate. Without it the protocol tunes one per candidate over its grid."""
    schedule: Schedule = Cosine()
    steps: Annotated[int, Field(ge=0, le=10**9)] = 1000
    """Optimiser updates; 0 judges the network as it starts, for the constructed inits."""
    batch_size: PositiveInt | Literal["full"] = 128
    """Examples a step, drawn by shuffling epochs; ``full`` is the whole training set."""
    loss: Loss | None = None
    """Without it, cross-entropy for classes and the mean squared error for numbers."""
    init: Init = Init.HE_NORMAL
    init_scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Multiplies the initial weights."""
    bias_std: Annotated[float, Field(ge=0, le=10)] = 0.05
    """Standard deviation of the initial biases; the inits ``torch``, ``identity`` and the constructed ones set biases
    their own way."""
    precision: Precision = Precision.FLOAT32
    """What the layers' products are computed in; ``tf32`` needs a CUDA device. Weights and updates stay float32."""

    @property
    def needs_lr(self) -> bool:
        """Whether a learning rate changes anything."""
        return self.steps > 0 and not isinstance(self.optimizer, LeastSquares)


def report_steps(steps: int) -> tuple[int, ...]:
    """The steps after which losses are reported: dense at first, then every hundredth of the whole.

    Starts with 0 (before training) and ends with ``steps``; at most about 140 entries.
    """
    stride = max(1, -(-steps // 100))
    early = {round(1.5**k) for k in range(64) if 1.5**k < min(steps, 2 * stride)}
    return tuple(sorted({0, steps} | early | set(range(stride, steps, stride))))
