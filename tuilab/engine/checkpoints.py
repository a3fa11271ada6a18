"""Checkpoints: what a group that is cut off goes on from, step for step as if nothing had happened.

A file holds one wave: for every replica its parameters, optimiser state, normalisation statistics and place in the
order of batches (dropout masks derive from the step), and what the wave has reported so far, in case nobody heard it.
It is replaced as a whole and carries a checksum; a file that is damaged or of another make counts as none.
"""

import hashlib
import io
import logging
import os
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from time import monotonic
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from tuilab.engine.pack import LossArray, Memory, Pack
from tuilab.spec.protocol import Change, Replica, TrainGroup

_MAGIC = b"tuilab checkpoint 2\n"
"""First bytes of a file; the number changes when what follows does."""
_DIGEST_BYTES = 16
_SPARING = 100
"""Training lasts at least this many times longer than writing the last checkpoint, before the next is written."""
_SUFFIX = ".checkpoint"

Changed: TypeAlias = tuple[int, float | None, int | None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A wave at some step.

    Attributes:
        made_for: what was trained, and how, as ``fingerprint`` writes it.
        kind: name of the kind of pack that trained it.
        step: optimiser steps that each replica has taken.
        seconds: wall time that took.
        steps: optimiser steps, summed over the replicas.
        runs: of the wave, those that have failed included.
        failed: runs that have failed, with step and reason.
        memory: of every run that has not, by name.
        watch: (2, runs): what tells diverging runs.
        reported_steps: steps with points.
        reported: (3, reported steps, runs): training loss, validation loss and metric; NaN where there is none.
        changes: (step, lr, steps) of what was changed by hand, by run.

    """

    made_for: str
    kind: str
    step: int
    seconds: float
    steps: int
    runs: tuple[int, ...]
    failed: dict[int, tuple[int, str]]
    memory: dict[int, dict[str, Tensor]]
    watch: Tensor
    reported_steps: tuple[int, ...]
    reported: Tensor
    changes: dict[int, tuple[Changed, ...]]

    def agrees(self, replica: Replica) -> bool:
        """Whether the replica has been changed in the same way up to here."""
        return changed(replica.changes, self.step) == self.changes.get(replica.run, ())


def changed(changes: Sequence[Change], until: int) -> tuple[Changed, ...]:
    """What was changed by hand up to some step, as a checkpoint keeps it."""
    return tuple((change.step, change.lr, change.steps) for change in changes if change.step <= until)


def fingerprint(request: TrainGroup) -> str:
    """What decides a group's course, whichever replicas are in it."""
    return request.model_dump_json(include={"stack", "task", "training", "seed"})


def remember(memory: Memory) -> dict[str, Tensor]:
    """A copy of a replica's memory that training does not change."""
    rest, generator = memory.order.state()
    copies = {name: tensor.detach().cpu().clone() for name, tensor in memory.tensors.items()}
    return {**copies, "order": torch.from_numpy(rest.copy()), "generator": torch.from_numpy(generator.copy())}


def restore(memory: Memory, saved: dict[str, Tensor]) -> None:
    """Write a copy back into a replica."""
    for name, tensor in memory.tensors.items():
        tensor.detach().copy_(saved[name])
    memory.order.go_on_from(saved["order"].numpy(), saved["generator"].numpy())


def fits(memory: Memory, saved: dict[str, Tensor]) -> bool:
    """Whether a copy is one of such a replica."""
    shapes = {name: tensor.shape for name, tensor in memory.tensors.items()}
    return shapes == {name: tensor.shape for name, tensor in saved.items() if name not in ("order", "generator")}


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file, whole or not at all; a disk that is full costs the checkpoint and nothing else."""
    buffer = io.BytesIO()
    torch.save({field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}, buffer)
    data = buffer.getbuffer()
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(_MAGIC)
            file.write(hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        _log.warning("no checkpoint: %s", error)
        with suppress(OSError):
            part.unlink()


def load(path: Path) -> Checkpoint | None:
    """The checkpoint in a file; None where there is none that can be used."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, payload = data[len(_MAGIC) :][:_DIGEST_BYTES], data[len(_MAGIC) + _DIGEST_BYTES :]
    if not data.startswith(_MAGIC) or hashlib.blake2b(payload, digest_size=_DIGEST_BYTES).digest() != digest:
        _log.warning("the checkpoint %s is damaged; its runs begin again", path.name)
        return None
    try:
        return Checkpoint(**torch.load(io.BytesIO(payload), weights_only=True))
    except (pickle.UnpicklingError, EOFError, KeyError, RuntimeError, TypeError, ValueError):
        _log.warning("the checkpoint %s cannot be read; its runs begin again", path.name)
        return None


def divide(
    replicas: Iterable[Replica], made_for: str, folder: Path | None
) -> Iterator[tuple[tuple[Replica, ...], Checkpoint | None]]:
    """The replicas of a group by the checkpoint that each goes on from; last those that begin at step 0."""
    left = {replica.run: replica for replica in replicas}
    paths = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns) if folder else []
    for path in reversed(paths):
        first, _, last = path.name.removesuffix(_SUFFIX).partition("-")
        if not any(int(first) <= run <= int(last) for run in left):
            continue
        checkpoint = load(path)
        if checkpoint is None or checkpoint.made_for != made_for:
            continue
        known = tuple(left.pop(run) for run in checkpoint.runs if run in left and checkpoint.agrees(left[run]))
        if known:
            yield known, checkpoint
    if left:
        yield tuple(left.values()), None


@dataclass(slots=True)
class Keeper:
    """Keeps the checkpoint of a wave: notes what the wave reports, and writes the file now and then.

    Attributes:
        request: that the wave belongs to.
        runs: of the wave.

    """

    request: TrainGroup
    runs: tuple[int, ...]
    _failed: dict[int, tuple[int, str]] = field(default_factory=dict)
    _steps: list[int] = field(default_factory=list)
    _reported: list[Tensor] = field(default_factory=list)
    _due: float = field(init=False)

    def __post_init__(self) -> None:
        self._due = monotonic() + self.request.checkpoint_seconds

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return bool(self.request.checkpoints) and monotonic() >= self._due

    def note(self, step: int, *values: LossArray) -> None:
        """Note a report: training loss, validation loss and metric, (runs,) each."""
        if self.request.checkpoints:
            self._steps.append(step)
            self._reported.append(torch.from_numpy(np.stack(values)))

    def note_failed(self, run: int, step: int, reason: str) -> None:
        """Note that a run has failed."""
        self._failed[run] = step, reason

    def write(
        self,
        step: int,
        cost: tuple[float, int],
        watch: LossArray,
        packs: Sequence[tuple[Pack, Sequence[int]]],
        changes: Mapping[int, Sequence[Change]],
    ) -> None:
        """Write the file.

        Args:
            step: optimiser steps that each replica has taken.
            cost: seconds that took, and steps summed over the replicas.
            watch: (2, runs), what tells diverging runs.
            packs: each with the positions of its replicas in the wave.
            changes: what has been changed by hand, by run.

        """
        began = monotonic()
        memory = {
            self.runs[position]: remember(own)
            for pack, positions in packs
            for own, position in zip(pack.memories(), positions, strict=True)
        }
        save(
            self._path,
            Checkpoint(
                made_for=fingerprint(self.request),
                kind=type(packs[0][0]).__name__,
                step=step,
                seconds=cost[0],
                steps=cost[1],
                runs=self.runs,
                failed=self._failed,
                memory=memory,
                watch=torch.from_numpy(watch),
                reported_steps=tuple(self._steps),
                reported=torch.stack(self._reported, 1),
                changes={run: changed(own, step) for run, own in changes.items() if own},
            ),
        )
        self._due = monotonic() + max(self.request.checkpoint_seconds, _SPARING * (monotonic() - began))

    def end(self) -> None:
        """Remove the file: the wave has been trained."""
        if self.request.checkpoints:
            with suppress(OSError):
                self._path.unlink()

    @property
    def _path(self) -> Path:
        return Path(self.request.checkpoints) / f"{min(self.runs)}-{max(self.runs)}{_SUFFIX}"
