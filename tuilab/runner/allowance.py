"""How much memory this process may have: the machine's, or less in a container or a batch job."""

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_NO_LIMIT = 2**60
"""Limits from here on are what a kernel writes for none."""


def memory_allowance(total: int, available: int, root: Path = CGROUPS, own: Path = _OWN) -> tuple[int, int]:
    """Bytes in all and bytes to be had: the machine's, or those of the tightest control group around this process.

    Args:
        total: of the machine.
        available: of the machine, without swapping.
        root: where control groups are mounted.
        own: what tells this process's group, one line for each hierarchy.

    """
    for folder, limit_name, used_name, cache_name in _groups(root, own):
        limit, used = _number(folder / limit_name), _number(folder / used_name)
        if limit is not None and used is not None and limit < min(total, _NO_LIMIT):
            # Pages of files are counted as used, and given back when memory is short.
            cache = _field(folder / "memory.stat", cache_name)
            total, available = limit, min(available, max(0, limit - used + cache))
    return total, available


def _groups(root: Path, own: Path) -> list[tuple[Path, str, str, str]]:
    """Folders of the groups around this process, with their files: limit, use, and the field of unused file pages."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, kinds, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not kinds:
            files = ("memory.max", "memory.current", "inactive_file")
            found += [(folder, *files) for folder in _upwards(root, path)]
        elif "memory" in kinds.split(","):
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            found += [(folder, *files) for folder in _upwards(root / "memory", path)]
    return found


def _upwards(root: Path, path: str) -> list[Path]:
    """The folder of a group and of those around it; inside a container the outermost is all there is."""
    inside = root / path.strip("/")
    return [inside, *(parent for parent in inside.parents if parent == root or root in parent.parents)]


def _number(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdecimal() else None


def _field(file: Path, name: str) -> int:
    try:
        pairs = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return 0
    return next((int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == name and pair[1].isdecimal()), 0)
