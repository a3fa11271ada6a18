"""All warnings about one network."""

from collections.abc import Iterator
from itertools import islice

from tuilab.analysis.freedom import degrees_of_freedom, is_transparent
from tuilab.analysis.insight import MOST, Fix, Insight, InsightKind, Subject, Why, count
from tuilab.analysis.insight_collapse import collapse_insights
from tuilab.analysis.insight_images import image_insights
from tuilab.analysis.insight_start import start_insights
from tuilab.analysis.structure import map_layers
from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    BatchNorm,
    Conv,
    Dropout,
    LayerNorm,
    Stack,
    Sum,
    children,
)
from tuilab.spec.network import Network, Path
from tuilab.spec.notation import format_layer
from tuilab.spec.training import Loss, Training


def warnings(
    network: Network,
    training: Training | None = None,
    loss: Loss | None = None,
    num_train: int | None = None,
    degrees: int | None = None,
) -> tuple[Insight, ...]:
    """Everything worth a warning, most important first.

    Args:
        network: what it is about.
        training: how it is trained; None is the lab's default.
        loss: the loss in force; None is unknown, and counts as cross-entropy.
        num_train: training examples; None is unknown.
        degrees: the network's degrees of freedom where they are known already.

    Raises:
        ShapeError: when layers do not fit each other.

    """
    subject = Subject(network, network.layers, network.check())
    training = training or Training()
    kinds = {type(layer) for _, layer in subject.rows}
    found: list[Insight | None] = [
        *collapse_insights(subject),
        *(image_insights(subject) if Conv in kinds else ()),
        _softmax(subject, loss or training.loss),
        _dropout(subject),
        *start_insights(subject, training),
        _batchnorm(subject, training) if BatchNorm in kinds else None,
        *islice(_twice(subject, subject.layers, ()), MOST),
        _data(subject, num_train, degrees),
    ]
    return tuple(insight for insight in found if insight is not None)


def _without(network: Network, path: Path) -> Stack:
    """The stack without the layer at ``path`` of its top level."""
    stack = network.stack
    return (*stack[: path[0]], *stack[path[0] + 1 :])


def _softmax(subject: Subject, loss: Loss | None) -> Insight | None:
    path, last = subject.rows[-1] if subject.rows else ((), None)
    if loss not in (None, Loss.CROSS_ENTROPY) or last != Activation(ActivationKind.SOFTMAX) or len(path) > 1:
        return None
    classes = subject.out_shape[-1]
    why = Why(
        "Cross-entropy brings its own softmax",
        "The loss takes the scores z before softmax and works out -z_k + log sum exp z in one step. After a softmax it "
        "sees numbers between 0 and 1 and squashes them again: even the surest right answer among "
        f"{classes} classes keeps a loss of {_floor(classes)}, and wrong answers hardly send a gradient.",
        "Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.2.2",
    )
    sentence = "softmax comes before a cross-entropy that applies it again, so the loss cannot fall to zero"
    return Insight(
        InsightKind.SOFTMAX_BEFORE_CROSS_ENTROPY,
        (path,),
        subject.where((path,)),
        sentence,
        why,
        (Fix("remove the softmax", _without(subject.network, path)),),
    )


def _floor(classes: int) -> str:
    from math import exp, log

    return f"log(1 + {classes - 1} / e) = {log(1 + (classes - 1) * exp(-1)):.3f}"


def _dropout(subject: Subject) -> Insight | None:
    path, last = subject.rows[-1] if subject.rows else ((), None)
    if not isinstance(last, Dropout) or last.p == 0 or len(path) > 1:
        return None
    why = Why(
        "Dropout belongs between layers",
        f"Each output is set to zero with probability p = {last.p:g} while training, else scaled by 1 / (1 - p), "
        f"so the loss compares targets with outputs that are wrong by chance in {last.p:.0%} of the cases. Inside the "
        "network the layers after it average such noise; after the output nothing does.",
        "Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting",
    )
    sentence = f"{format_layer(last)} after the output zeroes answers themselves while training"
    fix = Fix("remove the dropout", _without(subject.network, path))
    return Insight(InsightKind.DROPOUT_AFTER_OUTPUT, (path,), subject.where((path,)), sentence, why, (fix,))


def _batchnorm(subject: Subject, training: Training) -> Insight | None:
    paths = tuple(path for path, layer in subject.rows if isinstance(layer, BatchNorm))
    if training.batch_size != 1 or not paths:
        return None
    why = Why(
        "One example has no variance",
        "Batch normalisation subtracts the batch's mean and divides by its standard deviation. In a batch of 1 each "
        "feature is its own mean: the result is 0 whatever the input (torch refuses it). Layer normalisation takes "
        "its statistics over the features of one example, and works at any batch size.",
        "Ioffe, Szegedy 2015, Batch normalization; Ba, Kiros, Hinton 2016, Layer normalization",
    )
    fix = Fix(
        "use layernorm",
        map_layers(subject.network.stack, lambda layer: LayerNorm() if isinstance(layer, BatchNorm) else layer),
    )
    sentence = f"{count(len(paths), 'batchnorm')} with batches of 1: the normalised value is always 0"
    return Insight(InsightKind.BATCHNORM_BATCH_1, paths, subject.where(paths), sentence, why, (fix,))


def _twice(subject: Subject, stack: Stack, path: Path) -> Iterator[Insight]:
    """Activations right after activations, in every stack of the network."""
    before: tuple[int, Activation] | None = None
    for index, layer in enumerate(stack):
        if isinstance(layer, Activation) and not is_transparent(layer):
            if before is not None:
                yield _one_twice(subject, (*path, before[0]), (*path, index), before[1], layer)
            before = (index, layer)
        elif not is_transparent(layer) and not isinstance(layer, Dropout):
            before = None
        for branch, body in enumerate(children(layer)):
            yield from _twice(subject, body, (*path, index, branch) if isinstance(layer, Sum) else (*path, index))


def _one_twice(subject: Subject, first: Path, second: Path, one: Activation, other: Activation) -> Insight:
    from tuilab.analysis.edit import delete

    place = subject.where((first, second))
    names = f"{format_layer(one)} and {format_layer(other)}"
    same = one.kind is other.kind is ActivationKind.RELU
    sentence = f"{place}: {names} follow each other without weights between" + (
        ", and the second changes nothing" if same else ""
    )
    why = Why(
        "A non-linearity needs weights to bend",
        "What makes depth useful is an affine map between two non-linearities: it mixes the units, so that the next "
        "one bends along new directions. Two in a row act on each unit alone and are just another fixed function of "
        "one number; relu(relu(x)) = relu(x), and each further squashing costs gradient.",
        "Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.3",
    )
    fixes = (Fix(f"remove the second, {format_layer(other)}", delete(subject.network.stack, second).stack),)
    return Insight(InsightKind.ACTIVATION_TWICE, (first, second), place, sentence, why, fixes)


def _data(subject: Subject, num_train: int | None, degrees: int | None) -> Insight | None:
    if num_train is None:
        return None
    outputs = subject.out_shape[-1]
    numbers = num_train * outputs
    free = degrees_of_freedom(subject.network) if degrees is None else degrees
    if free <= numbers:
        return None
    why = Why(
        "More parameters than the data carries",
        f"{num_train:,} examples with {count(outputs, 'output')} each are {numbers:,} numbers, and this network has "
        f"{free:,} degrees of freedom: enough to fit the training set exactly, noise and wrong labels included. The "
        "test error is often worst where the two are equal and falls again beyond (double descent); weight decay, "
        "dropout, fewer steps or more data decide what is learnt there.",
        "Belkin, Hsu, Ma, Mandal 2019, Reconciling modern machine-learning practice and the classical bias-variance "
        "trade-off; Zhang et al. 2017, Understanding deep learning requires rethinking generalization",
    )
    sentence = f"{free:,} degrees of freedom against {numbers:,} numbers in the training data: it can fit noise exactly"
    return Insight(InsightKind.MORE_PARAMETERS_THAN_DATA, (), subject.where(()), sentence, why)
