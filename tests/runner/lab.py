"""A lab in a temporary folder, with real runner processes and scripted engines."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from tuilab.runner import client
from tuilab.spec.comparison import Comparison
from tuilab.store.home import log_file, make_home
from tuilab.store.reader import Reader
from tuilab.store.records import ExperimentRecord, Phase, RunRecord, Status

ENGINE = (sys.executable, str(Path(__file__).with_name("scripted_engine.py")))
LIMIT = 30.0
"""Seconds that anything here may take on a machine that others use too."""


def comparison(**changes: object) -> Comparison:
    """Two candidates, one tuned and one with a fixed learning rate; ``changes`` go to the top level."""
    data: dict[str, object] = {
        "title": "a comparison for the runner",
        "task": {"kind": "xor", "num_train": 64},
        "training": {"steps": 30},
        "protocol": {"lr_grid": [0.001, 0.01, 0.1], "tuning_seeds": 2, "final_seeds": 3},
        "candidates": [{"name": "tuned", "stack": "4 relu"}, {"name": "fixed", "stack": "8", "training": {"lr": 0.1}}],
    }
    return Comparison.model_validate(data | changes)


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds; fails when it does not within the limit."""
    deadline = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < deadline, f"not within {LIMIT} s: {what}"
        time.sleep(0.01)


class Lab:
    """One lab, and the processes that were started for it."""

    def __init__(self, home: Path) -> None:
        make_home(home)
        self.home = home
        self.reader = Reader(home)
        self._standbys: list[client.Standby] = []

    def engine(self, *options: object) -> tuple[str, ...]:
        return (*ENGINE, *map(str, options))

    def create(self, **changes: object) -> str:
        """Create an experiment that nobody runs yet."""
        return client.create_experiment(self.home, comparison(**changes), device="cpu")

    def start(self, *options: object, device: str = "cpu", **changes: object) -> str:
        """Create and launch an experiment with a scripted engine."""
        identity = client.create_experiment(self.home, comparison(**changes), device=device)
        client.launch(self.home, identity, self.engine(*options))
        return identity

    def standby(self, *options: object) -> client.Standby:
        """A standby with scripted engines that has been started and waits; closed with the lab."""
        standby = client.Standby(self.home, self.engine(*options))
        self._standbys.append(standby)
        standby.start()
        # The end of exec is told before the new command line can be read.
        until(lambda: family(str(self.home)), "the standby is there")
        return standby

    def resume(self, identity: str, *options: object) -> None:
        """Go on with an experiment, with a scripted engine."""
        client.resume(self.home, identity, self.engine(*options))

    def finish(self, identity: str) -> ExperimentRecord:
        """The experiment once it has ended."""
        deadline = time.monotonic() + LIMIT
        for record in client.follow(self.home, identity, 0.02):
            assert time.monotonic() < deadline, self.log(identity)
            if record.status.ended:
                until(lambda: not self.processes(identity), "the runner is gone")
                return record
        raise AssertionError("the experiment was followed to no end")

    def reaches(self, identity: str, status: Status) -> ExperimentRecord:
        """The experiment once it is in this state."""
        until(lambda: self.reader.find(identity).status is status, f"{status}: {self.log(identity)}")
        return self.reader.find(identity)

    def processes(self, identity: str) -> list[psutil.Process]:
        """The experiment's runner with its engines."""
        return family(str(self.home), identity)

    def runs(self, identity: str, phase: Phase, candidate: int = 0) -> list[RunRecord]:
        return [run for run in self.reader.runs(identity) if (run.phase, run.candidate) == (phase, candidate)]

    def log(self, identity: str) -> str:
        path = log_file(self.home, identity)
        return path.read_text() if path.exists() else "no log"

    def close(self) -> None:
        """Kill whatever a test has left."""
        self.reader.close()
        for standby in self._standbys:
            standby.close()
        for process in family(str(self.home)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def family(*marks: str) -> list[psutil.Process]:
    """Living runners with all of ``marks`` among their arguments, each followed by its children."""
    return [member for runner in _runners({*marks}) for member in (runner, *_children(runner))]


def _runners(marks: set[str]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            arguments = process.cmdline()
            if marks | {"tuilab.runner"} <= {*arguments} and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []
