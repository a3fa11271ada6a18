"""CSV files as tables of numbers: types detected, missing values and bad rows named by line."""

import csv
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from itertools import islice
from typing import Literal, TypeAlias

from tuilab.spec.errors import FileError, printable
from tuilab.spec.paths import user_path

MAX_BYTES = 100_000_000
MAX_ROWS = 1_000_000
MAX_COLUMNS = 10_000
MIN_ROWS = 10
MAX_CATEGORIES = 20
"""Different values up to which a text column becomes one input per value, and whole numbers become classes."""
MAX_CLASSES = 100
NUMERIC_SHARE = 0.9
"""A column in which at least this share of the values are numbers is numeric; text in it is a mistake."""

Predict: TypeAlias = Literal["auto", "classification", "regression"]
_Row: TypeAlias = Sequence[float | str]

_MISSING = frozenset(("", "na", "n/a", "nan", "null", "?"))
_INFINITE = frozenset(("inf", "infinity"))
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_SAMPLE_LINES = 50


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file as numbers.

    Attributes:
        inputs: (rows, inputs); a text column is one input of 0 or 1 for each of its values.
        targets: (rows,); a number, or an index into ``class_names``.
        class_names: the classes in order; empty for regression.
        input_names: the columns, ``colour=red`` for one value of a text column.

    """

    inputs: tuple[tuple[float, ...], ...]
    targets: tuple[float, ...]
    class_names: tuple[str, ...]
    input_names: tuple[str, ...]

    @property
    def num_inputs(self) -> int:
        return len(self.input_names)

    @property
    def num_rows(self) -> int:
        return len(self.inputs)

    @property
    def classes(self) -> int | None:
        return len(self.class_names) or None


@dataclass(frozen=True, slots=True)
class _Raw:
    """Rows as read: numbers where the text is one, else the stripped text."""

    file: str
    names: tuple[str, ...]
    rows: tuple[_Row, ...]
    lines: tuple[int, ...]

    def column(self, index: int) -> list[float | str]:
        return [row[index] for row in self.rows]

    def error(self, problem: str, column: int | None = None, row: int | None = None) -> FileError:
        line = None if row is None else self.lines[row]
        return FileError(self.file, problem, line, None if column is None else self.names[column])


def read_table(path: str, target: str, predict: Predict = "auto") -> Table:
    """The table in a file; reading the same unchanged file again costs nothing.

    Args:
        path: a CSV file in UTF-8, separated by commas, semicolons or tabs, with or without a header.
        target: name of the column to predict, or its number from 1.
        predict: ``auto`` takes text and at most 20 different whole numbers as classes, everything else as a number.

    Raises:
        FileError: with file, line and column, when the file cannot be used as it is.

    """
    file = user_path(path)
    try:
        status = file.stat()
    except (OSError, ValueError) as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else "this file cannot be read"
        raise FileError(path, f"{problem}; check the task's path") from error
    if not file.is_file():
        raise FileError(path, "this is a folder or a device; the task's path must name a CSV file")
    if status.st_size > MAX_BYTES:
        raise FileError(path, f"the file has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read")
    result = _read_cached(path, status.st_mtime_ns, status.st_size, target, predict)
    if isinstance(result, FileError):
        raise FileError(result.file, result.problem, result.line, result.field)
    return result


@lru_cache(maxsize=2)
def _read_cached(path: str, mtime_ns: int, size: int, target: str, predict: Predict) -> Table | FileError:
    """The table or what is wrong with it: errors are remembered too, since people type on with a broken file."""
    del mtime_ns, size
    try:
        text = _text(path)
        return _table(_parse(path, text, target), target, predict)
    except FileError as error:
        return error.with_traceback(None)


def _text(path: str) -> str:
    try:
        data = user_path(path).read_bytes()
    except OSError as error:
        raise FileError(path, f"cannot be read ({error.strerror})") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileError(path, "not text in UTF-8; save the table as CSV in UTF-8", line) from error
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise FileError(path, f"the control character {control[0]!r}; this is not a CSV file", line)
    if max(text.count("\n"), text.count("\r")) > MAX_ROWS:
        raise FileError(path, f"more than {MAX_ROWS:,} rows; keep a sample of them")
    if not text.strip():
        raise FileError(path, "the file is empty")
    return text


def _parse(path: str, text: str, target: str) -> _Raw:
    delimiter = _delimiter(text)
    decimal_comma = delimiter == ";"
    width = line = 0
    rows: list[_Row] = []
    lines: list[int] = []
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for cells in reader:
            line = reader.line_num
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            width = width or _checked_width(path, cells)
            if len(cells) != width:
                problem = f"{len(cells)} values where line {lines[0]} has {width}"
                raise FileError(path, f"{problem}; a comma inside a value needs quotes", line)
            rows.append(cells if not rows else _numbers(cells, decimal_comma))
            lines.append(line)
    except csv.Error as error:
        raise FileError(path, f"not a CSV table ({error})", line + 1) from error
    first = [str(cell).strip() for cell in rows[0]]
    if _is_header(first, rows[1:], target):
        names = [printable(name) or f"column {index + 1}" for index, name in enumerate(first)]
        del rows[0], lines[0]
        _check_names(path, names)
    else:
        names = [f"column {index + 1}" for index in range(width)]
        rows[0] = _numbers(first, decimal_comma)
    return _Raw(path, tuple(names), tuple(rows), tuple(lines))


def _delimiter(text: str) -> str:
    """The delimiter that splits the first lines into equally many columns, more than one."""
    sample = list(islice((line for line in StringIO(text) if line.strip()), _SAMPLE_LINES))
    for delimiter in ("\t", ";", ","):
        try:
            widths = [len(cells) for cells in csv.reader(sample, delimiter=delimiter)]
        except csv.Error:
            continue
        if widths and widths[0] > 1 and widths.count(widths[0]) >= NUMERIC_SHARE * len(widths):
            return delimiter
    return ","


def _checked_width(path: str, cells: list[str]) -> int:
    if len(cells) < 2:
        raise FileError(path, "only one column; a table needs a target and at least one input, separated by commas", 1)
    if len(cells) > MAX_COLUMNS:
        raise FileError(path, f"{len(cells):,} columns; at most {MAX_COLUMNS:,} are read", 1)
    return len(cells)


def _check_names(path: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FileError(path, f"two columns are called {name!r}; give each its own name", 1, name)
        seen.add(name)


def _numbers(cells: list[str], decimal_comma: bool) -> _Row:
    """The cells as numbers where they are finite ones, else as stripped text."""
    try:
        values = tuple(map(float, cells))
    except ValueError:
        values = ()
    if values and all(map(math.isfinite, values)) and not any("_" in cell for cell in cells):
        return values
    return tuple(_number(cell.strip(), decimal_comma) for cell in cells)


def _number(cell: str, decimal_comma: bool) -> float | str:
    text = cell.replace(",", ".") if decimal_comma and _DECIMAL_COMMA.fullmatch(cell) else cell
    try:
        value = float(text)
    except ValueError:
        return cell
    return value if math.isfinite(value) and "_" not in cell else cell


def _is_header(first: list[str], rows: Sequence[_Row], target: str) -> bool:
    """Whether the first row names the columns: it holds the target's name, or only text that is not data."""
    numbers = [isinstance(_number(cell, False), float) for cell in first]
    if all(numbers):
        return False
    if not target.isdecimal() and printable(target.strip()) in map(printable, first):
        return True
    sample = rows[:1000]
    return not any(numbers) and all(
        cell not in {row[index] for row in sample} for index, cell in enumerate(first) if cell
    )


def _table(raw: _Raw, target: str, predict: Predict) -> Table:
    target_index = _target_index(raw, target)
    if len(raw.rows) < MIN_ROWS:
        raise raw.error(f"only {len(raw.rows)} rows of data; at least {MIN_ROWS} are needed")
    class_names, targets = _targets(raw, target_index, _checked_column(raw, target_index), predict)
    inputs: list[list[float]] = []
    names: list[str] = []
    for index in range(len(raw.names)):
        if index != target_index:
            values, labels = _inputs(raw, index, _checked_column(raw, index))
            inputs += values
            names += labels
    return Table(tuple(zip(*inputs, strict=True)), tuple(targets), tuple(class_names), tuple(names))


def _target_index(raw: _Raw, target: str) -> int:
    name = printable(target.strip())
    if name in raw.names:
        return raw.names.index(name)
    if name.isascii() and name.isdecimal() and len(name) < 9 and 1 <= int(name) <= len(raw.names):
        return int(name) - 1
    shown = ", ".join(raw.names[:12]) + (", ..." if len(raw.names) > 12 else "")
    raise FileError(raw.file, f"there is no column {name!r}; give a name or a number from 1 ({shown})", None, "target")


def _checked_column(raw: _Raw, index: int) -> list[float | str]:
    """The column, either all numbers or all text.

    Raises:
        FileError: when a value is missing or infinite, or text stands among numbers.

    """
    column = raw.column(index)
    texts = [(row, value) for row, value in enumerate(column) if isinstance(value, str)]
    missing = [row for row, value in texts if value.lower() in _MISSING]
    if missing:
        shown = ", ".join(str(raw.lines[row]) for row in missing[:5])
        more = f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
        at = f"in line{'s' if len(missing) > 1 else ''} {shown}{more}"
        raise raw.error(f"a value is missing {at}; fill it in or delete the row", index, missing[0])
    for row, value in texts:
        if value.lower().lstrip("+-") in _INFINITE:
            raise raw.error(f"{value!r} is not a finite number", index, row)
    if texts and len(column) - len(texts) >= NUMERIC_SHARE * len(column):
        row, value = texts[0]
        raise raw.error(f"{_short(value)} is text in a column of numbers", index, row)
    return column


def _is_numeric(column: Iterable[float | str]) -> bool:
    return all(isinstance(value, float) for value in column)


def _inputs(raw: _Raw, index: int, column: list[float | str]) -> tuple[list[list[float]], list[str]]:
    """A numeric column as it is; a text column as one input of 0 or 1 for each of its values."""
    name = raw.names[index]
    if _is_numeric(column):
        return [[float(value) for value in column]], [name]
    categories = sorted(set(map(_label, column)))
    if len(categories) > MAX_CATEGORIES:
        problem = f"text with {len(categories):,} different values; delete the column, or group its values"
        raise raw.error(f"{problem} into at most {MAX_CATEGORIES}", index)
    labels = list(map(_label, column))
    values = [[1.0 if label == category else 0.0 for label in labels] for category in categories]
    return values, [f"{name}={printable(category)}" for category in categories]


def _targets(raw: _Raw, index: int, column: list[float | str], predict: Predict) -> tuple[list[str], list[float]]:
    """Class names (none for regression) and the target of each row."""
    numeric = _is_numeric(column)
    if predict == "auto":
        few = len(set(column)) <= MAX_CATEGORIES
        whole = numeric and few and all(float(value).is_integer() for value in column)
        predict = "classification" if whole or not numeric else "regression"
    if len(set(column)) == 1:
        raise raw.error(f"the target is {_short(_label(column[0]))} in every row; there is nothing to learn", index)
    if predict == "regression":
        if not numeric:
            text = next(row for row, value in enumerate(column) if isinstance(value, str))
            value = _short(str(column[text]))
            raise raw.error(f"{value} is text, but regression needs numbers; predict: classification", index, text)
        return [], [float(value) for value in column]
    order: dict[str, None] = dict.fromkeys(map(_label, sorted(column) if numeric else sorted(map(_label, column))))
    if len(order) > MAX_CLASSES:
        advice = "predict: regression" if numeric else "choose another target"
        raise raw.error(f"the target has {len(order):,} classes; at most {MAX_CLASSES}, or {advice}", index)
    number = {label: float(position) for position, label in enumerate(order)}
    return [printable(label) for label in order], [number[_label(value)] for value in column]


def _label(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.15g}"


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")
