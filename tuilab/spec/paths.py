"""Paths as people type them."""

from pathlib import Path


def user_path(text: str) -> Path:
    """The path with ``~`` replaced where that home is known, and as it stands where it is not."""
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def is_there(path: Path) -> bool:
    """Whether the path exists; a name that no file can have does not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
