"""The engine's main loop: takes requests, trains one group after the other, tells what happened."""

import logging
from collections import deque
from functools import partial

import torch

from tuilab.engine.channel import Channel
from tuilab.engine.devices import cpu_name, cuda_names
from tuilab.engine.kernel_loading import find_kernel
from tuilab.engine.training import train_group
from tuilab.spec.errors import LabError
from tuilab.spec.protocol import (
    ChangeRuns,
    GroupFailed,
    GroupFinished,
    PauseGroup,
    Ready,
    Request,
    Shutdown,
    StopGroup,
    TrainGroup,
)

_log = logging.getLogger(__name__)


class Server:
    """Serves requests until told to shut down."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pending: deque[TrainGroup] = deque()
        self._training: int | None = None
        self._paused: set[int] = set()
        self._changes: list[ChangeRuns] = []
        self._stop = False
        self._shutdown = False

    def serve(self) -> None:
        """Take requests and train until a shutdown has been asked for and nothing is left to train.

        Raises:
            EndOfRequestsError: when the runner closes its end.

        """
        kernel = find_kernel() is not None
        self._channel.send(Ready(torch=torch.__version__, device_name=cpu_name(), cuda=cuda_names(), kernel=kernel))
        while self._pending or not self._shutdown:
            if not self._pending:
                self._take(wait=True)
            elif not self._control_pending():
                self._train(self._pending.popleft())

    def _take(self, *, wait: bool) -> None:
        for request in self._channel.receive(wait=wait):
            self._handle(request)

    def _handle(self, request: Request) -> None:
        match request:
            case TrainGroup():
                self._pending.append(request)
            case PauseGroup(group=group, paused=paused):
                (self._paused.add if paused else self._paused.discard)(group)
            case ChangeRuns():
                self._changes.append(request)
            case StopGroup(group=group):
                if group == self._training:
                    self._stop = True
                for waiting in [pending for pending in self._pending if pending.group == group]:
                    self._pending.remove(waiting)
                    self._channel.send(GroupFinished(group=group, seconds=0.0, steps=0, stopped=True))
            case Shutdown():
                self._shutdown = True

    def _control_pending(self) -> bool:
        """Read requests before a group starts; true when no group is left to start."""
        self._take(wait=False)
        return not self._pending

    def _train(self, request: TrainGroup) -> None:
        self._training, self._stop = request.group, False
        try:
            train_group(request, self._channel.send, self._control, partial(self._take_changes, request.group))
        except LabError as error:
            self._channel.send(GroupFailed(group=request.group, reason=str(error)))
        except OSError:
            raise
        except (RuntimeError, MemoryError) as error:
            _log.exception("group %d", request.group)
            self._channel.send(
                GroupFailed(group=request.group, reason=_says(error), out_of_memory=_ran_out_of_memory(error))
            )
        finally:
            self._training = None
            self._take_changes(request.group)
            self._paused.discard(request.group)

    def _take_changes(self, group: int) -> list[ChangeRuns]:
        """What has been asked of a group since the last call."""
        asked = [change for change in self._changes if change.group == group]
        self._changes = [change for change in self._changes if change.group != group]
        return asked

    def _control(self) -> bool:
        """Look at the requests between two chunks of steps, wait while paused; whether to stop."""
        self._take(wait=False)
        while self._training in self._paused and not self._stop:
            self._take(wait=True)
        return self._stop


def _ran_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "not enough memory" in str(error)


def _says(error: Exception) -> str:
    """One sentence for the user about an error that nobody foresaw."""
    if _ran_out_of_memory(error):
        return "the engine ran out of memory; make the network, its batch or the number of seeds smaller"
    lines = str(error).strip().splitlines()
    return f"the engine could not train this group: {type(error).__name__}: {lines[0] if lines else 'no message'}"
