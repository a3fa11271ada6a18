"""YAML text as plain data that remembers its lines.

Only what a preset needs: mappings, lists and scalars as in YAML 1.2 (so ``yes`` is text and ``1e-3`` a number).
No tags, no anchors, no repeated keys, nothing that could run code or grow. The parser is driven by events, because
composing deep nesting overruns the stack of the C library.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import yaml
from yaml import events

from tuilab.spec.errors import FileError

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
Place: TypeAlias = tuple[str | int, ...]
"""Keys and list indices (from 0) from the outside in."""

MAX_BYTES = 1_000_000
MAX_NESTING = 30
MAX_PARTS = 50_000
"""Fields and list items."""

_CONSTANTS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_FLOAT = re.compile(r"[+-]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][+-]?[0-9]+)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_ADVICE = {
    "mapping values are not allowed in this context": "a colon too many; put text with a colon in quotes, "
    "or see whether the line above lacks its own",
    "could not find expected ':'": "a line without a colon; write field: value",
    "found character that cannot start any token": "a character that cannot start a value; put the text in quotes",
    "did not find expected key": "a line that does not fit the indentation above it",
    "found unexpected end of stream": "a quotation that is never closed",
    "did not find expected ',' or ']'": "a list in brackets that is never closed",
    "did not find expected ',' or '}'": "a mapping in braces that is never closed",
    "did not find expected '-' indicator": "a line that does not fit the list above it",
    "did not find expected alphabetic or numeric character": "text that starts with * or &; put it in quotes",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML mapping and the line of each of its parts.

    Attributes:
        name: the file as the user gave it.
        data: the mapping.
        lines: the 1-based line of every field and list item.

    """

    name: str
    data: dict[str, Plain]
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of ``place``, or of the innermost part around it that the file has."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)

    def error(self, problem: str, place: Place) -> FileError:
        """A problem at one place; list items are counted from 1 in what people see."""
        field = ".".join(str(part + 1) if isinstance(part, int) else part for part in place)
        return FileError(self.name, problem, self.line(place), field or None)


def read_document(text: str, name: str) -> Document:
    """The one mapping that ``text`` holds.

    Raises:
        FileError: with the line, when it is not such a mapping.

    """
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise FileError(name, f"the control character {control[0]!r}; this is not a text file", line)
    return _Reader(text, name).document()


class _HasLine(Protocol):
    @property
    def line(self) -> int: ...


def _line(mark: _HasLine | None) -> int:
    return 1 if mark is None else mark.line + 1


class _Reader:
    """Builds plain data from the parser's events."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.text = text
        self.lines: dict[Place, int] = {}
        self.events: Iterator[events.Event] = iter(yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))

    def document(self) -> Document:
        try:
            data = self.root()
        except yaml.MarkedYAMLError as error:
            raise self.syntax_error(error) from error
        except (yaml.YAMLError, ValueError) as error:
            raise FileError(self.name, "this is not YAML text") from error
        return Document(self.name, data, self.lines)

    def root(self) -> dict[str, Plain]:
        next(self.events)
        event = next(self.events)
        if isinstance(event, events.StreamEndEvent):
            raise FileError(self.name, "the file is empty; a preset needs title, task and candidates")
        data = self.value(next(self.events), ())
        next(self.events)
        if not isinstance(data, dict):
            raise FileError(self.name, "a preset is a list of fields such as title: and task:, one a line", 1)
        event = next(self.events)
        if not isinstance(event, events.StreamEndEvent):
            raise self.fail("a second document starts here; a preset file holds one", event)
        return data

    def fail(self, problem: str, event: events.Event, place: Place = ()) -> FileError:
        self.lines[place] = _line(event.start_mark)
        return Document(self.name, {}, self.lines).error(problem, place)

    def syntax_error(self, error: yaml.MarkedYAMLError) -> FileError:
        problem = error.problem or "this is not YAML"
        opened = problem.startswith(("did not find expected ','", "found unexpected end", "could not find expected"))
        mark = (opened and error.context_mark) or error.problem_mark
        line = _line(mark)
        row = self.text.splitlines()[line - 1 : line]
        if any("\t" in text[: len(text) - len(text.lstrip())] for text in row):
            return FileError(self.name, "a tab; indent with spaces", line)
        return FileError(self.name, _ADVICE.get(problem, f"not valid YAML ({problem})"), line)

    def value(self, event: events.Event, place: Place) -> Plain:
        """The value that starts with ``event``, to its end."""
        if isinstance(event, events.AliasEvent) or getattr(event, "anchor", None):
            raise self.fail("anchors and aliases (& and *) are not read; write the value out", event, place)
        if getattr(event, "tag", None):
            raise self.fail("tags (!) are not read; write the value alone", event, place)
        if len(place) > MAX_NESTING:
            raise self.fail(f"nested deeper than {MAX_NESTING} levels", event)
        if len(self.lines) > MAX_PARTS:
            raise self.fail(f"more than {MAX_PARTS:,} fields and list items; this is not a preset", event)
        match event:
            case events.ScalarEvent():
                return self.scalar(event, place)
            case events.SequenceStartEvent():
                return self.sequence(place)
            case _:
                return self.mapping(place)

    def scalar(self, event: events.ScalarEvent, place: Place) -> Plain:
        text = str(event.value)
        if not event.implicit[0]:
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            if len(text) > 100:
                raise self.fail("a number of more than 100 characters", event, place)
            return float(text)
        return text

    def sequence(self, place: Place) -> list[Plain]:
        items: list[Plain] = []
        while not isinstance(event := next(self.events), events.SequenceEndEvent):
            inner = (*place, len(items))
            self.lines[inner] = _line(event.start_mark)
            items.append(self.value(event, inner))
        return items

    def mapping(self, place: Place) -> dict[str, Plain]:
        data: dict[str, Plain] = {}
        while not isinstance(event := next(self.events), events.MappingEndEvent):
            if not isinstance(event, events.ScalarEvent):
                raise self.fail("a field's name must be plain text", event, place)
            key = str(event.value)
            inner = (*place, key)
            if key in data:
                raise self.fail(f"given twice (first in line {self.lines[inner]})", event, inner)
            if event.anchor or event.tag:
                self.value(event, inner)
            self.lines[inner] = _line(event.start_mark)
            data[key] = self.value(next(self.events), inner)
        return data
