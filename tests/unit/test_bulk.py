"""Values taken in with NumPy make the buckets that they make one by one."""

from array import array
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuilab.analysis.buckets import HalvingBuckets
from tuilab.analysis.bulk import extend

VALUES = st.floats(1e-12, 1e6) | st.sampled_from([0.0, -1.0, nan, inf])
POINTS = st.lists(st.tuples(st.integers(0, 5000), VALUES, VALUES), max_size=200)


@settings(deadline=None)
@given(POINTS, st.integers(1, 200), st.booleans())
def test_many_values_at_once_make_the_buckets_that_they_make_in_plain_python(points, portion, in_order):
    bulk, plain = ([HalvingBuckets(64), HalvingBuckets(64)] for _ in range(2))
    for start in range(0, len(points), portion):
        part = points[start : start + portion]
        steps, *columns = zip(*(sorted(part) if in_order else part), strict=True)
        extend(bulk, array("q", steps), [array("d", column) for column in columns])
        for buckets, column in zip(plain, columns, strict=True):
            buckets.extend(steps, column)
    for one, other in zip(bulk, plain, strict=True):
        (ints, floats), (other_ints, other_floats) = one.columns(), other.columns()
        assert ints == other_ints
        assert one.width == other.width
        for found, expected in zip(floats, other_floats, strict=True):
            assert list(found) == pytest.approx(list(expected), rel=1e-9, abs=1e-9)
        one.extend([0], [1.0])  # nothing holds on to its memory
