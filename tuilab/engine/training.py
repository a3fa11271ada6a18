"""Training of a group: its replicas step by step, their reports, their failures and their final scores."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter

import numpy as np
import torch

from tuilab.engine.batches import batch_size
from tuilab.engine.data import make_splits
from tuilab.engine.devices import find_device
from tuilab.engine.layout import BatchNormNode, Layout, lay_out, nodes
from tuilab.engine.pack import Job, LossArray, Member, Pack, PartName, Scores, initial_values
from tuilab.engine.packing import make_packs, wave_size
from tuilab.engine.probes import probe, without_gaps
from tuilab.engine.reports import Reports, evaluation_steps, finite
from tuilab.spec.errors import LabError
from tuilab.spec.network import Network
from tuilab.spec.probes import Probes
from tuilab.spec.protocol import Event, GroupFinished, GroupStarted, Replica, RunFailed, RunFinished, TrainGroup
from tuilab.spec.task import facts
from tuilab.spec.training import report_steps

DIVERGED = 1e4
"""A loss this many times the loss before training (or 1, if that is larger) is on its way out."""
PATIENCE = 5
"""Evaluations in a row with such losses after which a run has failed."""
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
    members: list[Member] = field(init=False)
    watch: "Watch" = field(init=False)
    nothing: LossArray = field(init=False)
    """(replicas,) NaN: not evaluated at this step."""
    chunk: int = 1
    """Steps to take before looking at the requests again."""

    def __post_init__(self) -> None:
        splits = make_splits(self.request.task, self.request.seed, [replica.seed_index for replica in self.replicas])
        members = [Member(replica.seed_index, replica.lr, splits[replica.seed_index]) for replica in self.replicas]
        _check_batches(self.job, members)
        self.members, self.nothing = members, np.full(len(members), np.nan)
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
        """Step from evaluation to evaluation; the scores on the validation part after the last step."""
        training, split = self.job.training, self.members[0].split
        schedule = report_steps(training.steps)
        before, val = self._scores("train"), self._scores("val")
        self.watch = Watch(np.maximum(1.0, before.loss))
        reports.add(0, before.loss, val.loss, val.metric)
        for begin, end in pairwise(evaluation_steps(schedule, batch_size(len(split.train), training), len(split.val))):
            losses = np.full((end - begin, len(self.replicas)), np.nan)
            since, waiting = begin, [step for step in schedule if begin < step < end]
            for reached in self._advance(begin, end, losses):
                while waiting and waiting[0] <= reached:
                    reports.add(
                        waiting[0], losses[since - begin : waiting[0] - begin].mean(0), self.nothing, self.nothing
                    )
                    since = waiting.pop(0)
            val = self._scores("val")
            reports.add(end, losses[since - begin :].mean(0), val.loss, val.metric)
            self._drop_failed(begin, losses, val.loss, reports)
            if not self.packs:
                break
        return val

    def _advance(self, first: int, last: int, losses: LossArray) -> Iterator[int]:
        """Take some steps, looking at the requests now and then; fills ``losses`` (steps, replicas of the wave).

        Yields:
            the steps taken so far.

        Raises:
            _StoppedError: when told to stop.

        """
        step = first
        while step < last:
            following = min(last, step + self.chunk)
            began = perf_counter()
            for pack, positions in zip(self.packs, self.alive, strict=True):
                losses[step - first : following - first, positions] = pack.run(step, following)
                self.clock.steps += len(positions) * (following - step)
            seconds = perf_counter() - began
            self.clock.seconds += seconds
            self.chunk = _next_chunk(following - step, seconds, self.chunk)
            step = following
            yield step
            if self.control():
                raise _StoppedError

    def _scores(self, part: PartName) -> Scores:
        """Of every replica of the wave, NaN where it has left."""
        began = perf_counter()
        loss, metric = (np.full(len(self.replicas), np.nan) for _ in range(2))
        for pack, positions in zip(self.packs, self.alive, strict=True):
            scores = pack.evaluate(part)
            loss[positions], metric[positions] = scores.loss, scores.metric
        self.clock.seconds += perf_counter() - began
        return Scores(loss, metric)

    def _drop_failed(self, begin: int, losses: LossArray, eval_loss: LossArray, reports: Reports) -> None:
        """Let the runs go that have failed since step ``begin``, given the losses (steps, replicas) since then."""
        reasons = self.watch.judge(losses, eval_loss)
        failed = [position for positions in self.alive for position in positions if reasons[position]]
        if not failed:
            return
        reports.flush()
        for position in failed:
            bad = ~np.isfinite(losses[:, position])
            step = begin + (int(bad.argmax()) if bad.any() else len(losses))
            run = self.replicas[position].run
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
            probes = self._probe(pack, positions)
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
                        probes=next(probes),
                    )
                )

    def _probe(self, pack: Pack, positions: list[int]) -> Iterator[Probes | None]:
        """The probes of each replica of a pack, one at a time; None where none were asked for."""
        if not self.request.probes:
            yield from (None for _ in positions)
            return
        for position, end in zip(positions, pack.parameters(), strict=True):
            member = self.members[position]
            start = without_gaps(self.job.layout, initial_values(self.job, [member])[0].cpu().numpy())
            yield probe(self.job.layout, member.split, start, np.asarray(torch.as_tensor(end).cpu()))


class Watch:
    """Tells which runs have diverged.

    A run has failed when a training loss or its validation loss is not a finite number, or when its training loss has
    been more than 10,000 times its loss before training (at least 1) all the way through 5 evaluations in a row.
    """

    def __init__(self, initial_loss: LossArray) -> None:
        self._limit = DIVERGED * initial_loss
        self._high = np.zeros(len(initial_loss), dtype=np.int64)

    def judge(self, losses: LossArray, eval_loss: LossArray) -> list[str]:
        """Why each run has failed at this evaluation, (runs,); empty where it has not.

        Args:
            losses: (steps, runs), the training losses since the last evaluation.
            eval_loss: (runs,), on the validation part.

        """
        self._high = np.where((losses > self._limit).all(0), self._high + 1, 0)
        reasons = np.full(len(eval_loss), "", dtype=object)
        reasons[self._high >= PATIENCE] = f"diverged: the loss stayed {DIVERGED:,.0f} times above its start"
        reasons[~np.isfinite(eval_loss)] = "diverged: the validation loss is not a finite number"
        reasons[~np.isfinite(losses).all(0)] = "diverged: the loss is not a finite number"
        return [str(reason) for reason in reasons]


def _next_chunk(steps: int, seconds: float, chunk: int) -> int:
    """Steps to take before looking at the requests again."""
    if seconds <= 0:
        return 4 * chunk
    return max(1, min(4 * chunk, int(steps * _CHUNK_SECONDS / seconds)))
