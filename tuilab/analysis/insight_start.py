"""Warnings about the start of training: narrow layers, dead units, a signal that vanishes or explodes."""

from collections.abc import Iterator
from math import log10, prod
from typing import TypeAlias

from tuilab.analysis.insight import Fix, Insight, InsightKind, Subject, Why, count, power_of_ten
from tuilab.analysis.signal import Signal, stack_log10_alive, stack_signal
from tuilab.analysis.structure import depth, map_layers
from tuilab.spec.layers import Activation, ActivationKind, Layer, Linear, Repeat, Stack
from tuilab.spec.network import Network, Path
from tuilab.spec.training import Training

LIKELY = 0.05
"""Probability of a dead network from which it is worth a warning."""
FAR = 3.0
"""Decades by which the signal may grow or shrink before it is worth a warning."""
_DEAD = "Lu, Shin, Su, Karniadakis 2019, Dying ReLU and initialization: theory and numerical examples"


def start_insights(subject: Subject, training: Training) -> list[Insight]:
    """Bottleneck, dead on arrival, vanishing and exploding signal.

    Args:
        subject: the network.
        training: whose initialisation counts.

    """
    rows = list(_hidden(subject.layers))
    if rows and rows[-1][0] == (len(subject.layers) - 1,):
        rows.pop()
    found = [_bottleneck(subject, rows), _dead(subject, rows), _signal(subject, training)]
    return [insight for insight in found if insight is not None]


_Row: TypeAlias = tuple[Path, int, bool]
"""Path and width of a hidden linear layer, and whether a ReLU follows it."""


def _hidden(stack: Stack, path: Path = ()) -> Iterator[_Row]:
    """The linear layers on the one way through the network."""
    for index, layer in enumerate(stack):
        match layer:
            case Linear(width):
                follows = stack[index + 1] if index + 1 < len(stack) else None
                yield (*path, index), width, isinstance(follows, Activation) and follows.kind is ActivationKind.RELU
            case Repeat(_, body):
                yield from _hidden(body, (*path, index))
            case _:
                pass


def _bottleneck(subject: Subject, rows: list[_Row]) -> Insight | None:
    inputs, outputs = prod(subject.network.in_shape), prod(subject.out_shape)
    narrow = [row for row in rows if row[1] < min(inputs, outputs) or (row[2] and _dies(row[1]))]
    if not narrow:
        return None
    path, width, relu = min(narrow, key=lambda row: row[1])
    capped, dying = width < min(inputs, outputs), relu and _dies(width)
    place = subject.where((path,))
    parts = []
    if capped:
        parts.append(f"passes on {count(width, 'number')}, fewer than {inputs:,} inputs and {outputs:,} outputs")
    if dying:
        parts.append(f"has only {count(width, 'ReLU')}, all zero for an input with probability {2.0**-width:.1%}")
    why = Why(
        "The narrowest layer caps everything after it",
        f"Whatever comes after {place} is a function of {width:,} numbers: the rank of the map is at most {width:,}, "
        f"and the outputs move in at most that many dimensions. {_dying(width) if relu else ''}Networks no wider than "
        "their input cannot even approximate every function, however deep.",
        "Johnson 2019, Deep, skinny neural networks are not universal approximators" + (f"; {_DEAD}" if relu else ""),
    )
    sentence = f"{place} " + " and ".join(parts)
    return Insight(InsightKind.BOTTLENECK, (path,), place, sentence, why, _leaky(subject.network) if dying else ())


def _dying(width: int) -> str:
    return (
        "With symmetric weights a ReLU is zero for half of all inputs, and n of them are all zero with probability "
        f"2^-n = {power_of_ten(-width * log10(2))}; such an input is forgotten, and sends no gradient back. "
    )


def _dies(width: int) -> bool:
    return 2.0 ** -min(width, 1000) >= LIKELY


def _dead(subject: Subject, rows: list[_Row]) -> Insight | None:
    alive = stack_log10_alive(subject.layers, subject.network.in_shape)
    rows = [row for row in rows if row[2]]
    if 10**alive > 1 - LIKELY or not rows:
        return None
    narrowest = min(width for _, width, _ in rows)
    if 10**alive > 1 - 1.1 * 2.0**-narrowest:
        return None
    paths = tuple(path for path, width, _ in rows if width == narrowest)
    place = subject.where(paths)
    chance = f"{1 - 10**alive:.1%}" if alive > -2 else f"all but {power_of_ten(alive)}"
    why = Why(
        "Dead on arrival",
        "A layer of n ReLUs is all zero at an input with probability 2^-n, and one such layer makes the output "
        "constant there and stops the gradient. Over all layers 1 - prod (1 - 2^-n_l) = "
        f"{chance}: the chance grows with depth and falls with width. A network that is dead for most inputs never "
        "learns; wider layers, leaky ReLUs, residuals or an asymmetric initialisation avoid it.",
        _DEAD,
    )
    sentence = f"with probability {chance} some layer of ReLUs is all zero for an input before training starts"
    return Insight(InsightKind.DEAD_ON_ARRIVAL, paths, place, sentence, why, _leaky(subject.network))


def _leaky(network: Network) -> tuple[Fix, ...]:
    def leaky(layer: Layer) -> Layer:
        bends = isinstance(layer, Activation) and layer.kind is ActivationKind.RELU
        return Activation(ActivationKind.LEAKY_RELU) if bends else layer

    return (Fix("use leaky ReLUs", map_layers(network.stack, leaky)),)


def _signal(subject: Subject, training: Training) -> Insight | None:
    network, layers = subject.network, subject.layers
    found = stack_signal(layers, network.in_shape, training)
    carried = stack_signal(layers, network.in_shape, training, biases=False)
    if (carried.log10_hidden >= -FAR and found.log10_hidden <= FAR) or not depth(network):
        return None
    init = f"with init {training.init.value}"
    if carried.log10_hidden < -FAR:
        kind, size = InsightKind.VANISHING_SIGNAL, power_of_ten(carried.log10_hidden)
        sentence = f"{init} the mean square of what depends on the input shrinks to {size} by the last hidden layer"
    else:
        kind, size = InsightKind.EXPLODING_SIGNAL, power_of_ten(found.log10_hidden)
        sentence = f"{init} the mean square of the signal grows to {size} by the last hidden layer"
    return Insight(kind, (), subject.where(()), sentence, _why_signal(network, training, found, carried))


def _why_signal(network: Network, training: Training, found: Signal, carried: Signal) -> Why:
    layers = depth(network)
    scale = f" times {training.init_scale:g}" if training.init_scale != 1 else ""
    text = (
        "A linear layer multiplies the mean square of what it gets by fan_in Var(w), a ReLU halves it. Variance "
        "2 / fan_in (He) keeps it; torch.nn's default, 1 / (3 fan_in), shrinks it sixfold at every ReLU layer; "
        f"Xavier suits tanh. After {count(layers, 'hidden layer')} of init {training.init.value}{scale} the mean "
        f"square is expected to be {power_of_ten(found.log10_hidden)} (from {power_of_ten(found.log10_smallest)} to "
        f"{power_of_ten(found.log10_largest)} on the way)"
    )
    if carried.log10_hidden < found.log10_hidden - 1:
        text += (
            f", but all except {power_of_ten(carried.log10_hidden)} of it comes from the biases and is the same for "
            "every input"
        )
    text += (
        ". Gradients change as much on their way back. Another init, a layernorm, or residuals whose branches start "
        "small keep the signal."
    )
    return Why(
        "The signal through depth",
        text,
        "He, Zhang, Ren, Sun 2015, Delving deep into rectifiers; Glorot, Bengio 2010, Understanding the difficulty of "
        "training deep feedforward neural networks; Schoenholz et al. 2017, Deep information propagation",
    )
