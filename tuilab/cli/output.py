"""What several commands print: JSON documents and numbers."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO, TypeAlias

from tuilab.spec.errors import printable

_LONGEST = 1000
"""Characters of a sentence; one that quotes something longer is shortened in its middle."""
Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None


def print_json(document: Json) -> None:
    """Print one JSON document; a value that is not finite is a fault of ours, never ``NaN`` in the output."""
    import json

    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def say(text: str = "") -> None:
    """Print a line for a person, in characters that the terminal has; a pipe gets what it can encode."""
    sys.stdout.write(_printed(text, sys.stdout) + "\n")


def complain(sentence: str) -> None:
    """Print a sentence on standard error, in one line whatever it quotes."""
    text = printable(sentence)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 200]} ... {text[-200:]}"
    sys.stderr.write(f"tuilab: {_printed(text, sys.stderr)}\n")


def _printed(text: str, stream: TextIO) -> str:
    if text.isascii():
        return text
    from tuilab.tui.lines import spelled
    from tuilab.tui.palette import default_glyphs

    encoding = stream.encoding or "utf-8"
    only_ascii = default_glyphs(None if stream.isatty() else {}, encoding) == "ascii"
    return spelled(text) if only_ascii else text


def is_terminal() -> bool:
    """Whether standard output is a terminal that understands escape sequences."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
