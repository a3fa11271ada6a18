"""Share lines say a whole comparison and are read without trust."""

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.spec.comparison import Comparison, dump
from tuilab.spec.errors import LabError
from tuilab.spec.share import PREFIX, from_line, is_line, to_line

COMPARISON = Comparison.model_validate(
    {
        "title": "Größe 3×14",
        "question": "Is deeper better?",
        "about": "two\n\nparagraphs",
        "task": {"kind": "spirals", "turns": 1.5},
        "training": {"optimizer": "sgd", "lr": 0.1, "steps": 300},
        "candidates": [{"name": "a", "stack": "2*(14! relu)"}, {"name": "b", "training": {"optimizer": "adam"}}],
    }
)


def test_a_comparison_survives_a_share_line_and_a_chat_that_breaks_it() -> None:
    line = to_line(COMPARISON)
    assert line.isascii()
    assert "\n" not in line
    assert is_line(line)
    broken = "\n ".join(line[k : k + 40] for k in range(0, len(line), 40))
    assert from_line(broken) == COMPARISON


@given(st.integers(0, 400), st.characters())
def test_a_damaged_line_is_a_sentence_or_the_comparison_itself(at: int, character: str) -> None:
    line = to_line(COMPARISON)
    at = min(at, len(line) - 1)
    damaged = line[:at] + character + line[at + 1 :]
    try:
        read = from_line(damaged)
    except LabError:
        return
    assert read == COMPARISON


@pytest.mark.parametrize("cut", [8, 20, 200])
def test_half_a_line_is_not_whole(cut: int) -> None:
    with pytest.raises(LabError, match="not whole"):
        from_line(to_line(COMPARISON)[:cut])


def test_a_bomb_is_not_unpacked() -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b" " * 50_000_000)).decode()
    with pytest.raises(LabError):
        from_line(PREFIX + bomb)


def test_other_text_is_not_a_share_line() -> None:
    with pytest.raises(LabError, match="begins with"):
        from_line("100 relu")
    assert not is_line("100 relu")


def test_a_share_line_with_a_wrong_value_says_which_in_plain_words():
    data = {**dump(COMPARISON), "protocol": {"final_seeds": "many"}}
    line = PREFIX + base64.urlsafe_b64encode(zlib.compress(json.dumps(data).encode())).decode()
    with pytest.raises(LabError, match=r"cannot be used: protocol\.final_seeds must be a whole number, not 'many'"):
        from_line(line)
