"""What the command line answers to words and about experiments."""

from pathlib import Path

import pytest

from tests.tui.lab_store import record
from tuilab.cli import main
from tuilab.spec.presets import preset_names
from tuilab.store.reader import Reader
from tuilab.store.records import Progress, Status
from tuilab.store.writer import Writer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUILAB_HOME", str(tmp_path))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    return tmp_path


@pytest.mark.parametrize("cut", [-2, None])
def test_an_experiments_id_in_place_of_a_command_hints_at_attach(
    home: Path, cut: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = record(home)
    assert main([identity[:cut]]) == 2
    assert f"tuilab attach {identity} opens it" in capsys.readouterr().err


def test_last_is_the_newest_experiment(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    identity = record(home)
    assert main(["last"]) == 2
    assert f"tuilab attach {identity}" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["spirals-dpeth", "s", "zzzzzz", "d"])
def test_an_unknown_word_is_answered_with_five_presets_at_most(
    home: Path, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word]) == 2
    said = capsys.readouterr().err
    assert "neither a command nor a preset" in said
    assert sum(f" {name}" in said.replace("?", " ") for name in preset_names()) <= 5


def test_an_experiment_that_failed_is_listed_with_its_verdict_and_why(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = record(home)
    with Reader(home) as reader, Writer(home) as writer:
        old = reader.find(identity)
        why = "the engine was killed by the system"
        writer.write(identity, [], [], Progress(Status.FAILED, why, old.started, old.ended, "cpu", 0, 0, old.result))
    for command in (["ls"], ["show", identity]):
        assert main(command) == 0
        said = capsys.readouterr().out
        assert why in said
        assert old.result is not None
        assert old.result.verdict in " ".join(said.split())
