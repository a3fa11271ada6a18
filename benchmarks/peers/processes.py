"""A peer in its layout: processes that stay warm, are asked together and answer one by one."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine import Rate
from benchmarks.peers.catalogue import Layout, Peer

ROOT = Path(__file__).parents[2]


class PeerFailedError(Exception):
    """A peer's process ended; the message is the last line of its standard error."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a peer said when it had compiled a problem and trained it for the epochs that all peers begin with.

    Attributes:
        seconds: to build and to compile.
        first_loss: before training.
        loss: after it.

    """

    seconds: float
    first_loss: float
    loss: float


class Processes:
    """All processes of one layout, started once for all tasks."""

    def __init__(self, peer: Peer, layout: Layout) -> None:
        self.peer, self.layout = peer, layout
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the processes
        command = [peer.python, "-m", f"benchmarks.peers.{peer.module}", str(layout.threads), layout.packing]
        self._running = [
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                env=peer.environment(layout, ROOT),
            )
            for _ in range(layout.processes)
        ]
        for process in self._running:
            self._answer(process)
        self._epoch_seconds = 0.0

    def prepare(self, problem: Path, seeds: int, epochs: int) -> Prepared:
        """Compile a problem and train it a little, the seeds dealt out to the processes."""
        number = len(self._running)
        replicas = [max(1, len(range(index, seeds, number))) for index in range(number)]
        answers = self._ask([{"problem": str(problem), "replicas": count, "epochs": epochs} for count in replicas])
        self._epoch_seconds = max(answer["seconds"] for answer in answers) / epochs
        first = answers[0]
        return Prepared(max(answer["prepared"] for answer in answers), first["first_loss"], first["loss"])

    def measure(self, seconds: float) -> Rate:
        """Train for about so long; each process's own rate counts, so that none is blamed for a shorter share."""
        epochs = max(1, round(seconds / self._epoch_seconds))
        answers = self._ask([{"epochs": epochs}] * len(self._running))
        self._epoch_seconds = max(answer["seconds"] for answer in answers) / epochs
        done = sum(answer["steps"] for answer in answers)
        rate = sum(answer["steps"] / answer["seconds"] for answer in answers)
        return Rate(rate, sum(answer["cpu"] for answer in answers) / done * 1e6)

    def close(self) -> None:
        for process in self._running:
            assert process.stdin
            process.stdin.close()
        for process in self._running:
            process.wait()
        self._errors.close()

    def _ask(self, requests: list[dict[str, object]]) -> list[dict[str, Any]]:
        for process, request in zip(self._running, requests, strict=True):
            assert process.stdin
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        return [self._answer(process) for process in self._running]

    def _answer(self, process: "subprocess.Popen[str]") -> dict[str, Any]:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            raise PeerFailedError(said[-1] if said else f"ended with {process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
