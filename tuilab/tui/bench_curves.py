"""Curves of an experiment beside a bench that has moved on: which candidate of the bench each of them is of. Pure."""

from dataclasses import dataclass, replace

from tuilab.spec.comparison import LETTERS, Comparison
from tuilab.tui.plot import ChartData, Series, SeriesKind

_GONE = "what was trained is not on the bench any more; u takes the last change back"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a candidate of an experiment stands on the bench.

    Attributes:
        index: of the candidate there.
        edited: whether that has been edited since, so that its curve is that of before.

    """

    index: int
    edited: bool = False


def places(trained: Comparison, now: Comparison) -> tuple[Place | None, ...]:
    """For each candidate that was trained its place among those of ``now``; None where it was removed."""
    old, new = trained.candidates, now.candidates
    same = {at: new.index(candidate) for at, candidate in enumerate(old) if candidate in new}
    fresh = {at: candidate.name for at, candidate in enumerate(new) if at not in same.values()}
    found: list[Place | None] = []
    for at, candidate in enumerate(old):
        named = next((index for index, name in fresh.items() if name == candidate.name), None)
        if at in same:
            found.append(Place(same[at]))
        elif named is not None:
            found.append(Place(named, edited=True))
        elif at in fresh and len(old) == len(new):
            found.append(Place(at, edited=True))
        else:
            found.append(None)
    return tuple(found)


def beside_bench(data: ChartData, found: tuple[Place | None, ...]) -> ChartData:
    """The chart with the letters and colours of the bench.

    The curve of a candidate that was edited since is faint and has a small letter; that of one that was removed is
    left out. A chart of what stands on the bench as it was trained is given back as it is.
    """
    if found == tuple(map(Place, range(len(found)))):
        return data
    series = tuple(shown for one in data.series if (shown := _placed(one, found[one.index])) is not None)
    letters = sorted({one.letter.lower() for one in series if one.kind is SeriesKind.BEFORE})
    told = f"{', '.join(letters)}: before {'the edits' if len(letters) > 1 else 'its edit'}" if letters else ""
    note = " · ".join(filter(None, (told, data.note)))
    return replace(data, series=series, note=note, empty=_GONE if data.series else data.empty)


def _placed(one: Series, place: Place | None) -> Series | None:
    if place is None or (place.edited and one.kind is SeriesKind.TRAIN):
        return None
    moved = replace(one, letter=LETTERS[place.index], index=place.index)
    return replace(moved, kind=SeriesKind.BEFORE, lows=(), highs=()) if place.edited else moved
