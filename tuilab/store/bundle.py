"""What a bug report needs of an experiment, without what says who its author is or where their files lie."""

import getpass
import io
import json
import platform
import re
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from enum import Enum
from pathlib import Path

from tuilab.spec.comparison import Comparison
from tuilab.spec.preset_file import to_yaml
from tuilab.spec.task import Csv
from tuilab.store.home import log_files
from tuilab.store.reader import Reader
from tuilab.store.records import ExperimentRecord

_SHARED_NAMES = ("root", "user")
"""Names of users that say nothing about anybody."""


def bundle(reader: Reader, record: ExperimentRecord, versions: Mapping[str, str]) -> bytes:
    """A zip archive: the log, the preset, what the experiment ran on, its runs, and the versions of this tuilab.

    Args:
        reader: of the lab that the experiment is in.
        record: of the experiment.
        versions: of tuilab, Python and the packages here, by name.

    Raises:
        LabError: when the store cannot be read.

    """
    clean = Cleaner(reader.home, record)
    texts = {
        "experiment.json": _json({**_plain(asdict(record)), "comparison": None, "result": None}),
        "preset.yaml": to_yaml(_without_folder(record.comparison)),
        "environment.json": _json(reader.environment(record.id)),
        "versions.json": _json(dict(versions)),
        "runs.json": _json([_plain(asdict(run)) for run in reader.runs(record.id)]),
        **{path.name: path.read_text(encoding="utf-8", errors="replace") for path in log_files(reader.home, record.id)},
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in texts.items():
            file.writestr(f"tuilab-{record.id}/{name}", clean(text))
    return archive.getvalue()


def _without_folder(comparison: Comparison) -> Comparison:
    """The comparison with its CSV file named without its folder; a long path would be folded in the preset's text."""
    task = comparison.task
    if not isinstance(task, Csv):
        return comparison
    return comparison.model_copy(update={"task": task.model_copy(update={"path": Path(task.path).name})})


class Cleaner:
    """Takes what is private out of texts: the home folder, the lab's folder, and names of user, machine and data."""

    def __init__(self, home: Path, record: ExperimentRecord) -> None:
        self._replaced: list[tuple[str, str]] = []
        if isinstance(record.comparison.task, Csv):
            self._path(Path(record.comparison.task.path), Path(record.comparison.task.path).name)
        self._path(home, "$TUILAB_HOME")
        self._path(Path.home(), "~")
        self._names = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in _names()) or r"(?!)")

    def __call__(self, text: str) -> str:
        """The text without them."""
        for private, shown in self._replaced:
            text = text.replace(private, shown)
        return self._names.sub("someone", text)

    def _path(self, path: Path, shown: str) -> None:
        """Replace a path as it was given and as it is."""
        for form in (str(path), str(path.resolve())):
            if form != path.anchor and form != shown:
                # In JSON a backslash or a quote is written differently.
                self._replaced += [(form, shown), (json.dumps(form)[1:-1], shown)]


def _names() -> set[str]:
    names = {platform.node(), platform.node().partition(".")[0], Path.home().name}
    with suppress(KeyError, OSError):
        names.add(getpass.getuser())
    return {name for name in names if len(name) > 1 and name not in _SHARED_NAMES}


def _json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, default=str)


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
