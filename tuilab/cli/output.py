"""What several commands print: JSON documents and numbers."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tuilab.spec.errors import printable

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None


def print_json(document: Json) -> None:
    """Print one JSON document; a value that is not finite is a fault of ours, never ``NaN`` in the output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def say(text: str = "") -> None:
    """Print a line for a person."""
    sys.stdout.write(text + "\n")


def complain(sentence: str) -> None:
    """Print a sentence on standard error, in one line whatever it quotes."""
    sys.stderr.write(f"tuilab: {printable(sentence)}\n")


def is_terminal() -> bool:
    """Whether standard output is a terminal that understands escape sequences."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
