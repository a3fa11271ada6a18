"""The log of an experiment: what ran where with which versions, in files that stay small."""

import logging
import os
import sys

import pytest

from tuilab.runner import logs
from tuilab.runner.logs import ExperimentLog
from tuilab.store.home import LOG_PARTS, log_files, log_folder, make_home
from tuilab.store.writer import Writer


@pytest.fixture
def outputs():
    """Standard output and standard error come back after the test."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    yield
    for number, copy in zip((1, 2), kept, strict=True):
        os.dup2(copy, number)
        os.close(copy)


def test_a_log_is_rotated_and_what_the_interpreter_says_follows(tmp_path, monkeypatch, outputs):
    monkeypatch.setattr(logs, "LOG_BYTES", 1000)
    make_home(tmp_path)
    handler = ExperimentLog(log_folder(tmp_path) / "0000001.log")
    for number in range(100):
        record = logging.LogRecord("one", logging.INFO, "", 0, "line %d", (number,), None)
        handler.emit(record)
    os.write(2, b"Fatal Python error\n")
    handler.close()
    parts = log_files(tmp_path, "0000001")
    assert [path.name for path in parts] == ["0000001.log.2", "0000001.log.1", "0000001.log"]
    assert len(parts) == LOG_PARTS
    assert all(path.stat().st_size <= 1100 for path in parts)
    assert {path.stat().st_mode & 0o777 for path in parts} == {0o600}
    text = "".join(path.read_text() for path in parts)
    shown = [int(line.split()[-1]) for line in text.splitlines()[:-1]]
    assert shown == list(range(shown[0], 100))
    assert text.endswith("Fatal Python error\n")


def test_a_log_names_versions_seeds_and_device(lab):
    identity = lab.start()
    lab.finish(identity)
    log = lab.log(identity)
    assert "a comparison for the runner; seed 0, device cpu" in log
    assert "torch: none" in log
    assert "candidate A, seeds 0, 1, 2" in log
    with Writer(lab.home) as writer:
        writer.delete(identity)
    assert log_files(lab.home, identity) == ()
