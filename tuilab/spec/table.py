"""CSV files as tables of numbers: types detected, missing values and bad rows named by line."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file as numbers."""

    inputs: tuple[tuple[float, ...], ...]
    targets: tuple[float, ...]
    class_names: tuple[str, ...]
    input_names: tuple[str, ...]

    @property
    def num_inputs(self) -> int:
        return len(self.input_names)

    @property
    def num_rows(self) -> int:
        return len(self.inputs)

    @property
    def classes(self) -> int | None:
        return len(self.class_names) or None


def read_table(path: str, target: str, predict: Literal["auto", "classification", "regression"] = "auto") -> Table:
    """Read a file."""
    raise NotImplementedError
