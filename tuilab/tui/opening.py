"""What a text means that a person opens: a path, a preset's name, or a share line. And completing a path."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from textual.suggester import Suggester

from tuilab.spec.paths import is_there, user_path
from tuilab.spec.presets import find_preset, preset_folder
from tuilab.spec.share import from_line, is_line
from tuilab.tui.bench import Bench, open_bench
from tuilab.tui.catalog import load_preset

_SUFFIXES = (".yaml", ".yml")


def bench_of(text: str) -> tuple[Bench, Path | None]:
    """The bench that a text says, and the file that it comes from, unless that comes with the lab.

    Raises:
        LabError: when it says nothing that can be opened.

    """
    if is_line(text):
        return open_bench(from_line(text)), None
    path = find_preset(text.strip())
    shipped = path.parent == preset_folder()
    preset = load_preset(path.stem, path)
    return open_bench(preset.comparison, preset.name if shipped else str(path)), None if shipped else path


def completed(text: str) -> str | None:
    """The text with its last part completed to a folder or a preset file, as far as there is only one way."""
    if not text or is_line(text):
        return None
    folder, beginning = os.path.split(text)
    try:
        entries = sorted(user_path(folder or ".").iterdir())
    except (OSError, ValueError):
        return None
    found = [_named(entry) for entry in entries if entry.name.startswith(beginning) and _opens(entry, beginning)]
    common = _common(found)
    return text[: len(text) - len(beginning)] + common if len(common) > len(beginning) else None


def _common(names: Sequence[str]) -> str:
    """The longest beginning that all names have."""
    first, last = min(names, default=""), max(names, default="")
    return next((first[:at] for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), first)


def _named(entry: Path) -> str:
    return f"{entry.name}{os.sep}" if entry.is_dir() else entry.name


def _opens(entry: Path, beginning: str) -> bool:
    hidden = entry.name.startswith(".") and not beginning.startswith(".")
    return not hidden and (entry.suffix in _SUFFIXES or entry.is_dir())


class PathSuggester(Suggester):
    """Completes a path, or else the first of some names that begin with what is typed."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._names = tuple(names)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text, completed."""
        name = next((name for name in self._names if value and name.startswith(value) and name != value), None)
        return completed(value) or name


def short_path(path: Path) -> str:
    """The path with the home folder as ``~``, as people write it."""
    home = Path("~").expanduser() if is_there(user_path("~")) else None
    return f"~/{path.relative_to(home)}" if home is not None and path.is_relative_to(home) else str(path)
