"""An engine without torch: it speaks the protocol and does what the training's numbers tell it to.

The validation metric of a run is the distance of log10(lr) from -2, so that 1e-2 wins; the test metric adds the seed.
Arguments: ``--die-in FILE`` kills the process at the first step of a group while FILE holds a positive number, which
is lowered by one; ``--hold`` takes no step until told to stop; ``--no-start`` ends before it is ready;
``--freeze-in FILE`` halts it likewise; ``--memory N`` refuses groups of more than N runs for want of memory;
``--pace SECONDS`` sleeps at each report; ``--every-step`` reports after every step;
``--diverge LR`` makes runs with this learning rate fail.
"""

import argparse
import math
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from tuilab.spec.network import Network
from tuilab.spec.protocol import (
    REQUEST,
    Change,
    ChangeRuns,
    Event,
    GroupFailed,
    GroupFinished,
    GroupStarted,
    PauseGroup,
    Points,
    Ready,
    RunFailed,
    RunFinished,
    RunsChanged,
    RunStopped,
    Shutdown,
    StopGroup,
    TrainGroup,
)
from tuilab.spec.task import facts
from tuilab.spec.training import report_steps
from tuilab.store.locks import FileLock

parser = argparse.ArgumentParser()
parser.add_argument("--die-in", type=Path)
parser.add_argument("--freeze-in", type=Path)
parser.add_argument("--memory", type=int)
parser.add_argument("--hold", action="store_true")
parser.add_argument("--no-start", action="store_true")
parser.add_argument("--pace", type=float, default=0.0)
parser.add_argument("--every-step", action="store_true")
parser.add_argument("--diverge", type=float)
parser.add_argument("--refuse", default="", help="stack that cannot be trained")
parser.add_argument("--cuda", default="", help="names of CUDA devices that it claims to see")
parser.add_argument("--wait-for", type=Path, help="be ready only once this file is there")
parser.add_argument("--alone", type=Path, help="do not start while another engine has a lock on this file")
OPTIONS = parser.parse_args()


class GoneError(Exception):
    """The runner has closed its end."""


class Requests:
    """Lines from standard input, with or without waiting."""

    def __init__(self) -> None:
        self.partial = b""
        self.lines: list[bytes] = []

    def next(self, wait: bool) -> object | None:
        while not self.lines:
            if not wait and not select.select([0], [], [], 0)[0]:
                return None
            read = os.read(0, 65536)
            if not read:
                raise GoneError
            *lines, self.partial = (self.partial + read).split(b"\n")
            self.lines += lines
        return REQUEST.validate_json(self.lines.pop(0))


def say(event: Event) -> None:
    sys.stdout.write(event.model_dump_json() + "\n")
    sys.stdout.flush()


def die_if_told() -> None:
    for path, number in ((OPTIONS.die_in, signal.SIGKILL), (OPTIONS.freeze_in, signal.SIGSTOP)):
        if path is None or not path.exists():
            continue
        left = int(path.read_text())
        if left > 0:
            path.write_text(str(left - 1))
            print("about to die", file=sys.stderr, flush=True)
            os.kill(os.getpid(), number)


def obey(requests: Requests, group: TrainGroup, lrs: dict[int, float], step: int, wait: bool = False) -> bool:
    """Answer what has come in; False when the group is to stop. ``lrs`` are those of the runs that are left."""
    paused = wait
    while True:
        request = requests.next(wait=paused)
        match request:
            case None:
                return True
            case StopGroup(group=number) if number == group.group:
                return False
            case PauseGroup(group=number, paused=paused) if number == group.group:
                continue
            case ChangeRuns(group=number, runs=wanted, lr=lr, steps=steps, stop=stop) if number == group.group:
                runs = tuple(run for run in wanted if run in lrs and (stop or lr != lrs[run]))
                if stop:
                    for run in runs:
                        say(RunStopped(group=number, run=run, step=step))
                        del lrs[run]
                elif runs:
                    say(RunsChanged(group=number, runs=runs, change=Change(step=step, lr=lr, steps=steps)))
                    lrs.update((run, lr) for run in runs if lr is not None)
            case _:
                continue


def train(requests: Requests, group: TrainGroup) -> None:
    known = facts(group.task)
    network = Network(group.stack, known.in_shape, known.out_features(group.training.loss))
    from tuilab.analysis.counting import count
    from tuilab.spec.notation import format_stack

    if OPTIONS.refuse and format_stack(group.stack) == OPTIONS.refuse:
        say(GroupFailed(group=group.group, reason="the scripted engine refuses it"))
        return
    if OPTIONS.memory is not None and len(group.replicas) > OPTIONS.memory:
        say(GroupFailed(group=group.group, reason="the scripted engine is full", out_of_memory=True))
        return
    say(GroupStarted(group=group.group, num_params=count(network).num_params))
    runs = tuple(replica.run for replica in group.replicas)
    if group.checkpoints:
        # On a full disk an engine goes on without.
        with suppress(OSError):
            Path(group.checkpoints).mkdir(parents=True, exist_ok=True)
            (Path(group.checkpoints) / f"{runs[0]}").write_text(str(group.checkpoint_seconds))
    done, lrs = 0, {replica.run: replica.lr for replica in group.replicas}
    every_step = range(group.training.steps + 1)
    for step in every_step if OPTIONS.every_step else report_steps(group.training.steps):
        alive = [not (OPTIONS.diverge == replica.lr and step > 0) for replica in group.replicas]
        losses = tuple(1 / (1 + step) if one else None for one in alive)
        say(
            Points(
                group=group.group, runs=runs, steps=(step,), train_loss=(losses,), eval_loss=(losses,), metric=(losses,)
            )
        )
        if step > 0:
            die_if_told()
        done = step
        if not obey(requests, group, lrs, step, wait=OPTIONS.hold):
            say(GroupFinished(group=group.group, seconds=1.0, steps=done * len(runs), stopped=True))
            return
        time.sleep(OPTIONS.pace)
    for replica in group.replicas:
        if replica.run not in lrs:
            continue
        if OPTIONS.diverge == replica.lr:
            say(RunFailed(group=group.group, run=replica.run, step=1, reason="diverged"))
            continue
        metric = abs(math.log10(lrs[replica.run]) + 2)
        say(
            RunFinished(
                group=group.group,
                run=replica.run,
                train_loss=metric,
                train_metric=metric,
                val_loss=metric,
                val_metric=metric,
                test_loss=metric,
                test_metric=metric + replica.seed_index / 100,
            )
        )
    say(GroupFinished(group=group.group, seconds=2.0, steps=done * len(runs)))


def main() -> None:
    if OPTIONS.no_start:
        print("no torch here", file=sys.stderr)
        sys.exit(3)
    if OPTIONS.alone:
        lock = FileLock(OPTIONS.alone)
        if not lock.try_acquire():
            print("too little memory for two", file=sys.stderr)
            sys.exit(4)
    while OPTIONS.wait_for is not None and not OPTIONS.wait_for.exists():
        time.sleep(0.01)
    say(Ready(torch="none", device_name="scripted", cuda=tuple(OPTIONS.cuda.split())))
    requests = Requests()
    while True:
        match requests.next(wait=True):
            case TrainGroup() as group:
                train(requests, group)
            case Shutdown():
                return
            case _:
                continue


try:
    main()
except GoneError:
    sys.exit(0)
