"""One candidate's stack as lines: index, glyph, layer, output shape, params and the share of them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tuilab.analysis.counting import LayerCount
from tuilab.spec.network import Path
from tuilab.spec.shapes import Shape, format_shape
from tuilab.tui.lines import Line, Span, bar, clip, hue, left, letter, right
from tuilab.tui.numbers import exact, fitting, size

_GLYPHS = (
    ("linear", "■", ""),
    ("conv", "▣", ""),
    ("maxpool", "▾", "dim"),
    ("avgpool", "▾", "dim"),
    ("flatten", "═", "dim"),
    ("dropout", "◌", "dim"),
    ("layernorm", "≈", "dim"),
    ("batchnorm", "≈", "dim"),
    ("residual", "↷", "accent"),
    ("sum", "∑", "accent"),
)
_BAR_FROM = 40
"""Cells from which the rows have a bar."""
_MACS_FROM = 60
"""Cells from which the rows have MACs."""
DETAILS_FROM = 50
"""Cells from which the rows of a zoomed stack have MACs and the memory of their outputs, instead of a bar at need."""
_LEAST_NAME = 14
"""Cells of the selected candidate's letter and name that other letters leave."""
_FULL_FROM = 76
"""Cells from which they have all."""
_LEAST_BAR, _LEAST_SHAPE, _LEAST_PARAMS = 5, 4, 7
"""Cells that a bar, the shapes and the counts keep where layers with long names need room."""
_LOOKED_AT = 200
"""Rows whose layers make room for themselves; a key is not to wait for those of ten thousand."""


@dataclass(frozen=True)
class StackRows:
    """The rows of one network; row 0 is the input.

    Attributes:
        layers: one row a layer as written; one without ``out_shape`` does not fit, or comes after one that does not.
        num_params: of all; None where the network cannot be built.
        in_shape: of one sample.
        color: index of the candidate, for its colour.
        implied_out: whether the last row is the projection that the stack does not state.
        marks: rows with a warning, by path.
        selection: rows from and to (inclusive) that are marked; None without.
        batch: samples whose outputs are counted as memory.
        detailed: whether MACs and memory are worth more than a bar.

    """

    layers: Sequence[LayerCount]
    num_params: int | None
    in_shape: Shape
    color: int
    implied_out: bool = False
    marks: frozenset[Path] = field(default_factory=frozenset)
    selection: tuple[int, int] | None = None
    batch: int = 1
    detailed: bool = False

    def __len__(self) -> int:
        return len(self.layers) + 1

    @property
    def _number_width(self) -> int:
        return max(3, len(str(len(self))))

    @cached_property
    def _largest(self) -> int:
        return max((layer.num_params for layer in self.layers), default=0) or 1

    def header(self, width: int) -> Line | None:
        """The columns' names."""
        number = self._number_width
        name, shape, params, macs, memory, share = self._columns(width + 3 - number)
        text = right("#", number) + left("   layer", name + 3) + right("out", shape) + right("params", params)
        text += (right("MACs", macs) if macs else "") + (right("outputs", memory) if memory else "")
        return (Span(text + " " * share, "dim"),)

    def line(self, index: int, width: int) -> Line:
        """The input, or the layer at ``index - 1``."""
        number = self._number_width
        name, shape, params, macs, memory, share = self._columns(width + 3 - number)
        if index == 0:
            text = left("in", name) + right(format_shape(self.in_shape), shape)
            return Span(right("0", number), "dim"), Span(" ○ ", "dim"), Span(text, "dim")
        layer = self.layers[index - 1]
        glyph, role = _glyph(layer.label)
        implied = self.implied_out and index == len(self) - 1
        label = "out" if implied else _short(layer.label, layer.out_shape)
        weak = "dim" if implied or not layer.num_params else ""
        indent = " " * _indent(layer)
        marked = self.selection is not None and self.selection[0] <= index <= self.selection[1]
        line = [
            Span(right(str(index), number), "accent strong" if marked else "dim"),
            Span("!" if layer.path in self.marks else "▌" if marked else " ", "warn" if not marked else "accent"),
            Span(f"{glyph} ", role),
            Span(left(indent + label, name), role or weak),
            Span(right(format_shape(layer.out_shape) or "?", shape), "dim"),
            Span(right(fitting(layer.num_params, params - 1) if layer.num_params else "", params)),
        ]
        if macs:
            line.append(Span(right(fitting(layer.macs, macs - 1) if layer.macs else "", macs), "dim"))
        if memory:
            kept = size(4 * layer.activations * self.batch) if layer.activations else ""
            line.append(Span(right(kept, memory), "dim"))
        if share > 1:
            line.append(Span(" " + bar(layer.num_params / self._largest, share - 1), hue(self.color)))
        return tuple(line)

    def _columns(self, width: int) -> tuple[int, int, int, int, int, int]:
        """Widths of layer, shape, params, MACs, memory and bar."""
        shape, params = (7, 8) if width < _BAR_FROM else (8, 10)
        details = self.detailed and width >= DETAILS_FROM
        macs = 10 if details or width >= _MACS_FROM else 0
        memory = 10 if details else 0
        share = min(30, width // 4) if width >= (_FULL_FROM if details else _BAR_FROM) else 0
        name = width - 6 - shape - params - macs - memory - share
        wanted, shapes, counts = self._longest
        name, share = _given(wanted, name, share, _LEAST_BAR)
        name, shape = _given(wanted, name, shape, max(_LEAST_SHAPE, shapes))
        name, params = _given(wanted, name, params, max(_LEAST_PARAMS, counts))
        return max(6, name), shape, params, macs, memory, share

    @cached_property
    def _longest(self) -> tuple[int, int, int]:
        """Cells that the first rows' layers, shapes and counts need, with a blank before the numbers."""
        first = self.layers[:_LOOKED_AT]
        return (
            max((_indent(one) + len(_short(one.label, one.out_shape)) for one in first), default=0),
            1 + max(map(len, map(format_shape, (self.in_shape, *(one.out_shape for one in first))))),
            1 + len(exact(max((one.num_params for one in first), default=0))),
        )

    def path(self, index: int) -> Path:
        """Where the layer of a row stands; empty for the input, one past the end for the implied projection."""
        return self.layers[index - 1].path if 1 <= index < len(self) else ()

    def find(self, text: str, start: int) -> int | None:
        """The first row from ``start`` on, and then from the top, that says ``text``; None where none does."""
        wanted = text.casefold()
        number = len(self.layers)
        for step in range(number):
            at = (start - 1 + step) % number
            if wanted in self.layers[at].label.casefold():
                return at + 1
        return None

    def row(self, path: Path) -> int:
        """The row of the layer at ``path``, or the nearest before it."""
        return bisect_right(self.layers, path, key=lambda layer: layer.path)


def tabs_title(names: Sequence[str], selected: int, room: int) -> str:
    """The candidates as tabs: ``A · B 2 layers · C``; where there is not room for all letters, those beside it."""
    name = f"{letter(selected)} {names[selected]}"
    least = min(len(name), _LEAST_NAME)
    others = max(0, room - least) // 4
    first = max(0, min(selected - others // 2, len(names) - 1 - others))
    last = min(len(names) - 1, first + others)
    name = clip(name, max(least, room - 4 * (last - first)))
    return " · ".join(name if at == selected else letter(at) for at in range(first, last + 1))


def _given(wanted: int, name: int, other: int, least: int) -> tuple[int, int]:
    """Cells for the layers and for another column, which gives of its own down to ``least`` what the layers lack."""
    given = max(0, min(wanted - name, other - least))
    return name + given, other - given


def _indent(layer: LayerCount) -> int:
    """Cells by which a layer stands inside what it is in."""
    return 2 * min(layer.nesting, 6)


def _short(label: str, shape: Shape) -> str:
    """The label without the width that the shape beside it says; the whole one beside a shape that is not known."""
    if not shape:
        return f"repeat {label[:-1]}" if label[:-1].isdigit() else label
    if label == f"linear({shape[-1]})":
        return "linear"
    if label == f"linear({shape[-1]}, locked=true)":
        return f"linear {shape[-1]}!"
    return f"repeat {label[:-1]}" if label[:-1].isdigit() else label


def _glyph(label: str) -> tuple[str, str]:
    if label[0].isdigit() or label.startswith("repeat"):
        return "×", "accent"
    for name, glyph, role in _GLYPHS:
        if label.startswith(name):
            return glyph, role
    return "~", "warn"
