"""Plain facts about one network, for the pane and the panel that explain."""

from collections.abc import Iterator, Sequence

from tuilab.analysis.counting import NetworkCount
from tuilab.analysis.insight import Insight
from tuilab.analysis.memory import needs
from tuilab.analysis.plan_cost import batch_size
from tuilab.analysis.regions import Bound, region_bounds
from tuilab.analysis.signal import log10_alive, signal
from tuilab.analysis.structure import depth, hidden_widths
from tuilab.spec.errors import LabError
from tuilab.store.rates import Measured, estimate_at
from tuilab.tui.bench import Bench
from tuilab.tui.library_rows import takes
from tuilab.tui.lines import Line, Span, cell_width, clip, hue, left, letter, plain, wrap
from tuilab.tui.numbers import count_of, exact, short, size


def fact_lines(index: int, count: NetworkCount | LabError, width: int) -> tuple[Line, ...]:
    """What the network at ``index`` is, in a few lines; why it cannot be built where it cannot."""
    if isinstance(count, LabError):
        return tuple(wrap(str(count), width, "error"))
    deep = sum(row.times for row in count.layers if row.num_params and row.macs)
    loose = count.num_params - count.degrees_of_freedom
    text = (
        f"{count_of(deep, 'layer')} with weights, {exact(count.num_params)} parameters, of which at most "
        f"{exact(count.degrees_of_freedom)} are free"
    )
    text += f" ({exact(loose)} only rescale or repeat others)." if loose else "."
    text += f" One sample costs {exact(count.macs)} multiplies."
    first, *rest = wrap(f"{letter(index)} has {text}", width)
    head = first[0].text
    return ((Span(head[:1], f"{hue(index)} strong"), Span(head[1:])), *rest)


def insight_lines(insights: Sequence[Insight], width: int) -> Iterator[Line]:
    """The first warning with its keys, and how many more there are."""
    if not insights:
        return
    first = insights[0]
    yield from wrap(first.sentence, width, "warn")
    line = [Span("w", "key"), Span(" why")]
    if first.fixes:
        line += [Span("  f", "key"), Span(f" {first.fixes[0].label}" if len(first.fixes) == 1 else " mend it")]
    if len(insights) > 1:
        line.append(Span(f"  · {count_of(len(insights) - 1, 'more warning')}", "dim"))
    yield tuple(line)
    yield ()


def marked_lines(sentence: str | None, width: int, role: str = "warn") -> Iterator[Line]:
    """A sentence about the whole candidate or comparison, marked by a sign; nothing without one."""
    for number, line in enumerate(wrap(sentence or "", width - 3, role)):
        yield (Span("   " if number else " ! ", role), *line)


def warning_lines(insights: Sequence[Insight], width: int) -> tuple[Line, ...]:
    """The first warning in at most two lines, with the keys that explain and mend it."""
    if not insights:
        return ()
    first = insights[0]
    keys = (Span("  w", "key"), Span(" why"), *((Span("  f", "key"), Span(" mend")) if first.fixes else ()))
    room = width - cell_width(plain(keys)) - 2
    lines = wrap(first.sentence, room, "warn")
    last = lines[1:2] or lines[:1]
    if len(lines) > 2:
        last = [(Span(clip(f"{plain(lines[1])} {plain(lines[2])}", room), "warn"),)]
    above = [(Span(" ! ", "warn"), *lines[0])] if len(lines) > 1 else []
    return *above, (Span("   " if above else " ! ", "warn"), *last[0], *keys)


def all_facts(bench: Bench, width: int, rates: Sequence[Measured] = ()) -> Iterator[Line]:
    """Everything that can be said of the selected candidate without training it, a fact a line.

    Args:
        bench: with the candidate.
        width: in cells.
        rates: how fast this lab has trained before.

    """
    counted = bench.count(bench.candidate)
    if isinstance(counted, LabError):
        yield from wrap(str(counted), width, "error")
        return
    name = 22
    for what, value in (*_facts(bench, counted), *_time(bench, counted, rates)):
        first, *rest = wrap(value, max(10, width - name)) or [()]
        yield (Span(left(what, name), "dim"), *first)
        for line in rest:
            yield (Span(" " * name), *line)


def _facts(bench: Bench, counted: NetworkCount) -> Iterator[tuple[str, str]]:
    network = bench.network(bench.candidate)
    training = bench.comparison.training_of(bench.candidate)
    batch = batch_size(training, bench.facts)
    need = needs(counted, batch)
    widths = hidden_widths(network)
    yield "depth, widths", f"{depth(network)} hidden; {_listed(widths) or 'none'}"
    yield "parameters", f"{exact(counted.num_params)}, at most {exact(counted.degrees_of_freedom)} of them free"
    yield "MACs a sample", f"{exact(counted.macs)} (bias not counted)"
    yield "FLOPs a step", f"{short(need.flops_per_step)} at batch {exact(batch)}; by 6N {short(need.flops_6n * batch)}"
    yield "weights", f"{size(need.weights_fp32)} in fp32, {size(need.weights_bf16)} in bf16"
    yield (
        "training memory",
        f"{size(need.training_memory)}: Adam {size(need.adam_training)}, outputs {size(need.activations)}",
    )
    yield from _start(bench)
    bounds = region_bounds(network)
    if bounds is not None:
        yield "linear regions", f"at most {_bound(bounds.upper)}; one layer of as many units {_bound(bounds.zaslavsky)}"
        lower = bounds.serra_lower or bounds.montufar
        if lower is not None:
            yield "", f"a network of these widths with {_bound(lower)} exists; a maximum, not what training finds"


def _time(bench: Bench, counted: NetworkCount, rates: Sequence[Measured]) -> Iterator[tuple[str, str]]:
    """How long all runs of the candidate take."""
    alone = bench.comparison.model_copy(update={"candidates": (bench.candidate,)})
    expected = estimate_at(rates, alone, bench.facts, [(counted.num_params, counted.macs)])
    if expected.cost.seconds:
        lasts = takes(expected.cost.seconds, measured=expected.measured)
        yield "training time", f"{count_of(expected.cost.runs, 'run')}: {lasts}"


def _start(bench: Bench) -> Iterator[tuple[str, str]]:
    network = bench.network(bench.candidate)
    training = bench.comparison.training_of(bench.candidate)
    start = signal(network, training)
    yield (
        "signal at the start",
        f"mean square 1 becomes {10 ** max(-300, min(300, start.log10_hidden)):.3g} (init {training.init.value})",
    )
    alive = log10_alive(network)
    if alive < -1e-4:
        dead = 1 - 10**alive if alive > -300 else 1.0
        yield "dead at the start", f"{dead:.2g}: probability that some ReLU layer is all zero at a given input"


def _bound(bound: Bound) -> str:
    if bound.exact is not None and bound.exact < 10**15:
        return exact(bound.exact)
    return f"10^{bound.log10:.1f}"


def _listed(widths: tuple[int, ...]) -> str:
    shown = ", ".join(exact(width) for width in widths[:12])
    return f"{shown}, ... ({exact(len(widths))} in all)" if len(widths) > 12 else shown
