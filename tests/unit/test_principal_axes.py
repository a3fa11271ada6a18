"""Principal axes in pure Python against the eigenvectors that a linear-algebra library finds."""

import numpy as np
import pytest

from tuilab.analysis.principal_axes import principal_axes


@pytest.mark.parametrize(("rows", "columns", "seed"), [(40, 3, 0), (200, 12, 1), (60, 30, 2), (25, 2, 3)])
def test_rows_land_where_the_leading_eigenvectors_put_them(rows: int, columns: int, seed: int) -> None:
    noise = np.random.default_rng(seed)
    scales = 3.0 ** -np.arange(columns)
    table = noise.standard_normal((rows, columns)) * scales @ np.linalg.qr(noise.standard_normal((columns, columns)))[0]
    standard = (table - table.mean(0)) / table.std(0)
    values, vectors = np.linalg.eigh(standard.T @ standard / rows)
    wanted = standard @ vectors[:, ::-1][:, :2]
    found = np.array(principal_axes(table.tolist()))
    assert values[-1] > 1.3 * values[-2] > 1.69 * (values[-3] if columns > 2 else 0.0)
    for axis in (0, 1):
        assert min(np.abs(found[:, axis] - sign * wanted[:, axis]).max() for sign in (1, -1)) < 1e-3


def test_constant_columns_and_single_columns_have_their_place_too() -> None:
    assert principal_axes([[1.0, 5.0], [1.0, 7.0]]) == [(-1.0, 0.0), (1.0, 0.0)]
    assert principal_axes([[2.0], [4.0]]) == [(-1.0,), (1.0,)]
    assert principal_axes([[3.0, 3.0]]) == [(0.0, 0.0)]
