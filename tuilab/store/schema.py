"""The store's tables, how they came to be, and how a connection to them is opened."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeAlias

from tuilab.spec.errors import LabError
from tuilab.store.batches import pack_rows
from tuilab.store.home import lock_folder
from tuilab.store.locks import FileLock, held_in
from tuilab.store.reduction import reduce_all

BUSY_SECONDS = 5.0
"""How long a statement waits for another process's transaction."""

Statement: TypeAlias = str | Callable[[sqlite3.Connection], None]
"""What changes a schema: SQL, or work on a connection that is in a transaction."""

MIGRATIONS: tuple[tuple[Statement, ...], ...] = (
    (
        """CREATE TABLE experiments (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            comparison TEXT NOT NULL,
            source TEXT NOT NULL,
            wanted_device TEXT NOT NULL,
            status TEXT NOT NULL,
            message TEXT NOT NULL DEFAULT '',
            created REAL NOT NULL,
            launched REAL,
            claimed REAL,
            started REAL,
            ended REAL,
            heartbeat REAL,
            device TEXT NOT NULL DEFAULT '',
            planned_steps INTEGER NOT NULL DEFAULT 0,
            done_steps INTEGER NOT NULL DEFAULT 0,
            result TEXT,
            environment TEXT NOT NULL DEFAULT '{}'
        )""",
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            experiment INTEGER NOT NULL REFERENCES experiments(number) ON DELETE CASCADE,
            candidate INTEGER NOT NULL,
            phase TEXT NOT NULL,
            seed_index INTEGER NOT NULL,
            lr REAL NOT NULL,
            status TEXT NOT NULL,
            step INTEGER NOT NULL DEFAULT 0,
            reason TEXT NOT NULL DEFAULT '',
            train_loss REAL,
            train_metric REAL,
            val_loss REAL,
            val_metric REAL,
            test_loss REAL,
            test_metric REAL,
            dead_fraction REAL,
            seconds REAL
        )""",
        "CREATE INDEX runs_of_experiment ON runs(experiment)",
        """CREATE TABLE points (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL,
            step INTEGER NOT NULL,
            train_loss REAL,
            eval_loss REAL,
            metric REAL
        )""",
        """CREATE TABLE commands (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            experiment INTEGER NOT NULL REFERENCES experiments(number) ON DELETE CASCADE,
            command TEXT NOT NULL,
            sent REAL NOT NULL,
            acknowledged REAL
        )""",
        "CREATE INDEX commands_waiting ON commands(experiment) WHERE acknowledged IS NULL",
    ),
    ("ALTER TABLE runs ADD COLUMN probes TEXT",),
    ("ALTER TABLE experiments ADD COLUMN added_seeds INTEGER NOT NULL DEFAULT 0",),
    (
        "CREATE TABLE batches (id INTEGER PRIMARY KEY, count INTEGER NOT NULL, data BLOB NOT NULL)",
        """CREATE TABLE curves (
            experiment INTEGER NOT NULL REFERENCES experiments(number) ON DELETE CASCADE,
            candidate INTEGER NOT NULL,
            lr REAL,
            data BLOB NOT NULL
        )""",
        "CREATE INDEX curves_of_experiment ON curves(experiment, candidate)",
        "ALTER TABLE experiments ADD COLUMN reduced INTEGER NOT NULL DEFAULT 0",
        pack_rows,
        "DROP TABLE points",
        reduce_all,
    ),
    (
        "ALTER TABLE runs ADD COLUMN changes TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE commands ADD COLUMN run INTEGER",
        "ALTER TABLE commands ADD COLUMN candidate INTEGER",
        "ALTER TABLE commands ADD COLUMN value REAL",
    ),
)
"""Each step leads from the schema version of its index to the next. Steps are never changed, only added."""

_PAGE = 1 << 16
"""Bytes that SQLite may need for the index of its log: on a disk with less it says that reading and writing fails."""
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "smbfs", "afpfs", "9p", "ceph", "lustre", "gpfs", "beegfs", "fuse.sshfs")


_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR)
"""The last one says that tables or columns are missing, which every store of a version has."""
_PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR)


class StoreError(LabError):
    """The store cannot be read or written.

    Attributes:
        passing: whether that may pass: the disk is full, or another process has the store locked.

    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class StoreDamagedError(StoreError):
    """Something stands in the store that cannot be.

    Attributes:
        found: what that is.

    """

    def __init__(self, path: Path, found: object) -> None:
        super().__init__(
            f"the store {path} is damaged ({found}); tuilab doctor --set-aside renames it, and a new one is made"
        )
        self.found = str(found)


class OtherVersionError(StoreError):
    """Something stands in the store that only another version of tuilab knows."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into sentences.

    Raises:
        StoreError: for every error of SQLite's.

    """
    try:
        yield
    except sqlite3.Error as error:
        if _code(error) in _DAMAGED:
            raise StoreDamagedError(path, error) from error
        raise StoreError(_sentence(path, error), passing=_code(error) in _PASSING) from error
    except UnicodeDecodeError as error:
        raise StoreDamagedError(path, error) from error


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what comes of rows that hold nonsense, because some bits of the file have changed, into a sentence.

    Raises:
        StoreError: for them.

    """
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise StoreDamagedError(path, error) from error


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where Python itself raised the error."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _sentence(path: Path, error: sqlite3.Error) -> str:
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return f"the disk is full: the store {path} cannot grow; free some space"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"the store {path} has been locked by another process for {BUSY_SECONDS:.0f} s; try again"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return f"the store {path} cannot be opened for writing; check the permissions of its folder"
        case sqlite3.SQLITE_IOERR if shutil.disk_usage(path.parent).free < _PAGE:
            return f"the disk is full: the store {path} cannot be used; free some space"
        case _:
            return f"the store {path} cannot be used: {error}"


def connect(path: Path, *, patience: float | None = None) -> sqlite3.Connection:
    """A connection to an existing store, in autocommit mode. May be handed from thread to thread.

    Args:
        path: of the store.
        patience: seconds to wait for a store that is locked; ``BUSY_SECONDS`` unless told.

    Raises:
        StoreError: when the file cannot be used, or was written by a newer tuilab.

    """
    with told(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_SECONDS if patience is None else patience,
            isolation_level=None,
            check_same_thread=False,
        )
    try:
        with told(path):
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA synchronous=NORMAL")
        _refuse_newer(path, version_of(connection, path))
    except BaseException:
        connection.close()
        raise
    return connection


def create(path: Path) -> sqlite3.Connection:
    """A connection to the store, which is made or brought to this version's schema first.

    Raises:
        StoreError: when the file cannot be used, or was written by a newer tuilab.

    """
    try:
        # Only a file that is not there yet: closing any descriptor of an open store would drop this process's POSIX
        # locks on it, and the next process to leave would take the log away from under our readers.
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreError(f"the store {path} cannot be opened for writing ({error.strerror})") from error
    connection = connect(path)
    lock = FileLock(path.with_name(f"{path.name}.migrating"))
    try:
        if version_of(connection, path) < len(MIGRATIONS):
            lock.acquire(BUSY_SECONDS)
            migrate(connection, path, MIGRATIONS)
    except BaseException:
        connection.close()
        raise
    finally:
        lock.release()
    return connection


def migrate(connection: sqlite3.Connection, path: Path, steps: tuple[tuple[Statement, ...], ...]) -> None:
    """Bring the schema up to ``len(steps)``, all steps in one transaction, after copying a store that has another.

    Raises:
        StoreError: when the store cannot be written, or an older tuilab is still writing to it.

    """
    with told(path):
        version = version_of(connection, path)
        if 0 < version < len(steps):
            _refuse_while_used(path)
            back_up(connection, path, version)
        if version == 0:
            connection.execute(f"PRAGMA journal_mode={'DELETE' if on_network(path) else 'WAL'}").fetchone()
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have migrated while this one waited for its turn.
            version = version_of(connection, path)
            for step in steps[version:]:
                for statement in step:
                    if isinstance(statement, str):
                        connection.execute(statement)
                    else:
                        statement(connection)
            connection.execute(f"PRAGMA user_version={len(steps)}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _refuse_while_used(path: Path) -> None:
    """Whoever trains now began with the schema there is, and would fail if its tables were changed meanwhile."""
    using = held_in(lock_folder(path.parent))
    if using:
        raise StoreError(
            f"this tuilab has to update the store {path}, but an older tuilab still uses it ({', '.join(using)}); "
            "wait until that has ended, or stop it with the older tuilab"
        )


def back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the store to ``NAME.backup-VERSION`` beside it, whole or not at all; returns the copy's path.

    Raises:
        StoreError: when the copy cannot be written.

    """
    copy = path.with_name(f"{path.name}.backup-{version}")
    part = copy.with_name(f"{copy.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with told(part), closing(sqlite3.connect(part)) as target:
            connection.backup(target)
        part.replace(copy)
    except OSError as error:
        raise StoreError(f"cannot copy the store to {copy} before it is updated ({error.strerror})") from error
    finally:
        part.unlink(missing_ok=True)
    return copy


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of the store; 0 for an empty file."""
    with told(path):
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _refuse_newer(path: Path, version: int) -> None:
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the store {path} was written by a newer tuilab (schema {version}, this one knows {len(MIGRATIONS)});"
            " install the newer one, or set TUILAB_HOME to another folder"
        )


def on_network(path: Path) -> bool:
    """Whether the file lies on a network file system, where a write-ahead log is not safe."""
    import psutil

    mounts = {mount.mountpoint: mount.fstype for mount in psutil.disk_partitions(all=True)}
    resolved = path.resolve()
    for folder in (resolved, *resolved.parents):
        if str(folder) in mounts:
            return mounts[str(folder)].lower().startswith(_NETWORK_FILE_SYSTEMS)
    return False
