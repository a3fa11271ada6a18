"""Drives one experiment: has its runs trained, writes what comes back, obeys commands."""

import logging
import shutil
import time
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import assert_never

from tuilab.runner.crew import Crew, Job, Task
from tuilab.runner.engines import Death, EnginePool, EngineProcess
from tuilab.runner.environment import environment_of
from tuilab.runner.findings import Findings
from tuilab.runner.ledger import NO_HISTORY, History, Ledger
from tuilab.runner.roster import Roster, replica_of
from tuilab.runner.setting import Setting
from tuilab.runner.slots import cores, devices_for
from tuilab.spec.protocol import (
    ChangeRuns,
    Event,
    GroupFailed,
    GroupFinished,
    GroupStarted,
    Points,
    Ready,
    Replica,
    RunFailed,
    RunFinished,
    RunsChanged,
    RunStopped,
    TrainGroup,
    total_steps,
)
from tuilab.store.home import checkpoint_folder
from tuilab.store.records import STOPPED_BY_HAND, Command, Order, Phase, RunRecord, Status
from tuilab.store.schema import StoreError
from tuilab.store.writer import Writer

POLL_SECONDS = 0.1
"""Time between two looks at the commands."""
STOP_SECONDS = 3.0
"""How long engines may take to stop before they are killed."""
WARM_ENGINES = 4
"""Most engines that are started before it is known how many are needed; each takes some 300 MB."""
CHECKPOINT_SECONDS = 30.0
"""Time between two checkpoints of a group."""
LAST_SECONDS = 10.0
"""How long the store of an experiment that fails may take to be writable again."""
STOPPED = "stopped on request"

log = logging.getLogger(__name__)


class Supervisor:
    """One experiment from its first group to its end."""

    def __init__(
        self,
        home: Path,
        experiment: str,
        setting: Setting,
        wanted: str,
        pool: EnginePool,
        past: History = NO_HISTORY,
    ) -> None:
        """Prepare to run.

        Args:
            home: the lab's folder.
            experiment: id of an experiment that this process has claimed.
            setting: what is run.
            wanted: the device that was asked for.
            pool: engines, warm or not yet there.
            past: what an earlier runner has done of it.

        """
        self.setting = setting
        self.experiment = experiment
        self.writer = Writer(home)
        self.ledger = Ledger(self.writer, experiment, past)
        self.roster = Roster(setting, self.ledger)
        self.findings = Findings(setting, self.ledger, past.added_seeds)
        self.crew = Crew(home, experiment, pool, self._request)
        self._checkpoints = checkpoint_folder(home, experiment)
        self._pool = pool
        self._wanted = wanted
        self._trouble = ""
        self._stopping: str | None = None
        self._terminated = False
        self._stop_by: float | None = None
        self._polled = 0.0

    def run(self) -> Status:
        """Run the experiment to its end and return how it ended.

        Raises:
            LabError: when it cannot go on: no such device, engines that do not start, a store that cannot be written.

        """
        while not (self.roster.idle and self.crew.idle):
            self._obey()
            self.roster.plan()
            self._choose_device()
            self._dispatch()
            self.findings.summarise()
            self.ledger.flush()
            for engine, event in self._pool.poll(POLL_SECONDS):
                self._hear(engine, event)
            self.crew.kill_silent()
            for task, death in self.crew.bury():
                self._orphan(task, death)
        return self._conclude()

    def stop(self, message: str) -> None:
        """End the experiment; safe to call twice, and from a signal handler."""
        if self._stopping is None:
            self._stopping = message

    def terminate(self) -> None:
        """End the experiment because its runner is to end; what cannot be written now is not waited for."""
        self._terminated = True
        self.stop("stopped by a signal to its runner")

    def fail(self, message: str) -> None:
        """Write that the experiment failed, with as much of what waits to be written as the store takes."""
        self.crew.kill()
        for run in list(self.ledger.runs.values()):
            if not run.status.ended:
                self.ledger.change(replace(run, status=Status.FAILED, reason=message))
        self.roster.count_steps()
        self._end(Status.FAILED, message, LAST_SECONDS)

    def close(self) -> None:
        """Give back the slots and the store's connection."""
        self.crew.release()
        self.writer.close()

    # What comes from engines ----------------------------------------------------------------------------------------

    def _hear(self, engine: EngineProcess, event: Event) -> None:
        if isinstance(event, Ready):
            self.crew.started()
            return
        task = self.crew.task_of(engine, event.group)
        if task is None:
            return
        task.hear()
        match event:
            case GroupStarted():
                counted = self.setting.counts[task.job.candidate].num_params
                if event.num_params != counted:
                    log.warning("group %d has %d parameters, counted %d", event.group, event.num_params, counted)
            case Points():
                self.ledger.report(event)
            case RunFinished():
                self._finish_run(event, task.job.candidate)
            case RunsChanged():
                for identity in event.runs:
                    run = self.ledger.runs[identity]
                    self.ledger.change(replace(run, changes=(*run.changes, event.change)))
                log.info("runs %s changed by hand: %s", event.runs, event.change.model_dump_json(exclude_none=True))
                self.roster.count_steps()
            case RunStopped():
                run, reason = self.ledger.runs[event.run], f"{STOPPED_BY_HAND} at step {event.step:,}"
                self._end_run(replace(run, status=Status.STOPPED, step=event.step, reason=reason))
            case RunFailed():
                run = self.ledger.runs[event.run]
                self._end_run(replace(run, status=Status.FAILED, step=event.step, reason=event.reason))
            case GroupFinished():
                self._finish_group(event, task)
            case GroupFailed():
                self._refuse_group(event, task)
            case _:
                assert_never(event)

    def _finish_run(self, event: RunFinished, candidate: int) -> None:
        run = self.ledger.runs[event.run]
        self._end_run(
            replace(
                run,
                status=Status.FINISHED,
                step=total_steps(self.setting.trainings[candidate].steps, run.changes),
                train_loss=event.train_loss,
                train_metric=event.train_metric,
                val_loss=event.val_loss,
                val_metric=event.val_metric,
                test_loss=event.test_loss,
                test_metric=event.test_metric,
                dead_fraction=event.dead_fraction,
                probes=event.probes,
            )
        )

    def _end_run(self, run: RunRecord) -> None:
        self.ledger.change(run)
        self.findings.ended(run)

    def _finish_group(self, event: GroupFinished, task: Task) -> None:
        self.crew.end(task)
        if event.stopped:
            self._stop_runs(task.job)
        elif self._left(task.job):
            self._give_up(task.job, "the engine ended the group without a word about some of its runs")
        for replica in task.job.replicas:
            if event.seconds > 0:
                self.findings.rate(replica.run, event.steps / event.seconds)
            self._end_run(replace(self.ledger.runs[replica.run], seconds=event.seconds / len(task.job.replicas)))
        self.roster.ended(task.job.candidate)

    def _refuse_group(self, event: GroupFailed, task: Task) -> None:
        """A group that the engine cannot train; one that was too large for its memory is tried in halves."""
        self.crew.end(task)
        left = self._left(task.job)
        if event.out_of_memory and len(left) > 1 and self._stopping is None:
            log.warning("group %d: %s; trying its halves", event.group, event.reason)
            self._mark(task.job, Status.QUEUED)
            self.crew.retry(task.job, left, died=False, halve=True)
        else:
            self._give_up(task.job, event.reason)

    def _orphan(self, task: Task, death: Death) -> None:
        """An engine has died: what it left of its group is tried once more, in halves where memory may have run out."""
        left = self._left(task.job)
        if self._stopping is not None:
            self._stop_runs(task.job)
        elif left and task.job.deaths:
            self._give_up(task.job, f"its engine died twice: it {death.cause}")
        elif left:
            self._mark(task.job, Status.QUEUED)
            self.crew.retry(task.job, left, died=True, halve=death.by_memory)
        self.roster.ended(task.job.candidate)

    def _left(self, job: Job) -> tuple[Replica, ...]:
        runs = [self.ledger.runs[replica.run] for replica in job.replicas]
        return tuple(replica_of(run) for run in runs if not run.status.ended)

    def _give_up(self, job: Job, reason: str) -> None:
        """A group that cannot be trained: the others go on, but its candidate gets no further runs."""
        for replica in self._left(job):
            self.findings.exclude(replica.run)
            self.ledger.change(replace(self.ledger.runs[replica.run], status=Status.FAILED, reason=reason))
        name = self.setting.comparison.candidates[job.candidate].name
        sentence = f"candidate {name} could not be trained: {reason}"
        log.error("%s", sentence)
        self._trouble = self._trouble or sentence
        self.roster.give_up(job.candidate)

    # Where it is trained --------------------------------------------------------------------------------------------

    def _choose_device(self) -> None:
        if self._wanted == "cpu" and not self.crew.size:
            self.crew.use(devices_for("cpu", (), worth_a_gpu=False))
        if self.ledger.progress.device:
            return
        ready = next((engine.ready for engine in self._pool.engines if engine.ready is not None), None)
        if ready is None:
            self._pool.grow(min(cores(), WARM_ENGINES))
            return
        devices = devices_for(self._wanted, ready.cuda, self.setting.worth_a_gpu)
        if not self.crew.size:
            self.crew.use(devices)
        name = ready.device_name
        if devices[0] != "cpu":
            name = ", ".join(f"{ready.cuda[int(device.removeprefix('cuda:'))]} ({device})" for device in devices)
        self.ledger.update(replace(self.ledger.progress, device=name))
        environment = environment_of(self.setting, ready, name, devices)
        log.info("%s", ", ".join(f"{name}: {value}" for name, value in environment.items()))
        try:
            self.writer.set_environment(self.experiment, environment)
        except StoreError as error:
            log.warning("%s", error)

    def _dispatch(self) -> None:
        if self._stopping is None:
            if self.crew.size:
                self.crew.add(self.roster.pack(self.crew.size))
            for task in self.crew.dispatch():
                self._mark(task.job, Status.RUNNING)
        progress = self.ledger.progress
        if self.crew.paused:
            status = Status.PAUSED
        elif self.crew.held or self._stopping is not None:
            status = Status.RUNNING
        else:
            status = Status.QUEUED
        started = time.time() if progress.started is None and self.crew.held else progress.started
        message = ""
        if status is Status.QUEUED and self.crew.behind:
            message = f"waits for a free slot behind {', '.join(self.crew.behind)}"
        elif status is not Status.PAUSED and not any(engine.ready for engine in self._pool.engines):
            message = "its engines are starting"
        self.ledger.update(replace(progress, status=status, message=message, started=started))

    def _request(self, group: int, job: Job, device: str) -> TrainGroup:
        comparison = self.setting.comparison
        return TrainGroup(
            group=group,
            stack=comparison.candidates[job.candidate].stack,
            task=comparison.task,
            training=self.setting.trainings[job.candidate],
            seed=comparison.protocol.seed,
            replicas=job.replicas,
            device=device,
            checkpoints=str(self._checkpoints),
            checkpoint_seconds=CHECKPOINT_SECONDS,
            probes=comparison.protocol.probes and self.ledger.runs[job.replicas[0].run].phase is Phase.FINAL,
        )

    # What people ask for --------------------------------------------------------------------------------------------

    def _obey(self) -> None:
        clock = time.monotonic()
        if clock - self._polled >= POLL_SECONDS:
            self._polled = clock
            self._read_commands()
        if self._stopping is None:
            return
        if self._stop_by is None:
            self._stop_by = clock + STOP_SECONDS
            self.roster.stop()
            for job in self.crew.stop():
                self._stop_runs(job)
        elif clock > self._stop_by:
            self.crew.kill()

    def _read_commands(self) -> None:
        try:
            for sent in self.writer.waiting_commands(self.experiment):
                log.info("command: %s", sent.command.value)
                self._command(sent.command, sent.order)
                self.writer.acknowledge(sent)
        except StoreError as error:
            log.warning("%s", error)

    def _command(self, command: Command, order: Order) -> None:
        match command:
            case Command.STOP:
                self.stop(STOPPED)
            case Command.PAUSE:
                self.crew.pause()
                for task in self.crew.tasks:
                    self._mark(task.job, Status.PAUSED)
            case Command.RESUME:
                self.crew.resume()
            case Command.STOP_RUN:
                self._stop_run(order.run)
            case Command.LR:
                self._change(order, lr=order.value)
            case Command.STEPS:
                self._change(order, steps=None if order.value is None else int(order.value))
            case _:
                assert_never(command)

    def _change(self, order: Order, lr: float | None = None, steps: int | None = None) -> None:
        """Change what trains now; what has not begun is trained as planned."""
        for task in self.crew.tasks:
            runs = tuple(replica.run for replica in self._left(task.job) if order.run in (None, replica.run))
            if runs and order.candidate in (None, task.job.candidate):
                task.engine.send(ChangeRuns(group=task.group, runs=runs, lr=lr, steps=steps))

    def _stop_run(self, identity: int | None) -> None:
        """End one run: between two steps where it trains, at once where it waits."""
        run = self.ledger.runs.get(-1 if identity is None else identity)
        if run is None or run.status.ended:
            return
        task = next((one for one in self.crew.tasks if identity in [each.run for each in one.job.replicas]), None)
        if task is not None:
            task.engine.send(ChangeRuns(group=task.group, runs=(run.id,), stop=True))
        elif self.crew.drop(run.id) or self.roster.drop(run.id):
            self._end_run(replace(run, status=Status.STOPPED, reason=f"{STOPPED_BY_HAND} before it began"))
            self.roster.ended(run.candidate)

    def _stop_runs(self, job: Job) -> None:
        self._mark(job, Status.STOPPED)

    def _mark(self, job: Job, status: Status) -> None:
        for replica in self._left(job):
            self.ledger.change(replace(self.ledger.runs[replica.run], status=status))

    # How it ends ----------------------------------------------------------------------------------------------------

    def _conclude(self) -> Status:
        self.findings.summarise(now=True)
        self.roster.count_steps()
        if self._stopping is not None:
            self._end(Status.STOPPED, self._stopping)
        elif self._trouble:
            self._end(Status.FAILED, self._trouble)
        else:
            self._end(Status.FINISHED, "")
            if self.ledger.progress.status is Status.FINISHED:
                shutil.rmtree(self._checkpoints, ignore_errors=True)
        return self.ledger.progress.status

    def _end(self, status: Status, message: str, seconds: float = inf) -> None:
        self.crew.release()
        self.ledger.update(replace(self.ledger.progress, status=status, message=message, ended=time.time()))
        self.ledger.close(seconds, lambda: self._terminated)
