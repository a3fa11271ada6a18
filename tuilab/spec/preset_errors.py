"""What pydantic found wrong with values that people wrote, as one sentence in their words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tuilab.spec.errors import FileError
from tuilab.spec.suggestions import nearest, suggestion
from tuilab.spec.yaml_text import Document, Place

_WANTED = {
    "string_type": "text (put it in quotes)",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "fields with values (name: value)",
    "model_type": "fields with values (name: value)",
    "model_attributes_type": "a kind, or fields with values (kind: ...)",
    "string_pattern_mismatch": "free of control characters",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_Model = type[BaseModel]


@dataclass(frozen=True, slots=True)
class _Fault:
    """One problem at one place of the file: what must be there, or else a sentence of its own."""

    place: Place
    wanted: str
    sentence: str
    missing: bool = False
    inherited: bool = False
    """The value at fault is not written here: a candidate's training repeats what is wrong with the shared one."""
    meant: str | None = None
    """The field that an unknown one was probably meant to be."""


def preset_error(error: ValidationError, document: Document, model: _Model, root: Place = ()) -> FileError:
    """The first problem in the file's order, and how many more there are.

    Args:
        error: what validating ``document`` against ``model`` raised.
        document: the file.
        model: what the file should be.
        root: where in the file the validated part starts.

    """
    faults = _without_echoes([_fault(details, document, model, root) for details in error.errors(include_url=False)])
    for fault in faults:
        if (cut := _cut_by_comma(fault.place, document.data)) is not None:
            return document.error(*cut)
    faults.sort(key=lambda fault: (fault.missing, document.line(fault.place)))
    places = list(dict.fromkeys(fault.place for fault in faults))
    place = places[0]
    here = [fault for fault in faults if fault.place == place]
    wanted = " or ".join(dict.fromkeys(fault.wanted for fault in here if fault.wanted))
    sentence = f"must be {wanted}, not {_show(_at(document.data, place))}" if wanted else here[0].sentence
    if here[0].missing:
        # Missing fields sort last, so nothing else is wrong.
        sentence += _also([_dotted(other) for other in places[1:]])
    elif more := len(places) - 1:
        sentence += f" (and {more} more problem{'s' if more > 1 else ''})"
    return document.error(sentence, place)


def _cut_by_comma(place: Place, data: object) -> tuple[str, Place] | None:
    """What to do about ``{stack: conv(16, 3)}``, whose comma YAML takes for the end of the stack; None elsewhere.

    Args:
        place: of a field that is not known, such as ``3)``.
        data: all of the file.

    """
    owner = _at(data, place[:-1])
    if not isinstance(owner, dict) or not place or owner.get(place[-1], "") is not None:
        return None
    names = list(owner)
    before = names[names.index(place[-1]) - 1]
    text = owner[before]
    if not isinstance(text, str) or text.count("(") <= text.count(")"):
        return None
    return f"in braces a comma ends the text {text!r}; put it in quotes, with what follows", (*place[:-1], before)


def plain_words(error: ValidationError, data: object) -> str:
    """The first problem in a person's words, such as ``final_seeds must be a whole number, not 'many'``.

    Args:
        error: what validating ``data`` raised.
        data: the value, as plain fields, lists and texts.

    """
    faults = [(_within(details, data), details) for details in error.errors(include_url=False)]
    place = faults[0][0]
    here = [_described(details, place, _at(data, place), None) for at, details in faults if at == place]
    field = _dotted(here[0].place)
    if here[0].missing:
        return f"{field} is missing"
    wanted = " or ".join(dict.fromkeys(fault.wanted for fault in here if fault.wanted))
    if wanted:
        return f"{field} must be {wanted}, not {_show(_at(data, place))}".lstrip()
    return f"{field}: {here[0].sentence}" if field else here[0].sentence


def _within(details: ErrorDetails, data: object) -> Place:
    """Where in the data an error is, without the members of unions that pydantic tried."""
    place: Place = ()
    for part in details["loc"]:
        known = part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data))
        if known or (details["type"] == "missing" and part == details["loc"][-1]):
            place = (*place, part)
            data = _at(data, (part,))
    return place


def _dotted(place: Place) -> str:
    """A place as people read it; list items are counted from 1."""
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in place)


def _also(names: Sequence[str]) -> str:
    """``, and so are task and candidates``."""
    if not names:
        return ""
    listed = ", ".join(names[:-1])
    return f", and so {'are' if listed else 'is'} {listed}{' and ' if listed else ''}{names[-1]}"


def _without_echoes(faults: list[_Fault]) -> list[_Fault]:
    """Without complaints that follow from others.

    A list is too short because its items have faults, a field is missing because its name is misspelt, a candidate
    inherits what is wrong with the shared training.
    """
    places = [fault.place for fault in faults]
    meant = [(*fault.place[:-1], fault.meant) for fault in faults if fault.meant]

    def is_echo(fault: _Fault) -> bool:
        inside = any(len(place) > len(fault.place) and place[: len(fault.place)] == fault.place for place in places)
        return (inside and "too few" in fault.sentence) or (fault.missing and fault.place in meant)

    own = [fault for fault in faults if not fault.inherited] or faults
    return [fault for fault in own if not is_echo(fault)]


def _fault(details: ErrorDetails, document: Document, model: _Model, root: Place) -> _Fault:
    place, owner, inherited = _locate(details, document, model, root)
    return replace(_described(details, place, _at(document.data, place), owner), inherited=inherited)


def _described(details: ErrorDetails, place: Place, given: object, owner: _Model | None) -> _Fault:
    kind, context = details["type"], details.get("ctx", {})
    if kind in _WANTED:
        return _Fault(place, _WANTED[kind], "")
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return _Fault(place, f"{words} {context[key]:,}".removesuffix(".0"), "")
    match kind:
        case "missing":
            return _Fault(place, "", "this field is missing", missing=True)
        case "extra_forbidden":
            word, known = str(place[-1]), list(owner.model_fields) if owner else []
            if not known:
                return _Fault(place, "", "unknown field")
            meant = next(iter(nearest(word, known)), None)
            return _Fault(place, "", f"unknown field{suggestion(word, known)}", meant=meant)
        case "literal_error" | "enum":
            return _choice(place, str(given), re.findall(r"'([^']*)'", str(context["expected"])))
        case "union_tag_invalid":
            known = re.findall(r"'([^']*)'", str(context["expected_tags"]))
            if isinstance(given, dict):
                place = (*place, "kind")
            sentence = f"unknown kind {str(context['tag'])!r}{suggestion(str(context['tag']), known)}"
        case "union_tag_not_found":
            sentence = "the kind is missing; start with kind: and its name"
        case "too_short":
            sentence = f"too few entries; at least {context['min_length']}"
        case "too_long":
            sentence = f"too many entries ({context['actual_length']}); at most {context['max_length']}"
        case "string_too_short":
            sentence = "must not be empty"
        case "string_too_long":
            sentence = f"longer than {context['max_length']:,} characters"
        case "value_error":
            sentence = str(context["error"])
        case "misplaced":
            sentence = str(context["problem"])
        case _:
            sentence = details["msg"][:1].lower() + details["msg"][1:]
    return _Fault(place, "", sentence)


def _choice(place: Place, given: str, known: list[str]) -> _Fault:
    if place and place[0] == "profiles" and len(place) == 2:
        return _Fault(place, "", f"unknown profile (known: {', '.join(known)})")
    close = nearest(given, known)
    one_of = " or ".join(filter(None, [", ".join(known[:-1]), known[-1]]))
    return _Fault(place, f"{one_of} (did you mean {close[0]}?)" if close else one_of, "")


def _locate(details: ErrorDetails, document: Document, model: _Model, root: Place) -> tuple[Place, _Model, bool]:
    """Where in the file an error is, the model whose field it is, and whether the value stands elsewhere in the file.

    pydantic's locations also name the member of a union that was tried; those parts are not in the file.
    """
    place, models, data = root, [model], _at(document.data, root)
    inherited = False
    for part in details["loc"]:
        if len(models) > 1 and part in {kind for each in models for kind in _kinds(each)}:
            models = [each for each in models if part in _kinds(each)]
            continue
        fields = models[0].model_fields if models else {}
        if isinstance(data, dict) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif details["type"] != "missing" or part != details["loc"][-1]:
            inherited = inherited or part in fields
            continue
        place = (*place, part)
        if part in fields and part != details["loc"][-1]:
            models = _models_in(fields[str(part)].annotation)
    place = tuple(details.get("ctx", {}).get("place", place))
    return place, models[0] if models else model, inherited


def _kinds(model: _Model) -> tuple[object, ...]:
    field = model.model_fields.get("kind")
    return get_args(field.annotation) if field else ()


def _models_in(annotation: object) -> list[_Model]:
    """Every model class inside a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _at(data: object, place: Place) -> object:
    for part in place:
        if isinstance(data, dict) and isinstance(part, str):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
        else:
            return None
    return data


def _show(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "fields"
        case list() | tuple():
            return "a list"
        case str():
            return repr(value if len(value) <= 40 else value[:37] + "...")
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case _:
            return str(value)
