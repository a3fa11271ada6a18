"""Training of a group: its replicas step by step, their reports, their failures and their final scores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from tuilab.engine.batches import batch_size
from tuilab.engine.changes import Changes
from tuilab.engine.checkpoints import Checkpoint, Keeper, divide, fingerprint, fits, restore
from tuilab.engine.data import make_splits
from tuilab.engine.devices import find_device
from tuilab.engine.layout import BatchNormNode, Layout, lay_out, nodes
from tuilab.engine.pack import Job, LossArray, Member, Pack, PartName, Scores, initial_values
from tuilab.engine.packing import make_packs, wave_size
from tuilab.engine.precision import products_in
from tuilab.engine.probes import probe, without_gaps
from tuilab.engine.reports import Reports, evaluation_steps, finite
from tuilab.engine.watch import Watch
from tuilab.spec.errors import LabError
from tuilab.spec.network import Network
from tuilab.spec.probes import Probes
from tuilab.spec.protocol import (
    Change,
    ChangeRuns,
    Event,
    GroupFinished,
    GroupStarted,
    Replica,
    RunFailed,
    RunFinished,
    RunsChanged,
    RunStopped,
    TrainGroup,
)
from tuilab.spec.task import facts
from tuilab.spec.training import report_steps

_CHUNK_SECONDS = 0.03
"""About how long the engine trains before it looks at its requests again."""

Emit = Callable[[Event], None]
Control = Callable[[], bool]
"""Called between chunks of steps: waits while the group is paused, true when it is to end."""
Asked = Callable[[], Sequence[ChangeRuns]]
"""What people have asked to be changed of the group since the last call."""


class _StoppedError(Exception):
    """The group was stopped."""


@dataclass(slots=True)
class _Clock:
    """Wall time spent on training and evaluation, and steps taken, summed over replicas."""

    seconds: float = 0.0
    steps: int = 0


def _nothing_asked() -> tuple[ChangeRuns, ...]:
    return ()


def train_group(request: TrainGroup, emit: Emit, control: Control, asked: Asked = _nothing_asked) -> None:
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
    with products_in(request.training.precision, device):
        for replicas, checkpoint in _waves(request, layout):
            wave = _Wave(request, job, replicas, emit, control, asked, clock, checkpoint)
            if not started:
                emit(GroupStarted(group=request.group, num_params=layout.num_params))
                started = True
            try:
                wave.train()
            except _StoppedError:
                stopped = True
                break
    emit(GroupFinished(group=request.group, seconds=clock.seconds, steps=clock.steps, stopped=stopped))


def _waves(request: TrainGroup, layout: Layout) -> Iterator[tuple[tuple[Replica, ...], Checkpoint | None]]:
    """The replicas that train at once, with what they go on from."""
    size = wave_size(layout, request.device)
    folder = Path(request.checkpoints) if request.checkpoints else None
    for replicas, checkpoint in divide(request.replicas, fingerprint(request), folder):
        for begin in range(0, len(replicas), size):
            yield replicas[begin : begin + size], checkpoint


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
    asked: Asked
    clock: _Clock
    checkpoint: Checkpoint | None = None
    """What the replicas go on from."""
    packs: list[Pack] = field(init=False)
    alive: list[list[int]] = field(init=False)
    """For each pack the replicas' positions in the wave that it still trains."""
    members: list[Member] = field(init=False)
    watch: Watch = field(init=False)
    nothing: LossArray = field(init=False)
    """(replicas,) NaN: not evaluated at this step."""
    keeper: Keeper = field(init=False)
    before: tuple[float, int] = field(init=False)
    """What the clock said before this wave: seconds and steps."""
    changes: Changes = field(init=False)
    """What is changed by hand, and what was before the last engine died."""
    chunk: int = 1
    """Steps to take before looking at the requests again."""

    def __post_init__(self) -> None:
        splits = make_splits(self.request.task, self.request.seed, [replica.seed_index for replica in self.replicas])
        members = [Member(replica.seed_index, replica.lr, splits[replica.seed_index]) for replica in self.replicas]
        _check_batches(self.job, members)
        self.members, self.nothing = members, np.full(len(members), np.nan)
        self.keeper = Keeper(self.request, tuple(replica.run for replica in self.replicas))
        self.before = self.clock.seconds, self.clock.steps
        self.changes = Changes(self.replicas, self.job.training.steps)
        if self.checkpoint is None or not self._make_packs(self.checkpoint):
            self.checkpoint = None
            self._make_packs(None)

    def _make_packs(self, checkpoint: Checkpoint | None) -> bool:
        """Make the packs of the replicas that have not failed; whether they are such as the checkpoint's."""
        going = [place for place, one in enumerate(self.replicas) if not checkpoint or one.run not in checkpoint.failed]
        members = [self.members[place] for place in going]
        self.packs, self.alive = [], []
        for pack, positions in make_packs(self.job, members, checkpoint.kind if checkpoint else "") if members else ():
            self.packs.append(pack)
            self.alive.append([going[position] for position in positions])
        return checkpoint is None or all(
            fits(memory, checkpoint.memory[self.replicas[position].run])
            for pack, positions in zip(self.packs, self.alive, strict=True)
            for memory, position in zip(pack.memories(), positions, strict=True)
        )

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
        self.keeper.end()

    def _train(self, reports: Reports) -> Scores:
        """Step from evaluation to evaluation; the scores on the validation part after the last step."""
        val = self._begin(reports) if self.checkpoint is None else self._go_on(self.checkpoint, reports)
        begin = 0 if self.checkpoint is None else self.checkpoint.step
        while self.packs and begin < self.changes.steps:
            schedule, end = self._until(begin)
            losses = np.full((end - begin, len(self.replicas)), np.nan)
            since, waiting = begin, [step for step in schedule if begin < step < end]
            for reached in self._advance(begin, end, losses, reports):
                while waiting and waiting[0] <= reached:
                    mean = losses[since - begin : waiting[0] - begin].mean(0)
                    self._report(reports, waiting[0], mean, self.nothing, self.nothing)
                    since = waiting.pop(0)
            val = self._scores("val")
            self._report(reports, end, losses[since - begin :].mean(0), val.loss, val.metric)
            self._drop_failed(begin, losses, val.loss, reports)
            begin = end
            if self.packs and self.keeper.due:
                packs = list(zip(self.packs, self.alive, strict=True))
                cost = self.clock.seconds - self.before[0], self.clock.steps - self.before[1]
                self.keeper.write(end, cost, self.watch.state(), packs, self.changes.made)
        return val

    def _until(self, begin: int) -> tuple[tuple[int, ...], int]:
        """The steps at which losses are reported, and the first after ``begin`` at which there is an evaluation."""
        schedule, split = report_steps(self.changes.steps), self.members[0].split
        evaluated = evaluation_steps(schedule, batch_size(len(split.train), self.job.training), len(split.val))
        return schedule, next(step for step in evaluated if step > begin)

    def _begin(self, reports: Reports) -> Scores:
        """Report the losses before training; the scores on the validation part."""
        before, val = self._scores("train"), self._scores("val")
        self.watch = Watch(np.maximum(1.0, before.loss))
        self._report(reports, 0, before.loss, val.loss, val.metric)
        return val

    def _go_on(self, checkpoint: Checkpoint, reports: Reports) -> Scores:
        """Take up what a checkpoint has left, tell again what it told; the scores on the validation part."""
        columns = [checkpoint.runs.index(replica.run) for replica in self.replicas]
        for step, values in zip(checkpoint.reported_steps, checkpoint.reported[:, :, columns].unbind(1), strict=True):
            self._report(reports, step, *values.numpy())
        self.watch = Watch(*checkpoint.watch[:, columns].numpy())
        reports.flush()
        for run, (step, reason) in checkpoint.failed.items():
            if run in self.keeper.runs:
                self._fail(run, step, reason)
        for pack, positions in zip(self.packs, self.alive, strict=True):
            for memory, position in zip(pack.memories(), positions, strict=True):
                restore(memory, checkpoint.memory[self.replicas[position].run])
            pack.skip_to(checkpoint.step)
        self._make_due(checkpoint.step)
        share = len(self.replicas) / len(checkpoint.runs)
        self.clock.seconds += checkpoint.seconds * share
        self.clock.steps += round(checkpoint.steps * share)
        return self._scores("val")

    def _report(
        self, reports: Reports, step: int, train_loss: LossArray, eval_loss: LossArray, metric: LossArray
    ) -> None:
        reports.add(step, train_loss, eval_loss, metric)
        self.keeper.note(step, train_loss, eval_loss, metric)

    def _fail(self, run: int, step: int, reason: str) -> None:
        self.emit(RunFailed(group=self.request.group, run=run, step=step, reason=reason))
        self.keeper.note_failed(run, step, reason)

    def _advance(self, first: int, last: int, losses: LossArray, reports: Reports) -> Iterator[int]:
        """Take some steps, looking at the requests now and then; fills ``losses`` (steps, replicas of the wave).

        Yields:
            the steps taken so far.

        Raises:
            _StoppedError: when told to stop.

        """
        step = first
        while step < last:
            following = min(last, step + self.chunk, self.changes.next_after(step, last))
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
            for request in self.asked():
                reports.flush()
                self._obey(request, step)
            self._make_due(step)

    def _make_due(self, step: int) -> None:
        """Change what was changed at this step, or before, when an earlier engine trained these replicas."""
        for position, change in self.changes.due(step):
            self._change(position, change)

    def _obey(self, request: ChangeRuns, step: int) -> None:
        """Change or end runs as a person asks, and tell about it."""
        training = {position for positions in self.alive for position in positions}
        wanted = [position for position in training if self.replicas[position].run in request.runs]
        if request.stop:
            for position in wanted:
                self.emit(RunStopped(group=self.request.group, run=self.replicas[position].run, step=step))
            self._leave(wanted)
            return
        for change, positions in self.changes.asked(request, sorted(training), sorted(wanted), step):
            for position in positions:
                self._change(position, change)
            runs = tuple(self.replicas[position].run for position in positions)
            self.emit(RunsChanged(group=self.request.group, runs=runs, change=change))

    def _change(self, position: int, change: Change) -> None:
        self.changes.note(position, change)
        for pack, positions in zip(self.packs, self.alive, strict=True):
            if change.steps is not None:
                pack.set_steps(change.steps)
            if change.lr is not None and position in positions:
                pack.set_lr(positions.index(position), change.lr)

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
            self._fail(self.replicas[position].run, step, reasons[position])
        self._leave(failed)

    def _leave(self, leaving: Sequence[int]) -> None:
        """Let the replicas at these positions go."""
        for index, positions in enumerate(self.alive):
            rows = [row for row, position in enumerate(positions) if position not in leaving]
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


def _next_chunk(steps: int, seconds: float, chunk: int) -> int:
    """Steps to take before looking at the requests again."""
    if seconds <= 0:
        return 4 * chunk
    return max(1, min(4 * chunk, int(steps * _CHUNK_SECONDS / seconds)))
