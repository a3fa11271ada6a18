"""The table of candidates: what each costs, what it has reached, how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tuilab.analysis.caveats import shared_lr_caveat
from tuilab.analysis.counting import NetworkCount
from tuilab.analysis.memory import needs
from tuilab.analysis.result import CandidateResult
from tuilab.analysis.structure import depth, hidden_widths
from tuilab.spec.comparison import Candidate, Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.network import Network
from tuilab.store.records import Phase
from tuilab.tui.columns import Column, fit_columns, header_span
from tuilab.tui.library_rows import STATUS_MARKS
from tuilab.tui.lines import Line, Span, bar, hue, left, letter, right
from tuilab.tui.live import CandidateLive
from tuilab.tui.numbers import exact, fitting, rate, short, signed_percent, size, with_half_width

_COSTS_FROM = 125
"""Cells from which the table has room for what training costs."""
_COSTS = (
    Column("free", 9, rank=9),
    Column("depth", 5, rank=9),
    Column("widths", 10, rank=10, grow=1, text=True),
    Column("FLOPs/step", 10, rank=10),
    Column("training", 9, rank=11),
    Column("outputs", 9, rank=12),
)
"""Degrees of freedom, depth, widths, FLOPs and bytes of a training step, bytes of a batch's outputs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one candidate."""

    candidate: Candidate
    count: NetworkCount | LabError
    network: Network | None = None
    batch: int = 1
    result: CandidateResult | None = None
    live: CandidateLive | None = None


@dataclass(frozen=True)
class ComparisonRows:
    """One candidate a row.

    Attributes:
        entries: the candidates.
        reference: parameters that the others are measured against; None where those do not fit.
        metric: name of the metric; lower is better.
        costs_first: whether costs are worth more than the state of the runs where there is not room for both.

    """

    entries: tuple[Entry, ...]
    reference: int | None
    metric: str
    costs_first: bool = False

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def _fitted(self) -> dict[int, tuple[tuple[Column, ...], dict[str, int]]]:
        return {}

    def _layout(self, width: int) -> tuple[tuple[Column, ...], dict[str, int]]:
        """The columns for so many cells and the cells of those that fit; every line of the table has the same."""
        if width not in self._fitted:
            columns = self._columns(width)
            self._fitted[width] = columns, fit_columns(columns, width - 2)
        return self._fitted[width]

    def _columns(self, width: int) -> tuple[Column, ...]:
        costs = _COSTS if width >= _COSTS_FROM else ()
        if self.costs_first and not costs:
            metric = (Column(self.metric, 13),) if any(entry.result for entry in self.entries) else ()
            first = (Column("candidate", 8, grow=1, text=True), Column("params", 8, rank=1), Column("vs", 7, rank=5))
            return *first, *metric, *_COSTS
        return (
            Column("candidate", 10, grow=3, text=True),
            Column("params", 8, rank=1),
            Column("vs", 7, rank=5),
            Column("macs", 9, rank=8),
            Column(self.metric, 13, rank=0, grow=1),
            Column("seeds", 5, rank=4),
            Column("fail", 4, rank=7),
            Column("steps/s", 8, rank=6),
            Column("lr", 6, rank=6),
            *costs,
            Column("done", 6, rank=2, grow=3, text=True),
        )

    @cached_property
    def _best(self) -> int | None:
        means = [(e.result.mean, i) for i, e in enumerate(self.entries) if e.result and e.result.mean is not None]
        return min(means)[1] if len(means) > 1 else None

    def header(self, width: int) -> Line | None:
        """The columns' names."""
        return Span("  "), header_span(*self._layout(width))

    def line(self, index: int, width: int) -> Line:
        """The candidate at ``index``."""
        entry = self.entries[index]
        columns, widths = self._layout(width)
        spans = [Span(f"{letter(index)} ", f"{hue(index)} strong")]
        for column in columns:
            if column.name in widths:
                spans += self._cell(column.name, widths[column.name], entry, index)
                spans.append(Span(" "))
        return tuple(spans[:-1])

    def _cell(self, name: str, width: int, entry: Entry, index: int) -> Sequence[Span]:
        count, result, live = entry.count, entry.result, entry.live
        match name:
            case "candidate":
                return (Span(left(entry.candidate.name, width)),)
            case "params" | "vs" | "macs" if isinstance(count, LabError):
                return (Span(right("error" if name == "params" else "", width), "error"),)
            case "params":
                return (Span(right(fitting(_num_params(count), width), width)),)
            case "vs":
                return (self._versus(_num_params(count), width),)
            case "macs":
                return (Span(right(fitting(_macs(count), width), width), "dim"),)
            case "free" | "depth" | "widths" | "FLOPs/step" | "training" | "outputs":
                text = _cost(name, entry)
                return (Span((left if name == "widths" else right)(text, width), "dim"),)
            case "seeds":
                text = f"{live.seeds_done}/{live.seeds_planned}" if live else ""
                return (Span(right(text, width), "dim"),)
            case "fail":
                failures = live.failures if live else 0
                return (Span(right(exact(failures) if live else "", width), "error" if failures else "dim"),)
            case "steps/s":
                return (Span(right(rate(live.steps_per_second) if live else "", width), "dim"),)
            case "lr":
                lr = live.lr if live else None
                return (Span(right(f"{lr:g}" if lr is not None else "", width), "dim"),)
            case "done":
                return _progress_bar(live, width, index)
            case _:
                text = with_half_width(result.mean, result.half_width) if result else ""
                return (Span(right(text, width), "strong good" if index == self._best else ""),)

    def _versus(self, num_params: int, width: int) -> Span:
        """The difference to the reference."""
        if self.reference is None:
            return Span(right("–", width), "dim")
        error = (num_params - self.reference) / max(1, self.reference)
        return Span(right(signed_percent(error), width), "good" if abs(error) <= 0.01 else "dim")


def table_title(name: str, comparison: Comparison, width: int) -> str:
    """What a table is called, for so many cells, with the warning of learning rates that were not tuned."""
    if not shared_lr_caveat(comparison):
        return name
    long, short = "learning rates are not tuned: depth effects may be theirs", "lr not tuned: effects may be its"
    return next((text for text in (f"{name} · ! {long}", f"{name} · ! {short}") if len(text) <= width), f"{name} · !")


def _progress_bar(live: CandidateLive | None, width: int, index: int) -> Sequence[Span]:
    if live is None:
        return (Span(" " * width),)
    mark, role = STATUS_MARKS[live.status.value]
    percent = f" {live.progress * 100:3.0f}%" if width >= 12 else ""
    word = " tuning" if live.phase is Phase.TUNING and width >= 24 and not live.status.ended else ""
    room = width - 2 - len(percent) - len(word)
    cells = Span(f"{mark} ", role), Span(bar(live.progress, max(1, room)), hue(index))
    return *cells, Span(percent), Span(word, "dim")


def _cost(name: str, entry: Entry) -> str:
    """What training a candidate costs, in a short text; empty where it cannot be built."""
    if isinstance(entry.count, LabError) or entry.network is None:
        return ""
    need = needs(entry.count, entry.batch)
    match name:
        case "free":
            return fitting(entry.count.degrees_of_freedom, 9)
        case "depth":
            return exact(depth(entry.network))
        case "widths":
            return ", ".join(map(str, hidden_widths(entry.network)[:40]))
        case "FLOPs/step":
            return short(need.flops_per_step)
        case "training":
            return size(need.training_memory)
        case _:
            return size(need.activations)


def _num_params(count: NetworkCount | LabError) -> int:
    return 0 if isinstance(count, LabError) else count.num_params


def _macs(count: NetworkCount | LabError) -> int:
    return 0 if isinstance(count, LabError) else count.macs
