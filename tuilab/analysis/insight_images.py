"""Serial collapse on images: convolutions and what follows them without a non-linearity."""

from collections.abc import Iterator
from itertools import islice

from tuilab.analysis.edit import substitute
from tuilab.analysis.freedom import is_transparent
from tuilab.analysis.insight import MOST, Fix, Insight, InsightKind, Subject, Why, neighbours
from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    AvgPool,
    Conv,
    Flatten,
    Layer,
    Linear,
    Repeat,
    Stack,
    Sum,
    children,
)
from tuilab.spec.network import Network, Path
from tuilab.spec.notation import format_layer

_RELU = Activation(ActivationKind.RELU)


def image_insights(subject: Subject) -> list[Insight]:
    """Runs of affine layers that start with a convolution and hold a second layer with weights, at most ``MOST``."""
    return [_insight(subject, path, run) for path, run in islice(_runs(subject.layers, ()), MOST)]


def folded(first: Conv, second: Conv) -> Conv | None:
    """The one convolution that two are, exactly; None where the padding between them makes a difference."""
    if second.padding:
        return None
    return Conv(
        second.out_channels,
        first.kernel_size + (second.kernel_size - 1) * first.stride,
        first.stride * second.stride,
        first.padding,
        first.bias or second.bias,
    )


def _runs(stack: Stack, path: Path) -> Iterator[tuple[Path, Stack]]:
    """Path of the first layer and the layers of each run; it ends with its second layer with weights."""
    start: int | None = None
    for index, layer in enumerate(stack):
        if isinstance(layer, Conv | Linear) and start is not None:
            yield (*path, start), stack[start : index + 1]
        if isinstance(layer, Conv):
            start = index
        elif not (isinstance(layer, AvgPool | Flatten) or is_transparent(layer)):
            start = None
        yield from _inside(layer, (*path, index))


def _inside(layer: Layer, path: Path) -> Iterator[tuple[Path, Stack]]:
    match layer:
        case Repeat(times, (Conv(),)) if times > 1:
            yield path, (layer,)
        case Sum(branches):
            for branch, body in enumerate(branches):
                yield from _runs(body, (*path, branch))
        case _:
            for body in children(layer):
                yield from _runs(body, path)


def _insight(subject: Subject, path: Path, run: Stack) -> Insight:
    paths = neighbours(path, len(run))
    place = subject.where(paths)
    names = " and ".join(format_layer(layer) for layer in run if isinstance(layer, Conv | Linear))
    if len(run) == 1:
        sentence = f"the copies of {place} have no non-linearity between them and act as one convolution"
    else:
        sentence = f"{place}: {names} have no non-linearity between them and act as one affine map"
    return Insight(InsightKind.SERIAL_COLLAPSE, paths, place, sentence, _why(run), _fixes(subject.network, path, run))


def _fixes(network: Network, path: Path, run: Stack) -> tuple[Fix, ...]:
    if isinstance(run[0], Repeat):
        bent = (Repeat(run[0].times, (*run[0].body, _RELU)),)
        return (Fix("put a ReLU between", substitute(network.stack, path, bent).stack),)
    written = run if path[0] + len(run) <= len(network.stack) or len(path) > 1 else run[:-1]
    fixes = [
        Fix("put a ReLU between", substitute(network.stack, path, (run[0], _RELU, *written[1:]), len(written)).stack)
    ]
    first, last = run[0], run[-1]
    between = [layer for layer in run[1:-1] if not is_transparent(layer)]
    if isinstance(first, Conv) and isinstance(last, Conv) and not between:
        one = folded(first, last)
        if one is not None:
            fixes.insert(0, Fix("fold into one convolution", substitute(network.stack, path, (one,), len(run)).stack))
    return tuple(fixes)


def _why(run: Stack) -> Why:
    text = (
        "A convolution is an affine map with shared weights, and average pooling and flattening are linear too, so "
        "without a non-linearity between them they compose to one affine map. Two convolutions of k1 and k2 pixels "
        "are one of k1 + (k2 - 1) stride1 pixels."
    )
    first, last = run[0], run[-1]
    if isinstance(first, Conv) and isinstance(last, Conv):
        size = first.kernel_size + (last.kernel_size - 1) * first.stride
        text += f" Here that is {size} x {size}."
        text += " Padding between them makes a difference at the border only." if last.padding else ""
    return Why(
        "Convolutions compose to one",
        text + " Max pooling is not linear and does separate them.",
        "Goodfellow, Bengio, Courville 2016, Deep Learning, chapter 9",
    )
