"""What the interface remembers between two visits: a small JSON file in the lab's folder.

Whether it is light is wanted before the first paint; json is therefore imported only where there is a file.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from tuilab.spec.errors import LabError
from tuilab.spec.paths import is_there
from tuilab.spec.presets import preset_folder

FILE = "interface.json"
MOST_FILES = 20
"""Recent files that are remembered."""


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


@dataclass(frozen=True, slots=True)
class Look:
    """How the interface looks.

    Attributes:
        light: whether the background is light.
        machine: whether the strip with processors, memory and GPUs shows while something trains.

    """

    light: bool = False
    machine: bool = True


def load_look(home: Path) -> Look:
    """What was remembered; the usual look where nothing was, or where it cannot be read."""
    found = _read(home).get("look")
    known = found if isinstance(found, dict) else {}
    return Look(known.get("light") is True, known.get("machine") is not False)


def save_look(home: Path, look: Look) -> None:
    """Remember; a folder that cannot be written forgets, and nothing else happens."""
    if look != load_look(home):
        _write(home, "look", asdict(look))


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
    _write(home, "efficiency", asdict(settings))


def recent_files(home: Path) -> tuple[Path, ...]:
    """Preset files that were opened or saved, newest first; those that are gone are left out."""
    found = _read(home).get("recent")
    paths = [Path(path) for path in found if isinstance(path, str)] if isinstance(found, list) else []
    return tuple(path for path in paths if is_there(path))


def remember_file(home: Path, path: Path) -> None:
    """Put a file that was opened or saved before the others; presets that come with the lab are found without."""
    path = path.absolute()
    if path.parent != preset_folder().absolute():
        others = [str(known) for known in recent_files(home) if known != path]
        _write(home, "recent", [str(path), *others][:MOST_FILES])


def _write(home: Path, name: str, value: object) -> None:
    import json
    from contextlib import suppress

    from tuilab.store.files import write_atomically

    known = {**_read(home), name: value}
    with suppress(LabError):
        write_atomically(home / FILE, json.dumps(known, indent=2) + "\n")


def _read(home: Path) -> dict[str, object]:
    path = home / FILE
    if not is_there(path):
        return {}
    import json

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
