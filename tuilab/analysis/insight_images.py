"""Serial collapse on images: convolutions and what follows them without a non-linearity."""

from collections.abc import Iterator

from tuilab.analysis.edit import substitute
from tuilab.analysis.freedom import is_transparent
from tuilab.analysis.insight import MOST, Fix, Insight, InsightKind, Subject, Why
from tuilab.analysis.insight_runs import bent, told
from tuilab.analysis.open_runs import OpenRuns, Run
from tuilab.spec.layers import AvgPool, Conv, Flatten, Layer, Linear, Repeat, Stack
from tuilab.spec.notation import format_layer
from tuilab.spec.shapes import Shape


def image_insights(subject: Subject) -> list[Insight]:
    """Runs of affine layers that start with a convolution and hold a second layer with weights, at most ``MOST``."""
    found = OpenRuns(subject.layers, subject.network.in_shape, _is_open, containers=False).runs
    runs = {(run.paths, run.wrap): run for copies in found for run in _pairs(copies[0].run)}
    first = sorted(runs.values(), key=lambda run: (run.segment[0], run.paths))
    return [_insight(subject, run) for run in first[:MOST]]


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


def _is_open(layer: Layer, _: Shape) -> bool:
    return isinstance(layer, Conv | Linear | AvgPool | Flatten) or is_transparent(layer)


def _pairs(run: Run) -> Iterator[Run]:
    """The parts of a run from a convolution to the next layer with weights."""
    start: int | None = None
    for at, layer in enumerate(run.layers):
        if isinstance(layer, Conv | Linear) and start is not None:
            yield run.between(start, at + 1)
        if isinstance(layer, Conv):
            start = at
        elif isinstance(layer, Linear | Repeat):
            start = None
        if isinstance(layer, Repeat) and layer.times > 1 and all(isinstance(inner, Conv) for inner in layer.body):
            yield run.between(at, at + 1)


def _insight(subject: Subject, run: Run) -> Insight:
    paths, place, what = told(subject, run)
    kind = InsightKind.SERIAL_COLLAPSE
    if len(run.atoms) == 1:
        return Insight(kind, paths, place, f"{what} and act as one convolution", _why(run.layers), _fixes(subject, run))
    names = " and ".join(format_layer(layer) for layer in run.layers if isinstance(layer, Conv | Linear))
    sentence = f"{what} and act as one affine map: {names}"
    return Insight(kind, paths, place, sentence, _why(run.layers), _fixes(subject, run))


def _fixes(subject: Subject, run: Run) -> tuple[Fix, ...]:
    stack = subject.network.stack
    fixes = [Fix("put a ReLU between", bent(stack, run))]
    first, last = run.layers[0], run.layers[-1]
    path, number = run.segment
    between = [layer for layer in run.layers[1:-1] if not is_transparent(layer)]
    if run.in_one_stack and isinstance(first, Conv) and isinstance(last, Conv) and number > 1 and not between:
        one = folded(first, last)
        if one is not None:
            fixes.insert(0, Fix("fold into one convolution", substitute(stack, path, (one,), number).stack))
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
