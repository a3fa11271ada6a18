"""Who may import what, proved in a fresh interpreter per room."""

import subprocess
import sys

import pytest

PROBE = "import sys, importlib; [importlib.import_module(m) for m in {modules!r}]; print(*sorted(sys.modules))"


def imported_by(*modules: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE.format(modules=modules)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def modules_of(room: str) -> list[str]:
    import pkgutil
    from importlib import import_module

    package = import_module(f"tuilab.{room}")
    return [
        module.name
        for module in pkgutil.walk_packages(package.__path__, f"tuilab.{room}.")
        if not module.name.endswith("__main__")
    ]


@pytest.mark.parametrize("room", ["spec", "analysis", "store", "runner", "cli"])
def test_only_the_engine_imports_torch_and_only_the_interface_textual(room: str) -> None:
    assert not imported_by(*modules_of(room)) & {"torch", "sklearn", "textual"}


def test_the_interface_never_imports_torch_nor_the_heavy_libraries() -> None:
    assert not imported_by(*modules_of("tui")) & {"torch", "sklearn", "scipy", "numpy"}


def test_the_spec_room_knows_no_other_room() -> None:
    rooms = {name for name in imported_by(*modules_of("spec")) if name.startswith("tuilab.")}
    assert {name.split(".")[1] for name in rooms} == {"spec"}


def test_starting_a_command_imports_only_what_it_needs() -> None:
    loaded = imported_by("tuilab.cli", "tuilab.cli.parser")
    assert not loaded & {"textual", "numpy", "pydantic", "rich", "yaml", "sqlite3"}
