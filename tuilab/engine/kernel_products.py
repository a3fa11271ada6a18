"""Matrix products of the compiled kernel, made of register tiles; matrices are flat arrays with offsets."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

from numba import njit

from tuilab.engine.kernel_tiles import ADD_TO_C, NO_BIAS, ROWS, SIDE, dot_tile, tile, turned_tile
from tuilab.engine.kernel_vectors import LANES, address, copy_float, copy_vector, transpose_tile

_FIRST_CACHE = 1 << 13
"""Floats that the first cache holds with room to spare; more compete for places if their rows are powers of two."""
_SECOND_CACHE = 1 << 16
_DEPTH = 256
"""Steps of the inner dimension that are taken at once, so that a packed panel stays in the first cache."""
_WIDTH = 2 * LANES
_NARROW = 8
"""Fewer columns than these have their gradients computed one by one."""
_FLOAT = 4
"""Bytes."""


@njit(nogil=True)
def product(c, c_at, a, a_at, a_row, a_column, b, b_at, bias, bias_at, rows, inner, columns):
    """C = bias + A B with C (rows, columns), A (rows, inner), B (inner, columns), all in flat arrays.

    C and B are contiguous from their offsets; A is so along its rows or along its columns, with the given strides;
    ``bias_at`` below 0 means no bias. ``columns`` is a multiple of ``LANES``.
    """
    _multiply(
        address(c, c_at), address(a, a_at), a_row, a_column, address(b, b_at),
        address(bias, bias_at), NO_BIAS if bias_at < 0 else 0, rows, inner, columns,
    )  # fmt: skip


@njit(nogil=True)
def packed_product(c, c_at, a, a_at, a_row, a_column, b, b_at, bias, bias_at, rows, inner, columns, scratch_at):
    """As ``product``; what the first cache does not hold is first copied to where it is read in a row.

    ``scratch_size`` floats of B's array from ``scratch_at`` may be overwritten.
    """
    c_now, a_now, b_now, scratch = address(c, c_at), address(a, a_at), address(b, b_at), address(b, scratch_at)
    bias_now, start = address(bias, bias_at), NO_BIAS if bias_at < 0 else 0
    if rows <= ROWS or (inner * columns <= _FIRST_CACHE and rows * inner <= _FIRST_CACHE):
        _multiply(c_now, a_now, a_row, a_column, b_now, bias_now, start, rows, inner, columns)
    else:
        _multiply_packed(c_now, a_now, a_row, a_column, b_now, bias_now, start, rows, inner, columns, scratch)


@njit(nogil=True)
def _multiply(c, a, a_row, a_column, b, bias, start, rows, inner, columns):
    """``product`` of matrices given by their addresses; see ``tile`` for ``start``."""
    for column in range(0, columns, _WIDTH):
        vectors, skip = min(2, (columns - column) // LANES), _FLOAT * column
        _panel(c + skip, columns, a, a_row, a_column, b + skip, columns, bias, start, rows, inner, vectors, _WIDTH)


@njit(nogil=True)
def _panel(c, c_row, a, a_row, a_column, b, b_row, bias, start, rows, inner, vectors, left):
    """``_multiply`` for one or two vectors of columns, in tiles of about as many rows each.

    Only ``left`` columns are written, which may be less than whole vectors if the rows of A are contiguous.
    """
    height = _height(rows)
    for row in range(0, rows, height):
        now, at, bias_now = min(height, rows - row), c + _FLOAT * row * c_row, bias + _FLOAT * row
        if a_column == 1:
            tile(at, c_row, a + _FLOAT * row * a_row, a_row, b, b_row, bias_now, start, inner, left, now, vectors)
        else:
            turned_tile(at, c_row, a + _FLOAT * row, a_column, b, b_row, bias_now, start, inner, now, vectors)


@njit(nogil=True)
def _height(rows):
    """Rows of a tile, so that all have about as many."""
    return -(-rows // -(-rows // ROWS))


@njit(nogil=True)
def _multiply_packed(c, a, a_row, a_column, b, bias, start, rows, inner, columns, scratch):
    """``_multiply`` by way of copies in which a panel of B, and A if its columns are contiguous, stand in a row."""
    turned = a_column != 1 and columns > _WIDTH and rows * inner > _SECOND_CACHE
    packed, start_now = scratch + _FLOAT * _DEPTH * _WIDTH, start
    for begin in range(0, inner, _DEPTH):
        depth, a_now = min(_DEPTH, inner - begin), a + _FLOAT * begin * a_column
        if turned:
            _pack_columns(packed, a_now, a_column, rows, depth)
        for column in range(0, columns, _WIDTH):
            vectors = min(2, (columns - column) // LANES)
            width, c_now = vectors * LANES, c + _FLOAT * column
            _pack_rows(scratch, b + _FLOAT * (begin * columns + column), columns, depth, vectors)
            if turned:
                _turned_panel(c_now, columns, packed, scratch, width, bias, start_now, rows, depth, vectors)
            else:
                _panel(
                    c_now, columns, a_now, a_row, a_column, scratch, width, bias, start_now, rows, depth, vectors, width
                )  # fmt: skip
        start_now = ADD_TO_C


@njit(nogil=True)
def _turned_panel(c, c_row, a, b, b_row, bias, start, rows, inner, vectors):
    """``_panel`` with A from ``_pack_columns``."""
    height, from_at = _height(rows), a
    for row in range(0, rows, height):
        now, at, bias_now = min(height, rows - row), c + _FLOAT * row * c_row, bias + _FLOAT * row
        turned_tile(at, c_row, from_at, LANES, b, b_row, bias_now, start, inner, now, vectors)
        from_at += _FLOAT * inner * LANES


@njit(nogil=True)
def _pack_columns(out, a, a_column, rows, inner):
    """The columns of A cut into pieces of a tile's height, those of one tile together, ``LANES`` floats each."""
    height, at = _height(rows), out
    for row in range(0, rows, height):
        source = a + _FLOAT * row
        for _ in range(inner - 1):
            copy_vector(at, source)
            at += _FLOAT * LANES
            source += _FLOAT * a_column
        for i in range(min(height, rows - row)):
            copy_float(at + _FLOAT * i, source + _FLOAT * i)
        at += _FLOAT * LANES


@njit(nogil=True)
def _pack_rows(out, source, row_length, rows, vectors):
    """One or two vectors of each row."""
    at = out
    for row in range(rows):
        row_at = source + _FLOAT * row * row_length
        for v in range(vectors):
            copy_vector(at, row_at + _FLOAT * v * LANES)
            at += _FLOAT * LANES


@njit(nogil=True)
def outer(out, out_at, a, a_at, b, b_at, rows, columns, batch, scratch_at):
    """Out (rows, columns) = A B^T over the batch, for A (rows, batch) and B (columns, batch), in flat arrays.

    B is transposed first, so that this is a ``product`` too. A and B are the same array, in which ``scratch_size``
    floats from ``scratch_at`` may be overwritten; ``batch`` is a multiple of ``LANES``.
    """
    if columns < _NARROW:
        _outer_by_dots(out, out_at, a, a_at, b, b_at, rows, columns, batch, scratch_at)
        return
    out_now, a_now, b_now, scratch = address(out, out_at), address(a, a_at), address(b, b_at), address(b, scratch_at)
    for column in range(0, columns, _WIDTH):
        left = columns - column
        vectors = 2 if left > LANES else 1
        width, at = vectors * LANES, out_now + _FLOAT * column
        for begin in range(0, batch, _DEPTH):
            depth, start, skip = min(_DEPTH, batch - begin), NO_BIAS if begin == 0 else ADD_TO_C, _FLOAT * begin
            _pack_transposed(scratch, b_now + skip + _FLOAT * column * batch, batch, width, depth)
            _panel(at, columns, a_now + skip, batch, 1, scratch, width, scratch, start, rows, depth, vectors, left)


@njit(nogil=True)
def _outer_by_dots(out, out_at, a, a_at, b, b_at, rows, columns, batch, scratch_at):
    """``outer`` for a B of few rows, of which the tiles of a ``product`` would make little use."""
    width, last = LANES // SIDE, rows - 1
    for row in range(0, rows, SIDE):
        a_rows = (
            a_at + row * batch,
            a_at + min(row + 1, last) * batch,
            a_at + min(row + 2, last) * batch,
            a_at + min(row + 3, last) * batch,
        )
        for column in range(0, columns, width):
            end = columns - 1
            b_rows = (
                b_at + column * batch,
                b_at + min(column + 1, end) * batch,
                b_at + min(column + 2, end) * batch,
                b_at + min(column + 3, end) * batch,
            )
            dot_tile(b, scratch_at, a, a_rows, b, b_rows, 1, 0, 0, batch)
            for i in range(min(SIDE, rows - row)):
                for j in range(min(width, columns - column)):
                    out[out_at + (row + i) * columns + column + j] = b[scratch_at + i * width + j]


@njit(nogil=True)
def _pack_transposed(out, source, row_length, rows, columns):
    """Some rows as columns of a panel."""
    for column in range(0, columns, LANES):
        for row in range(0, rows, LANES):
            to = out + _FLOAT * (column * rows + row)
            transpose_tile(to, rows, source + _FLOAT * (row * row_length + column), row_length)


@njit(nogil=True)
def window_product(c, c_row, a, a_row, b, table, bias, start, rows, inner, columns, scratch):
    """As ``product``, of addresses, with the rows of B at the offsets that ``table`` holds.

    The rows of A are contiguous; those of C are not. ``_DEPTH * 2 * LANES`` floats at ``scratch`` are overwritten.
    """
    start_now = start
    for begin in range(0, inner, _DEPTH):
        depth, a_now = min(_DEPTH, inner - begin), a + _FLOAT * begin
        for column in range(0, columns, _WIDTH):
            vectors, skip = min(2, (columns - column) // LANES), _FLOAT * column
            width, at = vectors * LANES, scratch
            for k in range(begin, begin + depth):
                source = b + skip + _FLOAT * table[k]
                for v in range(vectors):
                    copy_vector(at, source + _FLOAT * v * LANES)
                    at += _FLOAT * LANES
            _panel(c + skip, c_row, a_now, a_row, 1, scratch, width, bias, start_now, rows, depth, vectors, width)
        start_now = ADD_TO_C


@njit(nogil=True)
def add_to_taps(sums, a, a_row, rows, b, steps, size, step):
    """Add to each of ``size`` sums (rows, ``LANES``) the product of A (rows, steps) with B (steps, ``LANES``).

    All are given by addresses. B begins ``step`` numbers later for each sum.
    """
    for tap in range(size):
        c, b_now = sums + _FLOAT * tap * rows * LANES, b + _FLOAT * tap * step
        _panel(c, LANES, a, a_row, 1, b_now, LANES, b, ADD_TO_C, rows, steps, 1, LANES)


@njit(nogil=True)
def gather_floats(out, source, table, count):
    """Floats from the offsets that ``table`` holds."""
    for k in range(count):
        copy_float(out + _FLOAT * k, source + _FLOAT * table[k])


@njit(nogil=True)
def add_dots(
    out, out_at, work, a_at, a_row, b_at, b_table, rows, columns, repeats, a_step, b_step, length, tables, scratch_at
):
    """Add to Out (rows, columns) the dot products of rows of A with rows of B, both in ``work``.

    A's rows are ``a_row`` apart, B's stand at the offsets in ``tables`` from ``b_table`` on. A row is ``repeats``
    stretches of ``length`` numbers, ``a_step`` and ``b_step`` apart. ``LANES`` floats of ``work`` at ``scratch_at`` are
    overwritten.
    """
    width = LANES // SIDE
    for row in range(0, rows, SIDE):
        last = rows - 1
        a_rows = (
            a_at + row * a_row,
            a_at + min(row + 1, last) * a_row,
            a_at + min(row + 2, last) * a_row,
            a_at + min(row + 3, last) * a_row,
        )
        for column in range(0, columns, width):
            end = b_table + columns - 1
            first = b_table + column
            b_rows = (
                b_at + tables[first],
                b_at + tables[min(first + 1, end)],
                b_at + tables[min(first + 2, end)],
                b_at + tables[min(first + 3, end)],
            )
            dot_tile(work, scratch_at, work, a_rows, work, b_rows, repeats, a_step, b_step, length)
            for i in range(min(SIDE, rows - row)):
                for j in range(min(width, columns - column)):
                    out[out_at + (row + i) * columns + column + j] += work[scratch_at + i * width + j]


def window_scratch() -> int:
    """Floats that ``window_product`` overwrites."""
    return _DEPTH * _WIDTH


def scratch_size(rows: int, columns: int, batch: int) -> int:
    """Floats that ``outer`` and ``packed_product`` overwrite for a weight (rows, columns) and its transpose."""
    if rows * columns <= _SECOND_CACHE:
        return min(_DEPTH, max(rows, columns, batch)) * _WIDTH
    return _DEPTH * _WIDTH + -(-columns // ROWS) * min(rows, _DEPTH) * LANES
