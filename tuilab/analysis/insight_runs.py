"""What is said of a run of layers without a non-linearity, and where one would be put."""

from itertools import pairwise

from tuilab.analysis.edit import insert_before, layer_at, stack_at, substitute
from tuilab.analysis.insight import Subject
from tuilab.analysis.open_runs import Run, meeting
from tuilab.analysis.structure import stack_depth
from tuilab.spec.layers import Activation, ActivationKind, Conv, Layer, Linear, Out, Repeat, Residual, Stack, Sum
from tuilab.spec.network import Path

_RELU = Activation(ActivationKind.RELU)


def told(subject: Subject, run: Run) -> tuple[tuple[Path, ...], str, str]:
    """The rows that a run is about, these in words, and a sentence that says what they lack, without its end."""
    paths = run.paths
    if run.wrap is not None:
        place = subject.where((run.wrap,))
        ends = f"{subject.where(paths[: run.seam])}, then {subject.where(paths[run.seam :])}"
        rows = (run.wrap, *sorted(set(paths)))
        return rows, place, f"the copies of {place} meet without a non-linearity, end to start ({ends})"
    place = subject.where(paths)
    if len(paths) == 1:
        return paths, place, f"the copies of {place} have no non-linearity between them"
    return paths, place, f"{place} have no non-linearity between them{_at_repeats(subject, run)}"


def _at_repeats(subject: Subject, run: Run) -> str:
    """Which repeats the run comes out of and goes into."""
    first, last = run.paths[0], run.paths[-1]
    at = meeting(first, last) + 1
    ends = [f"the end of {subject.where((first[:at],))}"] if len(first) > at else []
    starts = [f"the start of {subject.where((last[:at],))}"] if len(last) > at else []
    return f" at {' and '.join([*ends, *starts])}" if ends or starts else ""


def bent(stack: Stack, run: Run) -> Stack:
    """A network's stack as written, with a ReLU wherever two layers with weights of ``run`` meet."""
    weighted = [at for at, atom in enumerate(run.atoms) if stack_depth((atom.layer,))]
    places: set[Path] = set()
    for one, other in pairwise(weighted):
        first, last = run.atoms[one], run.atoms[other]
        if isinstance(first.layer, Repeat):
            continue
        if run.wrap is not None and one < run.seam <= other:
            places.add((*run.wrap, len(stack_at(stack, run.wrap))))
        else:
            at = meeting(first.path, last.path)
            places.add((*first.path[:at], first.path[at] + 1))
    for at in weighted:
        if isinstance(repeat := run.atoms[at].layer, Repeat):
            stack = substitute(stack, run.atoms[at].path, (_bent_copies(repeat),)).stack
    for place in sorted(places, reverse=True):
        stack = insert_before(stack, place, (_RELU,)).stack
    return stack


def bent_branches(stack: Stack, path: Path) -> Stack:
    """A network's stack as written, with a ReLU at the end of the branches that the layer at ``path`` adds."""
    match layer := layer_at(stack, path):
        case Residual(body):
            layer = Residual((*body, _RELU))
        case Sum(branches):
            layer = Sum(tuple((*branch, _RELU) if stack_depth(branch) else branch for branch in branches))
        case _:
            raise AssertionError(layer)
    return substitute(stack, path, (layer,)).stack


def _bent_copies(layer: Repeat) -> Repeat:
    """A repeat of affine layers with a ReLU after each of them."""
    body: list[Layer] = []
    for inner in layer.body:
        body.append(_bent_copies(inner) if isinstance(inner, Repeat) else inner)
        if isinstance(inner, Linear | Conv | Out | Sum | Residual):
            body.append(_RELU)
    return Repeat(layer.times, tuple(body))
