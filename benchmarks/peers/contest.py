"""Who runs, and the rounds: each contestant in turn, round after round, so that load and heat fall on all alike."""

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.engine import Engines, Rate
from benchmarks.engine_tasks import Measured
from benchmarks.peers.catalogue import Layout, Peer
from benchmarks.peers.export import exported
from benchmarks.peers.problem import Conv
from benchmarks.peers.processes import PeerFailedError, Prepared, Processes
from benchmarks.peers.products import operations

Key = tuple[str, str]
"""Task and contestant."""


@dataclass
class Results:
    """What was measured.

    Attributes:
        rates: of every round.
        layouts: the best way that was found to use the cores.
        prepared: of that layout, to build and to compile.
        operations: floating-point operations of a step's matrix products, per task.

    """

    rates: dict[Key, list[Rate]] = field(default_factory=dict)
    layouts: dict[Key, Layout] = field(default_factory=dict)
    prepared: dict[Key, Prepared] = field(default_factory=dict)
    operations: dict[str, float] = field(default_factory=dict)

    def rate(self, task: str, title: str) -> float | None:
        """Median steps a second."""
        found = self.rates.get((task, title))
        return median(rate.steps_per_second for rate in found) if found else None

    def cpu(self, task: str, title: str) -> float | None:
        """Median processor time of a step, microseconds."""
        found = self.rates.get((task, title))
        return median(rate.cpu for rate in found) if found else None


class Contest:
    """The lab's engines and the peers' processes, warm from task to task."""

    def __init__(self, peers: Iterable[Peer], engines: dict[str, Engines], cores: int, seconds: float) -> None:
        """``engines`` by their title in the table; ``seconds`` is about how long a peer trains in a round."""
        self.results = Results()
        self._peers, self._engines, self._cores, self._seconds = tuple(peers), engines, cores, seconds
        self._warm: dict[tuple[str, Layout], Processes] = {}

    def measure(self, task: Measured, rounds: int) -> None:
        """All contestants on one task; a peer that fails is named on standard error and left out."""
        problem = exported(task)
        self.results.operations[task.name] = operations(problem)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "problem"
            problem.save(path)
            convolutions = any(isinstance(layer, Conv) for layers in problem.networks for layer in layers)
            steps = len(problem.networks) * len(problem.x) // problem.batch
            epochs = max(1, task.peer_steps // 3 // steps)
            chosen = [
                best
                for peer in self._peers
                if peer.convolutions or not convolutions
                if (best := self._best(peer, task, path, epochs))
            ]
        for engines in self._engines.values():
            engines.measure(task, max(2, task.training.steps // 20))
        for _ in range(rounds):
            for title, engines in self._engines.items():
                self._add(task, title, engines.measure(task, task.training.steps))
            for processes in chosen:
                self._add(task, processes.peer.title, processes.measure(self._seconds))

    def close(self) -> None:
        for engines in self._engines.values():
            engines.close()
        for processes in self._warm.values():
            processes.close()

    def _best(self, peer: Peer, task: Measured, path: Path, epochs: int) -> Processes | None:
        """The layout with the highest rate in a trial of half a round."""
        tried: list[tuple[float, Processes, Prepared]] = []
        for layout in peer.layouts(self._cores):
            try:
                processes = self._started(peer, layout)
                prepared = processes.prepare(path, task.seeds, epochs)
                tried.append((processes.measure(self._seconds / 2).steps_per_second, processes, prepared))
            except PeerFailedError as error:
                print(f"{task.name}: {peer.title} ({layout}) failed: {error}", file=sys.stderr)
                self._warm.pop((peer.key, layout)).close()
        if not tried:
            return None
        _, best, prepared = max(tried, key=lambda found: found[0])
        self.results.layouts[task.name, peer.title] = best.layout
        self.results.prepared[task.name, peer.title] = prepared
        return best

    def _started(self, peer: Peer, layout: Layout) -> Processes:
        if (peer.key, layout) not in self._warm:
            self._warm[peer.key, layout] = Processes(peer, layout)
        return self._warm[peer.key, layout]

    def _add(self, task: Measured, title: str, rate: Rate) -> None:
        self.results.rates.setdefault((task.name, title), []).append(rate)
