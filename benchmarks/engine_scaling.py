"""Whether ten times the seeds cost ten times the time and hardly more memory, and what reporting costs.

``python -m benchmarks.engine_scaling [--rounds N] [T1 T2 ...]`` prints a table. Each measurement is a fresh engine
process that trains one group, as a runner would have it train: with 10 seeds and with 100. Memory is the most that the
process held, less the examples themselves. The loss of every step is computed and goes into the mean that is reported;
reporting is what the engine spends on making points and their messages.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.engine_tasks import TASKS, Measured
from tuilab.engine.data import make_splits
from tuilab.engine.reports import Reports
from tuilab.engine.training import train_group
from tuilab.spec.protocol import (
    EVENT,
    REQUEST,
    Event,
    GroupFailed,
    GroupFinished,
    Points,
    Ready,
    Replica,
    TrainGroup,
)

FEW, MANY = 10, 100


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of the training, and bytes beyond the examples."""

    seconds: float
    memory: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=["T1", "T2"])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"medians of {arguments.rounds} rounds, CPU time")
    for task in [task for task in TASKS if task.name in arguments.tasks]:
        print(_seeds_row(task, arguments.rounds), flush=True)
        print(_reports_row(task, arguments.rounds), flush=True)


def _seeds_row(task: Measured, rounds: int) -> str:
    costs: dict[int, list[Cost]] = {FEW: [], MANY: []}
    for _ in range(rounds):
        for seeds, found in costs.items():
            found.append(_measure(task, seeds))
    few, many = (costs[seeds] for seeds in (FEW, MANY))
    seconds = [median(cost.seconds for cost in found) for found in (few, many)]
    memory = [median(cost.memory for cost in found) for found in (few, many)]
    used = ", ".join(
        f"{seeds} seeds {took:.2f} s and {held / 2**20:.0f} MiB"
        for seeds, took, held in zip(costs, seconds, memory, strict=True)
    )
    return f"{task.name} {used}: {seconds[1] / seconds[0]:.2f} x the time, {memory[1] / memory[0]:.2f} x the memory"


def _measure(task: Measured, seeds: int) -> Cost:
    command = [sys.executable, "-m", "tuilab.engine"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin
        assert isinstance(_next(process), Ready)
        before = _cpu_seconds(process.pid)
        process.stdin.write(REQUEST.dump_json(_request(task, seeds)) + b"\n")
        process.stdin.flush()
        while not isinstance(event := _next(process), GroupFinished):
            if isinstance(event, GroupFailed):
                raise SystemExit(event.reason)
        memory = _status(process.pid, "VmHWM") - _bytes_of_examples(task, seeds)
        cost = Cost(_cpu_seconds(process.pid) - before, memory)
        process.stdin.close()
    return cost


def _reports_row(task: Measured, rounds: int) -> str:
    shares, number = [], 0
    for _ in range(rounds):
        events: list[Event] = []
        began = time.process_time()
        train_group(_request(task, FEW), events.append, lambda: False)
        trained = time.process_time()
        points = [event for event in events if isinstance(event, Points)]
        number = sum(len(event.steps) for event in points)
        began, trained = time.process_time(), trained - began
        _tell_again(points)
        shares.append((time.process_time() - began) / trained)
    return f"{task.name} {number} reports of {FEW} runs and their messages: {median(shares):.2%} of the training's time"


def _tell_again(points: list[Points]) -> None:
    """All that the engine does for points once it has their values."""
    written: list[bytes] = []
    reports = Reports(0, points[0].runs, lambda event: written.append(EVENT.dump_json(event)))
    for event in points:
        rows = zip(event.train_loss, event.eval_loss, event.metric, strict=True)
        for step, row in zip(event.steps, rows, strict=True):
            train_loss, eval_loss, metric = (np.array(values, dtype=np.float64) for values in row)
            reports.add(step, train_loss, eval_loss, metric)
    reports.flush()


def _request(task: Measured, seeds: int) -> TrainGroup:
    return TrainGroup(
        group=0,
        stack=task.networks()[0].stack,
        task=task.task,
        training=task.training.model_copy(update={"steps": task.training.steps // 4}),
        seed=0,
        replicas=tuple(Replica(run=seed, seed_index=seed, lr=1e-3) for seed in range(seeds)),
        device="cpu",
        threads=task.threads,
    )


def _bytes_of_examples(task: Measured, seeds: int) -> int:
    arrays: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    for split in make_splits(task.task, 0, range(seeds)).values():
        for part in (split.train, split.val, split.test):
            arrays.update({id(array): array for array in (part.inputs, part.targets)})
    return sum(array.nbytes for array in arrays.values())


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _status(pid: int, name: str) -> int:
    """Bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def _next(process: "subprocess.Popen[bytes]") -> Event:
    assert process.stdout
    return EVENT.validate_json(process.stdout.readline())


if __name__ == "__main__":
    main()
