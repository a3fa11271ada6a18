"""``tuilab logs`` and ``tuilab bundle``: what happened, for the person who asks and for a report of a fault."""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tuilab.cli.output import say
from tuilab.spec.errors import LabError, printable
from tuilab.store.home import lab_home, log_files
from tuilab.store.log_tail import LogTail
from tuilab.store.reader import Reader

POLL = 0.2
"""Seconds between looks at a log that is followed."""


def logs(arguments: argparse.Namespace) -> int:
    """Print an experiment's log; with ``--follow`` also what is added until the experiment has ended."""
    home = lab_home()
    with Reader(home) as reader:
        identity = reader.find(arguments.id).id
        if not log_files(home, identity) and not arguments.follow:
            raise LabError(f"experiment {identity} has no log: it has not begun")
        rest = ""
        for text in _read(reader, identity, follow=arguments.follow):
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                say(printable(line))
            sys.stdout.flush()
    if rest:
        say(printable(rest))
    return 0


def _read(reader: Reader, identity: str, *, follow: bool) -> Iterator[str]:
    """The log as it is, then what is added until the experiment has ended."""
    with LogTail(reader.home, identity) as tail:
        ended = False
        while True:
            yield tail.read()
            if ended or not follow:
                return
            record = reader.experiment(identity)
            # One more look after the end: the last lines may have come since.
            ended = record is None or record.status.ended
            time.sleep(POLL)


def bundle(arguments: argparse.Namespace) -> int:
    """Write everything that a report of a fault needs to a zip file, without private paths and names."""
    from tuilab.cli.doctor import versions
    from tuilab.store.bundle import bundle as archive
    from tuilab.store.files import write_atomically

    with Reader(lab_home()) as reader:
        record = reader.find(arguments.id)
        target = Path(arguments.output or f"tuilab-{record.id}.zip")
        write_atomically(target, archive(reader, record, versions()))
    say(f"wrote {target}")
    return 0
