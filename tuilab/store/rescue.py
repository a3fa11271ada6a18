"""A store that is damaged: how that is found out, and how it is put aside without losing it."""

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from tuilab.spec.errors import LabError
from tuilab.store import schema
from tuilab.store.home import lock_folder, store_file
from tuilab.store.locks import held_in
from tuilab.store.reader import Reader
from tuilab.store.schema import StoreDamagedError, told

_MAGIC = b"SQLite format 3\0"
_COMPANIONS = ("", "-wal", "-shm", "-journal")
"""Ends of the names of SQLite's files: the store, its log, the log's index, and the rollback journal."""


def damage(home: Path) -> str | None:
    """What is wrong with the lab's store, its pages or what stands there; None where it is whole, or there is none.

    Raises:
        StoreError: when that cannot be found out: the disk is full, another process has the store locked, or a newer
            tuilab wrote it.

    """
    path = store_file(home)
    if not path.exists():
        return None
    try:
        with told(path):
            found = _pages(path)
        if found != "ok":
            return " ".join(found.split())
        with Reader(home) as reader:
            reader.check()
    except StoreDamagedError as error:
        return error.found
    return None


def _pages(path: Path) -> str:
    """What SQLite finds wrong with the pages of a store; ``ok`` where they are whole."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) not in (_MAGIC, b""):
            return "file is not a database"
    try:
        return _check(path, "ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        # A transaction that a crash has cut off has to be taken back first.
        return _check(path, "rw")


def _check(path: Path, mode: str) -> str:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=schema.BUSY_SECONDS)) as connection:
        found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return found


def set_aside(home: Path) -> Path:
    """Rename a damaged store, with the files that belong to it, and return its new path.

    Raises:
        LabError: when the store is not damaged, a runner still uses it, or it cannot be read or renamed.

    """
    path = store_file(home)
    if damage(home) is None:
        raise LabError(f"the store {path} is not damaged; nothing has been set aside")
    using = held_in(lock_folder(home))
    if using:
        raise LabError(f"the store {path} is in use by {', '.join(using)}; stop what runs before it is set aside")
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    try:
        for end in reversed(_COMPANIONS):
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    except OSError as error:
        raise LabError(f"cannot rename the store {path} ({error.strerror})") from error
    return aside
