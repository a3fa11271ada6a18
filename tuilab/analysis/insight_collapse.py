"""Warnings about layers that fold into fewer."""

from itertools import islice

from tuilab.analysis.collapse import Collapse, apply, iterate_collapses
from tuilab.analysis.insight import MOST, Fix, Insight, InsightKind, Subject, Why, count
from tuilab.analysis.insight_runs import bent, bent_branches, told

_CHAINS = (
    "Saxe, McClelland, Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in deep linear neural "
    "networks; Arora, Cohen, Hazan 2018, On the optimization of deep networks: implicit acceleration by "
    "overparameterization"
)


def collapse_insights(subject: Subject) -> list[Insight]:
    """Serial and parallel collapse, outermost first, at most ``MOST``."""
    return [_insight(subject, found) for found in islice(iterate_collapses(subject.network), MOST)]


def _insight(subject: Subject, found: Collapse) -> Insight:
    run, stack = found.run, subject.network.stack
    parted = bent_branches(stack, found.path) if found.kind == "parallel" else bent(stack, run)
    fixes = (Fix(_fold_label(found), apply(subject.network, found).stack), Fix("put a ReLU between", parted))
    numbers = _costs(found)
    if found.kind == "parallel":
        place = subject.where(run.paths)
        sentence = f"the branches of {place} add up without a non-linearity and act as one: {numbers}"
        return Insight(InsightKind.PARALLEL_COLLAPSE, run.paths, place, sentence, _why_parallel(found), fixes)
    paths, place, what = told(subject, run)
    sentence = f"{what} and act as one affine map: {numbers}"
    return Insight(InsightKind.SERIAL_COLLAPSE, paths, place, sentence, _why_serial(found), fixes)


def _costs(found: Collapse) -> str:
    """What the layers are nominally and really, copy by copy where those differ."""
    first, *others = found.costs
    said = f"{count(first.num_params, 'parameter')}, {count(first.degrees_of_freedom, 'degree')} of freedom"
    if found.times > 1:
        copies = "seams" if found.kind == "copies" else "copies"
        said += f" in each of {first.times:,} {copies}" if first.times > 1 else f" in one of {found.times:,} {copies}"
    for cost in others:
        where = f"each of {cost.times:,} others" if cost.times > 1 else "another"
        said += f", {cost.num_params:,} and {cost.degrees_of_freedom:,} in {where}"
    return said


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
