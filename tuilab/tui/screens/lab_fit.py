"""Whether the machine can run the comparison on the bench: memory and precision, before anybody runs it."""

import time
from math import inf
from typing import TYPE_CHECKING

from tuilab.spec.errors import LabError
from tuilab.tui.bench import Bench
from tuilab.tui.screens.lab_base import LabBase

if TYPE_CHECKING:
    from tuilab.runner.resources import Resources

_FRESH_SECONDS = 15.0
"""For which a look at the machine's memory is good enough to warn by."""


class LabFit(LabBase):
    """The warning that memory or device will not do; it is looked for beside the keys, never before them."""

    _machine: "Resources | None" = None
    _machine_seen = -inf
    _fit_of: tuple[Bench, "Resources", str | None] | None = None
    """What was last found, for which bench at which look."""

    def shortage(self, bench: Bench) -> str | None:
        """Why the comparison will not fit, with what would; None where it does, or where that is not known yet."""
        if time.monotonic() - self._machine_seen > _FRESH_SECONDS:
            self.look_at_machine()
        if self._machine is None:
            return None
        known = self._fit_of
        if known is None or known[0].comparison is not bench.comparison or known[1] is not self._machine:
            known = self._fit_of = bench, self._machine, _shortage(bench, self._machine)
        return known[2]

    def look_at_machine(self) -> None:
        """See what memory is free, in the background."""
        self._machine_seen = time.monotonic()
        self.run_worker(self._take_machine(), group="fit")

    async def _take_machine(self) -> None:
        assert self.bench is not None
        before = self._machine and self.shortage(self.shown)
        self._machine = await self.lab.machine.look()
        if self in self.app.screen_stack and self.shortage(self.shown) != before:
            self.show_bench()


def _shortage(bench: Bench, machine: "Resources") -> str | None:
    from tuilab.runner.fit import demand, shortage, unsupported
    from tuilab.runner.setting import worth_a_gpu

    if lacking := unsupported(bench.comparison, "auto", gpu=bool(machine.gpus)):
        return lacking
    built = [
        (candidate, count, bench.comparison.training_of(candidate))
        for candidate, count in zip(bench.comparison.candidates, bench.counts, strict=True)
        if not isinstance(count, LabError)
    ]
    demands = [demand(candidate.name, count, training, bench.facts) for candidate, count, training in built]
    counts, trainings = [count for _, count, _ in built], [training for _, _, training in built]
    worth = worth_a_gpu(counts, trainings, bench.facts, bench.comparison.protocol.final_seeds)
    return shortage(demands, machine, "auto", worth_a_gpu=worth)
