"""Share lines: a whole comparison as one line of text that survives a chat and a shell."""

import base64
import binascii
import json
import re
import zlib

from pydantic import ValidationError

from tuilab.spec.comparison import Comparison, dump
from tuilab.spec.errors import LabError
from tuilab.spec.preset_errors import plain_words

PREFIX = "tuilab1:"
"""What a share line of this format begins with."""
_MAX_TEXT = 1_000_000
"""Bytes of JSON; nothing longer is unpacked."""


def to_line(comparison: Comparison) -> str:
    """The comparison as a share line; ``from_line`` reads it back as it was."""
    text = json.dumps(dump(comparison), ensure_ascii=False, separators=(",", ":"))
    packed = zlib.compress(text.encode(), 9)
    return PREFIX + base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def is_line(text: str) -> bool:
    """Whether the text looks like a share line."""
    return text.strip().startswith("tuilab1")


def from_line(line: str) -> Comparison:
    """The comparison that a share line says; spaces and line breaks that a chat put into it are ignored.

    Raises:
        LabError: when it is not a share line, is not whole, or says something that this version does not know.

    """
    text = re.sub(r"\s+", "", line)
    if not text.startswith(PREFIX):
        raise LabError(f"this is not a share line: one begins with {PREFIX}")
    body = text.removeprefix(PREFIX)
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        data = json.loads(unpacker.decompress(packed, _MAX_TEXT).decode())
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise LabError("this share line is not whole; copy all of it, from tuilab1: to its end") from error
    if not unpacker.eof:
        raise LabError("this share line is not whole; copy all of it, from tuilab1: to its end")
    try:
        return Comparison.model_validate(data)
    except ValidationError as error:
        raise LabError(f"this share line cannot be used: {plain_words(error, data)}") from error
