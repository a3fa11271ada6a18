"""How fast the engine trains, against a plain PyTorch loop with a DataLoader measured in the same rounds.

``python -m benchmarks.engine [--rounds N] [--device cuda] [T1 T2 ...]`` prints a table. The engine is
``python -m tuilab.engine``, one process a core, driven by the same requests that a runner sends; its time includes
evaluations and messages. The loop is what one would write first: one process with torch's own choice of threads, one
network after the other. "By hand" is the loop in one process a core with one thread each, the best one can make of it.
Rates are optimiser steps a second, over all networks and the whole machine; CPU is processor time of a step, which
other work on the machine hardly changes.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.engine_tasks import TASKS, Measured
from tuilab.analysis.counting import count
from tuilab.engine.devices import cpu_name
from tuilab.engine.kernel_loading import compile_kernel
from tuilab.spec.protocol import EVENT, REQUEST, Event, GroupFailed, GroupFinished, Ready, Replica, TrainGroup


@dataclass(frozen=True, slots=True)
class Rate:
    """Steps a second over the whole machine, and CPU microseconds for one."""

    steps_per_second: float
    cpu: float


class Engines:
    """One engine process a core, kept warm between rounds."""

    def __init__(self, number: int, device: str, *, kernel: bool) -> None:
        self._device = device
        environment = {**os.environ, **({} if kernel else {"TUILAB_KERNEL": "off"})}
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tuilab.engine"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            for _ in range(number)
        ]
        for process in self._processes:
            assert isinstance(_next(process), Ready)

    def measure(self, task: Measured, steps: int) -> Rate:
        """Train every network of a task, its seeds dealt out to the processes."""
        requests = [
            _request(task, index, steps, part, self._device)
            for index in range(len(task.stacks))
            for part in self._deal(task.seeds)
        ]
        began, cpu = time.perf_counter(), self._cpu_seconds()
        for position, request in enumerate(requests):
            process = self._processes[position % len(self._processes)]
            assert process.stdin
            process.stdin.write(REQUEST.dump_json(request) + b"\n")
            process.stdin.flush()
        done = 0
        for position in range(len(requests)):
            done += self._finish(self._processes[position % len(self._processes)])
        seconds = time.perf_counter() - began
        return Rate(done / seconds, (self._cpu_seconds() - cpu) / done * 1e6)

    def close(self) -> None:
        for process in self._processes:
            assert process.stdin
            process.stdin.close()
            process.wait()

    def _deal(self, seeds: int) -> Iterator[range]:
        number = len(self._processes)
        return (range(first, seeds, number) for first in range(min(number, seeds)))

    def _cpu_seconds(self) -> float:
        ticks = os.sysconf("SC_CLK_TCK")
        total = 0
        for process in self._processes:
            with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:  # noqa: PTH123
                fields = file.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / ticks

    @staticmethod
    def _finish(process: "subprocess.Popen[bytes]") -> int:
        while True:
            event = _next(process)
            if isinstance(event, GroupFailed):
                raise SystemExit(event.reason)
            if isinstance(event, GroupFinished):
                return event.steps


def measure_loop(task: Measured, processes: int, threads: int) -> Rate:
    """The plain loop in some processes; they report steps and seconds without their start-up."""
    command = [sys.executable, "-m", "benchmarks.plain_loop", task.name, str(threads)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    rate, done, cpu = 0.0, 0, 0.0
    for process in running:
        steps, seconds, own_cpu = process.communicate()[0].split()
        rate += int(steps) / float(seconds)
        done += int(steps)
        cpu += float(own_cpu)
    return Rate(rate, cpu / done * 1e6)


def matmul_limit(cores: int) -> float:
    """Floating-point operations a second of large matrix products, over the machine."""
    torch.set_num_threads(cores)
    a = torch.ones(1536, 1536)
    torch.mm(a, a)
    began, rounds = time.perf_counter(), 8
    for _ in range(rounds):
        torch.mm(a, a)
    return rounds * 2 * 1536**3 / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=[task.name for task in TASKS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu", help="of the engine: cpu, or cuda, which one process trains on")
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    number = cores if arguments.device == "cpu" else 1
    compiled = arguments.device == "cpu" and compile_kernel()
    kinds = {"kernel": Engines(number, arguments.device, kernel=True)} if compiled else {}
    kinds["plan"] = Engines(number, arguments.device, kernel=False)
    limit = matmul_limit(cores)
    print(f"{cpu_name()}, {cores} cores, {platform.system()}, torch {torch.__version__}; ", end="")
    print(f"{limit / 1e9:.0f} GFLOP/s in large matrix products; medians of {arguments.rounds} rounds")
    print(f"{'':3} {'steps/s: loop':>14} {'engine':>10} {'ratio':>7} {'plan only':>10} {'ratio':>7}", end="")
    print(f" {'of matmul limit':>16} {'by hand':>8} {'CPU us: engine':>15} {'by hand':>8} {'ratio':>7}")
    for task in [task for task in TASKS if task.name in arguments.tasks]:
        print(_row(task, kinds, cores, limit, arguments.rounds), flush=True)
    for engines in kinds.values():
        engines.close()


def _row(task: Measured, kinds: dict[str, Engines], cores: int, limit: float, rounds: int) -> str:
    rates: dict[str, list[Rate]] = {name: [] for name in ("loop", "by hand", *kinds)}
    for engines in kinds.values():
        engines.measure(task, max(2, task.training.steps // 20))
    for _ in range(rounds):
        rates["loop"].append(measure_loop(task, 1, torch.get_num_threads()))
        rates["by hand"].append(measure_loop(task, cores, 1))
        for name, engines in kinds.items():
            rates[name].append(engines.measure(task, task.training.steps))
    middle = {name: median(rate.steps_per_second for rate in found) for name, found in rates.items()}
    fast = "kernel" if "kernel" in kinds else "plan"
    cpu = {name: median(rate.cpu for rate in found) for name, found in rates.items()}
    batch = task.training.batch_size
    assert isinstance(batch, int)
    flops = 6 * batch * sum(count(network).macs for network in task.networks()) / len(task.stacks)
    return (
        f"{task.name:3} {middle['loop']:>14,.0f} {middle[fast]:>10,.0f} {middle[fast] / middle['loop']:>6.1f}x"
        f" {middle['plan']:>10,.0f} {middle['plan'] / middle['loop']:>6.1f}x"
        f" {middle[fast] * flops / limit:>16.0%} {middle['by hand']:>8,.0f} {cpu[fast]:>15,.0f} {cpu['by hand']:>8,.0f}"
        f" {cpu['by hand'] / cpu[fast]:>6.1f}x   {task.says}, {task.seeds} seeds"
    )


def _request(task: Measured, index: int, steps: int, seeds: range, device: str) -> TrainGroup:
    return TrainGroup(
        group=index,
        stack=task.networks()[index].stack,
        task=task.task,
        training=task.training.model_copy(update={"steps": steps}),
        seed=0,
        replicas=tuple(Replica(run=seed, seed_index=seed, lr=1e-3) for seed in seeds),
        device=device,
        threads=task.threads,
    )


def _next(process: "subprocess.Popen[bytes]") -> Event:
    assert process.stdout
    return EVENT.validate_json(process.stdout.readline())


if __name__ == "__main__":
    main()
