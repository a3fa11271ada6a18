"""From the lab to the evidence: the verdict and the efficiency of the watched experiment."""

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

    def _has_experiment(self) -> bool:
        if self.live is None:
            self.notify("nothing has been run yet; r runs this comparison", timeout=3)
        return self.live is not None

    @property
    def _identity(self) -> str:
        assert self.live is not None
        return self.live.experiment.id
