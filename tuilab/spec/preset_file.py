"""Preset files: a comparison as YAML, read strictly and written readably.

Whatever is wrong with a file becomes one ``FileError`` with file, line and field. The writer is imported where it is
used: reading presets must not wait for it.
"""

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import FileError, LabError
from tuilab.spec.paths import user_path
from tuilab.spec.preset_errors import preset_error
from tuilab.spec.task import Csv, TaskFacts, facts
from tuilab.spec.yaml_text import MAX_BYTES, Document, Place, Plain, read_document

FULL: Final = "full"


def load(path: Path, profile: str = FULL) -> Comparison:
    """The comparison in a file, checked down to the shapes of every candidate.

    Args:
        path: the file; a CSV task's relative path starts at its folder and comes back absolute.
        profile: ``full`` is the file itself; others are those it has (``quick``, ``gpu``).

    Raises:
        FileError: with file, line and field, for the first thing that is wrong.
        LabError: when there is no such profile.

    """
    return loads(_read(path), str(path), profile, path.absolute().parent)


def loads(text: str, name: str = "the text", profile: str = FULL, folder: Path | None = None) -> Comparison:
    """The comparison in a text; ``name`` stands for the file in errors, ``folder`` is where relative paths start.

    Raises:
        FileError: with file, line and field, for the first thing that is wrong.
        LabError: when there is no such profile.

    """
    document = read_document(text, name)
    _resolve_paths(document.data, folder or Path.cwd())
    try:
        comparison = Comparison.model_validate(document.data)
    except ValidationError as error:
        raise preset_error(error, document, Comparison) from error
    _refuse_booleans(document, (), document.data, comparison)
    _check(comparison, document, ())
    for key in comparison.profiles:
        _check(_patched(comparison, key, document), document, ("profiles", key))
    return comparison.with_profile(profile)


def to_yaml(comparison: Comparison, folder: Path | None = None) -> str:
    """The comparison as the text of a preset file; ``loads`` reads it back as it was.

    Args:
        comparison: what is written.
        folder: where the file will stand; a CSV task's path below it is written relative to it.

    """
    from tuilab.spec import preset_writer

    return preset_writer.to_yaml(comparison, folder)


def save(comparison: Comparison, path: Path) -> None:
    """Write a preset file; comments and order of an existing one survive where possible, and it is replaced at once.

    Raises:
        FileError: when the file exists and is not a preset, or cannot be written.

    """
    file = user_path(str(path)).absolute()
    file = file.resolve() if file.is_symlink() else file
    text = to_yaml(comparison, file.parent)
    try:
        if file.exists():
            text = _kept(file, comparison) or text
        _replace(file, text)
    except OSError as error:
        raise FileError(str(path), f"cannot be written ({error.strerror}); choose another place") from error


def _kept(file: Path, comparison: Comparison) -> str | None:
    """The existing text brought up to date; None when that would not read back as the comparison."""
    try:
        text = _read(file)
        old = loads(text, str(file), folder=file.parent)
    except FileError as error:
        what = f"{error.field}: {error.problem}" if error.field else error.problem
        problem = f"this file is not a preset ({what}); choose another name or remove it first"
        raise FileError(str(file), problem, error.line) from error
    if old == comparison:
        return text
    from tuilab.spec.preset_writer import updated

    new = updated(text, old, comparison, file.parent)
    try:
        return new if loads(new, str(file), folder=file.parent) == comparison else None
    except LabError:
        return None


def _replace(file: Path, text: str) -> None:
    mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o644
    handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read(path: Path) -> str:
    name = str(path)
    try:
        if path.exists() and not path.is_file():
            raise FileError(name, "this is a folder or a device; give a preset file")
        if path.stat().st_size > MAX_BYTES:
            raise FileError(name, f"{path.stat().st_size:,} bytes; a preset file has at most {MAX_BYTES:,}")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise FileError(name, "no such file") from error
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            line = error.object.count(b"\n", 0, error.start) + 1
            raise FileError(name, "not text in UTF-8; a preset is a YAML file", line) from error
        raise FileError(name, "this file cannot be read") from error


def _resolve_paths(data: dict[str, Plain], folder: Path) -> None:
    """Make the paths of CSV tasks absolute, in place, here and in the profiles."""
    profiles = data.get("profiles")
    rooms = [data, *(profiles.values() if isinstance(profiles, dict) else ())]
    for room in rooms:
        task = room.get("task") if isinstance(room, dict) else None
        if isinstance(task, dict) and isinstance(path := task.get("path"), str):
            task["path"] = os.path.normpath(folder / user_path(path))


def _refuse_booleans(document: Document, place: Place, written: Plain, value: object) -> None:
    """Refuse ``true`` where a number is meant: pydantic takes it for 1."""
    if isinstance(written, bool) and not isinstance(value, bool):
        raise document.error(f"must be a number, not {str(written).lower()}", place)
    if isinstance(written, dict):
        for key, inner in written.items():
            known = value.get(key) if isinstance(value, dict) else getattr(value, key, None)
            if isinstance(value, BaseModel | dict):
                _refuse_booleans(document, (*place, key), inner, known)
    if isinstance(written, list) and isinstance(value, tuple | list):
        for index, (inner, known) in enumerate(zip(written, value, strict=False)):
            _refuse_booleans(document, (*place, index), inner, known)


def _patched(comparison: Comparison, profile: str, document: Document) -> Comparison:
    root: Place = ("profiles", profile)
    try:
        patched = comparison.with_profile(profile)
    except ValidationError as error:
        raise preset_error(error, document, Comparison, root) from error
    profiles = document.data["profiles"]
    patch = profiles[profile] if isinstance(profiles, dict) else None
    _refuse_booleans(document, root, patch, patched)
    return patched


def _check(comparison: Comparison, document: Document, root: Place) -> None:
    """Check the task's file, the shapes of every candidate, losses and batch sizes.

    Raises:
        FileError: at the field that has to change.

    """
    known = _facts(comparison, document, root)
    for index, candidate in enumerate(comparison.candidates):
        training = comparison.training_of(candidate)
        own: Place = ("candidates", index, "training")
        try:
            known.out_features(training.loss)
        except LabError as error:
            raise document.error(str(error), _written(document, root, own, "loss")) from error
        try:
            comparison.network_of(candidate, known).check()
        except LabError as error:
            raise document.error(str(error), ("candidates", index, "stack")) from error
        batch = _written(document, root, own, "batch_size")
        if isinstance(training.batch_size, int) and training.batch_size > known.num_train and batch in document.lines:
            problem = f"{training.batch_size:,} is more than the {known.num_train:,} training examples"
            raise document.error(f"{problem}; use at most that, or full", batch)


def _written(document: Document, root: Place, own: Place, field: str) -> Place:
    """Where a candidate's training field is written: with the candidate, in the profile, or for all."""
    places: list[Place] = [(*own, field), (*root, "training", field), ("training", field)]
    return next((place for place in places if place in document.lines), places[-1])


def _facts(comparison: Comparison, document: Document, root: Place) -> TaskFacts:
    task = comparison.task
    try:
        return facts(task)
    except FileError as error:
        if error.line is not None or not isinstance(task, Csv):
            raise
        field = "target" if error.field == "target" else "path"
        own: Place = (*root, "task", field)
        problem = error.problem if field == "target" else str(error)
        raise document.error(problem, own if own in document.lines else ("task", field)) from error
    except LabError as error:
        raise document.error(str(error), (*root, "task")) from error
