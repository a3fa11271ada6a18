"""What the interface remembers between two visits: a small JSON file in the lab's folder."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tuilab.spec.errors import LabError

FILE = "interface.json"


@dataclass(frozen=True, slots=True)
class TableSettings:
    """How the efficiency table is shown.

    Attributes:
        sort: key of the column that it is sorted by; empty for the comparison's order.
        reverse: largest first.
        hidden: keys of the columns that are not shown.

    """

    sort: str = ""
    reverse: bool = False
    hidden: tuple[str, ...] = ()


def load_table(home: Path) -> TableSettings:
    """What was remembered; the usual order where nothing was, or where it cannot be read."""
    found = _read(home).get("efficiency")
    if not isinstance(found, dict):
        return TableSettings()
    sort, hidden = found.get("sort"), found.get("hidden")
    return TableSettings(
        sort if isinstance(sort, str) else "",
        found.get("reverse") is True,
        tuple(key for key in hidden if isinstance(key, str)) if isinstance(hidden, list) else (),
    )


def save_table(home: Path, settings: TableSettings) -> None:
    """Remember; a folder that cannot be written forgets, and nothing else happens."""
    from contextlib import suppress

    from tuilab.store.files import write_atomically

    known = {**_read(home), "efficiency": asdict(settings)}
    with suppress(LabError):
        write_atomically(home / FILE, json.dumps(known, indent=2) + "\n")


def _read(home: Path) -> dict[str, object]:
    try:
        found = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
