"""The order in which a replica sees its training examples."""

import numpy as np
from numpy.typing import NDArray

from tuilab.spec.training import Training


class BatchOrder:
    """An endless stream of shuffled epochs, cut into batches of one size.

    Every epoch visits every example once in an order of its own. A batch may begin in one epoch and end in the next, so
    that all batches have the same size. A batch as large as the training set is the training set, unshuffled.
    """

    def __init__(self, num_train: int, training: Training, rng: np.random.Generator) -> None:
        self.num_train = num_train
        self.batch_size = batch_size(num_train, training)
        self._rng = rng
        self._rest = np.empty(0, dtype=np.int64)

    def take(self, count: int) -> NDArray[np.int64]:
        """The next ``count`` batches: (count, batch_size) numbers of training examples."""
        if self.batch_size == self.num_train:
            return np.tile(np.arange(self.num_train), (count, 1))
        needed = count * self.batch_size
        parts, available = [self._rest], len(self._rest)
        while available < needed:
            parts.append(self._rng.permutation(self.num_train))
            available += self.num_train
        stream = np.concatenate(parts)
        self._rest = stream[needed:]
        return stream[:needed].reshape(count, self.batch_size)

    def state(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What is left of the current epoch, and 13 numbers for the generator: with these the stream goes on."""
        state = self._rng.bit_generator.state
        counter, key = state["state"]["counter"], state["state"]["key"]
        rest = [state["buffer_pos"], state["has_uint32"], state["uinteger"]]
        numbers = np.array([*counter, *key, *state["buffer"], *rest], dtype=np.uint64)
        return self._rest, numbers.view(np.int64)

    def go_on_from(self, rest: NDArray[np.int64], generator: NDArray[np.int64]) -> None:
        """Take the place in the stream at which ``state`` was taken."""
        numbers = [int(number) for number in generator.view(np.uint64)]
        self._rest = rest.copy()
        self._rng.bit_generator.state = {
            "bit_generator": "Philox",
            "state": {"counter": np.array(numbers[:4], np.uint64), "key": np.array(numbers[4:6], np.uint64)},
            "buffer": np.array(numbers[6:10], np.uint64),
            "buffer_pos": numbers[10],
            "has_uint32": numbers[11],
            "uinteger": numbers[12],
        }


def batch_size(num_train: int, training: Training) -> int:
    """Examples a step: at most the whole training set."""
    return num_train if training.batch_size == "full" else min(training.batch_size, num_train)
