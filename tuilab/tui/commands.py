"""What the palette finds: every action of the place one is in, every preset, candidate and experiment."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tuilab.spec.vocabulary import LAYER_NAMES
from tuilab.tui.lines import letter
from tuilab.tui.opening import short_path
from tuilab.tui.remembered import recent_files
from tuilab.tui.screens.lab_base import LabBase
from tuilab.tui.screens.lab_rows import LabRows

if TYPE_CHECKING:
    from tuilab.tui.app import LabApp

Found = tuple[str, str, Callable[[], object]]
"""A command's name, what it does, and the doing."""


class LabCommands(Provider):
    """Actions, presets, candidates and experiments by name."""

    async def discover(self) -> Hits:
        """Everything, before anything is typed."""
        for name, does, command in self._all():
            yield DiscoveryHit(name, command, help=does)

    async def search(self, query: str) -> Hits:
        """What matches ``query``."""
        matcher = self.matcher(query)
        for name, does, command in self._all():
            score = matcher.match(f"{name} {does}")
            if score > 0:
                yield Hit(score, matcher.highlight(name), command, help=does)

    def _all(self) -> Iterator[Found]:
        yield from self._candidates()
        yield from self._actions()
        yield from self._files()
        yield from self._presets()
        yield from self._layers()

    def _actions(self) -> Iterator[Found]:
        seen = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.tooltip and binding.action not in seen and not (binding.id or "").startswith("rows."):
                seen.add(binding.action)
                run = partial(self.app.run_action, binding.action, active.node)
                yield binding.description, binding.tooltip, run

    def _presets(self) -> Iterator[Found]:
        lab = cast("LabApp", self.app)
        for preset in lab.presets:
            open_it = partial(lab.open_comparison, preset.comparison, preset.name)
            yield f"Open {preset.name}", preset.comparison.title, open_it

    def _files(self) -> Iterator[Found]:
        lab = cast("LabApp", self.app)
        for path in recent_files(lab.home):
            yield f"Open {path.stem}", f"Recent file {short_path(path)}", partial(lab.open_file, path)

    def _layers(self) -> Iterator[Found]:
        screen = self.screen
        if isinstance(screen, LabRows) and not screen.asking:
            for name in LAYER_NAMES:
                yield f"Add {name}", "A layer after the row under the cursor", partial(screen.action_row_add, name)

    def _candidates(self) -> Iterator[Found]:
        screen = self.screen
        if not isinstance(screen, LabBase) or screen.bench is None or screen.asking:
            return
        for index, candidate in enumerate(screen.bench.comparison.candidates):
            yield f"Candidate {letter(index)} {candidate.name}", "Select it", partial(screen.choose, index)
