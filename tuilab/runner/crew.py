"""The crew: engines, slots, and the jobs between them."""

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuilab.runner.engines import Death, EnginePool, EngineProcess
from tuilab.runner.slots import Slot, Slots
from tuilab.spec.comparison import LETTERS
from tuilab.spec.errors import LabError
from tuilab.spec.protocol import PauseGroup, Replica, StopGroup, TrainGroup

READY_SECONDS = 120.0
"""How long an engine may take until it says that it is ready; importing torch from a cold disk is slow."""
SILENCE_SECONDS = 120.0
"""How long an engine that trains may say nothing before it counts as hung, at the least."""
_SILENCE_FACTOR = 20
"""It may be silent this many times longer than it was before."""
_SLOW_COST = 1e10
"""Cost of a job on a slow core in the time between two of its reports, a second."""
_ASLEEP_SECONDS = 5.0
"""A runner that has not looked for so long was halted itself, and its engines perhaps with it."""
_START_FAILURES = 2
"""Engines in a row that may die before they are ready."""
_NO_LIMIT = 1_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One group: runs of one candidate that are trained together.

    Attributes:
        candidate: index into the comparison's candidates.
        replicas: the runs.
        cost: relative time that it takes; the longest jobs go first.
        deaths: engines that have died of it.

    """

    candidate: int
    replicas: tuple[Replica, ...]
    cost: float
    deaths: int = 0


@dataclass(slots=True)
class Task:
    """A job on an engine. Without a slot it is held between two steps."""

    group: int
    job: Job
    engine: EngineProcess
    slot: Slot | None
    device: str
    heard: float = field(default_factory=time.monotonic)
    """When the engine last spoke of it, or was told to go on."""
    silence: float = 0.0
    """The longest time between two events so far, in seconds."""

    def hear(self) -> None:
        """Note that the engine speaks of it."""
        clock = time.monotonic()
        self.silence = max(self.silence, clock - self.heard)
        self.heard = clock

    @property
    def patience(self) -> float:
        """How long the engine may be silent, in seconds."""
        return max(SILENCE_SECONDS, _SILENCE_FACTOR * self.silence, self.job.cost / _SLOW_COST)


class Crew:
    """Puts jobs on engines, as many at once as there are slots for."""

    def __init__(
        self, home: Path, experiment: str, pool: EnginePool, request: Callable[[int, Job, str], TrainGroup]
    ) -> None:
        """A crew without slots or jobs.

        Args:
            home: the lab's folder, where the slots' locks are.
            experiment: whose jobs it does.
            pool: its engines.
            request: makes the request for a group from its number, the job and the device.

        """
        self.pool = pool
        self.tasks: list[Task] = []
        self.pending: list[Job] = []
        self.paused = False
        self._home = home
        self._experiment = experiment
        self._request = request
        self._slots = Slots(home, experiment, ())
        self._checked = time.monotonic()
        self._groups = itertools.count(1)
        self._start_failures = 0
        self._most_engines = _NO_LIMIT

    @property
    def held(self) -> int:
        """Slots that this experiment holds."""
        return self._slots.held

    @property
    def size(self) -> int:
        """Slots that it may use, held or not."""
        return len(self._slots)

    @property
    def behind(self) -> tuple[str, ...]:
        """Experiments that will get slots before this one, which waits for some."""
        return self._slots.behind

    @property
    def idle(self) -> bool:
        """Whether there is no job."""
        return not (self.tasks or self.pending)

    def use(self, devices: Sequence[str]) -> None:
        """Train on these devices, one slot for each entry."""
        self._slots = Slots(self._home, self._experiment, devices)

    def add(self, jobs: Iterable[Job]) -> None:
        """Queue jobs: first what an engine has died of, then the longest."""
        self.pending = sorted((*self.pending, *jobs), key=lambda job: (-job.deaths, -job.cost))

    def task_of(self, engine: EngineProcess, group: int) -> Task | None:
        """The task that an engine speaks of; None for one that is over."""
        return next((task for task in self.tasks if task.engine is engine and task.group == group), None)

    def end(self, task: Task) -> None:
        """Free the engine and the slot of a task that is over."""
        self.tasks.remove(task)
        self._free(task)

    def pause(self) -> None:
        """Hold every task between two steps and let other experiments have the slots."""
        self.paused = True
        for task in self.tasks:
            if task.slot is not None:
                task.engine.send(PauseGroup(group=task.group, paused=True))
                self._free(task)
        self._slots.leave_queue()
        self._slots.release_idle()

    def resume(self) -> None:
        """Go on, as far as there are slots."""
        self.paused = False

    def drop(self, run: int) -> bool:
        """Take a run out of the job that it waits in; False where it waits in none."""
        for place, job in enumerate(self.pending):
            left = tuple(replica for replica in job.replicas if replica.run != run)
            if len(left) < len(job.replicas):
                self.pending[place : place + 1] = [replace(job, replicas=left)] if left else []
                return True
        return False

    def stop(self) -> list[Job]:
        """Ask every task to end and return the jobs that had not begun."""
        for task in self.tasks:
            task.engine.send(StopGroup(group=task.group))
        dropped, self.pending = self.pending, []
        self._slots.leave_queue()
        return dropped

    def kill(self) -> None:
        """Kill the engines of every task."""
        for task in self.tasks:
            task.engine.kill()

    def dispatch(self) -> list[Task]:
        """Put pending jobs on free slots, as far as there are any; returns the tasks that begin or go on."""
        if self.paused:
            return []
        wants = [*(task.device for task in self.tasks), *[None] * len(self.pending)][: self._most_engines]
        self._slots.hold(wants)
        begun = [task for task in self.tasks if task.slot is None and self._wake(task)]
        if self.pending:
            self.pool.grow(min(len(wants), max(self._slots.held, len(self.tasks))))
        while self.pending and (engine := self._idle_engine()) and (slot := self._slots.take()):
            begun.append(self._begin(self.pending.pop(0), engine, slot))
        if not self.pending:
            # What is idle is of no use to tasks that wait: those go on only where they began.
            self._slots.release_idle()
        return begun

    def kill_silent(self) -> None:
        """Kill engines that train and have said nothing for far longer than before: they hang."""
        clock = time.monotonic()
        asleep = clock - self._checked > _ASLEEP_SECONDS
        self._checked = clock
        for task in self.tasks:
            if asleep or task.slot is None:
                task.heard = clock
            elif clock - task.heard > task.patience and not task.engine.gone:
                task.engine.kill(f"said nothing for {clock - task.heard:.0f} s and was killed")

    def bury(self) -> list[tuple[Task, Death]]:
        """Remove engines that have died; returns the tasks that they leave, with how.

        Raises:
            LabError: when engines do not even start.

        """
        orphans = []
        for engine in list(self.pool.engines):
            late = engine.ready is None and time.monotonic() - engine.started > READY_SECONDS
            if late:
                engine.kill(f"was not ready after {READY_SECONDS:.0f} s")
            if not engine.gone:
                continue
            self.pool.remove(engine)
            death = engine.autopsy()
            log.warning("%s %s", engine.name, death.cause)
            if engine.ready is None:
                self._missed(death.cause)
            for task in [task for task in self.tasks if task.engine is engine]:
                self.end(task)
                orphans.append((task, death))
        return orphans

    def _missed(self, cause: str) -> None:
        """An engine died before it was ready: where others work, they are as many as the machine takes."""
        self._start_failures += 1
        if self._start_failures < _START_FAILURES:
            return
        if not any(engine.ready for engine in self.pool.engines):
            raise LabError(f"the training engine does not start: it {cause}")
        self._most_engines = len(self.pool.engines)
        log.warning("going on with %d engines", self._most_engines)

    def started(self) -> None:
        """Note that an engine has become ready."""
        self._start_failures = 0

    def release(self) -> None:
        """Let other experiments have every slot."""
        self._slots.release_all()

    def retry(self, job: Job, replicas: tuple[Replica, ...], *, died: bool, halve: bool) -> None:
        """Queue what is left of a job once more, ahead of everything else.

        Args:
            job: that failed.
            replicas: of the job that are left.
            died: whether an engine has died of it.
            halve: train the replicas in two groups, because memory ran out.

        """
        middle = len(replicas) // 2
        parts = (replicas[:middle], replicas[middle:]) if halve and middle else (replicas,)
        deaths = job.deaths + died
        self.pending[:0] = [
            replace(job, replicas=part, cost=job.cost * len(part) / len(job.replicas), deaths=deaths) for part in parts
        ]

    def _begin(self, job: Job, engine: EngineProcess, slot: Slot) -> Task:
        task = Task(next(self._groups), job, engine, slot, slot.device)
        self.tasks.append(task)
        engine.send(self._request(task.group, job, slot.device))
        log.info(
            "group %d: %d runs on %s, %s; candidate %s, seeds %s",
            task.group,
            len(job.replicas),
            engine.name,
            slot.device,
            LETTERS[job.candidate],
            ", ".join(str(seed) for seed in sorted({replica.seed_index for replica in job.replicas})),
        )
        return task

    def _wake(self, task: Task) -> bool:
        task.slot = self._slots.take(task.device)
        if task.slot is not None:
            task.heard = time.monotonic()
            task.engine.send(PauseGroup(group=task.group, paused=False))
        return task.slot is not None

    def _free(self, task: Task) -> None:
        if task.slot is not None:
            task.slot.busy = False
            task.slot = None

    def _idle_engine(self) -> EngineProcess | None:
        working = {id(task.engine) for task in self.tasks}
        ready = (engine for engine in self.pool.engines if engine.ready is not None and not engine.gone)
        return next((engine for engine in ready if id(engine) not in working), None)
