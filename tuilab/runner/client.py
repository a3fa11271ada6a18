"""What the command line and the interface use: start runners, and leave commands for them."""

import os
import shlex
import site
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import tuilab
from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.seeds import more_seeds
from tuilab.store.home import experiment_lock, log_file, log_folder, make_home
from tuilab.store.locks import FileLock
from tuilab.store.reader import Reader
from tuilab.store.records import Command, ExperimentRecord, Order, Status
from tuilab.store.writer import NOTHING_MORE, Writer

Tell: TypeAlias = Callable[[Path, str], None]
"""A command to a running experiment: the lab's folder and the experiment's id."""
STANDBY_LOG = "standby"
MOST_STEPS = 10**9
MOST_LR = 100.0


def check(comparison: Comparison, device: str = "auto") -> None:
    """Refuse what cannot be run, before anything is written.

    Raises:
        LabError: when a network does not fit the task or this machine's memory, a file cannot be read, the budget
            rule does not hold, or the device's name is not one or that of one without the precision asked for.

    """
    from psutil import virtual_memory

    from tuilab.analysis.budget import check_budget
    from tuilab.runner.allowance import memory_allowance
    from tuilab.runner.fit import demands_of, misfit, unsupported
    from tuilab.runner.setting import setting_of
    from tuilab.runner.slots import check_device

    check_device(device)
    setting = setting_of(comparison)
    problem = unsupported(comparison, device, gpu=True) or check_budget(comparison, setting.totals)
    if problem is None and not device.startswith("cuda"):
        memory = virtual_memory()
        total, _ = memory_allowance(memory.total, memory.available)
        problem = misfit(demands_of(setting), total, "in this machine")
    if problem is not None:
        raise LabError(problem)


def shortage(home: Path, comparison: Comparison, device: str = "auto") -> str | None:
    """Why the machine may not run a comparison as it is now, with what it would; None where it does.

    It may not fit into the memory that is free, or ask for a precision that the machine lacks.

    Raises:
        LabError: when a network does not fit the task, or a file cannot be read.

    """
    from tuilab.runner import fit
    from tuilab.runner.resources import Monitor
    from tuilab.runner.setting import setting_of

    setting, now = setting_of(comparison), Monitor(home).look()
    return fit.unsupported(comparison, device, gpu=bool(now.gpus)) or fit.shortage(
        fit.demands_of(setting), now, device, worth_a_gpu=setting.worth_a_gpu
    )


def create_experiment(
    home: Path, comparison: Comparison, source: str = "", device: str = "auto", *, launch: bool = False
) -> str:
    """Check a comparison, remember it as a new experiment, and return the experiment's id.

    ``launch`` says that a runner is about to be started for it, which is missed when it does not come.

    Raises:
        LabError: as ``check``, or when the store cannot be written.

    """
    check(comparison, device)
    with Writer(home) as writer:
        return writer.create_experiment(comparison, source, device, launch=launch)


def launch(home: Path, experiment: str, engine: Sequence[str] | None = None) -> None:
    """Start a runner for the experiment, in a session of its own: it outlives this process and its terminal.

    The runner is born with the experiment's lock, so that nobody misses it however long it takes to begin.

    Args:
        home: the lab's folder.
        experiment: id of an experiment that has no runner yet.
        engine: command that starts an engine; None is the real one.

    """
    lock = FileLock(experiment_lock(home, experiment))
    try:
        lock.acquire()
        lock.note("")
        with Writer(home) as writer:
            writer.launched(experiment)
        _start(home, log_file(home, experiment), [experiment], engine, subprocess.DEVNULL, lock.fileno())
    finally:
        lock.release()


def create_and_launch(
    home: Path, comparison: Comparison, source: str = "", device: str = "auto", standby: "Standby | None" = None
) -> str:
    """Check a comparison, remember it, have it run, by the standby if that is there, and return the experiment's id.

    Raises:
        LabError: as ``create_experiment``.

    """
    experiment = create_experiment(home, comparison, source, device, launch=True)
    if standby is None or not standby.hand_over(experiment):
        launch(home, experiment)
    return experiment


class Standby:
    """A runner with warm engines that waits for an experiment. It ends by itself when this process is gone."""

    def __init__(self, home: Path, engine: Sequence[str] | None = None) -> None:
        """Nothing is started yet. ``engine`` is the command that starts an engine; None is the real one."""
        self._home = home
        self._engine = engine
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is a runner to hand an experiment over to."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the runner unless one is waiting already.

        Raises:
            LabError: when the lab's folder cannot be made.

        """
        if not self.waiting:
            self.close()
            make_home(self._home)
            log = log_folder(self._home) / f"{STANDBY_LOG}.log"
            self._process = _start(self._home, log, ["--standby"], self._engine, subprocess.PIPE)

    def hand_over(self, experiment: str) -> bool:
        """Have the waiting runner run the experiment; False where there is none, and ``launch`` is needed."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return False
        with process.stdin as pipe:
            if process.poll() is not None:
                return False
            with Writer(self._home) as writer:
                writer.launched(experiment)
            try:
                pipe.write(f"{experiment}\n".encode())
            except OSError:
                return False
        return True

    def close(self) -> None:
        """Let a runner that still waits end; one that has an experiment goes on."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()


def stop(home: Path, experiment: str) -> None:
    """Stop an experiment; what has been trained is kept. Nothing happens to one that has ended.

    Raises:
        LabError: when there is no such experiment.

    """
    with Writer(home) as writer:
        if not writer.cancel(experiment, "stopped before it began"):
            _tell(home, writer, experiment, Command.STOP)


def put_first(home: Path, experiment: str) -> bool:
    """Have an experiment that waits for a device slot served before all others; False where it does not wait."""
    from tuilab.runner.queue import put_first as put

    return put(home, experiment)


def pause(home: Path, experiment: str) -> None:
    """Hold an experiment between two steps. Nothing happens to one that is held or has ended.

    Raises:
        LabError: when there is no such experiment.

    """
    with Writer(home) as writer:
        _tell(home, writer, experiment, Command.PAUSE)


def resume(home: Path, experiment: str, engine: Sequence[str] | None = None) -> None:
    """Go on with an experiment that is held, lost, stopped or failed. Nothing happens to one that runs or has finished.

    What was trained to its end is kept; a run that was cut off goes on from its last checkpoint, or from its start.

    Args:
        home: the lab's folder.
        experiment: its id.
        engine: command that starts an engine; None is the real one.

    Raises:
        LabError: when there is no such experiment, it is about to stop, or it can no longer be run.

    """
    with Reader(home) as reader:
        record, device = reader.experiment(experiment), reader.wanted_device(experiment)
        if record is not None and not record.status.ended and reader.stopping(experiment):
            raise LabError(f"experiment {experiment} is about to stop; resume it in a moment")
    if record is not None and record.status.resumable and record.status.ended:
        check(record.comparison, device)
    with Writer(home) as writer:
        if not _tell(home, writer, experiment, Command.RESUME) and writer.reopen(experiment):
            launch(home, experiment, engine)


def more(
    home: Path,
    experiment: str,
    seeds: int,
    engine: Sequence[str] | None = None,
    standby: "Standby | None" = None,
) -> None:
    """Go on with an experiment that has ended, with more final seeds at the learning rates that it chose.

    Nothing of what it found is rewritten: its runs stay, others follow, and its protocol asks for so many seeds more.

    Args:
        home: the lab's folder.
        experiment: its id.
        seeds: how many more.
        engine: command that starts an engine; None is the real one.
        standby: has the experiment run, if it is there.

    Raises:
        LabError: when there is no such experiment, it has not ended, it may not have so many seeds, or it can no
            longer be run.

    """
    with Reader(home) as reader:
        record = reader.experiment(experiment)
        device = reader.wanted_device(experiment)
    if record is None:
        raise LabError(f"there is no experiment {experiment}; tuilab ls lists them")
    if not record.status.ended:
        raise LabError(f"experiment {experiment} is {record.status.value}; seeds can be added once it has ended")
    check(more_seeds(record.comparison, seeds), device)
    with Writer(home) as writer:
        if not writer.add_seeds(experiment, seeds):
            raise LabError(f"experiment {experiment} has a runner still, or again; try once more in a moment")
    if standby is None or not standby.hand_over(experiment):
        launch(home, experiment, engine)


def stop_run(home: Path, experiment: str, run: int) -> None:
    """End one run of an experiment; the others go on. Nothing happens where the run has ended.

    Raises:
        LabError: when there is no such experiment or run, or the experiment does not run.

    """
    with Reader(home) as reader:
        if run not in {one.id for one in reader.runs(experiment)}:
            raise LabError(
                f"experiment {experiment} has no run {run}; tuilab export {experiment} --what runs lists them"
            )
    _order(home, experiment, Command.STOP_RUN, Order(run=run))


def set_lr(home: Path, experiment: str, lr: float, candidate: int | None = None, run: int | None = None) -> None:
    """Train what trains now with another learning rate, which the schedule still multiplies.

    Those runs are marked, and are no evidence any more: their seeds are trained again as planned.

    Args:
        home: the lab's folder.
        experiment: its id.
        lr: the learning rate.
        candidate: index of the candidate whose runs are changed; None for all.
        run: the only run to change; None for all.

    Raises:
        LabError: when there is no such experiment, it does not run, or no network can be trained with such a rate.

    """
    if not 0 < lr <= MOST_LR:
        raise LabError(f"a learning rate is a number above 0 and at most {MOST_LR:g}, and not {lr:g}")
    _order(home, experiment, Command.LR, Order(run=run, candidate=candidate, value=lr))


def set_steps(home: Path, experiment: str, steps: int, candidate: int | None = None) -> None:
    """Let what trains now take so many steps in all, more than planned; those runs are marked as by ``set_lr``.

    Args:
        home: the lab's folder.
        experiment: its id.
        steps: of each run, those that it has taken included.
        candidate: index of the candidate whose runs go on for longer; None for all.

    Raises:
        LabError: when there is no such experiment, it does not run, or that is not more than planned.

    """
    with Reader(home) as reader:
        record = reader.experiment(experiment)
    if record is not None:
        own = enumerate(record.comparison.candidates)
        chosen = [one for index, one in own if candidate in (None, index)]
        planned = min((record.comparison.training_of(one).steps for one in chosen), default=0)
        if not planned < steps <= MOST_STEPS:
            raise LabError(f"runs take {planned:,} steps as planned; more is up to {MOST_STEPS:,}, and not {steps:,}")
    _order(home, experiment, Command.STEPS, Order(candidate=candidate, value=steps))


def _order(home: Path, experiment: str, command: Command, order: Order) -> None:
    with Reader(home) as reader:
        record = reader.experiment(experiment)
    if record is not None and record.status is Status.QUEUED and command is not Command.STOP_RUN:
        raise LabError(f"experiment {experiment} has not begun: nothing of it trains yet that could be changed")
    with Writer(home) as writer:
        if not _tell(home, writer, experiment, command, order):
            raise LabError(f"experiment {experiment} does not run: there is nothing to change")


def follow(home: Path, experiment: str, seconds: float = 0.1) -> Iterator[ExperimentRecord]:
    """The experiment each time that it has changed, until it has ended or its runner is lost.

    Args:
        home: the lab's folder.
        experiment: its id.
        seconds: time between two looks.

    Raises:
        LabError: when there is no such experiment, or no longer.

    """
    with Reader(home) as reader:
        last: ExperimentRecord | None = None
        while last is None or not last.status.ended:
            if last is not None:
                time.sleep(seconds)
            record = reader.experiment(experiment)
            if record is None:
                raise LabError(f"there is no experiment {experiment}; tuilab ls lists them")
            if record != last:
                yield record
            last = record


def _tell(home: Path, writer: Writer, experiment: str, command: Command, order: Order = NOTHING_MORE) -> bool:
    """Leave a command; False, and nothing is left, where the experiment has no runner."""
    with Reader(home) as reader:
        record = reader.experiment(experiment)
    if record is None:
        raise LabError(f"there is no experiment {experiment}; tuilab ls lists them")
    if not record.status.ended:
        writer.send(experiment, command, order)
    return not record.status.ended


def _start(
    home: Path,
    log: Path,
    arguments: Sequence[str],
    engine: Sequence[str] | None,
    stdin: int,
    lock: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a runner that logs to a file; ``lock`` is a descriptor that it inherits."""
    chosen = [] if engine is None else ["--engine", shlex.join(engine)]
    inherited = () if lock is None else (lock,)
    chosen += [f"--lock={number}" for number in inherited]
    command = [sys.executable, "-m", "tuilab.runner", "--home", str(home), *chosen, *arguments]
    try:
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=fd,
                stderr=fd,
                env=_environment(),
                start_new_session=True,
                bufsize=0,
                pass_fds=inherited,
            )
        finally:
            os.close(fd)
    except OSError as error:
        raise LabError(
            f"the process that trains cannot be started ({error.strerror}); its log would be {log}"
        ) from error
    # Reaps the runner when it ends while this process lives on; a daemon, because it must not keep this one alive.
    threading.Thread(target=process.wait, name="runner", daemon=True).start()
    return process


def _environment() -> dict[str, str]:
    """This process's, in which Python finds this tuilab and no module that happens to lie in the current folder."""
    root = str(Path(tuilab.__file__).parents[1])
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    if root not in site.getsitepackages():
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return environment
