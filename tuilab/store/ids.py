"""Short ids that sort by time of creation."""

import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o or u, so that no id reads as another, or as a word such as ``last``."""
_LENGTH = 7
_TICKS = 32
"""Ids a second."""
_EPOCH = 1735689600
"""2025-01-01 in seconds since 1970; seven characters last for 34 years."""


def new_id(newest: str | None) -> str:
    """An id for now, above ``newest`` even when the clock was set back or two are made at once."""
    tick = int((time.time() - _EPOCH) * _TICKS)
    return _encode(tick if newest is None else max(tick, _decode(newest) + 1))


def _encode(number: int) -> str:
    digits = [_ALPHABET[number >> (5 * place) & 31] for place in range(_LENGTH)]
    return "".join(reversed(digits))


def _decode(text: str) -> int:
    number = 0
    for character in text:
        number = number << 5 | _ALPHABET.index(character)
    return number
