"""Drives one experiment: plans runs, has them trained, writes what comes back, obeys commands."""

import logging
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from tuilab import __version__
from tuilab.runner.crew import Crew, Job, Task
from tuilab.runner.engines import EnginePool, EngineProcess
from tuilab.runner.ledger import Ledger
from tuilab.runner.packing import pack
from tuilab.runner.plan import next_runs, planned_steps
from tuilab.runner.setting import Setting
from tuilab.runner.slots import cores, devices_for
from tuilab.spec.protocol import (
    Event,
    GroupFailed,
    GroupFinished,
    GroupStarted,
    Points,
    Ready,
    Replica,
    RunFailed,
    RunFinished,
    TrainGroup,
)
from tuilab.store.records import Command, Phase, RunRecord, Status
from tuilab.store.schema import StoreError
from tuilab.store.writer import Writer

POLL_SECONDS = 0.1
"""Time between two looks at the commands."""
STOP_SECONDS = 5.0
"""How long engines may take to stop before they are killed."""
WARM_ENGINES = 4
"""Most engines that are started before it is known how many are needed; each takes some 300 MB."""
RESULT_SECONDS = 1.0
"""Time between two summaries."""
STOPPED = "stopped on request"

log = logging.getLogger(__name__)


class Supervisor:
    """One experiment from its first group to its end."""

    def __init__(self, home: Path, experiment: str, setting: Setting, wanted: str, pool: EnginePool) -> None:
        """Prepare to run.

        Args:
            home: the lab's folder.
            experiment: id of an experiment that this process has claimed.
            setting: what is run.
            wanted: the device that was asked for.
            pool: engines, warm or not yet there.

        """
        self.setting = setting
        self.experiment = experiment
        self.writer = Writer(home)
        self.ledger = Ledger(self.writer, experiment)
        self.crew = Crew(home, pool, self._request)
        self._wanted = wanted
        self._pool = pool
        self._to_plan = set(range(len(setting.trainings)))
        self._runs_of: list[list[int]] = [[] for _ in setting.trainings]
        self._unpacked: list[tuple[int, list[RunRecord]]] = []
        self._given_up: set[int] = set()
        self._untrained: set[int] = set()
        self._rates: dict[int, float] = {}
        self._trouble = ""
        self._stopping: str | None = None
        self._stop_by = 0.0
        self._polled = self._summarised = 0.0
        self._news = False

    def run(self) -> Status:
        """Run the experiment to its end and return how it ended.

        Raises:
            LabError: when it cannot go on: no such device, engines that do not start, a store that cannot be written.

        """
        if self._wanted == "cpu":
            self.crew.use(devices_for("cpu", (), worth_a_gpu=False))
        while not self._over():
            for engine, event in self._pool.poll(POLL_SECONDS):
                self._hear(engine, event)
            for task, cause in self.crew.bury():
                self._orphan(task, cause)
            self._obey()
            self._plan()
            self._choose_device()
            self._dispatch()
            self._summarise()
            self.ledger.flush()
        return self._conclude()

    def stop(self, message: str) -> None:
        """End the experiment; safe to call twice, and from a signal handler."""
        if self._stopping is None:
            self._stopping = message

    def fail(self, message: str) -> None:
        """Write that the experiment failed, with whatever waits to be written.

        Raises:
            StoreError: when the store cannot be written.

        """
        self._abandon(message)
        self._end(Status.FAILED, message)
        if not self.ledger.flush(now=True):
            raise StoreError(f"the end of experiment {self.experiment} could not be written: {message}")

    def _over(self) -> bool:
        return not (self._to_plan or self._unpacked or self.crew.tasks or self.crew.pending)

    # What comes from engines ----------------------------------------------------------------------------------------

    def _hear(self, engine: EngineProcess, event: Event) -> None:
        if isinstance(event, Ready):
            self.crew.started()
            return
        task = self.crew.task_of(engine, event.group)
        if task is None:
            return
        match event:
            case GroupStarted():
                expected = self.setting.counts[task.job.candidate].num_params
                if event.num_params != expected:
                    log.warning("group %d has %d parameters, counted %d", event.group, event.num_params, expected)
            case Points():
                self.ledger.report(event)
            case RunFinished():
                self._finish_run(event, task.job.candidate)
            case RunFailed():
                run = self.ledger.runs[event.run]
                self._end_run(replace(run, status=Status.FAILED, step=event.step, reason=event.reason))
            case GroupFinished():
                self._finish_group(event, task)
            case GroupFailed():
                self.crew.end(task)
                self._give_up(task.job, event.reason)
            case _:
                assert_never(event)

    def _finish_run(self, event: RunFinished, candidate: int) -> None:
        self._end_run(
            replace(
                self.ledger.runs[event.run],
                status=Status.FINISHED,
                step=self.setting.trainings[candidate].steps,
                train_loss=event.train_loss,
                train_metric=event.train_metric,
                val_loss=event.val_loss,
                val_metric=event.val_metric,
                test_loss=event.test_loss,
                test_metric=event.test_metric,
                dead_fraction=event.dead_fraction,
            )
        )

    def _end_run(self, run: RunRecord) -> None:
        self.ledger.change(run)
        self._news |= run.phase is Phase.FINAL

    def _finish_group(self, event: GroupFinished, task: Task) -> None:
        self.crew.end(task)
        left = self._left(task.job)
        if left and not event.stopped:
            self._give_up(task.job, "the engine ended the group without a word about some of its runs")
            return
        for replica in left:
            self.ledger.change(replace(self.ledger.runs[replica.run], status=Status.STOPPED))
        for replica in task.job.replicas:
            run = self.ledger.runs[replica.run]
            self.ledger.change(replace(run, seconds=event.seconds / len(task.job.replicas)))
            if event.seconds > 0:
                self._rates[run.id] = event.steps / event.seconds
            self._news |= run.phase is Phase.FINAL
        if self._stopping is None:
            self._to_plan.add(task.job.candidate)

    def _orphan(self, task: Task, cause: str) -> None:
        left = self._left(task.job)
        if self._stopping is not None:
            self._stop_runs(task.job)
        elif not left:
            self._to_plan.add(task.job.candidate)
        elif task.job.deaths == 0:
            self.crew.retry(task.job, left)
        else:
            self._give_up(task.job, f"its engine died twice: it {cause}")

    def _left(self, job: Job) -> tuple[Replica, ...]:
        return tuple(replica for replica in job.replicas if not self.ledger.runs[replica.run].status.ended)

    def _give_up(self, job: Job, reason: str) -> None:
        """A group that cannot be trained: the others go on, but its candidate gets no further runs."""
        for replica in self._left(job):
            run = self.ledger.runs[replica.run]
            self._untrained.add(run.id)
            self.ledger.change(replace(run, status=Status.FAILED, reason=reason))
        name = self.setting.comparison.candidates[job.candidate].name
        self._trouble = self._trouble or f"candidate {name} could not be trained: {reason}"
        log.error("candidate %s could not be trained: %s", name, reason)
        self._given_up.add(job.candidate)
        self._count_steps()

    # What is to be trained ------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        protocol = self.setting.comparison.protocol
        for candidate in sorted(self._to_plan):
            runs = self._of(candidate)
            if self._stopping is not None or not all(run.status.ended for run in runs):
                self._to_plan.discard(candidate)
                continue
            further = (
                ()
                if candidate in self._given_up
                else next_runs(candidate, self.setting.trainings[candidate], protocol, runs)
            )
            records = self.ledger.add(further) if further else []
            if records is None:
                return
            self._to_plan.discard(candidate)
            self._runs_of[candidate] += [record.id for record in records]
            self._unpacked.append((candidate, records))
            self._count_steps()
        if self.crew.size:
            for candidate, records in self._unpacked:
                self.crew.add(self._jobs(candidate, records))
            self._unpacked.clear()

    def _jobs(self, candidate: int, records: Sequence[RunRecord]) -> list[Job]:
        load = self.setting.loads[candidate]
        groups = pack(records, load, at_least=-(-self.crew.size // len(self.setting.trainings)))
        return [
            Job(
                candidate,
                tuple(Replica(run=run.id, seed_index=run.seed_index, lr=run.lr) for run in group),
                load.seconds(len(group)),
            )
            for group in groups
        ]

    def _of(self, candidate: int) -> list[RunRecord]:
        return [self.ledger.runs[run] for run in self._runs_of[candidate]]

    def _count_steps(self) -> None:
        total = 0
        for candidate, training in enumerate(self.setting.trainings):
            runs = self._of(candidate)
            if candidate in self._given_up:
                total += sum(run.step if run.status.ended else training.steps for run in runs)
            else:
                total += planned_steps(training, self.setting.comparison.protocol, runs)
        self.ledger.update(replace(self.ledger.progress, planned_steps=total))

    # Where it is trained --------------------------------------------------------------------------------------------

    def _choose_device(self) -> None:
        ready = next((engine.ready for engine in self._pool.engines if engine.ready is not None), None)
        if ready is None:
            self._pool.grow(min(cores(), WARM_ENGINES))
            return
        if self.ledger.progress.device:
            return
        devices = devices_for(self._wanted, ready.cuda, self.setting.worth_a_gpu)
        if not self.crew.size:
            self.crew.use(devices)
        if devices[0] == "cpu":
            name = ready.device_name
        else:
            name = ", ".join(f"{ready.cuda[int(device.removeprefix('cuda:'))]} ({device})" for device in devices)
        self.ledger.update(replace(self.ledger.progress, device=name))
        self._remember_environment(ready, name, devices)

    def _remember_environment(self, ready: Ready, device: str, devices: Sequence[str]) -> None:
        environment = {
            "tuilab": __version__,
            "python": platform.python_version(),
            "torch": ready.torch,
            "system": platform.platform(),
            "device": device,
            "slots": ", ".join(devices),
            "seed": str(self.setting.comparison.protocol.seed),
        }
        try:
            self.writer.set_environment(self.experiment, environment)
        except StoreError as error:
            log.warning("%s", error)

    def _dispatch(self) -> None:
        if self._stopping is None:
            for task in self.crew.dispatch():
                for replica in self._left(task.job):
                    self.ledger.change(replace(self.ledger.runs[replica.run], status=Status.RUNNING))
        progress = self.ledger.progress
        if self.crew.paused:
            status = Status.PAUSED
        elif self.crew.held or (progress.status is Status.RUNNING and self._stopping is not None):
            status = Status.RUNNING
        else:
            status = Status.QUEUED
        started = progress.started
        if started is None and status is Status.RUNNING:
            started = time.time()
        self.ledger.update(replace(progress, status=status, started=started))

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
        )

    # What people ask for --------------------------------------------------------------------------------------------

    def _obey(self) -> None:
        clock = time.monotonic()
        if clock - self._polled >= POLL_SECONDS:
            self._polled = clock
            try:
                for sent in self.writer.waiting_commands(self.experiment):
                    self._command(sent.command)
                    self.writer.acknowledge(sent)
            except StoreError as error:
                log.warning("%s", error)
        if self._stopping is None:
            return
        if not self._stop_by:
            self._stop_by = clock + STOP_SECONDS
            for job in self.crew.stop():
                self._stop_runs(job)
            for _, records in self._unpacked:
                for run in records:
                    self.ledger.change(replace(run, status=Status.STOPPED))
            self._unpacked.clear()
        elif clock > self._stop_by:
            self.crew.kill()

    def _command(self, command: Command) -> None:
        log.info("command: %s", command.value)
        match command:
            case Command.STOP:
                self.stop(STOPPED)
            case Command.PAUSE if self._stopping is None:
                self.crew.pause()
                for task in self.crew.tasks:
                    for replica in self._left(task.job):
                        self.ledger.change(replace(self.ledger.runs[replica.run], status=Status.PAUSED))
            case Command.RESUME:
                self.crew.resume()
            case Command.PAUSE:
                pass
            case _:
                assert_never(command)

    def _stop_runs(self, job: Job) -> None:
        for replica in self._left(job):
            self.ledger.change(replace(self.ledger.runs[replica.run], status=Status.STOPPED))

    # What is said about it ------------------------------------------------------------------------------------------

    def _summarise(self, now: bool = False) -> None:
        clock = time.monotonic()
        if not self._news or (not now and clock - self._summarised < RESULT_SECONDS):
            return
        from tuilab.analysis.evidence import FinalRun, summarise

        self._news, self._summarised = False, clock
        finals = [
            FinalRun(run.candidate, run.seed_index, run.lr, run.test_metric, self._rates.get(run.id))
            for run in self.ledger.runs.values()
            if run.phase is Phase.FINAL
            and run.status in (Status.FINISHED, Status.FAILED)
            and run.id not in self._untrained
        ]
        result = summarise(self.setting.comparison, self.setting.totals, finals, self.setting.task)
        self.ledger.update(replace(self.ledger.progress, result=result))

    def _conclude(self) -> Status:
        self._summarise(now=True)
        self._count_steps()
        if self._stopping is not None:
            self._end(Status.STOPPED, self._stopping)
        elif self._trouble:
            self._end(Status.FAILED, self._trouble)
        else:
            self._end(Status.FINISHED, "")
        while not self.ledger.flush(now=True):
            time.sleep(POLL_SECONDS)
        return self.ledger.progress.status

    def _end(self, status: Status, message: str) -> None:
        progress = replace(self.ledger.progress, status=status, message=message, ended=time.time())
        self.ledger.update(progress)

    def _abandon(self, reason: str) -> None:
        self.crew.kill()
        for run in list(self.ledger.runs.values()):
            if not run.status.ended:
                self.ledger.change(replace(run, status=Status.FAILED, reason=reason))
        self._count_steps()

    def close(self) -> None:
        """Give back the slots and the store's connection."""
        self.crew.release()
        self.writer.close()
