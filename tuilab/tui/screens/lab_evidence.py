"""From the lab to the evidence: the verdict and the efficiency of the watched experiment."""

import asyncio

from tuilab.spec.errors import LabError
from tuilab.store.records import ExperimentRecord
from tuilab.tui.screens.lab_base import LabBase


class LabEvidence(LabBase):
    """The actions that show what the watched experiment says."""

    def action_verdict(self) -> None:
        """Show the verdict with everything it rests on."""
        from tuilab.tui.screens.verdict import VerdictScreen

        if self._has_experiment():
            self.app.push_screen(VerdictScreen(self._identity))

    def action_efficiency(self) -> None:
        """Show what each candidate buys for its parameters, compute and time."""
        from tuilab.tui.screens.efficiency import EfficiencyScreen

        if self._has_experiment():
            self.app.push_screen(EfficiencyScreen(self._identity))

    def action_report(self) -> None:
        """Write the report of the watched experiment to two files, and say where."""
        if self._has_experiment():
            assert self.live is not None
            self.run_worker(self._report(self.live.experiment), group="report", exclusive=True)

    async def _report(self, record: ExperimentRecord) -> None:
        from tuilab.store.evidence import report_input
        from tuilab.tui.screens.evidence import deliver

        try:
            report = await asyncio.to_thread(report_input, self.lab.reader, record)
        except LabError as error:
            self.notify(str(error), severity="error", title="No report", timeout=8)
        else:
            await deliver(self.lab, report)

    def _has_experiment(self) -> bool:
        if self.live is None:
            self.notify("nothing has been run yet; r runs this comparison", timeout=3)
        return self.live is not None

    @property
    def _identity(self) -> str:
        assert self.live is not None
        return self.live.experiment.id
