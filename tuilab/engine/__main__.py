"""``python -m tuilab.engine``: requests as JSON lines on stdin, events as JSON lines on stdout, a log on stderr.

``python -m tuilab.engine --compile`` compiles the kernel for dense stacks and ends.
"""

import logging
import os
import signal
import sys

from tuilab.engine.channel import Channel, EndOfRequestsError
from tuilab.engine.data import preload
from tuilab.engine.devices import keep_freed_memory
from tuilab.engine.kernel_loading import compile_here, compile_in_background, find_kernel
from tuilab.engine.server import Server

_LAST = 19
"""Niceness of a process that should not be felt."""


def main() -> int:
    """Serve one runner until it says so or goes away; the exit status."""
    if sys.argv[1:] == ["--compile"]:
        os.nice(_LAST)
        return 0 if compile_here() else 1
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel.take_over_stdio()
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    keep_freed_memory()
    compile_in_background()
    find_kernel()
    preload()
    try:
        Server(channel).serve()
    except (EndOfRequestsError, BrokenPipeError):
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
