"""The two pipes between an engine and its runner: requests in, events out, one JSON line each."""

import os
import select
import sys
from typing import Self

from pydantic import ValidationError

from tuilab.spec.protocol import EVENT, REQUEST, Event, GroupFailed, Request

_READ_BYTES = 1 << 16


class EndOfRequestsError(Exception):
    """The runner closed its end."""


class Channel:
    """Reads requests without ever waiting longer than asked, writes events whole."""

    def __init__(self, requests: int, events: int) -> None:
        """Use the open file descriptors ``requests`` and ``events``."""
        self._requests, self._events = requests, events
        self._buffer = b""

    @classmethod
    def take_over_stdio(cls) -> Self:
        """A channel on stdin and stdout; from now on whatever prints to stdout prints to stderr instead."""
        sys.stdout.flush()
        events = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(0, events)

    def send(self, event: Event) -> None:
        """Write one event.

        Raises:
            BrokenPipeError: when the runner is gone.

        """
        data = EVENT.dump_json(event) + b"\n"
        while data:
            data = data[os.write(self._events, data) :]

    def receive(self, *, wait: bool) -> list[Request]:
        """The requests that have arrived; with ``wait``, sleeps until something arrives.

        A line that is no request is written to the log and answered with ``GroupFailed`` where it names a group.

        Raises:
            EndOfRequestsError: when the other end is closed and all requests were taken.

        """
        while select.select([self._requests], [], [], None if wait else 0)[0]:
            data = os.read(self._requests, _READ_BYTES)
            if not data:
                raise EndOfRequestsError
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            requests = [request for line in lines if (request := self._parse(line)) is not None]
            if requests:
                return requests
        return []

    def _parse(self, line: bytes) -> Request | None:
        if not line.strip():
            return None
        try:
            return REQUEST.validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            field = ".".join(map(str, first["loc"]))
            reason = f"the engine cannot read this request: {field}: {first['msg']}"
            print(f"{reason} ({line[:200]!r})", file=sys.stderr)  # noqa: T201 - stderr is the engine's log
            group = _group_of(line)
            if group is not None:
                self.send(GroupFailed(group=group, reason=reason))
            return None


def _group_of(line: bytes) -> int | None:
    """The group that an unreadable request was about, where it says so."""
    from pydantic_core import from_json

    try:
        data = from_json(line)
    except ValueError:
        return None
    group = data.get("group") if isinstance(data, dict) and data.get("kind") == "train" else None
    return group if isinstance(group, int) else None
