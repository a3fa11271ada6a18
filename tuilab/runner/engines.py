"""Engine processes as the runner sees them: requests down, events up, and what is left when one dies."""

import logging
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from tuilab.spec.protocol import EVENT, Event, Ready, Request, Shutdown

ENGINE_NICE = 10
"""Training yields to whoever sits at the machine."""
_CHUNK = 2**18
_STDERR_KEPT = 400
"""Characters of an engine's last line on stderr that are told to a person."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Death:
    """How an engine ended.

    Attributes:
        cause: the end of a sentence that begins with "it".
        by_memory: whether the kernel may have killed it because memory ran out.

    """

    cause: str
    by_memory: bool = False


class EngineProcess:
    """One engine. Its pipes never block the runner."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.ready: Ready | None = None
        self.gone = False
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        with suppress(OSError):
            niceness = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, self._process.pid, max(ENGINE_NICE, niceness))
        self._pipes = [pipe for pipe in (self._process.stdin, self._process.stdout, self._process.stderr) if pipe]
        self._stdin, self.stdout, self._stderr = (pipe.fileno() for pipe in self._pipes)
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)
        self._unsent = b""
        self._partial = bytearray()
        self._partial_said = b""
        self._last_said = ""
        self._verdict = ""
        log.info("%s: process %d started", name, self._process.pid)

    def send(self, request: Request) -> None:
        """Queue a request; ``flush`` sends what the pipe does not take at once."""
        self._unsent += request.model_dump_json().encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send what is queued, as far as the pipe takes it."""
        while self._unsent and not self.gone:
            try:
                self._unsent = self._unsent[os.write(self._stdin, self._unsent) :]
            except BlockingIOError:
                return
            except OSError:
                # The engine has closed its end; the end of its output tells the rest.
                self._unsent = b""

    def receive(self) -> list[Event]:
        """Events that have arrived. ``gone`` is set when the engine has closed its output."""
        try:
            read = os.read(self.stdout, _CHUNK)
        except BlockingIOError:
            return []
        if not read:
            self.gone = True
            return []
        whole, end, rest = read.rpartition(b"\n")
        if not end:
            self._partial += read
            return []
        lines = (self._partial + whole).split(b"\n")
        self._partial = bytearray(rest)
        events = []
        for line in lines:
            try:
                events.append(EVENT.validate_json(line))
            except ValidationError:
                log.warning("%s: not an event: %s", self.name, line[:_STDERR_KEPT].decode(errors="replace"))
        return events

    def listen(self) -> None:
        """Copy what the engine says on stderr to the log."""
        while True:
            try:
                read = os.read(self._stderr, _CHUNK)
            except OSError:
                return
            if not read:
                return
            *lines, self._partial_said = (self._partial_said + read).split(b"\n")
            for line in lines:
                self._said(line)

    def _said(self, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if text:
            self._last_said = text[:_STDERR_KEPT]
            log.info("%s: %s", self.name, text)

    def end(self, seconds: float) -> None:
        """Close the engine's input, which asks it to end, and kill it when it has not within so many seconds."""
        self._pipes[0].close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def kill(self, reason: str = "") -> None:
        """End the engine now; the reason, the end of a sentence, is what its autopsy will find."""
        self.gone = True
        self._verdict = reason
        self._process.kill()
        self._process.wait()

    def autopsy(self) -> Death:
        """How the engine ended; kills it where it only closed its output."""
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.kill()
            code = 0
        self.listen()
        self._said(self._partial_said)
        self._close()
        said = f"; its last words: {self._last_said}" if self._last_said else ""
        by_memory = code == -signal.SIGKILL and not self._verdict
        return Death(f"{self._verdict or _exit(code)}{said}", by_memory)

    def _close(self) -> None:
        for pipe in self._pipes:
            pipe.close()


def _exit(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}" if code else "closed its output"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
    hint = ", perhaps because memory ran out" if -code == signal.SIGKILL else ""
    return f"was killed by signal {-code} ({name}){hint}"


class EnginePool:
    """The engines of one runner."""

    def __init__(self, command: Sequence[str]) -> None:
        """A pool whose engines are started by ``command``; empty at first."""
        self._command = command
        self._selector = selectors.DefaultSelector()
        self._count = 0
        self.engines: list[EngineProcess] = []

    def grow(self, number: int) -> None:
        """Start engines until there are at least ``number``."""
        while len(self.engines) < number:
            self._count += 1
            engine = EngineProcess(f"engine {self._count}", self._command)
            self.engines.append(engine)
            self._selector.register(engine.stdout, selectors.EVENT_READ, engine)

    def poll(self, seconds: float) -> list[tuple[EngineProcess, Event]]:
        """Wait at most so long for engines to say something; returns their events.

        Afterwards ``gone`` is set on engines that have ended.
        """
        for engine in self.engines:
            engine.flush()
            engine.listen()
        found: list[tuple[EngineProcess, Event]] = []
        for key, _ in self._selector.select(seconds):
            engine = key.data
            if engine is None:
                continue
            for event in engine.receive():
                if isinstance(event, Ready):
                    engine.ready = event
                found.append((engine, event))
        return found

    def remove(self, engine: EngineProcess) -> None:
        """Forget an engine that is gone."""
        self._selector.unregister(engine.stdout)
        self.engines.remove(engine)

    def close(self, seconds: float) -> None:
        """End every engine, killing those that need longer than ``seconds``."""
        deadline = time.monotonic() + seconds
        for engine in self.engines:
            engine.send(Shutdown())
        for engine in list(self.engines):
            self.remove(engine)
            engine.end(max(0.0, deadline - time.monotonic()))
        self._selector.close()
