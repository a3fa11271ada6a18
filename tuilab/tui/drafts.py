"""Benches that were left with edits: kept for as long as the interface runs, so that leaving the lab loses nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tuilab.tui.bench import Bench


class Draft(NamedTuple):
    """A bench with edits, and the id of the experiment it was beside, if any."""

    bench: Bench
    experiment: str | None


@dataclass(slots=True)
class Drafts:
    """At most one draft for each experiment, preset, file and new comparison."""

    _drafts: dict[tuple[str, str], Draft] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Draft]:
        return iter(self._drafts.values())

    def keep(self, bench: Bench, experiment: str | None) -> None:
        """Remember a bench that is left, if there are edits on it."""
        key = _key(bench, experiment)
        self._drafts.pop(key, None)
        if bench.edited:
            self._drafts[key] = Draft(bench, experiment)

    def take(self, opened: Bench, experiment: str | None) -> Bench:
        """What was left where ``opened`` is opened again; ``opened`` itself where that was nothing, or has changed."""
        key = _key(opened, experiment)
        draft = self._drafts.get(key)
        if draft is None or (experiment is None and draft.bench.origin != opened.origin):
            return opened
        del self._drafts[key]
        return draft.bench


def _key(bench: Bench, experiment: str | None) -> tuple[str, str]:
    return (experiment, "") if experiment is not None else (bench.source, "" if bench.source else bench.origin.title)
