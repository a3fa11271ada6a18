"""The signal at initialisation: how large a random network's layers answer, and whether they answer at all.

Mean-field expectations for wide layers (Poole et al. 2016, Schoenholz et al. 2017): each unit's input is normal with
the second moment q of the layer before times fan_in times the weights' variance. Everything is in decimal logarithms,
so that a billion layers neither overflow nor underflow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import erf, exp, isclose, log, log1p, log10, pi, prod, sqrt, tanh

from tuilab.analysis.leaves import leaf
from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Init,
    Layer,
    LayerNorm,
    Linear,
    Repeat,
    Residual,
    Stack,
    Sum,
)
from tuilab.spec.network import Network
from tuilab.spec.shapes import Shape, output_shape
from tuilab.spec.training import Training

NOTHING = float("-inf")
"""log10 of 0: no signal at all."""
_COPIES = 60
_FIT = 3
"""Moments that fix an affine map."""
_SURE = 1e-12
_FAR = 150.0
"""Decades between moments beyond which a float cannot hold the squares of their quotients."""
_LN_10 = log(10)
_LOG10_HALF = log10(0.5)


@dataclass(frozen=True, slots=True)
class Signal:
    """The expected mean square of a network's layers at initialisation, for inputs with mean square 1.

    Attributes:
        log10_hidden: log10 of it after the last hidden activation, where the final projection starts.
        log10_output: log10 of it at the output.
        log10_smallest: the least after any layer.
        log10_largest: the most after any layer.

    """

    log10_hidden: float
    log10_output: float
    log10_smallest: float
    log10_largest: float


def signal(network: Network, training: Training) -> Signal:
    """The expected signal under the training's initialisation.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    network.check()
    return stack_signal(network.layers, network.in_shape, training)


def stack_signal(layers: Stack, shape: Shape, training: Training, *, biases: bool = True) -> Signal:
    """``signal`` of layers that fit and state their final projection as a linear layer.

    Args:
        layers: as ``network.layers``.
        shape: of one input.
        training: whose initialisation counts.
        biases: False leaves the biases out, whose part is the same for every input: what remains of the signal of a
            ReLU network is what depends on the input, and shrinks exactly as gradients do on their way back.

    """
    walk = _Walk(training, biases=biases)
    hidden, shape = walk.stack(layers[:-1], 0.0, shape)
    output, _ = walk.stack(layers[-1:], hidden, shape)
    return Signal(hidden, output, walk.smallest, walk.largest)


def weight_gain(init: Init, fan_in: int, fan_out: int) -> float:
    """The factor from the mean square of a layer's inputs to that of its units, biases aside: fan_in Var(w)."""
    match init:
        case Init.TORCH:
            return 1 / 3
        case Init.HE_NORMAL | Init.HE_UNIFORM:
            return 2.0
        case Init.XAVIER_NORMAL | Init.XAVIER_UNIFORM:
            return 2 * fan_in / (fan_in + fan_out)
        case Init.ORTHOGONAL:
            return 2 * min(1.0, fan_in / fan_out)
        case Init.SPARSE:
            return float(min(15, fan_in))
        case Init.IDENTITY:
            return min(1.0, fan_in / fan_out)
        case Init.TENT:
            return 10.0 * fan_in
        case Init.INTERPOLANT:
            return float(fan_in)


def bias_moment(init: Init, fan_in: int, bias_std: float) -> float:
    """The mean square of a layer's initial biases."""
    match init:
        case Init.TORCH:
            return 1 / (3 * fan_in)
        case Init.IDENTITY:
            return 0.0
        case Init.TENT:
            return 2.0
        case Init.INTERPOLANT:
            return 1.0
        case _:
            return bias_std**2


def log10_alive(network: Network) -> float:
    """log10 of the probability that no ReLU layer on the way is all zero at an input: sum of log10(1 - 2^-n).

    With symmetric weights and biases each unit is zero with probability 1/2 (Lu et al. 2019). A residual passes its
    input on whatever its branch does; a sum is dead only when all its branches are.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    network.check()
    return stack_log10_alive(network.layers, network.in_shape)


def stack_log10_alive(stack: Stack, shape: Shape) -> float:
    """``log10_alive`` of layers that fit and state their final projection as a linear layer."""
    total = 0.0
    for layer in stack:
        match layer:
            case Activation(ActivationKind.RELU):
                total += log1p(-(2.0 ** -min(prod(shape), 1074))) / _LN_10
            case Repeat(times, body):
                while times:
                    out = output_shape(Repeat(1, body), shape)
                    copies = times if out == shape else 1
                    total += copies * stack_log10_alive(body, shape)
                    times, shape = times - copies, out
                continue
            case Sum(branches):
                alive = [10 ** stack_log10_alive(branch, shape) for branch in branches]
                total += log1p(-prod(1 - p for p in alive)) / _LN_10 if max(alive) < 1 else 0.0
            case _:
                pass
        if not isinstance(layer, Activation):
            shape = output_shape(layer, shape)
    return total


def fourth_moment_ratio(widths: tuple[int, ...]) -> float:
    """E|h|^4 / (E|h|^2)^2 after ReLU layers of these widths at He initialisation: the product of 1 + 5 / n.

    How unequal networks drawn alike are: 1 for infinite width, exponential in depth / width (Hanin and Nica 2020).
    """
    return prod(1 + 5 / width for width in widths)


class _Walk:
    """Follows log10 of the mean square through a stack, and keeps its extremes."""

    def __init__(self, training: Training, *, biases: bool) -> None:
        self.biases = biases
        self.init = training.init
        self.scale = training.init_scale
        self.bias_std = training.bias_std
        self.smallest = self.largest = 0.0

    def stack(self, stack: Stack, moment: float, shape: Shape) -> tuple[float, Shape]:
        for layer in stack:
            moment, shape = self.layer(layer, moment, shape)
            self.smallest = min(self.smallest, moment)
            self.largest = max(self.largest, moment)
        return moment, shape

    def layer(self, layer: Layer, moment: float, shape: Shape) -> tuple[float, Shape]:
        match layer:
            case Linear(width, bias, init):
                return self.weights(init, bias, shape[-1], width, moment), (*shape[:-1], width)
            case Conv(channels, kernel, bias=bias, init=init):
                area = kernel * kernel
                after = self.weights(init, bias, shape[0] * area, channels * area, moment)
                return after, output_shape(layer, shape)
            case Activation(kind, slope):
                return moment + _activation_gain(kind, slope, moment, shape[-1]), shape
            case Dropout(p):
                return (moment - log10(1 - p) if p < 1 else NOTHING), shape
            case LayerNorm() | BatchNorm():
                return 0.0, shape
            case AvgPool(kernel):
                return moment - 2 * log10(kernel), output_shape(layer, shape)
            case Residual(body):
                return _log10_sum(moment, self.stack(body, moment, shape)[0]), shape
            case Sum(branches):
                ends = [self.stack(branch, moment, shape) for branch in branches]
                total = NOTHING
                for end, _ in ends:
                    total = _log10_sum(total, end)
                return total, ends[0][1]
            case Repeat(times, body):
                return self.repeat(times, body, moment, shape)
            case _:
                return moment, leaf(layer, shape).out_shape

    def weights(self, init: Init | None, bias: bool, fan_in: int, fan_out: int, moment: float) -> float:
        kind = init or self.init
        after = moment + _log10_gain(kind, fan_in, fan_out, self.scale)
        if not (bias and self.biases):
            return after
        return _log10_sum(after, _log10_bias(kind, fan_in, self.bias_std))

    def repeat(self, times: int, body: Stack, moment: float, shape: Shape) -> tuple[float, Shape]:
        """Some copies one by one, the rest as the affine map q -> a q + b that fits the last three of them.

        That is what a copy is for linear layers and ReLUs, which the next copy confirms: repeats in repeats need but a
        few copies each. Saturating copies are close to their fixed point in the end.
        """
        last, left = [moment], times
        for _ in range(min(times, _COPIES)):
            expected = _extrapolate(last, 1) if len(last) == _FIT else None
            moment, shape = self.stack(body, moment, shape)
            last, left = [*last[1 - _FIT :], moment], left - 1
            if expected is not None and isclose(moment, expected, rel_tol=_SURE, abs_tol=_SURE):
                break
        if left:
            moment = _extrapolate(last, left)
        self.smallest, self.largest = min(self.smallest, moment), max(self.largest, moment)
        return moment, shape


def _extrapolate(last: list[float], copies: int) -> float:
    """log10 of q after further ``copies`` of the affine map through three values, given and returned as log10."""
    base = last[2]
    if base == NOTHING:
        return base
    if last[1] - base > _FAR:
        # A signal that shrinks so fast is multiplied: what is added would show.
        return base + copies * (base - last[1])
    first, second = (10 ** min(value - base, 2 * _FAR) for value in last[:2])
    step, before = 1 - second, second - first
    if abs(step) < 1e-12 or before == 0:
        return base
    factor = step / before
    if factor > 0 and abs(1 - factor * second) < _SURE:
        return base + copies * log10(factor)
    if abs(factor - 1) < 1e-9:
        return base + log10(max(1 + step * copies, 1e-300))
    growth = copies * log10(abs(factor)) if factor else NOTHING
    if growth < 300:
        total = 1 + step * factor * (factor**copies - 1) / (factor - 1)
        if total > 1e-12:
            return base + log10(total)
    return base + growth + (log10(abs(step * factor / (factor - 1))) if growth >= 300 else 0.0)


@lru_cache(maxsize=4096)
def _log10_gain(init: Init, fan_in: int, fan_out: int, scale: float) -> float:
    return log10(weight_gain(init, fan_in, fan_out) * scale**2)


@lru_cache(maxsize=4096)
def _log10_bias(init: Init, fan_in: int, bias_std: float) -> float:
    moment = bias_moment(init, fan_in, bias_std)
    return log10(moment) if moment else NOTHING


def _log10_sum(one: float, other: float) -> float:
    """log10(10^one + 10^other)."""
    low, high = (one, other) if one < other else (other, one)
    return high if low == NOTHING else high + log1p(10.0 ** max(low - high, -300)) / _LN_10


def _activation_gain(kind: ActivationKind, slope: float, moment: float, size: int) -> float:
    """log10 of the factor by which an activation changes the mean square of normal inputs."""
    match kind:
        case ActivationKind.RELU:
            return _LOG10_HALF
        case ActivationKind.LEAKY_RELU:
            return log10((1 + slope * slope) / 2)
        case ActivationKind.IDENTITY:
            return 0.0
        case ActivationKind.SOFTMAX:
            return -2 * log10(size) - moment if moment > NOTHING else 0.0
        case _:
            if moment == NOTHING:
                return 0.0 if kind is not ActivationKind.SIGMOID else NOTHING
            bounded = kind in (ActivationKind.TANH, ActivationKind.SIGMOID)
            clipped = max(-30.0, min(30.0, moment))
            gain = _normal_mean_square(kind, clipped) - clipped
            return gain - (moment - clipped if bounded and moment > clipped else 0.0)


_FUNCTIONS: dict[ActivationKind, Callable[[float], float]] = {
    ActivationKind.TANH: tanh,
    ActivationKind.SIGMOID: lambda x: 1 / (1 + exp(-x)) if x > -700 else 0.0,
    ActivationKind.GELU: lambda x: x * (1 + erf(x / sqrt(2))) / 2,
    ActivationKind.SILU: lambda x: x / (1 + exp(-x)) if x > -700 else 0.0,
}


@lru_cache(maxsize=4096)
def _normal_mean_square(kind: ActivationKind, log10_variance: float) -> float:
    """log10 of E f(x)^2 for x normal with mean 0, by the trapezoidal rule over eight standard deviations."""
    function, deviation = _FUNCTIONS[kind], 10 ** (log10_variance / 2)
    step = 0.05
    total = 0.0
    for index in range(-160, 161):
        z = index * step
        total += function(deviation * z) ** 2 * exp(-z * z / 2)
    return log10(total * step / sqrt(2 * pi))
