"""Warnings about layers that fold into fewer."""

from itertools import islice

from tuilab.analysis.collapse import Collapse, apply, iterate_collapses, replaced
from tuilab.analysis.insight import MOST, Fix, Insight, InsightKind, Subject, Why, count, neighbours
from tuilab.analysis.structure import stack_depth
from tuilab.spec.layers import Activation, ActivationKind, Layer, Linear, Out, Repeat, Residual, Stack, Sum

_RELU = Activation(ActivationKind.RELU)
_CHAINS = (
    "Saxe, McClelland, Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in deep linear neural "
    "networks; Arora, Cohen, Hazan 2018, On the optimization of deep networks: implicit acceleration by "
    "overparameterization"
)


def collapse_insights(subject: Subject) -> list[Insight]:
    """Serial and parallel collapse, outermost first, at most ``MOST``."""
    return [_insight(subject, found) for found in islice(iterate_collapses(subject.network), MOST)]


def _insight(subject: Subject, found: Collapse) -> Insight:
    network, paths = subject.network, neighbours(found.path, found.num_layers)
    place = subject.where(paths)
    fixes = (
        Fix(_fold_label(found), apply(network, found).stack),
        Fix("put a ReLU between", replaced(network, found, _bent(found)).stack),
    )
    numbers = f"{count(found.num_params, 'parameter')}, {count(found.degrees_of_freedom, 'degree')} of freedom"
    if found.times > 1:
        numbers += f" in each of {found.times:,} copies"
    if found.kind == "parallel":
        sentence = f"the branches of {place} add up without a non-linearity and act as one: {numbers}"
        return Insight(InsightKind.PARALLEL_COLLAPSE, paths, place, sentence, _why_parallel(found), fixes)
    if found.kind == "copies":
        sentence = f"the copies of {place} meet without a non-linearity, end to start: {numbers}"
    elif len(paths) == 1:
        sentence = f"the copies of {place} have no non-linearity between them and act as one affine map: {numbers}"
    else:
        sentence = f"{place} have no non-linearity between them and act as one affine map: {numbers}"
    return Insight(InsightKind.SERIAL_COLLAPSE, paths, place, sentence, _why_serial(found), fixes)


def _fold_label(found: Collapse) -> str:
    if found.kind == "copies":
        return "fold the ends of the copies"
    return "fold the branches into one" if found.kind == "parallel" else "fold into one layer"


def _why_serial(found: Collapse) -> Why:
    text = (
        "An affine map after an affine map is an affine map: W = W2 W1 and b = W2 b1 + b2. A chain from m to n "
        "features whose narrowest place has r of them is any matrix of rank at most r, which r (m + n - r) numbers "
        f"say, and n more for a bias. {_numbers(found)} Folded there are {found.folded_params:,} parameters"
    )
    text += (
        ", more than before, because a narrow chain is a cheaper way to write a matrix of low rank."
        if found.folded_params > found.num_params
        else "."
    )
    text += (
        " What can be represented does not grow with such depth, but the path of training changes: with the squared "
        "loss no gain or slower, with steeper losses sometimes faster."
    )
    return Why("Affine maps compose to one", text, _CHAINS)


def _numbers(found: Collapse) -> str:
    """The formula with the numbers of these layers."""
    left = f"{found.degrees_of_freedom:,} of {found.num_params:,} parameters are left"
    if found.family is None:
        return f"Here {left}."
    m, n, _, r, _ = found.family
    matrix = r * (m + n - r)
    shift = found.family.dimension - matrix
    bias = f", and {shift:,} for the bias" if shift else ""
    return f"Here {r:,} x ({m:,} + {n:,} - {r:,}) = {matrix:,}{bias}: {left}."


def _why_parallel(found: Collapse) -> Why:
    text = (
        "w1 x + w2 x = (w1 + w2) x: a sum of affine branches is one affine map, and a residual around one is W + I. "
        f"Of {found.num_params:,} parameters {found.degrees_of_freedom:,} are left. Training changes only in its pace: "
        "J equal branches move exactly as one branch at J times the learning rate (with SGD, momentum and Adam), "
        "weight decay counts 1/J, and w1 - w2 stays what it was at the start."
    )
    return Why("Parallel affine branches add up to one", text, _CHAINS)


def _bent(found: Collapse) -> Stack:
    """The layers with a ReLU wherever two affine maps meet."""
    if found.kind == "parallel":
        return tuple(map(_bent_branches, found.layers))
    if found.kind == "copies":
        (repeat,) = found.layers
        assert isinstance(repeat, Repeat)
        return (Repeat(repeat.times, (*repeat.body, _RELU)),)
    bent: list[Layer] = []
    straight = False
    for layer in found.layers:
        if stack_depth((layer,)):
            bent += [_RELU] if straight else []
            straight = not isinstance(layer, Repeat)
        bent.append(_bent_copies(layer))
    return tuple(bent)


def _bent_copies(layer: Layer) -> Layer:
    if not isinstance(layer, Repeat):
        return layer
    body: list[Layer] = []
    for inner in layer.body:
        body.append(_bent_copies(inner))
        if isinstance(inner, Linear | Out | Sum | Residual):
            body.append(_RELU)
    return Repeat(layer.times, tuple(body))


def _bent_branches(layer: Layer) -> Layer:
    match layer:
        case Residual(body):
            return Residual((*body, _RELU))
        case Sum(branches):
            return Sum(tuple((*branch, _RELU) if stack_depth(branch) else branch for branch in branches))
        case _:
            return layer
