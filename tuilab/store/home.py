"""Where the lab lives: one folder with the store, locks and logs. Nobody else may look into it."""

import os
from pathlib import Path

from tuilab.spec.errors import LabError

LOG_PARTS = 3
"""Files that a log is kept in at the most."""


def lab_home() -> Path:
    """``$TUILAB_HOME``, or the platform's folder for user data."""
    chosen = os.environ.get("TUILAB_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("tuilab", appauthor=False)


def store_file(home: Path) -> Path:
    """The store: one SQLite file."""
    return home / "lab.sqlite3"


def log_folder(home: Path) -> Path:
    """Folder with one log per experiment."""
    return home / "logs"


def log_file(home: Path, experiment: str) -> Path:
    """The log of an experiment's runner and engines."""
    return log_folder(home) / f"{experiment}.log"


def log_files(home: Path, experiment: str) -> tuple[Path, ...]:
    """The parts of an experiment's log that there are, oldest first."""
    newest = log_file(home, experiment)
    older = [newest.with_name(f"{newest.name}.{number}") for number in range(LOG_PARTS - 1, 0, -1)]
    return tuple(path for path in (*older, newest) if path.exists())


def lock_folder(home: Path) -> Path:
    """Folder with the lock files of experiments and device slots."""
    return home / "locks"


def experiment_lock(home: Path, experiment: str) -> Path:
    """The file that an experiment's runner holds locked as long as it lives."""
    return lock_folder(home) / f"{experiment}.lock"


def slot_lock(home: Path, slot: str) -> Path:
    """The file that whoever trains on a device slot (``cpu-0``, ``cuda-1``) holds locked."""
    return lock_folder(home) / f"slot-{slot}.lock"


def queue_folder(home: Path) -> Path:
    """Folder with one locked file for each experiment that waits for device slots."""
    return lock_folder(home) / "queue"


def checkpoint_folder(home: Path, experiment: str) -> Path:
    """Folder with what an experiment that is cut off goes on from."""
    return home / "checkpoints" / experiment


def make_home(home: Path) -> None:
    """Create the lab's folders where they do not exist, readable for their owner only.

    Raises:
        LabError: when they cannot be created.

    """
    try:
        for folder in (home, log_folder(home), lock_folder(home), queue_folder(home)):
            if not folder.is_dir():
                folder.parent.mkdir(parents=True, exist_ok=True)
                folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"cannot create the lab's folder {home} ({error.strerror}); set TUILAB_HOME to a folder of yours"
        ) from error
