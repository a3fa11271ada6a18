"""Files that people asked for: written whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from tuilab.spec.errors import LabError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace the file by one with this content, so that a reader sees the old file or the new one and never a part.

    A link is written through, and what may read the file stays as it was.

    Raises:
        LabError: when it cannot be written.

    """
    target, data = path.resolve(), content.encode() if isinstance(content, str) else content
    if target.exists() and not target.is_file():
        # A pipe or a terminal (/dev/stdout) has no old content to keep.
        try:
            target.write_bytes(data)
        except OSError as error:
            raise _cannot(path, error) from error
        return
    try:
        fd, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise _cannot(path, error) from error
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        Path(name).chmod(_mode(target))
        Path(name).replace(target)
    except BaseException as error:
        with suppress(OSError):
            Path(name).unlink()
        if isinstance(error, OSError):
            raise _cannot(path, error) from error
        raise


def _mode(target: Path) -> int:
    """Of the file that is replaced, else what the process gives new files."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _cannot(path: Path, error: OSError) -> LabError:
    return LabError(f"cannot write {path} ({error.strerror or error}); name a file in a folder that you may write to")
