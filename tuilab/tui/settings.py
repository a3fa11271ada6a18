"""Task, training and protocol of a comparison as a list of fields that can be changed one by one. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tuilab.spec.comparison import Comparison, Protocol
from tuilab.spec.errors import LabError
from tuilab.spec.preset_errors import plain_words
from tuilab.spec.task import Task, facts
from tuilab.spec.training import Optimizer, Schedule, Training

Where = tuple[str, ...]
"""A field: ``("task", "noise")``, ``("training", "optimizer", "beta1")``."""
SECTIONS = ("task", "training", "protocol")
_SEPARATED = re.compile(r"[1-9]\d{0,2}(?:[,_ ]\d{3})+")
_HIDDEN = {("protocol", "seed"), ("task", "num_val"), ("task", "num_test")}


@dataclass(frozen=True, slots=True)
class Setting:
    """One field.

    Attributes:
        where: which one.
        value: as a person would write it; ``-`` for nothing.
        choices: everything it may be, where that is a short list.
        about: what it means.

    """

    where: Where
    value: str
    choices: tuple[str, ...] = ()
    about: str = ""

    @property
    def name(self) -> str:
        """The field's own name, indented by how deep it lies."""
        return "  " * (len(self.where) - 2) + (self.where[-2] if self.where[-1] == "kind" else self.where[-1])


def settings(comparison: Comparison) -> tuple[Setting, ...]:
    """Every field of the task, the training and the protocol, in that order."""
    found: list[Setting] = []
    for section in SECTIONS:
        found += _of_model(getattr(comparison, section), (section,))
    return tuple(setting for setting in found if setting.where not in _HIDDEN)


def _of_model(model: BaseModel, where: Where) -> Iterator[Setting]:
    fields = type(model).model_fields
    for name in sorted(fields, key=lambda name: name != "kind"):
        field = fields[name]
        value = getattr(model, name)
        here = (*where, name)
        if name == "kind":
            yield Setting(here, str(value), kinds(where), _first_line(type(model).__doc__))
        elif isinstance(value, BaseModel):
            yield from _of_model(value, here)
        else:
            yield Setting(here, written(value), _choices(field), _first_line(field.description))


def kinds(where: Where) -> tuple[str, ...]:
    """The kinds that a task, an optimiser or a schedule may be of."""
    union = {"task": Task, "optimizer": Optimizer, "schedule": Schedule}[where[-1]]
    return tuple(kind for model in _models(union) for kind in get_args(model.model_fields["kind"].annotation))


def _models(union: object) -> tuple[type[BaseModel], ...]:
    """The models of an annotated union."""
    while get_origin(union) is Annotated:
        union = get_args(union)[0]
    return get_args(union)


def _choices(field: FieldInfo) -> tuple[str, ...]:
    """A short list of values, where the type says one."""
    annotation = field.annotation
    if annotation is bool:
        return ("true", "false")
    options = (annotation, *get_args(annotation))
    found: list[str] = []
    for option in options:
        if isinstance(option, type) and issubclass(option, Enum):
            found += [member.value for member in option]
        elif get_origin(option) is Literal:
            found += [str(value) for value in get_args(option)]
    optional = type(None) in options
    if any(option in (int, float, str) or get_origin(option) is Annotated for option in options):
        return ()
    return ("-", *found) if optional and found else tuple(found)


def _first_line(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split()).replace("``", "")


def written(value: object) -> str:
    """A value as a person writes it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return " ".join(written(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def with_setting(comparison: Comparison, where: Where, text: str) -> Comparison:
    """The comparison with one field changed; what no longer fits a new task (loss, batch) goes back to its default.

    Raises:
        LabError: when the text is not a value of that field, or does not go with the others.

    """
    section, *inner = where
    if where == ("task", "kind"):
        return _with_task(comparison, text)
    model = getattr(comparison, section)
    data = model.model_dump(mode="json")
    target = data
    for name in inner[:-1]:
        target, model = target[name], getattr(model, name)
    if inner[-1] == "kind":
        data[inner[0]] = {"kind": text}
    else:
        if _is_whole(type(model).model_fields[inner[-1]]):
            text = _without_separators(text)
        target[inner[-1]] = _read(text, target[inner[-1]])
    changed = comparison.model_copy(update={section: _validated(section, data)})
    _check(changed, where)
    return changed


def _check(comparison: Comparison, where: Where) -> None:
    """Whether the field that has changed goes with the others.

    Raises:
        LabError: when a batch would hold more than there is, a learning rate is to be tried twice, or the budget's
            reference is no candidate.

    """
    if where == ("protocol", "budget", "reference"):
        reference, names = comparison.protocol.budget.reference, [one.name for one in comparison.candidates]
        if isinstance(reference, str) and reference not in names:
            raise LabError(f"there is no candidate {reference!r} (there are {', '.join(names)})")
    if where == ("protocol", "lr_grid"):
        grid = comparison.protocol.lr_grid
        twice = next((lr for at, lr in enumerate(grid) if lr in grid[:at]), None)
        if twice is not None:
            raise LabError(f"{twice:g} is in lr_grid twice; write every learning rate once")
    if where[0] == "task" or where == ("training", "batch_size"):
        batch = comparison.training.batch_size
        if where[0] == "task" and batch == Training().batch_size:
            return
        try:
            num_train = facts(comparison.task).num_train
        except LabError:
            return
        if isinstance(batch, int) and batch > num_train:
            problem = f"batch_size {batch:,} is more than the {num_train:,} training examples"
            raise LabError(f"{problem}; a batch has at most those, or write full")


def _with_task(comparison: Comparison, text: str) -> Comparison:
    kind, *rest = text.split() or [""]
    data: dict[str, JsonValue] = {"kind": kind}
    if kind == "csv":
        if len(rest) < 2:
            raise LabError("a CSV task needs a file and the column to predict: csv data.csv species")
        data |= {"path": " ".join(rest[:-1]), "target": rest[-1]}
    task = _validated("task", data)
    changed = comparison.model_copy(update={"task": task})
    known = facts(changed.task)
    batch = changed.training.batch_size
    if isinstance(batch, int) and batch > known.num_train:
        training = changed.training.model_copy(update={"batch_size": Training().batch_size})
        changed = changed.model_copy(update={"training": training})
    try:
        known.out_features(changed.training.loss)
    except LabError:
        training = changed.training.model_copy(update={"loss": None})
        changed = changed.model_copy(update={"training": training})
    return changed


def _validated(section: str, data: object) -> BaseModel:
    adapters: dict[str, TypeAdapter[BaseModel]] = {
        "task": TypeAdapter(Task),
        "training": TypeAdapter(Training),
        "protocol": TypeAdapter(Protocol),
    }
    try:
        return adapters[section].validate_python(data)
    except ValidationError as error:
        raise LabError(plain_words(error, data)) from error


def _read(text: str, before: object) -> JsonValue:
    """The text as the value it says: numbers, true and false, nothing, or a list where a list was."""
    if isinstance(before, list):
        return [_scalar(word) for word in text.replace(",", " ").split()]
    return _scalar(text.strip())


def _is_whole(field: FieldInfo) -> bool:
    """Whether the field is a whole number, or may be one."""
    options = [field.annotation, *get_args(field.annotation)]
    return int in (get_args(option)[0] if get_origin(option) is Annotated else option for option in options)


def _without_separators(text: str) -> str:
    """``2,048``, ``2 048`` and ``2_048`` as ``2048``; anything else as it is."""
    return re.sub(r"[,_ ]", "", text) if _SEPARATED.fullmatch(text.strip()) else text


def _scalar(text: str) -> JsonValue:
    if text in ("", "-", "none"):
        return None
    if text in ("true", "false"):
        return text == "true"
    for convert in (int, float):
        try:
            return convert(text.replace("_", ""))
        except ValueError:
            continue
    return text


def stepped(setting: Setting, step: int) -> str:
    """The next value: the next choice, or for a number about a fifth more or less, at round values."""
    if setting.choices:
        at = setting.choices.index(setting.value) if setting.value in setting.choices else 0
        return setting.choices[(at + step) % len(setting.choices)]
    value = _scalar(setting.value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LabError(f"{setting.where[-1]} is written out: enter edits it")
    return written(_step_number(value, step))


def _step_number(value: int | float, step: int) -> int | float:
    """One place along 1, 2, 3, 5, 10, 20, 30, 50, ...; whole numbers below ten go by one."""
    if isinstance(value, int) and abs(value) < 10:
        return value + step
    if value == 0:
        return 0.01 if step > 0 else 0
    ladder = [m * 10.0**e for e in range(-9, 10) for m in (1, 2, 3, 5)]
    found = (
        next((rung for rung in ladder if rung > value * 1.0001), value)
        if step > 0
        else next((rung for rung in reversed(ladder) if rung < value * 0.9999), 0.0)
    )
    return round(found) if isinstance(value, int) else float(f"{found:g}")
