"""A group that is cut off goes on from its checkpoint, on the CPU number for number as if nothing had happened."""

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from tuilab.engine import checkpoints, packing
from tuilab.engine.checkpoints import divide, fingerprint, load
from tuilab.engine.training import train_group
from tuilab.spec.notation import parse
from tuilab.spec.protocol import EVENT, GroupFinished, Points, Replica, RunFailed, RunFinished, TrainGroup
from tuilab.spec.task import Task
from tuilab.spec.training import Training

TASKS: TypeAdapter[Task] = TypeAdapter(Task)
XOR = {"kind": "xor", "num_train": 96, "num_val": 32, "num_test": 32, "noise": 0.4}
DIGITS = {"kind": "digits", "image": True}
RADIAL = {"kind": "radial", "num_train": 96, "num_val": 32, "num_test": 32}
REPLICAS = tuple(Replica(run=7 + place, seed_index=place // 2, lr=(0.003, 0.03)[place % 2]) for place in range(6))


class CutOffError(Exception):
    """Stands for whatever ends the process."""


def request(folder, stack="12 relu 6 tanh", task=None, replicas=REPLICAS, **training):
    return TrainGroup(
        group=1,
        stack=parse(stack),
        task=TASKS.validate_python(
            task or {"kind": "xor", "num_train": 96, "num_val": 32, "num_test": 32, "noise": 0.4}
        ),
        training=Training.model_validate({"steps": 300, "batch_size": 16, **training}),
        seed=3,
        replicas=replicas,
        checkpoints=str(folder),
        checkpoint_seconds=0.0,
    )


class Told:
    """What a group told: points by run and step, failures, results."""

    def __init__(self):
        self.points, self.failed, self.finished, self.steps = {}, {}, {}, []

    def __call__(self, event):
        match event:
            case GroupFinished():
                self.group = event
            case Points():
                self.steps += event.steps
                rows = zip(event.steps, event.train_loss, event.eval_loss, event.metric, strict=True)
                for step, *values in rows:
                    for column, run in enumerate(event.runs):
                        point = tuple(value[column] for value in values)
                        assert self.points.setdefault((run, step), point) == point
            case RunFailed():
                told = (event.step, event.reason)
                assert self.failed.setdefault(event.run, told) == told
            case RunFinished():
                self.finished[event.run] = event.model_dump(exclude={"group"})
            case _:
                pass

    @property
    def everything(self):
        return self.points, self.failed, self.finished


def cut(number):
    """A control that ends everything when it is asked for the ``number``-th time."""
    asked = iter(range(number))

    def control():
        if next(asked, None) is None:
            raise CutOffError
        return False

    return control


def told_by(asked):
    told = Told()
    train_group(asked, told, lambda: False)
    return told


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """A checkpoint at every evaluation, and a look at the requests at every step."""
    monkeypatch.setattr(checkpoints, "_SPARING", 0)
    monkeypatch.setattr("tuilab.engine.training._CHUNK_SECONDS", 0.0)


CASES: dict[str, dict[str, Any]] = {
    "adam": {},
    "momentum": {"optimizer": "momentum", "schedule": {"kind": "cosine", "warmup": 0.1}},
    "nesterov that rises": {"optimizer": {"kind": "nesterov", "momentum_schedule": "sutskever"}},
    "sgd": {"optimizer": "sgd", "batch_size": "full"},
    "rmsprop": {"optimizer": {"kind": "rmsprop", "momentum": 0.5}},
    "adamw with decay": {"optimizer": {"kind": "adamw", "weight_decay": 0.1}, "schedule": "step"},
    "dropout and normalisation": {"stack": "12 batchnorm relu dropout(0.3) 8 layernorm tanh"},
    "residual": {"stack": "8 residual(8 relu 8) sum(4 | relu 4)"},
    "frozen": {"stack": "linear(20, trainable=false) relu 5"},
    "image": {"stack": "conv(3, 3) batchnorm relu flatten", "task": DIGITS, "steps": 60, "batch_size": 128},
    "one that diverges": {"task": RADIAL, "optimizer": "sgd", "lrs": (0.01, 100.0)},
}


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_a_group_that_was_cut_off_goes_on_as_if_nothing_had_happened(tmp_path, monkeypatch, case, kernel):
    if not kernel:
        monkeypatch.setattr(packing, "find_kernel", lambda: None)
    changes = dict(CASES[case])
    lrs = changes.pop("lrs", None)
    replicas = REPLICAS
    if lrs:
        replicas = tuple(one.model_copy(update={"lr": lrs[one.run % 2]}) for one in REPLICAS)
    undisturbed = told_by(request("", replicas=replicas, **changes))
    asked = request(tmp_path / "kept", replicas=replicas, **changes)
    steps = asked.training.steps
    told = Told()
    for number in (steps // 3, steps // 2):
        with pytest.raises(CutOffError):
            train_group(asked, told, cut(number))
        (path,) = (tmp_path / "kept").iterdir()
        kept = load(path)
        assert kept is not None
        assert kept.step >= steps // 4
    rest = told_by(asked)
    assert rest.everything == undisturbed.everything
    assert told.points.items() <= rest.points.items()
    assert bool(rest.failed) == (case == "one that diverges")
    assert rest.group.steps == undisturbed.group.steps
    assert list((tmp_path / "kept").iterdir()) == []


def cut_off_at(asked, number):
    told = Told()
    with pytest.raises(CutOffError):
        train_group(asked, told, cut(number))
    return told


def test_what_was_not_heard_before_the_end_is_told_again(tmp_path):
    """The engine may have told more than its runner had written when both were killed."""
    replicas = tuple(one.model_copy(update={"lr": (0.01, 100.0)[one.run % 2]}) for one in REPLICAS)
    asked = request(tmp_path, task=RADIAL, replicas=replicas, optimizer="sgd")
    undisturbed = told_by(asked.model_copy(update={"checkpoints": ""}))
    cut_off_at(asked, 200)
    assert told_by(asked).everything == undisturbed.everything


def test_the_replicas_that_are_left_go_on_in_other_company(tmp_path):
    asked = request(tmp_path)
    undisturbed = told_by(asked.model_copy(update={"checkpoints": ""}))
    cut_off_at(asked, 150)
    fresh = Replica(run=50, seed_index=9, lr=0.01)
    for part in (REPLICAS[4:], (*REPLICAS[1:3], fresh)):
        told = told_by(asked.model_copy(update={"replicas": part}))
        for run, found in told.finished.items():
            if run != fresh.run:
                assert found == undisturbed.finished[run]
    alone = told_by(request("", replicas=(fresh,)))
    assert told.finished[fresh.run] == alone.finished[fresh.run]


def test_a_checkpoint_is_for_one_course_of_training_only(tmp_path):
    asked = request(tmp_path)
    cut_off_at(asked, 150)
    for changes in ({"seed": 4}, {"stack": parse("12 relu 6")}, {"training": Training(steps=301, batch_size=16)}):
        other = asked.model_copy(update=changes)
        ((replicas, checkpoint),) = divide(other.replicas, fingerprint(other), tmp_path)
        assert checkpoint is None
        assert replicas == REPLICAS


def test_a_damaged_checkpoint_is_none(tmp_path, caplog):
    asked = request(tmp_path)
    undisturbed = told_by(asked.model_copy(update={"checkpoints": ""}))
    cut_off_at(asked, 150)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    generator = random.Random(1)
    for _ in range(60):
        place = generator.randrange(len(content))
        flipped = bytearray(content)
        flipped[place] ^= 1 << generator.randrange(8)
        for damaged in (content[:place], bytes(flipped)):
            path.write_bytes(damaged)
            assert load(path) is None
    assert "is damaged; its runs begin again" in caplog.text
    assert told_by(asked).everything == undisturbed.everything


def test_a_checkpoint_is_data_and_never_code(tmp_path):
    import hashlib
    import pickle

    class Code:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    payload = pickle.dumps(Code(), protocol=2)
    digest = hashlib.blake2b(payload, digest_size=16).digest()
    (tmp_path / "7-12.checkpoint").write_bytes(b"tuilab checkpoint 1\n" + digest + payload)
    asked = request(tmp_path)
    assert told_by(asked).finished
    assert not (tmp_path / "executed").exists()


def test_a_disk_that_is_full_costs_the_checkpoint_only(tmp_path, caplog):
    (tmp_path / "kept").write_text("a file where the folder should be")
    asked = request(tmp_path / "kept")
    assert told_by(asked).finished == told_by(asked.model_copy(update={"checkpoints": ""})).finished
    assert "no checkpoint" in caplog.text


def test_an_engine_killed_at_any_moment_is_replaced_by_one_that_goes_on(tmp_path):
    asked = request(tmp_path, steps=30_000)
    undisturbed = told_by(asked.model_copy(update={"checkpoints": ""}))
    told = Told()
    with start_engine() as engine:
        send(engine, asked)
        for line in engine.stdout:
            event = EVENT.validate_json(line)
            told(event)
            if isinstance(event, Points) and event.steps[-1] >= 9000:
                engine.send_signal(signal.SIGKILL)
                break
    (path,) = tmp_path.glob("*.checkpoint")
    kept = load(path)
    assert kept is not None
    assert kept.step > 0
    with start_engine() as engine:
        send(engine, asked)
        for line in engine.stdout:
            event = EVENT.validate_json(line)
            told(event)
            if isinstance(event, GroupFinished):
                break
        engine.kill()
    assert told.everything == undisturbed.everything


def start_engine():
    return subprocess.Popen(
        [sys.executable, "-m", "tuilab.engine"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def send(engine, asked):
    engine.stdin.write(asked.model_dump_json().encode() + b"\n")
    engine.stdin.flush()
