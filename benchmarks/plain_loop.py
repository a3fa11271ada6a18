"""The loop that one writes first, on one task: prints steps, seconds and CPU seconds. See ``peers.torch_loop``."""

import sys
import time

from benchmarks.engine_tasks import TASKS
from benchmarks.peers.export import exported
from benchmarks.peers.torch_loop import Loop


def main() -> None:
    """Measure the task named on the command line, with as many threads as it says."""
    task = next(task for task in TASKS if task.name == sys.argv[1])
    problem = exported(task)
    loop = Loop(problem, 1, int(sys.argv[2]))
    in_an_epoch = len(problem.networks) * len(problem.x) // problem.batch
    epochs = max(1, task.peer_steps // in_an_epoch)
    loop.train(max(1, epochs // 20))
    began, cpu = time.perf_counter(), time.process_time()
    done = loop.train(epochs)
    print(done, time.perf_counter() - began, time.process_time() - cpu)


if __name__ == "__main__":
    main()
