"""Training of a group: its replicas step by step, their reports, their failures and their final scores."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter

import numpy as np
import torch

from tuilab.engine.data import make_splits
from tuilab.engine.devices import find_device
from tuilab.engine.layout import BatchNormNode, Layout, lay_out, nodes
from tuilab.engine.pack import Job, LossArray, Member, Pack, PartName, Scores
from tuilab.engine.packing import make_packs, wave_size
from tuilab.engine.reports import Reports, finite
from tuilab.spec.errors import LabError
from tuilab.spec.network import Network
from tuilab.spec.protocol import Event, GroupFinished, GroupStarted, Replica, RunFailed, RunFinished, TrainGroup
from tuilab.spec.task import facts
from tuilab.spec.training import report_steps

DIVERGED = 1e4
"""A loss this many times the loss before training (or 1, if that is larger) is on its way out."""
PATIENCE = 5
"""Reports in a row with such a loss after which a run has failed."""
_CHUNK_SECONDS = 0.03
"""About how long the engine trains before it looks at its requests again."""

Emit = Callable[[Event], None]
Control = Callable[[], bool]
"""Called between chunks of steps: waits while the group is paused, true when it is to end."""


class _StoppedError(Exception):
    """The group was stopped."""


@dataclass(slots=True)
class _Clock:
    """Wall time spent on training and evaluation, and steps taken, summed over replicas."""

    seconds: float = 0.0
    steps: int = 0


def train_group(request: TrainGroup, emit: Emit, control: Control) -> None:
    """Train every replica of a group and tell about it.

    Raises:
        LabError: when the group cannot be trained; nothing but ``GroupStarted`` may have been sent.

    """
    device = find_device(request.device)
    torch.set_num_threads(max(1, request.threads))
    known = facts(request.task)
    loss = request.training.loss or known.default_loss
    layout = lay_out(Network(request.stack, known.in_shape, known.out_features(loss)))
    job = Job(layout, request.training, loss, request.seed, device)
    clock = _Clock()
    started = stopped = False
    for replicas in _waves(request.replicas, layout):
        wave = _Wave(request, job, replicas, emit, control, clock)
        if not started:
            emit(GroupStarted(group=request.group, num_params=layout.num_params))
            started = True
        try:
            wave.train()
        except _StoppedError:
            stopped = True
            break
    emit(GroupFinished(group=request.group, seconds=clock.seconds, steps=clock.steps, stopped=stopped))


def _waves(replicas: tuple[Replica, ...], layout: Layout) -> Iterator[tuple[Replica, ...]]:
    size = wave_size(layout)
    for begin in range(0, len(replicas), size):
        yield replicas[begin : begin + size]


def _check_batches(job: Job, members: list[Member]) -> None:
    """Batch normalisation has no variance in a batch of one."""
    normalises = any(isinstance(node, BatchNormNode) for node in nodes(job.layout.program))
    if normalises and (job.training.batch_size == 1 or min(len(member.split.train) for member in members) == 1):
        raise LabError("batchnorm needs batches of at least 2 examples; raise training.batch_size")


@dataclass(slots=True)
class _Wave:
    """Replicas that are in memory at once, all at the same step."""

    request: TrainGroup
    job: Job
    replicas: tuple[Replica, ...]
    emit: Emit
    control: Control
    clock: _Clock
    packs: list[Pack] = field(init=False)
    alive: list[list[int]] = field(init=False)
    """For each pack the replicas' positions in the wave that it still trains."""
    watch: "Watch" = field(init=False)

    def __post_init__(self) -> None:
        splits = make_splits(self.request.task, self.request.seed, [replica.seed_index for replica in self.replicas])
        members = [Member(replica.seed_index, replica.lr, splits[replica.seed_index]) for replica in self.replicas]
        _check_batches(self.job, members)
        self.packs, self.alive = [], []
        for pack, positions in make_packs(self.job, members):
            self.packs.append(pack)
            self.alive.append(positions)

    def train(self) -> None:
        """Train to the end.

        Raises:
            _StoppedError: when told to stop.

        """
        runs = tuple(replica.run for replica in self.replicas)
        reports = Reports(self.request.group, runs, self.emit)
        try:
            val = self._train(reports)
        finally:
            reports.flush()
        self._finish(val)

    def _train(self, reports: Reports) -> Scores:
        """Step to every report; the scores on the validation part after the last step."""
        schedule = report_steps(self.job.training.steps)
        before, val = self._scores("train"), self._scores("val")
        self.watch = Watch(np.maximum(1.0, before.loss))
        reports.add(0, before.loss, val.loss, val.metric)
        chunk = 1
        for begin, end in pairwise(schedule):
            total = self._nothing_yet()
            first_bad = np.full(len(self.replicas), end)
            step = begin
            while step < end:
                last = min(end, step + chunk)
                seconds = self._advance(step, last, total, first_bad)
                chunk = _next_chunk(last - step, seconds, chunk)
                step = last
                if self.control():
                    raise _StoppedError
            val = self._scores("val")
            reports.add(end, total / (end - begin), val.loss, val.metric)
            self._drop_failed(total / (end - begin), val.loss, first_bad, reports)
            if not self.packs:
                break
        return val

    def _nothing_yet(self) -> LossArray:
        """Zero for every replica of the wave, NaN where it has left."""
        total = np.full(len(self.replicas), np.nan)
        for positions in self.alive:
            total[positions] = 0
        return total

    def _advance(self, first: int, last: int, total: LossArray, first_bad: LossArray) -> float:
        """Take some steps; add up their losses and note the first that is not finite. Returns seconds."""
        began = perf_counter()
        for pack, positions in zip(self.packs, self.alive, strict=True):
            losses = pack.run(first, last)
            total[positions] += losses.sum(0)
            bad = ~np.isfinite(losses)
            first_bad[positions] = np.minimum(
                first_bad[positions], np.where(bad.any(0), first + bad.argmax(0), first_bad[positions])
            )
            self.clock.steps += len(positions) * (last - first)
        seconds = perf_counter() - began
        self.clock.seconds += seconds
        return seconds

    def _scores(self, part: PartName) -> Scores:
        """Of every replica of the wave, NaN where it has left."""
        began = perf_counter()
        loss, metric = (np.full(len(self.replicas), np.nan) for _ in range(2))
        for pack, positions in zip(self.packs, self.alive, strict=True):
            scores = pack.evaluate(part)
            loss[positions], metric[positions] = scores.loss, scores.metric
        self.clock.seconds += perf_counter() - began
        return Scores(loss, metric)

    def _drop_failed(self, train_loss: LossArray, eval_loss: LossArray, first_bad: LossArray, reports: Reports) -> None:
        reasons = self.watch.judge(train_loss, eval_loss)
        failed = [position for positions in self.alive for position in positions if reasons[position]]
        if not failed:
            return
        reports.flush()
        for position in failed:
            run, step = self.replicas[position].run, int(first_bad[position])
            self.emit(RunFailed(group=self.request.group, run=run, step=step, reason=reasons[position]))
        for index, positions in enumerate(self.alive):
            rows = [row for row, position in enumerate(positions) if not reasons[position]]
            if rows and len(rows) < len(positions):
                self.packs[index].keep(rows)
            self.alive[index] = [positions[row] for row in rows]
        self.packs = [pack for pack, positions in zip(self.packs, self.alive, strict=True) if positions]
        self.alive = [positions for positions in self.alive if positions]

    def _finish(self, val: Scores) -> None:
        train, test = self._scores("train"), self._scores("test")
        for pack, positions in zip(self.packs, self.alive, strict=True):
            dead = pack.dead_fraction()
            for row, position in enumerate(positions):
                self.emit(
                    RunFinished(
                        group=self.request.group,
                        run=self.replicas[position].run,
                        train_loss=finite(train.loss[position]),
                        train_metric=finite(train.metric[position]),
                        val_loss=finite(val.loss[position]),
                        val_metric=finite(val.metric[position]),
                        test_loss=finite(test.loss[position]),
                        test_metric=finite(test.metric[position]),
                        dead_fraction=None if dead is None else float(dead[row]),
                    )
                )


class Watch:
    """Tells which runs have diverged.

    A run has failed when its training or validation loss is not a finite number, or when its training loss has been
    more than 10,000 times its loss before training (at least 1) at 5 reports in a row.
    """

    def __init__(self, initial_loss: LossArray) -> None:
        self._limit = DIVERGED * initial_loss
        self._high = np.zeros(len(initial_loss), dtype=np.int64)

    def judge(self, train_loss: LossArray, eval_loss: LossArray) -> list[str]:
        """Why each run has failed at this report, (runs,); empty where it has not."""
        self._high = np.where(train_loss > self._limit, self._high + 1, 0)
        reasons = np.full(len(train_loss), "", dtype=object)
        reasons[self._high >= PATIENCE] = f"diverged: the loss stayed {DIVERGED:,.0f} times above its start"
        reasons[~np.isfinite(eval_loss)] = "diverged: the validation loss is not a finite number"
        reasons[~np.isfinite(train_loss)] = "diverged: the loss is not a finite number"
        return [str(reason) for reason in reasons]


def _next_chunk(steps: int, seconds: float, chunk: int) -> int:
    """Steps to take before looking at the requests again."""
    if seconds <= 0:
        return 2 * chunk
    return max(1, min(2 * chunk, int(steps * _CHUNK_SECONDS / seconds)))
