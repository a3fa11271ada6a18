"""Preset files: read strictly, every fault one sentence with file, line and field, written so that they read back."""

import os
import stat
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.spec_values import comparisons
from tuilab.spec.comparison import Candidate, Comparison, dump
from tuilab.spec.errors import FileError, LabError
from tuilab.spec.layers import Linear, Out
from tuilab.spec.preset_errors import plain_words
from tuilab.spec.preset_file import load, loads, save, to_yaml
from tuilab.spec.task import Csv, Spirals
from tuilab.spec.training import Cosine, Sgd, Training

PRESET = textwrap.dedent(
    """\
    # A comment at the top.
    title: Spirals
    question: >-
      Is this folded
      text one line?

    task:
      kind: spirals
      turns: 1.5  # not two

    training:
      steps: 500
      optimizer: {kind: sgd, momentum: 0.5}

    candidates:
      # the wide one
      - name: wide
        stack: 100 relu
      - name: deep
        stack: 4*(11 relu)
        training:
          lr: 1e-2

    protocol:
      lr_grid: [0.01, 0.1]
      budget: {rule: at_most, reference: wide}

    expect:
      - {candidate: deep, against: wide, verdict: better}

    profiles:
      quick:
        training:
          steps: 50
    """
)


def _edited(old: str, new: str) -> str:
    assert PRESET.count(old) == 1, old
    return PRESET.replace(old, new)


def _error(text: str) -> FileError:
    with pytest.raises(FileError) as caught:
        loads(text, "p.yaml")
    error = caught.value
    assert error.file == "p.yaml"
    assert "\n" not in str(error)
    assert "\x1b" not in str(error)
    return error


def test_a_file_says_a_comparison():
    comparison = loads(PRESET)
    assert comparison.question == "Is this folded text one line?"
    assert comparison.task == Spirals(turns=1.5)
    assert comparison.training == Training(steps=500, optimizer=Sgd(momentum=0.5))
    assert [candidate.name for candidate in comparison.candidates] == ["wide", "deep"]
    assert comparison.training_of(comparison.candidates[0]) == comparison.training


def test_a_candidate_writes_only_the_training_in_which_it_differs():
    comparison = loads(PRESET)
    own = comparison.training_of(comparison.candidates[1])
    assert own == comparison.training.model_copy(update={"lr": 0.01})


def test_a_profile_changes_what_it_says_and_nothing_else():
    full, quick = loads(PRESET), loads(PRESET, profile="quick")
    assert quick.training == full.training.model_copy(update={"steps": 50})
    assert quick.training_of(quick.candidates[1]).steps == 50
    assert quick.model_copy(update={"training": full.training, "candidates": full.candidates}) == full


def test_an_unknown_profile_says_which_there_are():
    with pytest.raises(LabError, match="it has full, quick"):
        loads(PRESET, profile="gpu")


def test_kinds_may_stand_alone_and_widths_may_be_numbers():
    comparison = loads(
        "title: T\ntask: xor\ntraining: {optimizer: adamw, schedule: constant}\ncandidates: [{name: a, stack: 14}]"
    )
    assert comparison.candidates[0].stack == (Linear(14),)
    assert comparison.training.optimizer.kind == "adamw"


def test_yes_and_no_are_text_as_in_yaml_1_2():
    assert loads("title: no\ntask: xor\ncandidates: [{name: yes}]").candidates[0].name == "yes"


SYNTAX = [
    ("", None, None, "empty"),
    ("# nothing\n", None, None, "empty"),
    ("just text", 1, None, "a list of fields"),
    ("- title: T\n- task: xor", 1, None, "a list of fields"),
    (_edited("  steps: 500", "\tsteps: 500"), 12, None, "a tab"),
    (_edited("  steps: 500", "  \tsteps: 500"), 12, None, "a tab"),
    (_edited("title: Spirals", "title: Spirals: two"), 2, None, "put text with a colon in quotes"),
    (_edited("title: Spirals", "title: 'Spirals"), 2, None, "never closed"),
    (_edited("title: Spirals", "title: [Spirals"), 2, None, "never closed"),
    (_edited("title: Spirals", "title: @Spirals"), 2, None, "put the text in quotes"),
    (_edited("title: Spirals", "title"), 3, None, "the line above lacks its own"),
    ("title: T\ntask\ncandidates: []", 2, None, "without a colon"),
    (_edited("    stack: 100 relu", "   stack: 100 relu"), 18, None, "does not fit the list above"),
    (_edited("  turns: 1.5", " turns: 1.5"), 9, None, "does not fit the indentation above"),
    (_edited("  turns: 1.5", "  turns: 1.5\n  turns: 2"), 10, "task.turns", "given twice (first in line 9)"),
    (PRESET + "title: again\n", 35, "title", "given twice (first in line 2)"),
    (_edited("title: Spirals", "title: &name Spirals"), 2, "title", "anchors and aliases"),
    (_edited("reference: wide", "reference: *name"), 26, "protocol.budget.reference", "anchors and aliases"),
    (_edited("title: Spirals", "title: !!python/object/apply:os.system [ls]"), 2, "title", "tags"),
    (_edited("title: Spirals", "title: !custom x"), 2, "title", "tags"),
    (_edited("title: Spirals", "? [title, x]\n: 1"), 2, None, "plain text"),
    (_edited("title: Spirals", "title: \x07"), 2, None, "control character"),
    (PRESET + "---\ntitle: two\n", 35, None, "second document"),
    ("a: " + "[" * 100_000, 1, None, "nested deeper"),
    ("- " * 100_000, 1, None, "nested deeper"),
    ("{a: " * 100_000, 1, None, "nested deeper"),
    ("title: " + "9" * 200, 1, "title", "more than 100 characters"),
]


@pytest.mark.parametrize(("text", "line", "field", "problem"), SYNTAX)
def test_text_that_is_not_such_yaml_is_told_by_line(text, line, field, problem):
    error = _error(text)
    assert (error.line, error.field) == (line, field)
    assert problem in error.problem


WRONG = [
    ("title: Spirals", "titel: Spirals", 2, "titel", "did you mean 'title'?"),
    ("title: Spirals", "title: 3", 2, "title", "must be text (put it in quotes), not 3"),
    ("title: Spirals", "title: [a]", 2, "title", "must be text (put it in quotes), not a list"),
    ("title: Spirals", "title:", 2, "title", "not nothing"),
    ("title: Spirals", 'title: "\\e[31mred"', 2, "title", "free of control characters"),
    ("title: Spirals", f"title: {'x' * 401}", 2, "title", "longer than 400 characters"),
    ("kind: spirals", "kind: spiral", 8, "task.kind", "unknown kind 'spiral'; did you mean 'spirals'?"),
    ("  kind: spirals\n", "", 7, "task", "the kind is missing"),
    ("turns: 1.5", "turns: two", 9, "task.turns", "must be a number, not 'two'"),
    ("turns: 1.5", "turns: -1", 9, "task.turns", "must be above 0, not -1"),
    ("turns: 1.5", "turns: 100", 9, "task.turns", "must be at most 20, not 100"),
    ("turns: 1.5", "turns: true", 9, "task.turns", "must be a number, not true"),
    ("turns: 1.5", "turns: .inf", 9, "task.turns", "must be a number, not '.inf'"),
    ("turns: 1.5", "turn: 1.5", 9, "task.turn", "unknown field; did you mean 'turns'?"),
    ("turns: 1.5", "dim: 5", 9, "task.dim", "unknown field"),
    ("steps: 500", "steps: -1", 12, "training.steps", "must be at least 0, not -1"),
    ("steps: 500", "steps: 1.5", 12, "training.steps", "must be a whole number, not 1.5"),
    ("steps: 500", "steps: many", 12, "training.steps", "must be a whole number, not 'many'"),
    ("steps: 500", "steps: 99999999999", 12, "training.steps", "must be at most 1,000,000,000, not 99,999,999,999"),
    ("steps: 500", "steps: [1]", 12, "training.steps", "must be a whole number, not a list"),
    ("steps: 500", "steps: true", 12, "training.steps", "must be a number, not true"),
    ("steps: 500", "stepz: 500", 12, "training.stepz", "did you mean 'steps'?"),
    ("steps: 500", "batch_size: 0", 12, "training.batch_size", "must be at least 1 or full, not 0"),
    ("steps: 500", "batch_size: all", 12, "training.batch_size", "a whole number or full"),
    ("steps: 500", "batch_size: 4096", 12, "training.batch_size", "4,096 is more than the 2,048 training examples"),
    ("steps: 500", "loss: mse", 12, "training.loss", "does not fit a classification task"),
    ("steps: 500", "loss: mae", 12, "training.loss", "did you mean mse?"),
    ("steps: 500", "schedule: cosin", 12, "training.schedule", "did you mean 'cosine'?"),
    ("momentum: 0.5", "momentum: 1", 13, "training.optimizer.momentum", "must be below 1, not 1"),
    ("momentum: 0.5", "nesterov: true", 13, "training.optimizer", "nesterov needs a momentum above 0"),
    ("momentum: 0.5", "beta1: 0.5", 13, "training.optimizer.beta1", "unknown field"),
    ("kind: sgd", "kind: sdg", 13, "training.optimizer.kind", "did you mean 'sgd'?"),
    ("100 relu", "100 rleu", 18, "candidates.1.stack", "column 5: unknown layer 'rleu'; did you mean 'relu'?"),
    ("100 relu", "0 relu", 18, "candidates.1.stack", "column 1: a width or count is at least 1"),
    ("100 relu", "conv(3, 3)", 18, "candidates.1.stack", "layer 1: conv needs an image"),
    ("100 relu", "4 residual(3)", 18, "candidates.1.stack", "layer 2: residual adds its input 4 features"),
    ("100 relu", "out 3", 18, "candidates.1.stack", "ends in 3 but the task needs 2"),
    ("stack: 100 relu", "stack:", 18, "candidates.1.stack", "a stack is written as text"),
    ("stack: 100 relu", "stack: [100, relu]", 18, "candidates.1.stack", "a stack is written as text"),
    ("stack: 100 relu", "stak: 100 relu", 18, "candidates.1.stak", "did you mean 'stack'?"),
    ("name: deep", "name: wide", 19, "candidates.2.name", "two candidates are called 'wide'"),
    ("name: deep", "name: ''", 19, "candidates.2.name", "must not be empty"),
    ("lr: 1e-2", "lr: 0", 22, "candidates.2.training.lr", "must be above 0, not 0"),
    ("lr: 1e-2", "lr: fast", 22, "candidates.2.training.lr", "must be a number, not 'fast'"),
    ("lr: 1e-2", "step: 3", 22, "candidates.2.training.step", "did you mean 'steps'?"),
    ("lr: 1e-2", "loss: l4", 22, "candidates.2.training.loss", "does not fit"),
    ("lr: 1e-2", "batch_size: 5000", 22, "candidates.2.training.batch_size", "more than the 2,048"),
    ("[0.01, 0.1]", "0.01", 25, "protocol.lr_grid", "must be a list, not 0.01"),
    ("[0.01, 0.1]", "[]", 25, "protocol.lr_grid", "too few entries; at least 1"),
    ("[0.01, 0.1]", "[0.01, -1]", 25, "protocol.lr_grid.2", "must be above 0, not -1"),
    ("at_most", "atmost", 26, "protocol.budget.rule", "did you mean at_most?"),
    ("reference: wide", "reference: broad", 26, "protocol.budget.reference", "there is no candidate 'broad'"),
    ("reference: wide", "reference: 0.5", 26, "protocol.budget.reference", "text (put it in quotes) or a whole number"),
    (
        "candidate: deep,",
        "candidate: deeper,",
        29,
        "expect.1.candidate",
        "no candidate 'deeper' (there are wide, deep)",
    ),
    ("verdict: better", "verdict: wins", 29, "expect.1.verdict", "better, worse, equivalent or cannot tell"),
    (", verdict: better", "", 29, "expect.1.verdict", "this field is missing"),
    ("  quick:", "  fast:", 32, "profiles.fast", "unknown profile (known: quick, gpu)"),
    ("    steps: 50\n", "    stepz: 50\n", 34, "profiles.quick.training.stepz", "did you mean 'steps'?"),
    ("    steps: 50\n", "    steps: false\n", 34, "profiles.quick.training.steps", "must be a number, not false"),
    ("    steps: 50\n", "    loss: l4\n", 34, "profiles.quick.training.loss", "does not fit"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "problem"), WRONG)
def test_a_wrong_value_is_told_by_line_and_field(old, new, line, field, problem):
    text = _edited(old, new)
    error = _error(text)
    assert error.field == field
    assert problem in error.problem
    assert error.line == line


def test_a_missing_field_is_told_at_what_lacks_it():
    error = _error(_edited("title: Spirals\n", ""))
    assert (error.line, error.field, error.problem) == (1, "title", "this field is missing")
    error = _error("title: T\ntask: {kind: csv, path: x.csv}\ncandidates: [{name: a}]")
    assert (error.line, error.field) == (2, "task.target")


def test_every_missing_field_is_named():
    error = _error("title: T\nquestion: Q?")
    assert (error.field, error.problem) == ("task", "this field is missing, and so is candidates")


def test_a_file_that_is_no_preset_is_said_to_lack_fields(tmp_path):
    file = tmp_path / "notes.yaml"
    file.write_text("title: dear diary\n")
    with pytest.raises(FileError, match=r"not a preset \(task: this field is missing, and so is candidates\)"):
        save(loads(PRESET), file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocol": {"final_seeds": "many"}}, "protocol.final_seeds must be a whole number, not 'many'"),
        ({"protocol": {"final_seeds": 0}}, "protocol.final_seeds must be at least 1, not 0"),
        ({"training": {"lr": "fast"}}, "training.lr must be a number, not 'fast'"),
        ({"training": {"stepz": 3}}, "training.stepz: unknown field"),
        ({"task": {"kind": "spiral"}}, "task.kind: unknown kind 'spiral'; did you mean 'spirals'?"),
        ({"task": {"kind": "csv", "path": "x.csv"}}, "task.target is missing"),
        ({"candidates": []}, "candidates: too few entries; at least 1"),
    ],
)
def test_what_validation_finds_is_said_in_plain_words(change, said):
    data = {**dump(loads(PRESET)), **change}
    with pytest.raises(ValidationError) as caught:
        Comparison.model_validate(data)
    assert plain_words(caught.value, data) == said


@pytest.mark.parametrize(
    ("candidates", "line", "field", "problem"),
    [
        ("candidates: []", 3, "candidates", "too few entries"),
        ("candidates: {a: b}", 3, "candidates", "must be a list, not fields"),
        ("candidates:\n  - 3", 4, "candidates.1", "must be fields with values"),
        ("candidates:\n" + "".join(f"  - name: n{i}\n" for i in range(27)), 3, "candidates", "(27); at most 26"),
    ],
)
def test_candidates_that_are_none_or_too_many(candidates, line, field, problem):
    error = _error("title: T\ntask: xor\n" + candidates)
    assert (error.line, error.field) == (line, field)
    assert problem in error.problem


def test_of_several_problems_the_first_in_the_file_is_told_and_the_rest_counted():
    text = _edited("steps: 500", "steps: -1").replace("100 relu", "100 rleu").replace("title", "titel")
    error = _error(text)
    assert (error.line, error.field) == (2, "titel")
    assert error.problem == "unknown field; did you mean 'title'? (and 2 more problems)"
    error = _error(_edited("steps: 500", "steps: -1").replace("100 relu", "100 rleu"))
    assert error.problem == "must be at least 0, not -1 (and 1 more problem)"


@pytest.mark.parametrize(
    ("task", "field", "problem"),
    [
        ("{kind: digits, shift: 4}", "task", "set image: true"),
        ("{kind: diabetes, label_noise: 0.1}", "task", "label_noise replaces classes"),
        ("{kind: wine, val_fraction: 0.5, test_fraction: 0.5}", "task", "leave none for training"),
        ("{kind: csv, path: no/such.csv, target: y}", "task.path", "no/such.csv: no such file"),
        ("{kind: csv, path: ., target: y}", "task.path", "a folder"),
        ("{kind: teacher, widths: [8, 0]}", "task.widths.2", "must be at least 1, not 0"),
    ],
)
def test_a_task_that_cannot_be_is_told_at_the_task(task, field, problem):
    error = _error(f"title: T\ntask: {task}\ncandidates: [{{name: a}}]")
    assert (error.line, error.field) == (2, field)
    assert problem in error.problem


def test_the_default_batch_size_may_exceed_a_small_table():
    text = "title: T\ntask: wine\ncandidates: [{name: a}]"
    assert loads(text).training.batch_size == 128
    assert _error(text + "\ntraining: {batch_size: 128}").field == "training.batch_size"


@pytest.fixture
def folder(tmp_path):
    rows = "\n".join(f"{i / 3:.3f},{i % 2}" for i in range(30))
    (tmp_path / "data.csv").write_text("x,y\n" + rows)
    text = "title: T\ntask:\n  kind: csv\n  path: data.csv\n  target: y\ncandidates:\n  - name: a\n    stack: 3 relu\n"
    (tmp_path / "p.yaml").write_text(text)
    return tmp_path


def test_the_path_of_a_table_starts_at_the_preset(folder, monkeypatch):
    monkeypatch.chdir("/")
    task = load(folder / "p.yaml").task
    assert isinstance(task, Csv)
    assert task.path == str(folder / "data.csv")


def test_a_fault_in_the_table_is_told_in_the_table(folder):
    data = folder / "data.csv"
    data.write_text(data.read_text().replace("1.000,1", "one,1"))
    with pytest.raises(FileError) as caught:
        load(folder / "p.yaml")
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(data), 5, "x")


def test_an_unknown_target_is_told_in_the_preset(folder):
    preset = folder / "p.yaml"
    preset.write_text(preset.read_text().replace("target: y", "target: z"))
    with pytest.raises(FileError) as caught:
        load(preset)
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(preset), 5, "task.target")
    assert "(x, y)" in caught.value.problem


def test_a_column_number_needs_no_quotes(folder):
    preset = folder / "p.yaml"
    preset.write_text(preset.read_text().replace("target: y", "target: 2"))
    assert load(preset).task == Csv(kind="csv", path=str(folder / "data.csv"), target="2")


def test_label_noise_on_numbers_is_refused_once_the_table_is_known(folder):
    preset, data = folder / "p.yaml", folder / "data.csv"
    data.write_text(data.read_text().replace(",1", ",1.5"))
    preset.write_text(preset.read_text().replace("target: y", "target: y\n  label_noise: 0.2"))
    with pytest.raises(FileError, match="label_noise replaces classes"):
        load(preset)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"\xff\xfe\x00t", 1, "UTF-8"),
        (b"title: T\n\x89PNG", 2, "UTF-8"),
        (b"title: T\n\x00\x01", 2, "control character"),
        (b"title: T\n" * 1_200_000, None, "10,800,000 bytes; a preset file has at most 1,000,000"),
        (os.urandom(900_000), None, ""),
    ],
)
def test_files_that_are_no_text_are_refused(tmp_path, content, line, problem):
    file = tmp_path / "p.yaml"
    file.write_bytes(content)
    started = time.process_time()
    with pytest.raises(FileError) as caught:
        load(file)
    assert time.process_time() - started < 1
    assert caught.value.file == str(file)
    assert problem in caught.value.problem
    assert not problem or caught.value.line == line


def test_files_that_are_not_there_or_no_files_are_refused(tmp_path):
    for path, problem in [
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "a folder or a device"),
        (Path("/dev/zero"), "a folder or a device"),
    ]:
        with pytest.raises(FileError, match=problem):
            load(path)


@pytest.mark.parametrize(
    "text",
    ["title: T\n" * 100_000, "a: " * 300_000, "x: [" + "1," * 400_000 + "]", "- a\n" * 200_000, "\n".join("abcdefgh")],
)
def test_a_megabyte_of_nonsense_is_refused_within_a_second(text):
    started = time.process_time()
    _error(text)
    assert time.process_time() - started < 1


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(comparisons())
def test_what_is_written_reads_back(comparison):
    assert loads(to_yaml(comparison)) == comparison


@settings(max_examples=150)
@given(st.integers(0, len(PRESET)), st.integers(0, 30), st.text("a: -\n[]{}'\"#&*!|>%@`\t0.5e", max_size=6))
def test_a_damaged_file_is_a_comparison_or_one_sentence(at, length, text):
    damaged = PRESET[:at] + text + PRESET[at + length :]
    try:
        outcome = str(loads(damaged, "p.yaml").title)
    except FileError as error:
        outcome = str(error)
        assert outcome.startswith("p.yaml")
    assert "\n" not in outcome


def test_writing_is_readable():
    comparison = loads(PRESET).model_copy(update={"about": " ".join(["One paragraph."] * 20) + "\n\nAnother."})
    text = to_yaml(Comparison.model_validate(comparison.model_dump(mode="json")))
    assert max(map(len, text.split("\n"))) <= 110
    assert "about: >-\n  One paragraph." in text
    assert "\ntask:\n  kind: spirals\n  turns: 1.5\n" in text
    assert "    stack: 4*(11 relu)\n    training:\n      lr: 0.01\n" in text
    assert "lr_grid: [0.01, 0.1]" in text
    tops = [line.split(":")[0] for line in text.split("\n") if line[:1].isalpha()]
    assert tops == ["title", "question", "about", "task", "training", "protocol", "candidates", "expect", "profiles"]


def test_a_minimal_comparison_is_written_minimally():
    text = to_yaml(Comparison(title="T", task=Spirals(), candidates=(Candidate(name="a", stack=(Linear(14),)),)))
    assert text == "title: T\n\ntask: spirals\n\ncandidates:\n  - name: a\n    stack: 14\n"


def test_saving_keeps_comments_and_order_and_changes_what_differs(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(PRESET)
    old = load(file)
    wide, deep = old.candidates
    new = old.model_copy(
        update={
            "title": "Two spirals",
            "training": old.training.model_copy(update={"steps": 900, "schedule": Cosine(final=0.1)}),
            "candidates": (wide, deep.model_copy(update={"stack": (Out(),), "training": None})),
        }
    )
    save(new, file)
    text = file.read_text()
    assert load(file) == new
    assert "# A comment at the top.\ntitle: Two spirals\n" in text
    assert "turns: 1.5  # not two" in text
    assert "  # the wide one\n  - name: wide\n    stack: 100 relu\n" in text
    assert "optimizer: {kind: sgd, momentum: 0.5}" in text
    assert text.index("candidates:") < text.index("protocol:")
    assert "  steps: 900\n" in text


def test_saving_what_is_there_changes_nothing(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(PRESET)
    save(load(file), file)
    assert file.read_text() == PRESET


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(comparisons(), comparisons())
def test_saving_over_another_comparison_reads_back(tmp_path_factory, old, new):
    file = tmp_path_factory.mktemp("save") / "p.yaml"
    save(old, file)
    save(new, file)
    assert load(file) == new
    assert [path.name for path in file.parent.iterdir()] == ["p.yaml"]


@pytest.mark.parametrize(
    "names", [["deep"], ["deep", "wide"], ["new", "wide", "deep"], ["wide", "new", "deep"], ["wide", "deep", "new"]]
)
def test_saving_follows_candidates_that_come_go_and_move(tmp_path, names):
    file = tmp_path / "p.yaml"
    file.write_text(PRESET)
    old = load(file)
    known = {candidate.name: candidate for candidate in old.candidates}
    protocol = old.protocol.model_copy(update={"budget": old.protocol.budget.model_copy(update={"reference": None})})
    candidates = tuple(known.get(name, Candidate(name=name, stack=(Linear(3),))) for name in names)
    new = old.model_copy(update={"candidates": candidates, "expect": (), "protocol": protocol})
    save(new, file)
    assert load(file) == new
    assert "# A comment at the top." in file.read_text()


def test_saving_writes_a_table_beside_the_preset_relatively(folder):
    other = folder / "copy.yaml"
    save(load(folder / "p.yaml"), other)
    assert "path: data.csv" in other.read_text()
    assert load(other) == load(folder / "p.yaml")


def test_saving_over_something_else_is_refused_and_leaves_it(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("dear diary: today\n")
    with pytest.raises(FileError, match="not a preset"):
        save(loads(PRESET), file)
    assert file.read_text() == "dear diary: today\n"


def test_saving_where_nothing_can_be_written_is_one_sentence(tmp_path):
    with pytest.raises(FileError, match="cannot be written"):
        save(loads(PRESET), tmp_path / "no" / "folder" / "p.yaml")


def test_saving_keeps_the_mode_and_goes_through_links(tmp_path):
    file, link = tmp_path / "p.yaml", tmp_path / "link.yaml"
    file.write_text(PRESET)
    file.chmod(0o600)
    link.symlink_to(file)
    save(loads(PRESET).model_copy(update={"title": "New"}), link)
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load(file).title == "New"


@pytest.mark.parametrize("stack", ["conv(16, 3) relu", "linear(8, bias=false, init=orthogonal) relu"])
def test_a_comma_that_ends_a_stack_inside_braces_is_told_as_such(stack: str) -> None:
    text = f"title: T\ntask: digits\ncandidates:\n  - {{name: a, stack: {stack}}}\n"
    with pytest.raises(FileError) as raised:
        loads(text, "p.yaml")
    cut = stack.partition(",")[0]
    said = f"in braces a comma ends the text {cut!r}; put it in quotes, with what follows"
    assert str(raised.value) == f"p.yaml, line 4: candidates.1.stack: {said}"
