"""``python -m tuilab.runner --home HOME EXPERIMENT``, or ``--standby`` to wait warm for an experiment on stdin."""

import argparse
import importlib
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from tuilab.runner.engines import EnginePool
from tuilab.runner.ledger import History, history
from tuilab.runner.logs import log_to, log_to_stderr
from tuilab.runner.setting import Setting, setting_of
from tuilab.runner.slots import cores
from tuilab.runner.supervisor import WARM_ENGINES, Supervisor
from tuilab.spec.errors import LabError
from tuilab.store.home import experiment_lock, log_file
from tuilab.store.locks import LAST_WORD, FileLock
from tuilab.store.reader import Reader
from tuilab.store.schema import StoreError
from tuilab.store.writer import Writer

ENGINE = (sys.executable, "-m", "tuilab.engine")
END_SECONDS = 2.0
"""How long idle engines may take to end."""
STORE_SECONDS = 0.5
"""Time between two attempts to begin while the store cannot be written."""

log = logging.getLogger("tuilab.runner")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one experiment; the exit code is 0 unless it could not be run to an end."""
    parser = argparse.ArgumentParser(prog="python -m tuilab.runner", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the lab's folder")
    parser.add_argument("--standby", action="store_true", help="wait for an experiment on standard input")
    parser.add_argument("--engine", default=shlex.join(ENGINE), help="command that starts an engine")
    parser.add_argument("--lock", type=int, help="inherited descriptor that holds the experiment's lock")
    parser.add_argument("experiment", nargs="?", help="id of an experiment in the store")
    arguments = parser.parse_args(argv)
    if arguments.standby == bool(arguments.experiment):
        parser.error("name an experiment, or say --standby")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    log_to_stderr()
    pool = EnginePool(shlex.split(arguments.engine))
    patience = 0.0
    try:
        experiment = _wait(pool, arguments.home) if arguments.standby else arguments.experiment
        if experiment is None:
            return 0
        patience = END_SECONDS
        return _run(arguments.home, experiment, pool, arguments.lock)
    except Exception:  # the process's outermost edge
        log.exception("the runner ends")
        return 1
    finally:
        pool.close(patience)


def _wait(pool: EnginePool, home: Path) -> str | None:
    """Keep engines warm until standard input names an experiment; None when it ends before, or on SIGTERM."""
    # Without a handler SIGTERM ends this process at once, and the engines with it: their input ends.
    pool.grow(min(cores(), WARM_ENGINES))
    importlib.import_module("tuilab.analysis.evidence")
    said = b""
    while b"\n" not in said:
        read = os.read(sys.stdin.fileno(), 256)
        if not read:
            return None
        said += read
    return said.split(b"\n")[0].decode("ascii", errors="replace").strip()


def _run(home: Path, experiment: str, pool: EnginePool, inherited: int | None) -> int:
    lock = FileLock(experiment_lock(home, experiment))
    if not (inherited is not None and lock.take_over(inherited)) and not lock.acquire():
        log.error("experiment %s has a runner already", experiment)
        return 1
    try:
        writer = _claim(home, experiment, lock)
        if writer is None:
            log.error("experiment %s is not waiting for a runner", experiment)
            return 1
        # Stays open: on a disk that is full the store cannot be opened again once the last to have it open has left.
        with writer:
            lock.note("")
            log_to(log_file(home, experiment))
            return _supervise(home, experiment, pool, lock)
    except LabError as error:
        lock.note(f"{LAST_WORD}{error}")
        raise
    finally:
        lock.release()


def _claim(home: Path, experiment: str, lock: FileLock) -> Writer | None:
    """Claim the experiment as soon as the store can be written, and say what is waited for; None where it is not free.

    Raises:
        StoreError: when the store will not be writable by waiting.

    """
    while True:
        try:
            writer = Writer(home)
        except StoreError as error:
            _wait_for_store(error, lock)
            continue
        try:
            if writer.claim(experiment):
                return writer
        except StoreError as error:
            writer.close()
            _wait_for_store(error, lock)
        else:
            writer.close()
            return None


def _wait_for_store(error: StoreError, lock: FileLock) -> None:
    if not error.passing:
        raise error
    lock.note(f"{error} (waiting for that to begin)")
    time.sleep(STORE_SECONDS)


def _supervise(home: Path, experiment: str, pool: EnginePool, lock: FileLock) -> int:
    try:
        setting, wanted, past = _read(home, experiment, lock)
    except LabError as error:
        log.error("%s", error)  # noqa: TRY400  # the sentence says it all
        with Writer(home) as writer:
            writer.fail(experiment, str(error))
        return 1
    supervisor = Supervisor(home, experiment, setting, wanted, pool, past)

    comparison = setting.comparison
    log.info("experiment %s: %s; seed %d, device %s", experiment, comparison.title, comparison.protocol.seed, wanted)
    supervisor.ledger.tell = lock.note

    def terminate(_number: int, _frame: FrameType | None) -> None:
        supervisor.terminate()

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, terminate)
    try:
        status = supervisor.run()
        log.info("experiment %s: %s", experiment, status.value)
    except LabError as error:
        log.error("%s", error)  # noqa: TRY400
        supervisor.fail(str(error))
    except Exception as error:
        supervisor.fail(f"the runner failed: {type(error).__name__}: {error} (details in the log)")
        raise
    else:
        return 0
    finally:
        supervisor.close()
    return 1


def _read(home: Path, experiment: str, lock: FileLock) -> tuple[Setting, str, History]:
    """What is to be run, as soon as the store can be read.

    Raises:
        LabError: when it can no longer be run.
        StoreError: when the store will not be readable by waiting.

    """
    while True:
        try:
            with Reader(home) as reader:
                record = reader.experiment(experiment)
                if record is None:
                    raise LabError(f"there is no experiment {experiment}")
                return setting_of(record.comparison), reader.wanted_device(experiment), history(reader, record)
        except StoreError as error:
            _wait_for_store(error, lock)


if __name__ == "__main__":
    sys.exit(main())
