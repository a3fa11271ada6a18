"""Short ids that sort by time of creation."""

import re
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o or u, so that no id reads as another, or as a word such as ``last``."""
_LENGTH = 7
ID_PATTERN = f"^[{_ALPHABET}]{{{_LENGTH}}}$"
_TICKS = 32
"""Ids a second."""
_EPOCH = 1735689600
"""2025-01-01 in seconds since 1970; seven characters last for 34 years."""


def new_id(newest: str | None) -> str:
    """An id for now, above ``newest`` if that is one, even when the clock was set back or two are made at once."""
    tick = int((time.time() - _EPOCH) * _TICKS)
    known = newest is not None and re.fullmatch(ID_PATTERN, newest)
    return _encode(max(tick, _decode(known[0]) + 1) if known else tick)


def _encode(number: int) -> str:
    digits = [_ALPHABET[number >> (5 * place) & 31] for place in range(_LENGTH)]
    return "".join(reversed(digits))


def _decode(text: str) -> int:
    number = 0
    for character in text:
        number = number << 5 | _ALPHABET.index(character)
    return number
