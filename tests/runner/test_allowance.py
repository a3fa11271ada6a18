"""Memory that a process may have in a container or a batch job."""

from pathlib import Path

import pytest

from tuilab.runner.allowance import memory_allowance

GIB = 2**30


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


def group(folder: Path, limit: str, used: int, cache: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cache}\n")


def test_without_control_groups_it_is_the_machines(tmp_path: Path, own: Path) -> None:
    assert memory_allowance(64 * GIB, 50 * GIB, tmp_path, own) == (64 * GIB, 50 * GIB)
    own.write_text("0::/\nnonsense\n")
    assert memory_allowance(64 * GIB, 50 * GIB, tmp_path / "none", own) == (64 * GIB, 50 * GIB)


def test_a_jobs_limit_counts_and_pages_of_files_can_be_had(tmp_path: Path, own: Path) -> None:
    own.write_text("0::/job/step\n")
    group(tmp_path / "cgroup" / "job", str(8 * GIB), 5 * GIB, GIB)
    group(tmp_path / "cgroup" / "job" / "step", "max", 3 * GIB)
    assert memory_allowance(64 * GIB, 50 * GIB, tmp_path / "cgroup", own) == (8 * GIB, 4 * GIB)
    assert memory_allowance(64 * GIB, GIB, tmp_path / "cgroup", own) == (8 * GIB, GIB)
    assert memory_allowance(4 * GIB, GIB, tmp_path / "cgroup", own) == (4 * GIB, GIB)


def test_the_tightest_group_decides(tmp_path: Path, own: Path) -> None:
    own.write_text("0::/job/step\n")
    group(tmp_path / "cgroup" / "job", str(8 * GIB), 5 * GIB)
    group(tmp_path / "cgroup" / "job" / "step", str(2 * GIB), GIB)
    assert memory_allowance(64 * GIB, 50 * GIB, tmp_path / "cgroup", own) == (2 * GIB, GIB)


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path, own: Path) -> None:
    own.write_text("4:memory:/elsewhere\n1:cpu:/\n")
    folder = tmp_path / "cgroup" / "memory"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text(str(3 * GIB))
    (folder / "memory.usage_in_bytes").write_text(str(2 * GIB))
    (folder / "memory.stat").write_text(f"total_inactive_file {GIB}\n")
    assert memory_allowance(64 * GIB, 50 * GIB, tmp_path / "cgroup", own) == (3 * GIB, 2 * GIB)
    (folder / "memory.limit_in_bytes").write_text("9223372036854771712")
    assert memory_allowance(64 * GIB, 50 * GIB, tmp_path / "cgroup", own) == (64 * GIB, 50 * GIB)
