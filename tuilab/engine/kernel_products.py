"""Matrix products of the compiled kernel, made of register tiles; matrices are flat arrays with offsets."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"
# ruff: noqa: ANN001, ANN201, ANN202

from numba import njit

from tuilab.engine.kernel_tiles import LANES, ROWS, SIDE, dot_tile, indexed_tile, tile, transpose_tile


@njit(nogil=True)
def _panel(c, c_at, c_row, a, a_at, a_row, a_column, b, b_at, b_row, bias, bias_at, rows, inner, vectors):
    """``product`` for one or two vectors of columns, in tiles of about as many rows each."""
    tiles = -(-rows // ROWS)
    height = -(-rows // tiles)
    for row in range(0, rows, height):
        at, from_at = c_at + row * c_row, a_at + row * a_row
        bias_now = bias_at + row if bias_at >= 0 else -1
        now = min(height, rows - row)
        tile(c, at, c_row, a, from_at, a_row, a_column, b, b_at, b_row, bias, bias_now, inner, now, vectors)


@njit(nogil=True)
def product(c, c_at, a, a_at, a_row, a_column, b, b_at, bias, bias_at, rows, inner, columns):
    """C = bias + A B with C (rows, columns), A (rows, inner), B (inner, columns), all in flat arrays.

    C and B are contiguous from their offsets; A has the given strides; ``bias_at`` below 0 means no bias. ``columns``
    is a multiple of ``LANES``.
    """
    for column in range(0, columns, 2 * LANES):
        vectors = min(2, (columns - column) // LANES)
        c_now, b_now = c_at + column, b_at + column
        _panel(c, c_now, columns, a, a_at, a_row, a_column, b, b_now, columns, bias, bias_at, rows, inner, vectors)


@njit(nogil=True)
def outer(out, out_at, a, a_at, b, b_at, rows, columns, batch, scratch_at):
    """Out (rows, columns) = A B^T over the batch, for A (rows, batch) and B (columns, batch), in flat arrays.

    B is transposed first, so that this is a ``product`` too. A and B are the same array, in which ``scratch_size``
    floats from ``scratch_at`` may be overwritten; ``batch`` is a multiple of ``LANES``.
    """
    width = -(-columns // LANES) * LANES
    for j in range(0, batch, LANES):
        for column in range(0, columns, LANES):
            transpose_tile(b, scratch_at + j * width + column, width, b, b_at + column * batch + j, batch)
    edge_at = scratch_at + batch * width
    for column in range(0, columns, 2 * LANES):
        left = columns - column
        vectors = 2 if left > LANES else 1
        block, b_now = vectors * LANES, scratch_at + column
        if left >= block:
            _panel(out, out_at + column, columns, a, a_at, batch, 1, b, b_now, width, a, -1, rows, batch, vectors)
            continue
        _panel(b, edge_at, block, a, a_at, batch, 1, b, b_now, width, a, -1, rows, batch, vectors)
        for row in range(rows):
            for j in range(left):
                out[out_at + row * columns + column + j] = b[edge_at + row * block + j]


@njit(nogil=True)
def indexed_product(
    c, c_at, c_row, a, a_at, a_row, a_table, b, b_at, b_table, bias, bias_at, rows, inner, columns, tables
):
    """As ``product``, with the columns of A and the rows of B at the offsets that stand in ``tables``.

    ``a_table`` and ``b_table`` are where these begin. Neither C nor B need be contiguous from row to row.
    """
    height = -(-rows // -(-rows // ROWS))
    for column in range(0, columns, 2 * LANES):
        vectors = min(2, (columns - column) // LANES)
        for row in range(0, rows, height):
            at, from_at = c_at + column + row * c_row, a_at + row * a_row
            bias_now, now = bias_at + row if bias_at >= 0 else -1, min(height, rows - row)
            indexed_tile(
                c,
                at,
                c_row,
                a,
                from_at,
                a_row,
                a_table,
                b,
                b_at + column,
                b_table,
                bias,
                bias_now,
                inner,
                tables,
                now,
                vectors,
            )


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


def scratch_size(rows: int, columns: int, batch: int) -> int:
    """Floats that ``outer`` overwrites."""
    return batch * (-(-columns // LANES) * LANES) + rows * 2 * LANES
