"""A store that is damaged: how that is found out, and how it is put aside without losing it."""

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from tuilab.spec.errors import LabError
from tuilab.store.home import lock_folder, store_file
from tuilab.store.locks import held_in
from tuilab.store.reader import Reader
from tuilab.store.schema import StoreDamagedError, StoreError

_COMPANIONS = ("", "-wal", "-shm", "-journal")
"""Ends of the names of SQLite's files: the store, its log, the log's index, and the rollback journal."""


def damage(home: Path) -> str | None:
    """What is wrong with the lab's store, its pages or what stands there; None where it is whole, or there is none."""
    path = store_file(home)
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        return str(error)
    if found != "ok":
        return " ".join(found.split())
    with Reader(home) as reader, suppress(StoreError):
        try:
            reader.check()
        except StoreDamagedError as error:
            return error.found
    return None


def set_aside(home: Path) -> Path:
    """Rename a damaged store, with the files that belong to it, and return its new path.

    Raises:
        LabError: when the store is not damaged, a runner still uses it, or it cannot be renamed.

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
