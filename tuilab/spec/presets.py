"""Where the presets that come with the lab are, and which one a name means."""

from pathlib import Path

from tuilab.spec.errors import LabError
from tuilab.spec.paths import is_there, user_path
from tuilab.spec.suggestions import nearest

_SUFFIXES = (".yaml", ".yml")
_NEAR = 5
"""Names that a person is offered at most."""


def preset_folder() -> Path:
    """The folder of the shipped presets: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "presets"
    return inside if inside.is_dir() else package.parent / "presets"


def preset_names() -> tuple[str, ...]:
    """The names of the shipped presets, sorted; a name is the file's without ``.yaml``."""
    return tuple(sorted(file.stem for file in preset_folder().glob("*.yaml")))


def find_preset(name_or_path: str) -> Path:
    """The file that a person means: a shipped preset by name or unique beginning, else a path.

    Raises:
        LabError: when it is neither, with the nearest names.

    """
    names = preset_names()
    path = user_path(name_or_path)
    there = bool(name_or_path) and is_there(path)
    if name_or_path in names:
        return preset_folder() / f"{name_or_path}.yaml"
    if path.suffix in _SUFFIXES or len(path.parts) > 1 or there:
        if there:
            return path
        raise LabError(f"{name_or_path}: no such file; tuilab presets lists the presets")
    beginning = [name for name in names if name_or_path and name.startswith(name_or_path)]
    if len(beginning) == 1:
        return preset_folder() / f"{beginning[0]}.yaml"
    near = (beginning or nearest(name_or_path, names, _NEAR))[:_NEAR]
    advice = f"did you mean {' or '.join(near)}?" if near else "tuilab presets lists the presets"
    raise LabError(f"there is no preset or file {name_or_path!r}; {advice}")
