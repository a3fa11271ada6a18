"""Warnings that teach: what is odd about a network, why it matters, and what would mend it."""

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from tuilab.spec.layers import Layer, Stack
from tuilab.spec.network import Network, Path, rows
from tuilab.spec.shapes import Shape

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


@dataclass(frozen=True)
class Subject:
    """A network that fits and is looked at, with what more than one warning asks of it.

    Attributes:
        network: it.
        layers: ``network.layers``.
        out_shape: what ``network.check`` returns.

    """

    network: Network
    layers: Stack
    out_shape: Shape

    @cached_property
    def rows(self) -> tuple[tuple[Path, Layer], ...]:
        """Every layer with its path, as the bench lists them."""
        return tuple(rows(self.layers))

    @cached_property
    def _numbers(self) -> dict[Path, int]:
        return {path: number for number, (path, _) in enumerate(self.rows, 1)}

    def where(self, paths: tuple[Path, ...]) -> str:
        """``layer 3``, ``layers 2 to 4``, ``layers 2 to output``: the numbers that the bench's rows have."""
        if not paths:
            return "the network"
        if len(paths) == 1:
            return self.network.place(paths[0]) if self._implied(paths[0]) else f"layer {self._numbers[paths[0]]}"
        first, last = (self._numbers[path] for path in (paths[0], paths[-1]))
        return f"layers {first} to {'output' if self._implied(paths[-1]) else last}"

    def _implied(self, path: Path) -> bool:
        return path == (len(self.network.stack),)


def count(number: int, noun: str) -> str:
    """``1 layer``, ``2 layers``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def power_of_ten(logarithm: float) -> str:
    """``0.0012`` or ``10^-12``, from a decimal logarithm."""
    if abs(logarithm) < 4:
        return f"{10**logarithm:.2g}"
    return f"10^{logarithm:.0f}" if abs(logarithm) < 1e7 else f"10^({logarithm:.3g})"
