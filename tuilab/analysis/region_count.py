"""Exact counts of the linear regions of a ReLU network, along a line and on a parallelogram of a plane.

A network is given by its affine layers, ReLU between them; the last layer is affine and adds no region. Regions are
counted by their activation patterns: neighbours across a hinge are two regions even where the output does not bend.
``pieces_on_line`` counts the bends of the output instead.
"""

from typing import TYPE_CHECKING, TypeAlias

from tuilab.spec.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Affine: TypeAlias = tuple[Floats, Floats]
    """Weight (out, in) and bias (out,) of one layer."""

MAX_REGIONS = 200_000
"""Counting stops with an error beyond this."""
_FLAT = 1e-12
"""Relative size below which a value at a breakpoint counts as zero."""


def regions_on_line(layers: "Sequence[Affine]", start: "Floats", end: "Floats") -> int:
    """Linear regions that the segment from ``start`` to ``end`` crosses.

    Args:
        layers: (weight (out, in), bias (out,)) of every layer, first to last; the last has no ReLU.
        start: first input, (in,).
        end: last input, (in,).

    Raises:
        LabError: beyond ``MAX_REGIONS``.

    """
    times, _ = _walk(layers, start, end)
    return len(times) - 1


def pieces_on_line(layers: "Sequence[Affine]", start: "Floats", end: "Floats", tolerance: float = 1e-9) -> int:
    """Affine pieces of the output along the segment: regions whose slopes agree to a relative tolerance are one.

    Raises:
        LabError: beyond ``MAX_REGIONS``.

    """
    import numpy as np

    times, values = _walk(layers, start, end)
    slopes = np.diff(values, axis=0) / np.diff(times)[:, None]
    scale = max(1e-300, float(np.abs(slopes).max()))
    bends = (np.abs(np.diff(slopes, axis=0)) > tolerance * scale).any(axis=1)
    return 1 + int(bends.sum())


def _walk(layers: "Sequence[Affine]", start: "Floats", end: "Floats") -> "tuple[Floats, Floats]":
    """Breakpoints along the segment, as times in [0, 1] with both ends, and the outputs there (times, out).

    Between breakpoints every layer is affine in time, so that a unit's sign changes where its values at two
    neighbours differ in sign; that point is inserted before the ReLU is applied.
    """
    import numpy as np

    times = np.array([0.0, 1.0])
    values = np.stack([np.asarray(start, float), np.asarray(end, float)])
    for index, (weight, bias) in enumerate(layers):
        values = values @ np.asarray(weight, float).T + np.asarray(bias, float)
        if index + 1 < len(layers):
            times, values = _insert_crossings(times, values)
            values = np.maximum(values, 0.0)
    return times, values


def _insert_crossings(times: "Floats", values: "Floats") -> "tuple[Floats, Floats]":
    """The breakpoints with those added at which some column of ``values`` (times, units) changes sign."""
    import numpy as np

    values = np.where(np.abs(values) <= _FLAT * np.abs(values).max(initial=0.0), 0.0, values)
    left, right = values[:-1], values[1:]
    segment, unit = np.nonzero(left * right < 0)
    share = left[segment, unit] / (left[segment, unit] - right[segment, unit])
    found = times[segment] + share * (times[segment + 1] - times[segment])
    order = np.argsort(found, kind="stable")
    found, segment, share, unit = found[order], segment[order], share[order], unit[order]
    inserted = values[segment] + share[:, None] * (values[segment + 1] - values[segment])
    inserted[np.arange(len(unit)), unit] = 0.0
    all_times = np.concatenate([times, found])
    all_values = np.concatenate([values, inserted])
    order = np.argsort(all_times, kind="stable")
    all_times, all_values = all_times[order], all_values[order]
    keep = np.concatenate([[True], np.diff(all_times) > _FLAT])
    keep[-1] = True
    if keep.sum() > MAX_REGIONS:
        raise LabError(
            f"more than {MAX_REGIONS:,} linear regions on this line; take a shorter line or a smaller network"
        )
    return all_times[keep], all_values[keep]


def regions_on_plane(
    layers: "Sequence[Affine]", corner: "Floats", first: "Floats", second: "Floats", limit: int = MAX_REGIONS
) -> int:
    """Linear regions on the parallelogram corner + a first + b second with a and b in [0, 1].

    Args:
        layers: (weight (out, in), bias (out,)) of every layer, first to last; the last has no ReLU.
        corner: where it starts, (in,).
        first: one side, (in,).
        second: the other side, (in,).
        limit: most regions that are counted.

    Raises:
        LabError: beyond ``limit``.

    """
    import numpy as np

    corner, first, second = (np.asarray(side, float) for side in (corner, first, second))
    polygons = [np.stack([corner, corner + first, corner + first + second, corner + second])]
    for weight, bias in layers[:-1]:
        sizes = [len(polygon) for polygon in polygons]
        values = np.concatenate(polygons) @ np.asarray(weight, float).T + np.asarray(bias, float)
        flat = _FLAT * float(np.abs(values).max(initial=0.0))
        values[np.abs(values) <= flat] = 0.0
        polygons = [piece for polygon in np.split(values, np.cumsum(sizes)[:-1]) for piece in _split(polygon, flat)]
        if len(polygons) > limit:
            raise LabError(f"more than {limit:,} linear regions on this plane; take a smaller part of it")
    return len(polygons)


def _split(polygon: "Floats", flat: float) -> "list[Floats]":
    """A convex polygon cut along every unit's zero line, with the ReLU applied.

    Args:
        polygon: the units' values at its vertices in order, (vertices, units).
        flat: values up to this count as zero, so that lines through one point leave no slivers.

    """
    import numpy as np

    waiting, done = [polygon], []
    while waiting:
        values = waiting.pop()
        crossed = np.flatnonzero((values.min(axis=0) < 0) & (values.max(axis=0) > 0))
        if len(crossed) == 0:
            done.append(np.maximum(values, 0.0))
            continue
        waiting += _halves(values, int(crossed[0]), flat)
    return done


def _halves(values: "Floats", unit: int, flat: float) -> "tuple[Floats, Floats]":
    """The two parts of a convex polygon on either side of a unit's zero line, which crosses it."""
    import numpy as np

    column = values[:, unit]
    following = np.roll(values, -1, axis=0)
    cut = np.flatnonzero(column * following[:, unit] < 0)
    share = column[cut] / (column[cut] - following[cut, unit])
    new = values[cut] + share[:, None] * (following[cut] - values[cut])
    new[np.abs(new) <= flat] = 0.0
    new[:, unit] = 0.0
    ring = np.insert(values, cut + 1, new, axis=0)
    return ring[ring[:, unit] >= 0], ring[ring[:, unit] <= 0]
