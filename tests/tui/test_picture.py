"""Pictures of the data: every task has one, it fits, and it shows what the task is."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tuilab.spec.task import Task
from tuilab.tui.canvas import Glyphs
from tuilab.tui.lines import cell_width, plain
from tuilab.tui.picture import picture
from tuilab.tui.settings import kinds

TASKS: list[object] = [
    *(kind for kind in kinds(("task",)) if kind != "csv"),
    {"kind": "blobs", "dim": 1, "classes": 100},
    {"kind": "blobs", "dim": 7},
    {"kind": "parity", "bits": 30, "dim": 1000},
    {"kind": "radial", "dim": 1000},
    {"kind": "digits", "image": True, "shift": 4},
    {"kind": "digits", "image": True, "shift": 24},
    {"kind": "digits", "reconstruct": True},
    {"kind": "teacher", "dim": 1000, "widths": [1000, 1000]},
]


def task_of(data: object) -> Task:
    found: Task = TypeAdapter(Task).validate_python(data)
    return found


def text(data: object, width: int = 44, height: int = 18, glyphs: Glyphs = "braille") -> str:
    return "\n".join(plain(line).rstrip() for line in picture(task_of(data), width, height, glyphs))


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_every_task_has_a_picture_that_fits(task: object) -> None:
    for width, height in ((44, 18), (30, 9), (110, 34), (8, 3)):
        for glyphs in ("braille", "ascii"):
            lines = picture(task_of(task), width, height, glyphs)
            assert 2 <= len(lines) <= height
            assert all(cell_width(plain(line)) <= width for line in lines)
            assert any(plain(line).strip() for line in lines[1:])


def test_numbers_to_predict_have_a_histogram_with_its_ends() -> None:
    for kind in ("teacher", "diabetes", "wave", "additive"):
        assert "how often which target" in text(kind)
    assert text("diabetes").splitlines()[-1].split()[::5] == ["25", "346"]


def test_a_table_is_drawn_on_its_principal_axes_with_its_classes_counted() -> None:
    shown = text("wine", 60)
    assert "the first two principal axes of the 13 inputs" in shown
    assert [line.split()[-1] for line in shown.splitlines()[-3:]] == ["59", "71", "48"]


def test_a_csv_file_is_drawn_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    task = {"kind": "csv", "path": str(path), "target": "price"}
    path.write_text("size,price\n" + "".join(f"{n},{n * n + 0.5}\n" for n in range(30)))
    assert "target over size" in text(task)
    assert text(task).splitlines()[-1].split()[::5] == ["0.5", "842"]
    rows = "".join(f"{n},{n % 7},{'ab'[n % 3 == 0]}\n" for n in range(30))
    path.write_text("size,age,price\n" + rows)
    shown = text(task)
    assert "age over size" in shown
    assert [line.split()[-1] for line in shown.splitlines()[-2:]] == ["20", "10"]
    path.unlink()
    assert "no such file" in " ".join(text(task).split())


def test_parity_shows_signs_with_the_class_that_they_have() -> None:
    for line in text("parity").splitlines()[3:]:
        *signs, label = line.split()
        assert label == ("odd" if signs[:3].count("-") % 2 else "even")
