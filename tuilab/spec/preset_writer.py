"""A comparison as readable YAML: prose folded, short lists on one line, fields at their defaults left out."""

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, FoldedScalarString

from tuilab.spec.comparison import Comparison, dump
from tuilab.spec.errors import FileError
from tuilab.spec.yaml_text import Plain, read_document

WIDTH = 90
"""Characters; text is folded at the first space after this column."""
_BARE = ("task", "optimizer", "schedule")
"""Fields that may say a kind alone."""
_SECTION = re.compile(r"^(?=(?:about|task|training|protocol|candidates|expect|profiles):)", re.MULTILINE)
_FOLDABLE = re.compile(r"[^\s](?:[^\n\t]*[^\s])?(?:\n+[^\s](?:[^\n\t]*[^\s])?)*")

_Node: TypeAlias = "str | int | float | bool | CommentedMap | CommentedSeq | None"


def to_yaml(comparison: Comparison, folder: Path | None = None) -> str:
    """The comparison as the text of a preset file; ``preset_file.loads`` reads it back as it was.

    Args:
        comparison: what is written.
        folder: where the file will stand; a CSV task's path below it is written relative to it.

    """
    data = _plain(comparison, folder)
    text = _SECTION.sub("\n", _dumped(_styled(data, fold=True)))
    return text if _reads_as(text, data) else _dumped(_styled(data, fold=False))


def updated(text: str, old: Comparison, new: Comparison, folder: Path | None = None) -> str:
    """``text``, which holds ``old``, changed where ``new`` differs; comments and order stay.

    The result may fail to say ``new`` where an edit does not fit the way the file is written: read it back.
    """
    try:
        tree = _yaml().load(text)
    except YAMLError:
        return to_yaml(new, folder)
    _apply(tree, _plain(old, folder), _plain(new, folder))
    return _dumped(tree)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = WIDTH
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    return yaml


def _dumped(tree: _Node) -> str:
    stream = StringIO()
    _yaml().dump(tree, stream)
    return stream.getvalue()


def _reads_as(text: str, data: Plain) -> bool:
    try:
        return read_document(text, "").data == data
    except FileError:
        return False


def _plain(comparison: Comparison, folder: Path | None) -> dict[str, Plain]:
    """The comparison as written: kinds alone as bare names, widths alone as numbers, paths relative."""
    data = dump(comparison)
    for candidate in data["candidates"]:
        if re.fullmatch("[1-9][0-9]{0,8}", candidate["stack"]):
            candidate["stack"] = int(candidate["stack"])
    rooms = [data, *data.get("profiles", {}).values()]
    for task in (room["task"] for room in rooms if "task" in room):
        if folder is not None and "path" in task and Path(task["path"]).is_relative_to(folder):
            task["path"] = str(Path(task["path"]).relative_to(folder))
    return {key: _bare(key, value) for key, value in data.items()}


def _bare(key: str, value: Plain) -> Plain:
    if isinstance(value, list):
        return [_bare("", item) for item in value]
    if not isinstance(value, dict):
        return value
    if key in _BARE and list(value) == ["kind"]:
        return value["kind"]
    return {inner: _bare(inner, item) for inner, item in value.items()}


def _styled(value: Plain, *, fold: bool) -> _Node:
    """Nodes that ruamel writes the way people do."""
    match value:
        case dict():
            return CommentedMap((key, _styled(item, fold=fold)) for key, item in value.items())
        case list():
            sequence = CommentedSeq(_styled(item, fold=fold) for item in value)
            if not any(isinstance(item, dict | list) for item in value):
                sequence.fa.set_flow_style()
            return sequence
        case str():
            return _styled_text(value, fold=fold)
        case _:
            return value


def _styled_text(text: str, *, fold: bool) -> str:
    styled: str = text
    if not fold and not text.isalnum():
        styled = DoubleQuotedScalarString(text)
    elif fold and (len(text) > WIDTH or "\n" in text) and _FOLDABLE.fullmatch(text):
        styled = FoldedScalarString(text)
    return styled


def _apply(tree: CommentedMap, old: Mapping[str, Plain], new: Mapping[str, Plain]) -> None:
    """Change ``tree`` in place by the difference between two values of what it says."""
    for key in [*old, *(key for key in new if key not in old)]:
        if key not in new:
            tree.pop(key, None)
        elif key not in old or old[key] != new[key]:
            tree[key] = _changed(tree.get(key), old.get(key), new[key])


def _changed(node: _Node, old: Plain, new: Plain) -> _Node:
    """The node that says ``new``, made of the one that says ``old`` where they are alike."""
    if isinstance(node, CommentedMap) and isinstance(old, dict) and isinstance(new, dict):
        if old.get("kind") == new.get("kind"):
            _apply(node, old, new)
            return node
    elif isinstance(node, CommentedSeq) and isinstance(old, list) and isinstance(new, list) and len(node) == len(old):
        return _changed_list(node, old, new)
    return _styled(new, fold=True)


def _changed_list(node: CommentedSeq, old: list[Plain], new: list[Plain]) -> _Node:
    """Items keep their node by name, or by position where they have none."""
    known = {_name(item) or index: index for index, item in enumerate(old)}
    items: list[_Node] = []
    for position, item in enumerate(new):
        index = known.get(_name(item) or position)
        if index is None and len(old) == len(new):
            index = position
        same = index is not None and old[index] == item
        if index is None:
            items.append(_styled(item, fold=True))
        else:
            items.append(node[index] if same else _changed(node[index], old[index], item))
    if len(items) == len(node):
        for position, value in enumerate(items):
            node[position] = value
        return node
    sequence = CommentedSeq(items)
    if node.fa.flow_style():
        sequence.fa.set_flow_style()
    return sequence


def _name(item: Plain) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None
