"""Fixtures of the runner's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab whose processes are gone after the test."""
    made = Lab(tmp_path / "lab")
    yield made
    made.close()
