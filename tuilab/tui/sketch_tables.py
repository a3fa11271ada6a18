"""Tables as what a picture of them needs: two axes of their inputs, their targets, how often there is each class."""

import gzip
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from tuilab.analysis.principal_axes import principal_axes
from tuilab.spec.paths import user_path
from tuilab.spec.table import Table, read_table
from tuilab.spec.task import Bundled, Csv
from tuilab.tui.sketch import Sketch

_ROWS = 400
"""Rows of a table that are drawn, evenly spaced."""
_COLUMNS = 40
"""Inputs whose principal axes are looked for: the first ones."""
NOT_INSTALLED = "scikit-learn, which brings this table along, is not installed here"


def table_sketch(task: Bundled | Csv) -> Sketch:
    """A table's rows, targets and classes.

    Raises:
        LabError: when a CSV file cannot be used.

    """
    if isinstance(task, Bundled):
        return _bundled(task.kind)
    status = user_path(task.path).stat() if user_path(task.path).is_file() else None
    return _csv(task.path, task.target, task.predict, status.st_mtime_ns if status else 0)


@lru_cache(maxsize=2)
def _csv(path: str, target: str, predict: str, mtime_ns: int) -> Sketch:
    del mtime_ns
    task = Csv.model_validate({"path": path, "target": target, "predict": predict})
    return _sketch(read_table(task.path, task.target, task.predict))


@lru_cache(maxsize=4)
def _bundled(name: str) -> Sketch:
    folder = table_folder()
    try:
        table = _diabetes(folder) if name == "diabetes" else _classes(folder, name)
    except (OSError, ValueError):
        return Sketch(note=NOT_INSTALLED)
    return _sketch(table)


def table_folder() -> Path:
    """Where scikit-learn keeps its tables; a folder that is not there where it is not installed."""
    spec = find_spec("sklearn")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0] if places else "scikit-learn is not installed") / "datasets" / "data"


def _classes(folder: Path, name: str) -> Table:
    """A table whose first line counts its rows and inputs and names its classes, and whose last column is the class."""
    file = folder / ("wine_data.csv" if name == "wine" else f"{name}.csv")
    first, *lines = file.read_text(encoding="utf-8").splitlines()
    names = first.split(",")[2:]
    rows = [tuple(map(float, line.split(","))) for line in lines if line.strip()]
    labels = [f"{index + 1}" for index in range(len(rows[0]) - 1)]
    return Table(tuple(row[:-1] for row in rows), tuple(row[-1] for row in rows), tuple(names), tuple(labels))


def _diabetes(folder: Path) -> Table:
    with gzip.open(folder / "diabetes_data_raw.csv.gz", "rt", encoding="ascii") as file:
        rows = tuple(tuple(map(float, line.split())) for line in file)
    with gzip.open(folder / "diabetes_target.csv.gz", "rt", encoding="ascii") as file:
        targets = tuple(float(line) for line in file)
    return Table(rows, targets, (), tuple(f"{index + 1}" for index in range(len(rows[0]))))


def _sketch(table: Table) -> Sketch:
    every = -(-table.num_rows // _ROWS)
    inputs = [row[:_COLUMNS] for row in table.inputs[::every]]
    targets = table.targets[::every]
    if table.class_names:
        counts = Counter(table.targets)
        named = tuple((name, counts[index]) for index, name in enumerate(table.class_names))
        return Sketch(_by_class(inputs, targets), _axes(table, 2), counts=named)
    if table.num_inputs == 1:
        points = tuple((row[0], target, 0) for row, target in zip(inputs, targets, strict=True))
        return Sketch(points, f"target over {table.input_names[0]}", table.targets)
    first = principal_axes(inputs, 1)
    points = tuple((x, target, 0) for (x,), target in zip(first, targets, strict=True))
    return Sketch(points, f"target over {_axes(table, 1)}", table.targets)


def _by_class(inputs: Sequence[Sequence[float]], targets: Sequence[float]) -> tuple[tuple[float, float, int], ...]:
    """On two axes; a single input is drawn with its classes above each other."""
    if len(inputs[0]) == 1:
        return tuple((row[0], target, int(target)) for row, target in zip(inputs, targets, strict=True))
    places = [(row[0], row[1]) for row in inputs] if len(inputs[0]) == 2 else principal_axes(inputs)
    return tuple((place[0], place[1], int(target)) for place, target in zip(places, targets, strict=True))


def _axes(table: Table, number: int) -> str:
    if table.num_inputs == 1:
        return f"{table.input_names[0]}, a row for each class"
    if table.num_inputs == 2 and number == 2:
        return f"{table.input_names[1]} over {table.input_names[0]}"
    of = f"the {table.num_inputs}" if table.num_inputs <= _COLUMNS else f"the first {_COLUMNS}"
    return f"the first {'two principal axes' if number > 1 else 'principal axis'} of {of} inputs"
