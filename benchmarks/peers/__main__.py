"""One table of the lab and everything one would use instead.

    python -m benchmarks.peers --install          # once: an environment for each peer, in the user's cache folder
    python -m benchmarks.peers [T1 T2 ...] [--peers loop,jax] [--rounds 3] [--seconds 1.5] [--out FILE]

The lab is ``python -m tuilab.engine``, one process a core, driven by the requests that a runner sends; its time
includes evaluations and messages, its peers' do not. Every peer uses the whole machine: it is tried as one process with
all threads and as a process a core, and the faster way is measured. Compiling is left out and stated.
"""

import argparse
import os
import platform
import sys
import time
from pathlib import Path

import torch

from benchmarks.engine import Engines
from benchmarks.engine_tasks import TASKS
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.contest import Contest
from benchmarks.peers.table import tables
from tuilab.engine.devices import cpu_name
from tuilab.engine.kernel_loading import compile_kernel


def main() -> None:
    """Install, or measure and print."""
    arguments = _arguments()
    wanted = [peer for peer in PEERS if not arguments.peers or peer.key in arguments.peers.split(",")]
    if arguments.install:
        for peer in wanted:
            if not peer.installed:
                print(f"installing {peer.title} in {peer.folder}", file=sys.stderr)
                peer.install()
        return
    for peer in wanted:
        if not peer.installed:
            print(f"not installed: {peer.title} (python -m benchmarks.peers --install)", file=sys.stderr)
    tasks = [task for task in TASKS if task.name in arguments.tasks]
    cores, began = len(os.sched_getaffinity(0)), time.monotonic()
    machine = _machine(cores)
    contest = Contest([peer for peer in wanted if peer.installed], _engines(cores), cores, arguments.seconds)
    for task in tasks:
        contest.measure(task, arguments.rounds)
        print(f"{task.name} measured after {time.monotonic() - began:.0f} s", file=sys.stderr)
    contest.close()
    text = "\n".join(tables(contest.results, tasks, machine))
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names, keys = [task.name for task in TASKS], [peer.key for peer in PEERS]
    parser.add_argument(
        "tasks", nargs="*", default=names, metavar="TASK", help=f"of {', '.join(names)}; all by default"
    )
    parser.add_argument("--install", action="store_true", help="make the peers' environments and end")
    parser.add_argument("--peers", help=f"some of {','.join(keys)}; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="that a peer trains in a round")
    parser.add_argument("--out", type=Path, help="a file for the tables")
    arguments = parser.parse_args()
    for unknown in {*arguments.tasks} - {*names}:
        parser.error(f"there is no task {unknown}; choose from {', '.join(names)}")
    for unknown in {*(arguments.peers or keys[0]).split(",")} - {*keys}:
        parser.error(f"there is no peer {unknown}; choose from {', '.join(keys)}")
    return arguments


def _engines(cores: int) -> dict[str, Engines]:
    plan = {"tuilab without the kernel": Engines(cores, "cpu", kernel=False)}
    return {"tuilab": Engines(cores, "cpu", kernel=True), **plan} if compile_kernel() else plan


def _machine(cores: int) -> str:
    busy = os.getloadavg()[0]
    return (
        f"{cpu_name()}, {cores} cores, {platform.system()}, torch {torch.__version__}, load before the run {busy:.1f}"
    )


if __name__ == "__main__":
    main()
