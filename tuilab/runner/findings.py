"""What the final runs so far say, at most once a second."""

import time
from dataclasses import replace

from tuilab.runner.ledger import Ledger
from tuilab.runner.setting import Setting
from tuilab.store.records import Phase, RunRecord, Status, by_hand

SUMMARY_SECONDS = 1.0
"""Time between two summaries."""


class Findings:
    """Summarises final runs as they end."""

    def __init__(self, setting: Setting, ledger: Ledger, added_seeds: int = 0) -> None:
        """What the ledger knows to have ended is news. ``added_seeds`` were added after the others had been seen."""
        self._setting = setting
        self._ledger = ledger
        self._added_seeds = added_seeds
        self._rates: dict[int, float] = {}
        self._untrained: set[int] = set()
        self._news = False
        self._summarised = 0.0
        for run in ledger.runs.values():
            if run.status.ended:
                self.ended(run)
                if run.seconds:
                    self.rate(run.id, run.step / run.seconds)

    def ended(self, run: RunRecord) -> None:
        """Note that a run has ended, or that more is known of one that has."""
        self._news |= run.phase is Phase.FINAL

    def rate(self, run: int, steps_per_second: float) -> None:
        """Note how fast the run's group was."""
        self._rates[run] = steps_per_second

    def exclude(self, run: int) -> None:
        """Note that the run failed for a reason that says nothing about its network."""
        self._untrained.add(run)

    def summarise(self, now: bool = False) -> None:
        """Put a new result into the ledger if there is news, and the last is old enough or it must be ``now``."""
        clock = time.monotonic()
        if not self._news or (not now and clock - self._summarised < SUMMARY_SECONDS):
            return
        from tuilab.analysis.evidence import FinalRun, summarise

        self._news, self._summarised = False, clock
        finals = [
            FinalRun(run.candidate, run.seed_index, run.lr, run.test_metric, self._rates.get(run.id))
            for run in self._ledger.runs.values()
            if run.phase is Phase.FINAL
            and run.status in (Status.FINISHED, Status.FAILED)
            and run.as_planned
            and run.id not in self._untrained
        ]
        setting = self._setting
        result = summarise(
            setting.comparison,
            setting.totals,
            finals,
            setting.task,
            self._added_seeds,
            by_hand(self._ledger.runs.values()),
        )
        self._ledger.update(replace(self._ledger.progress, result=result))
