"""What a person has when something went wrong: logs, bundles, a way to go on, and a terminal that is left alone."""

import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.conftest import TINY
from tests.end_to_end.terminal import Terminal
from tests.end_to_end.test_command_line import wait_until
from tuilab.cli import main
from tuilab.spec.preset_file import loads
from tuilab.store.home import checkpoint_folder, experiment_lock, log_file, store_file
from tuilab.store.locks import FileLock
from tuilab.store.reader import Reader
from tuilab.store.records import Progress, Status
from tuilab.store.writer import Writer

EVIL = "\x1b]0;owned\x07\x1b[2J\rred\x9b31m\x08"
OBEYED = set("\x1b\x07\x9b\r\x08")
Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(home: Path, tmp_path: Path, monkeypatch, capsys) -> Here:
    """The command line in this process: exit code, standard output, standard error."""
    monkeypatch.setenv("TUILAB_HOME", str(home))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        return code, *capsys.readouterr()

    return run


def make_experiment(home: Path, log: str = "", message: str = "") -> str:
    """An experiment in the store that nobody runs; with a message, one that failed."""
    with Writer(home) as writer:
        identity = writer.create_experiment(loads(TINY))
        if message:
            writer.write(identity, progress=Progress(Status.FAILED, message))
    if log:
        log_file(home, identity).write_text(log)
    return identity


def test_a_log_is_printed_with_its_older_parts(here: Here, home: Path) -> None:
    identity = make_experiment(home, "newest\nunfinished", message="no")
    newest = log_file(home, identity)
    newest.with_name(f"{newest.name}.1").write_text("older\n")
    newest.with_name(f"{newest.name}.2").write_text("oldest\n")
    assert here("logs", "last") == (0, "oldest\nolder\nnewest\nunfinished\n", "")
    assert here("logs", "last", "-f") == (0, "oldest\nolder\nnewest\nunfinished\n", "")


def test_an_experiment_that_has_not_begun_has_no_log(here: Here, home: Path) -> None:
    identity = make_experiment(home)
    assert here("logs", identity) == (2, "", f"tuilab: experiment {identity} has no log: it has not begun\n")


def test_a_log_is_followed_through_its_rotation_to_the_end(here: Here, home: Path) -> None:
    identity = make_experiment(home, "first\n")
    lock = FileLock(experiment_lock(home, identity))
    assert lock.acquire()
    log = log_file(home, identity)
    found: list[tuple[int, str, str]] = []
    reading = threading.Thread(target=lambda: found.append(here("logs", identity, "--follow")))
    reading.start()
    with log.open("a") as file:
        file.write("second\n")
    log.rename(log.with_name(f"{log.name}.1"))
    log.write_text("third\n")
    with Writer(home) as writer:
        writer.write(identity, progress=Progress(Status.FAILED, "no"))
    reading.join(20)
    lock.release()
    assert found == [(0, "first\nsecond\nthird\n", "")]


def test_what_others_wrote_is_shown_and_never_obeyed(here: Here, home: Path, tmp_path: Path) -> None:
    identity = make_experiment(home, f"{EVIL}\n", message=EVIL)
    (tmp_path / "evil.csv").write_text(f"a,{EVIL},b\n1,2,x\n2,y,3\n", encoding="utf-8")
    (tmp_path / "evil.yaml").write_text(TINY.replace("Tiny", json.dumps(EVIL)), encoding="utf-8")
    (tmp_path / "table.yaml").write_text(
        TINY.replace("{kind: xor, num_train: 64, num_val: 32, num_test: 64}", "{kind: csv, path: evil.csv, target: c}")
    )
    (tmp_path / "tiny.yaml").write_text(TINY)
    wrong = [
        ("run", EVIL),
        ("show", EVIL),
        ("count", EVIL, "--in", "2"),
        ("count", "3", "--in", EVIL),
        (EVIL,),
        (EVIL, EVIL),
        ("run", "evil.yaml"),
        ("run", "table.yaml"),
        ("run", "tiny.yaml", "--device", EVIL),
        ("run", "tiny.yaml", "--profile", EVIL),
        ("presets", EVIL),
        ("bundle", identity, "-o", f"{EVIL}/x.zip"),
    ]
    for arguments in wrong:
        code, out, err = here(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), (arguments, err)
        assert not set(err) & OBEYED, arguments
    for arguments in (("logs", identity), ("ls",), ("show", identity), ("report", identity)):
        code, out, err = here(*arguments)
        assert (code, err) == (0, ""), (arguments, err)
        assert not set(out) & OBEYED, arguments
        assert r"\x1b]0;owned\x07\x1b[2J" in out or arguments[0] == "report"


def test_a_bundle_is_a_zip_file(here: Here, home: Path, tmp_path: Path) -> None:
    identity = make_experiment(home, "hello\n", message="no")
    assert here("bundle", "last") == (0, f"wrote tuilab-{identity}.zip\n", "")
    with zipfile.ZipFile(tmp_path / f"tuilab-{identity}.zip") as file:
        assert file.testzip() is None
        assert file.read(f"tuilab-{identity}/{identity}.log") == b"hello\n"
        assert json.loads(file.read(f"tuilab-{identity}/versions.json"))["torch"]
    assert here("bundle", "last", "-o", "nowhere/x.zip")[0] == 2


def test_a_damaged_store_is_said_and_set_aside_when_asked(here: Here, home: Path) -> None:
    make_experiment(home)
    damaged = b"rubbish" + store_file(home).read_bytes()[7:]
    store_file(home).write_bytes(damaged)
    code, _, err = here("ls")
    assert code == 2
    assert "is damaged" in err
    assert "tuilab doctor --set-aside" in err
    assert "is now" in here("doctor", "--set-aside")[1]
    (aside,) = home.glob("lab.sqlite3.damaged-*")
    assert aside.read_bytes() == damaged
    assert json.loads(here("ls", "--json")[1]) == []
    assert here("doctor", "--set-aside")[0] == 2


def test_the_interface_shows_what_others_wrote_and_never_obeys(
    home: Path, open_terminal: Callable[..., Terminal]
) -> None:
    make_experiment(home, message=f"before{EVIL}after")
    terminal = open_terminal("attach", "last", columns=100, rows=30)
    terminal.wait_for("Tiny")
    terminal.wait_for(r"before\x1b]0;owned")
    assert b"owned\x07" not in terminal.output
    assert b"\x1b]0;owned" not in terminal.output
    assert b"\x9b31m" not in terminal.output
    assert b"\xc2\x9b31m" not in terminal.output


EAGER_RUNNER = """
import sys
from tuilab.runner import supervisor
supervisor.CHECKPOINT_SECONDS = 0.1
from tuilab.runner.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_experiment_is_resumed_from_its_checkpoint_to_the_numbers_of_an_undisturbed_one(
    here: Here, home: Path, tiny: Path
) -> None:
    tiny.write_text(TINY.replace("steps: 60", "steps: 20000"))
    undisturbed = json.loads(here("run", str(tiny), "--json")[1])
    with Writer(home) as writer, Reader(home) as reader:
        identity = writer.create_experiment(reader.find("last").comparison)
        with subprocess.Popen([sys.executable, "-c", EAGER_RUNNER, "--home", str(home), identity]) as runner:
            folder = checkpoint_folder(home, identity)
            wait_until(lambda: reader.find(identity).done_steps > 15_000 and list(folder.glob("*.checkpoint")), 150)
            root = psutil.Process(runner.pid)
            for process in (*root.children(), root):
                process.kill()
        wait_until(lambda: reader.find(identity).status is Status.LOST)
        assert here("resume", identity) == (0, f"resuming {identity}\n", "")
        wait_until(lambda: reader.find(identity).status is Status.FINISHED, 150)
        assert not folder.exists()
    assert json.loads(here("show", identity, "--json")[1])["candidates"] == undisturbed["candidates"]
    found, expected = (
        json.loads(here("export", one, "--to", "json")[1])["runs"] for one in (identity, undisturbed["experiment"])
    )
    assert [run["points"] for run in found] == [run["points"] for run in expected]
    assert here("resume", identity) == (0, f"{identity} is finished already\n", "")
