"""How the interface starts and leaves."""

import subprocess
import sys
import threading

import pytest

from tuilab.tui.background import in_background
from tuilab.tui.start import over_ssh, prepare


def test_a_short_wait_after_escape_and_no_animations_over_ssh() -> None:
    local: dict[str, str] = {}
    prepare(local)
    assert local == {"ESCDELAY": "25"}
    remote = {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "ESCDELAY": "100"}
    prepare(remote)
    assert over_ssh(remote)
    assert remote["TEXTUAL_ANIMATIONS"] == "none"
    assert remote["ESCDELAY"] == "100"


async def test_work_in_the_background_returns_or_raises_and_keeps_nobody_waiting() -> None:
    def fail() -> None:
        raise ValueError("told")

    assert await in_background(lambda: threading.current_thread().daemon)
    with pytest.raises(ValueError, match="told"):
        await in_background(fail)


def test_the_library_is_painted_before_anything_that_it_does_not_need_is_imported() -> None:
    code = (
        "import sys; sys.argv = ['tuilab']; from tuilab.cli.commands import is_command;"
        "import tuilab.cli.interface, tuilab.tui.app; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"argparse", "json", "pydantic", "sqlite3", "yaml", "psutil", "plotext", "tuilab.spec.share"}


def test_the_interface_starts_without_openssl_and_its_hashes_are_right() -> None:
    code = (
        "import sys; from tuilab.cli.lean import without_openssl; without_openssl();"
        "import hashlib, tuilab.tui.app, tuilab.spec.comparison, tuilab.store.reader; loaded = set(sys.modules);"
        "own = hashlib.sha256(b'x').hexdigest(); import ssl, _hashlib;"
        "assert own == _hashlib.openssl_sha256(b'x').hexdigest(); print(*loaded)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"ssl", "_ssl", "_hashlib"}
