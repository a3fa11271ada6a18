"""Suggestions while a stack is typed."""

import re

from textual.suggester import Suggester

from tuilab.spec.vocabulary import LAYER_NAMES

_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*$")
_COMMON = ("relu", "residual(", "dropout(", "tanh", "layernorm", "linear(", "sum(", "conv(", "maxpool(", "flatten")


def complete(text: str) -> str | None:
    """The text with its last word completed to a layer's name, common ones first; None where nothing fits."""
    match = _WORD.search(text)
    if match is None:
        return None
    word = match.group().lower()
    names = (*_COMMON, *LAYER_NAMES)
    found = next((name for name in names if name.startswith(word) and name.rstrip("(") != word), None)
    return text[: match.start()] + found if found else None


class LayerSuggester(Suggester):
    """Completes the name of a layer."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with its last word completed."""
        return complete(value)
