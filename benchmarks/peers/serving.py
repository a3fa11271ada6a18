"""A peer's side of the conversation: one JSON object a line in, one out, in processes that stay warm between rounds.

``{"problem": PATH, "replicas": 5, "epochs": 10}`` prepares a problem, trains an epoch, compiling on the way, then so
many; ``{"epochs": 30}`` trains it further. What prints on standard output by itself goes to standard error.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from benchmarks.peers.problem import Problem


class Trainer(Protocol):
    """A problem in training; all its networks, and as many replicas of each as the peer trains at once."""

    def train(self, epochs: int) -> int:
        """Train everything for so many epochs; how many steps that took, summed over networks and replicas."""

    def loss(self) -> float:
        """Mean over all training examples, networks and replicas."""


def serve(prepare: Callable[[Problem, int, int], Trainer]) -> None:
    """Answer on standard output until standard input ends.

    Args:
        prepare: makes a trainer of a problem, the replicas to train at once (of each network) and the threads to use.

    """
    threads = int(sys.argv[1])
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    trainer: Trainer | None = None
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        began, cpu = time.perf_counter(), time.process_time()
        if "problem" in request:
            trainer = prepare(Problem.load(Path(request["problem"])), request["replicas"], threads)
            first_loss = trainer.loss()
            trainer.train(1)
            compiled = time.perf_counter()
            done = trainer.train(request["epochs"])
            seconds = time.perf_counter() - compiled
            answer = {"prepared": compiled - began, "first_loss": first_loss, "loss": trainer.loss()}
        else:
            assert trainer
            done, answer = trainer.train(request["epochs"]), {}
            seconds = time.perf_counter() - began
        answer |= {"steps": done, "seconds": seconds, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), file=answers, flush=True)
