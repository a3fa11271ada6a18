"""Warnings that teach: what is odd about a network, why it matters, and what would mend it."""

from dataclasses import dataclass
from enum import Enum

from tuilab.spec.layers import Stack
from tuilab.spec.network import Network, Path

MOST = 50
"""Warnings of one sort that are told of one network; a stack with more of them repeats itself."""


class InsightKind(Enum):
    """What a warning is about; the value is the name that people and programs see."""

    SERIAL_COLLAPSE = "serial collapse"
    PARALLEL_COLLAPSE = "parallel collapse"
    BOTTLENECK = "bottleneck"
    DEAD_ON_ARRIVAL = "dead on arrival"
    VANISHING_SIGNAL = "vanishing signal"
    EXPLODING_SIGNAL = "exploding signal"
    SOFTMAX_BEFORE_CROSS_ENTROPY = "softmax before cross-entropy"
    DROPOUT_AFTER_OUTPUT = "dropout after the output"
    BATCHNORM_BATCH_1 = "batchnorm with batch 1"
    ACTIVATION_TWICE = "activation twice"
    MORE_PARAMETERS_THAN_DATA = "more parameters than data"


@dataclass(frozen=True, slots=True)
class Why:
    """The theory behind a warning.

    Attributes:
        title: a few words.
        text: one or two paragraphs, with the formula and this network's numbers in it.
        reference: author, year and title of the paper or book.

    """

    title: str
    text: str
    reference: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A way to mend it: what it does in a few words, and the stack afterwards."""

    label: str
    stack: Stack


@dataclass(frozen=True, slots=True)
class Insight:
    """One warning about a network.

    Attributes:
        kind: what it is about.
        paths: the rows it is about, top to bottom; empty when it is about the whole network.
        where: those rows in words: ``layers 2 to 4``.
        sentence: what is the matter, in one sentence.
        why: the theory.
        fixes: what would mend it, best first; may be empty.

    """

    kind: InsightKind
    paths: tuple[Path, ...]
    where: str
    sentence: str
    why: Why
    fixes: tuple[Fix, ...] = ()


def where(network: Network, paths: tuple[Path, ...]) -> str:
    """``layer 3``, ``layers 2 to 4``, ``layers 2 to output``; positions count from one, insides after a dot."""
    if not paths:
        return "the network"
    names = [_name(network, path) for path in (paths[0], paths[-1])]
    if len(paths) == 1:
        return "the output" if names[0] == "output" else f"layer {names[0]}"
    return f"layers {names[0]} to {names[1]}"


def _name(network: Network, path: Path) -> str:
    return "output" if path == (len(network.stack),) else ".".join(str(index + 1) for index in path)


def neighbours(path: Path, number: int) -> tuple[Path, ...]:
    """The paths of ``number`` rows of one stack from ``path`` on."""
    return tuple((*path[:-1], path[-1] + offset) for offset in range(number))


def count(number: int, noun: str) -> str:
    """``1 layer``, ``2 layers``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def power_of_ten(logarithm: float) -> str:
    """``0.0012`` or ``10^-12``, from a decimal logarithm."""
    if abs(logarithm) < 4:
        return f"{10**logarithm:.2g}"
    return f"10^{logarithm:.0f}" if abs(logarithm) < 1e7 else f"10^({logarithm:.3g})"
