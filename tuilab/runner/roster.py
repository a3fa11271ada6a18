"""The runs of an experiment by candidate: which there are, which come next, and how many steps they take."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tuilab.runner.crew import Job
from tuilab.runner.ledger import Ledger
from tuilab.runner.packing import pack
from tuilab.runner.plan import next_runs, planned_steps
from tuilab.runner.setting import Setting
from tuilab.spec.protocol import Replica, total_steps
from tuilab.store.records import RunRecord, Status


class Roster:
    """Plans each candidate's runs as the earlier ones end, and keeps the planned steps up to date."""

    def __init__(self, setting: Setting, ledger: Ledger) -> None:
        """Runs that the ledger knows and that have not ended are trained first; else a candidate waits for its next."""
        self._setting = setting
        self._ledger = ledger
        self._due = set(range(len(setting.trainings)))
        self._runs: list[list[int]] = [[] for _ in setting.trainings]
        self._unpacked: list[tuple[int, list[RunRecord]]] = []
        self._given_up: set[int] = set()
        self._stopped = False
        for run in ledger.runs.values():
            self._runs[run.candidate].append(run.id)
        for candidate in self._due:
            left = [run for run in self._of(candidate) if not run.status.ended]
            if left:
                self._unpacked.append((candidate, left))

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be planned or packed."""
        return not (self._due or self._unpacked)

    def ended(self, candidate: int) -> None:
        """Note that runs of a candidate have ended, so that others may follow."""
        if not self._stopped:
            self._due.add(candidate)

    def give_up(self, candidate: int) -> None:
        """Plan no further runs for a candidate."""
        self._given_up.add(candidate)
        self.count_steps()

    def drop(self, run: int) -> bool:
        """Take a run out of those that wait to be packed; False where it is none of them."""
        for place, (candidate, records) in enumerate(self._unpacked):
            left = [record for record in records if record.id != run]
            if len(left) < len(records):
                self._unpacked[place : place + 1] = [(candidate, left)] if left else []
                return True
        return False

    def stop(self) -> None:
        """Plan nothing more; runs that are in no group yet end here."""
        self._stopped = True
        for _, records in self._unpacked:
            for run in records:
                self._ledger.change(replace(run, status=Status.STOPPED))
        self._unpacked.clear()
        self._due.clear()

    def plan(self) -> None:
        """Plan what follows the runs that have ended; what the store does not take now is planned at the next call.

        Raises:
            StoreError: when the store could not be written for too long.

        """
        protocol = self._setting.comparison.protocol
        for candidate in sorted(self._due):
            runs = self._of(candidate)
            if candidate not in self._given_up and all(run.status.ended for run in runs):
                training, chance = self._setting.trainings[candidate], self._setting.chance
                further = next_runs(candidate, training, protocol, runs, chance)
                records = self._ledger.add(further) if further else []
                if records is None:
                    return
                self._runs[candidate] += [record.id for record in records]
                self._unpacked.append((candidate, records))
                self.count_steps()
            self._due.discard(candidate)

    def pack(self, slots: int) -> list[Job]:
        """The runs planned since the last call, as jobs that keep so many slots busy."""
        at_least = -(-slots // len(self._runs))
        jobs = []
        for candidate, records in self._unpacked:
            load = self._setting.loads[candidate]
            # Those that go on together share the number of steps, and when it was changed.
            for alike in _by_length(records):
                jobs += [
                    Job(candidate, tuple(map(replica_of, group)), load.seconds(len(group)))
                    for group in pack(alike, load, at_least)
                ]
        self._unpacked.clear()
        return jobs

    def count_steps(self) -> None:
        """Bring the planned steps up to date with the runs there are."""
        total = 0
        for candidate, training in enumerate(self._setting.trainings):
            runs = self._of(candidate)
            if candidate in self._given_up:
                total += sum(run.step if run.status.ended else total_steps(training.steps, run.changes) for run in runs)
            else:
                total += planned_steps(training, self._setting.comparison.protocol, runs)
        self._ledger.update(replace(self._ledger.progress, planned_steps=total))

    def _of(self, candidate: int) -> list[RunRecord]:
        return [self._ledger.runs[run] for run in self._runs[candidate]]


def replica_of(run: RunRecord) -> Replica:
    """The run as an engine trains it."""
    return Replica(run=run.id, seed_index=run.seed_index, lr=run.lr, changes=run.changes)


def _by_length(runs: Sequence[RunRecord]) -> Iterable[list[RunRecord]]:
    alike: dict[tuple[tuple[int, int], ...], list[RunRecord]] = {}
    for run in runs:
        changes = tuple((change.step, change.steps) for change in run.changes if change.steps is not None)
        alike.setdefault(changes, []).append(run)
    return alike.values()
