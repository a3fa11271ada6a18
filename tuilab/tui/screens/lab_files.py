"""Keeping and sharing: preset files and share lines; and the settings of task and training."""

from dataclasses import replace
from pathlib import Path

from tuilab.spec.comparison import Comparison
from tuilab.spec.errors import LabError
from tuilab.spec.share import to_line
from tuilab.tui import bench as benches
from tuilab.tui.bench import Bench
from tuilab.tui.remembered import remember_file
from tuilab.tui.screens.lab_editing import LabEditing


class LabFiles(LabEditing):
    """The actions on the comparison as a whole."""

    def action_settings(self) -> None:
        """Change task, training and protocol."""
        from tuilab.tui.screens.settings import SettingsScreen

        def take(comparison: Comparison) -> bool:
            return self.change(lambda bench: benches.change(bench, comparison))

        assert self.bench is not None
        self.app.push_screen(SettingsScreen(self.bench.comparison, take))

    def action_save(self) -> None:
        """Save the comparison as a preset file."""
        name = self.shown.source or "my-comparison"
        value = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
        hint = "an existing file keeps its comments and order where possible"
        self.ask("save as", value, hint, _checked, done=self._save)

    def _save(self, bench: Bench, text: str) -> Bench:
        from tuilab.spec.preset_file import save

        path = file_of(text)
        save(bench.comparison, path)
        remember_file(self.lab.home, path)
        self.notify(f"saved as {path}", timeout=4)
        return benches.kept(replace(bench, source=str(path)))

    def action_code(self) -> None:
        """Write the selected candidate as a PyTorch module."""
        name = "".join(c if c.isalnum() else "_" for c in self.shown.candidate.name).strip("_").lower()
        hint = "a Python file that needs nothing but torch"
        self.ask("code to", f"{name or 'network'}.py", hint, _checked_code, done=self._write_code)

    def _write_code(self, bench: Bench, text: str) -> Bench:
        from tuilab.analysis.codegen import torch_code

        path = file_of(text, ".py")
        try:
            path.write_text(torch_code(bench.network(bench.candidate), bench.candidate.name), encoding="utf-8")
        except OSError as error:
            raise LabError(f"{text} cannot be written ({error.strerror}); choose another place") from error
        self.notify(f"written to {path}", timeout=4)
        return bench

    def action_share(self) -> None:
        """Copy the whole comparison as one line of text."""
        from tuilab.tui.screens.share import ShareScreen

        line = to_line(self.shown.comparison)
        self.app.copy_to_clipboard(line)
        self.app.push_screen(ShareScreen(line))


def _checked(bench: Bench, text: str) -> Bench:
    """Check the path only: the file is written once the line is accepted."""
    file_of(text)
    return bench


def _checked_code(bench: Bench, text: str) -> Bench:
    """Check that the file can be new: nothing that exists is written over."""
    if file_of(text, ".py").exists():
        raise LabError(f"{text} exists already; choose another name")
    return bench


def file_of(text: str, suffix: str = ".yaml") -> Path:
    """The file that a person named.

    Raises:
        LabError: when its folder does not exist, or it is a folder.

    """
    path = Path(text.strip() or "/").expanduser()
    if not path.name or path.name == "..":
        raise LabError("write the file's name, such as my-comparison.yaml")
    if path.suffix not in (suffix, ".yml" if suffix == ".yaml" else suffix):
        path = path.with_name(f"{path.name}{suffix}")
    if not path.parent.is_dir():
        raise LabError(f"there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise LabError(f"{path} is a folder; write a file's name")
    return path
