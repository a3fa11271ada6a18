"""The canvas against dots decoded from its characters."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuilab.tui.canvas import Canvas, Glyphs, Ink, Row, ink, split_ink

BRAILLE = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of braille dots 1 to 8 (Unicode: bit k of U+2800 + bits is dot k + 1)."""
QUADRANTS = {
    "▘": {(0, 0)},
    "▝": {(1, 0)},
    "▖": {(0, 1)},
    "▗": {(1, 1)},
    "▀": {(0, 0), (1, 0)},
    "▄": {(0, 1), (1, 1)},
    "▌": {(0, 0), (0, 1)},
    "▐": {(1, 0), (1, 1)},
    "▚": {(0, 0), (1, 1)},
    "▞": {(1, 0), (0, 1)},
    "▛": {(0, 0), (1, 0), (0, 1)},
    "▜": {(0, 0), (1, 0), (1, 1)},
    "▙": {(0, 0), (0, 1), (1, 1)},
    "▟": {(1, 0), (0, 1), (1, 1)},
    "█": {(0, 0), (1, 0), (0, 1), (1, 1)},
}
LINE = ink(Ink.LINE, 0)


def dots(rows: tuple[Row, ...]) -> set[tuple[int, int]]:
    """Every dot of a braille or quadrant picture."""
    found = set()
    for y, row in enumerate(rows):
        for x, character in enumerate(row.text):
            if character in QUADRANTS:
                found |= {(2 * x + dx, 2 * y + dy) for dx, dy in QUADRANTS[character]}
            elif character != " ":
                bits = ord(character) - 0x2800
                found |= {(2 * x + dx, 4 * y + dy) for k, (dx, dy) in enumerate(BRAILLE) if bits >> k & 1}
    return found


@pytest.mark.parametrize("glyphs", ["braille", "quadrant"])
def test_each_dot_lands_where_it_was_put(glyphs: Glyphs):
    canvas = Canvas(3, 2, glyphs)
    for x in range(canvas.dots_across):
        for y in range(canvas.dots_down):
            one = Canvas(3, 2, glyphs)
            one.dot(x, y, LINE)
            assert dots(one.rows()) == {(x, y)}


@given(
    st.sampled_from(["braille", "quadrant"]), st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40)), max_size=12)
)
def test_vertical_runs_are_clipped_and_add_up(glyphs: Glyphs, runs: list[tuple[int, int]]):
    canvas = Canvas(6, 5, glyphs)
    canvas.columns(0, runs, LINE)
    wanted = {(x, y) for x, (a, b) in enumerate(runs) for y in range(a, b + 1) if 0 <= y < canvas.dots_down}
    assert dots(canvas.rows()) == wanted


@given(st.lists(st.floats(0, 31), min_size=2, max_size=20))
def test_a_line_has_no_gaps_and_passes_through_every_value(ys: list[float]):
    canvas = Canvas(10, 8)
    canvas.line(0, ys, LINE)
    drawn = dots(canvas.rows())
    for x, y in enumerate(ys):
        assert (x, int(y + 0.5)) in drawn
    columns = [{y for at, y in drawn if at == x} for x in range(len(ys))]
    for before, here in pairwise(columns):
        assert here == set(range(min(here), max(here) + 1))
        assert min(abs(a - b) for a in before for b in here) <= 1


def test_a_line_takes_the_whole_cell_from_a_band_and_shares_it_with_a_line():
    canvas = Canvas(1, 1)
    canvas.columns(0, [(0, 3), (0, 3)], ink(Ink.BAND, 0))
    canvas.dot(0, 1, LINE)
    canvas.dot(1, 2, ink(Ink.LINE, 1))
    canvas.columns(0, [(0, 3)], ink(Ink.BAND, 2))
    (row,) = canvas.rows()
    assert dots((row,)) == {(0, 1), (1, 2)}
    assert split_ink(row.inks[0]) == (Ink.LINE, 1)


def test_ascii_lines_are_the_letters_of_their_candidates():
    canvas = Canvas(5, 2, "ascii")
    canvas.line(0, [0, 0, 1], ink(Ink.LINE, 1))
    canvas.line(3, [1, 1], ink(Ink.FAINT, 2))
    canvas.dot(4, 0, Ink.GRID)
    assert [row.text for row in canvas.rows("ABC")] == ["bb  .", "  b''"]


def test_text_is_cut_at_the_edges():
    canvas = Canvas(4, 1)
    canvas.write(-1, 0, "abc", Ink.LABEL)
    canvas.write(3, 0, "xyz", Ink.LABEL)
    canvas.write(0, 7, "below", Ink.LABEL)
    assert canvas.rows()[0].text == "bc x"


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """Runs of blanks and of letters in a few inks."""
    pieces = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30)), min_size=1, max_size=12))
    inks = b"".join(bytes([number]) * length for number, length in pieces)
    return Row("".join(" " if number == 0 else "x" for number in inks), inks)


@given(rows(), st.sets(st.integers(0, 200), max_size=5))
def test_spans_rejoin_to_the_row_and_every_character_keeps_its_ink(row: Row, cuts: set[int]):
    inside = sorted(cut for cut in cuts if cut < len(row.text))
    spans = list(row.spans(inside))
    assert "".join(text for text, _ in spans) == row.text
    painted = [number for text, number in spans for _ in text]
    assert all(number in (0, painted[x]) for x, number in enumerate(row.inks))
    starts = {sum(len(text) for text, _ in spans[:k]) for k in range(len(spans))}
    assert set(inside) <= starts


def test_inks_split_into_what_they_were_made_of():
    for kind in (Ink.BAND, Ink.FAINT, Ink.LINE, Ink.END):
        for index in range(26):
            assert split_ink(ink(kind, index)) == (kind, index)
    assert max(ink(Ink.END, index) for index in range(26)) < 256
