"""What was meant by a word that is not known."""

from collections.abc import Sequence


def nearest(word: str, known: Sequence[str], most: int = 1) -> list[str]:
    """The known words that are most like this one, at most so many; empty where none is like it."""
    # Imported where a word was misspelt, and nowhere else.
    from difflib import get_close_matches

    return get_close_matches(word, known, n=most)


def suggestion(word: str, known: Sequence[str]) -> str:
    """``; did you mean 'steps'?`` where something is near, else the known words in brackets."""
    close = nearest(word, known)
    return f"; did you mean {close[0]!r}?" if close else f" (known: {', '.join(known)})"
