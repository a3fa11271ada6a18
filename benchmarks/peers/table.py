"""Results as Markdown, ready for the README."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from benchmarks.engine_tasks import Measured
from benchmarks.peers.catalogue import JAX, LIMIT, LOOP
from benchmarks.peers.contest import Results

Cell = Callable[[str, str], str]
"""What stands in the column of a task and the row of a contestant."""


def tables(results: Results, tasks: Sequence[Measured], machine: str) -> Iterator[str]:
    """Lines of Markdown: rates with their ratios, the share of the limit, processor time, and how each was run."""
    names = [task.name for task in tasks]
    titles = list(dict.fromkeys(title for _, title in results.rates if title != LIMIT.title))
    lab = [title for title in titles if title.startswith("tuilab")]
    yield f"Optimiser steps a second, over all networks and all cores (× the DataLoader loop), on {machine}:"
    yield from _table(names, [*titles], _rate(results), [*_ratios(results, names, lab)])
    yield "\nShare of the rate at which PyTorch computes nothing but the matrix products of these steps:"
    gigaflops = ["that rate, GFLOP/s", *(_gigaflops(results, name) for name in names)]
    yield from _table(names, titles, _share(results), [gigaflops])
    yield "\nMicroseconds of processor time a step:"
    yield from _table(names, titles, lambda task, title: _number(results.cpu(task, title)))
    yield "\nProcesses × threads (the fastest of those tried); seconds to build and compile, not in the rates;"
    yield "loss on the training examples before and after the first epochs, the same number for every peer:"
    peers = [title for title in titles if title not in lab]
    yield from _table(names, peers, _evidence(results))
    yield ""
    yield from (f"- {task.name}: {task.says}, {task.seeds} seeds" for task in tasks)
    yield f"\n{_spread(results)}"


def _table(names: list[str], titles: list[str], cell: Cell, more: Sequence[list[str]] = ()) -> Iterator[str]:
    yield f"\n| | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    for title in titles:
        yield f"| {title} | {' | '.join(cell(name, title) for name in names)} |"
    for row in more:
        yield f"| {' | '.join(row)} |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _rate(results: Results) -> Cell:
    def cell(task: str, title: str) -> str:
        rate, loop = results.rate(task, title), results.rate(task, LOOP.title)
        if rate is None or loop is None or title == LOOP.title:
            return _number(rate)
        return f"{rate:,.0f} ({rate / loop:.3g}×)"

    return cell


def _ratios(results: Results, names: list[str], lab: list[str]) -> Iterator[list[str]]:
    for title in lab:
        pairs = [(results.rate(name, title), results.rate(name, JAX.title)) for name in names]
        yield [f"{title} ÷ JAX", *(f"{own / jax:.2f}" if own and jax else "–" for own, jax in pairs)]


def _share(results: Results) -> Cell:
    def cell(task: str, title: str) -> str:
        rate, limit = results.rate(task, title), results.rate(task, LIMIT.title)
        return f"{rate / limit:.1%}" if rate and limit else "–"

    return cell


def _gigaflops(results: Results, task: str) -> str:
    limit = results.rate(task, LIMIT.title)
    return f"{limit * results.operations[task] / 1e9:.0f}" if limit else "–"


def _evidence(results: Results) -> Cell:
    def cell(task: str, title: str) -> str:
        prepared = results.prepared.get((task, title))
        if not prepared:
            return "–"
        layout = results.layouts[task, title]
        return f"{layout}; {prepared.seconds:.1f} s; {prepared.first_loss:.2f} → {prepared.loss:.3f}"

    return cell


def _spread(results: Results) -> str:
    spreads = []
    for rates in results.rates.values():
        found = [rate.steps_per_second for rate in rates]
        spreads.append((max(found) - min(found)) / median(found))
    rounds = max((len(rates) for rates in results.rates.values()), default=0)
    return (
        f"Medians of {rounds} interleaved rounds; between rounds a rate spread by {median(spreads):.0%} in the median "
        f"and {max(spreads):.0%} at most."
    )
