"""The shipped presets: each loads, fits its budget, says what a reader wants and reads back."""

import pytest

from tuilab.analysis.counting import count
from tuilab.spec.comparison import BudgetRule
from tuilab.spec.errors import LabError
from tuilab.spec.preset_file import load, loads, to_yaml
from tuilab.spec.presets import find_preset, preset_folder, preset_names

SIX = {
    "digits-depth",
    "spirals-depth",
    "serial-collapse",
    "parallel-collapse",
    "three-more-neurons",
    "linear-is-enough",
}


def test_the_six_questions_of_the_start_are_there():
    assert set(preset_names()) >= SIX
    assert preset_folder().is_dir()


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_says_what_a_reader_wants(name):
    comparison = load(find_preset(name))
    assert comparison.question.endswith("?")
    assert comparison.hypothesis
    assert len(comparison.about) > 400
    assert "not show" in comparison.about
    assert "xamples are not rates" in comparison.about or "an example, not a rate" in comparison.about
    assert comparison.expect
    assert set(comparison.profiles) == {"quick", "gpu"}
    assert all(len(candidate.name) <= 20 for candidate in comparison.candidates)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_reads_back_in_every_profile(name):
    for profile in ("full", "quick", "gpu"):
        comparison = load(find_preset(name), profile)
        assert loads(to_yaml(comparison)) == comparison


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_keeps_its_own_budget(name):
    comparison = load(find_preset(name))
    sizes = {c.name: count(comparison.network_of(c)).num_params for c in comparison.candidates}
    budget = comparison.protocol.budget
    target = sizes[budget.reference or comparison.candidates[0].name] if not isinstance(budget.reference, int) else 0
    for size in sizes.values():
        if budget.rule is BudgetRule.AT_MOST:
            assert size <= target
        if budget.rule is BudgetRule.AT_LEAST:
            assert size >= target
        if budget.rule is not BudgetRule.NONE:
            assert abs(size - target) / target <= budget.tolerance


@pytest.mark.parametrize("name", preset_names())
def test_a_quick_profile_takes_few_steps(name):
    quick = load(find_preset(name), "quick")
    tuned = len(quick.protocol.lr_grid) * quick.protocol.tuning_seeds
    steps = 0
    for candidate in quick.candidates:
        training = quick.training_of(candidate)
        runs = quick.protocol.final_seeds + (tuned if training.lr is None and training.needs_lr else 0)
        steps += runs * training.steps
    assert steps <= 100_000
    assert not quick.protocol.extend_grid or quick.training.lr is not None or not quick.training.needs_lr


@pytest.mark.parametrize("name", preset_names())
def test_preset_files_are_readable_in_a_terminal(name):
    assert max(map(len, find_preset(name).read_text().split("\n"))) <= 100


def test_published_sizes_are_kept():
    for name, sizes in {
        "spirals-depth": [502, 477, 492, 453],
        "digits-depth": [3010, 3055, 2971],
        "linear-is-enough": [11, 505, 511, 529],
        "parallel-collapse": [10, 20, 10],
    }.items():
        comparison = load(find_preset(name))
        assert [count(comparison.network_of(c)).num_params for c in comparison.candidates] == sizes


def test_a_preset_is_found_by_name_by_beginning_and_by_path(tmp_path, monkeypatch):
    file = preset_folder() / "digits-depth.yaml"
    assert find_preset("digits-depth") == file
    assert find_preset("spirals") == preset_folder() / "spirals-depth.yaml"
    assert find_preset(str(file)) == file
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").write_text("title: T")
    assert find_preset("own").samefile(tmp_path / "own")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("digit-depht", "did you mean digits-depth"),
        ("s", "did you mean"),
        ("nothing like it", "tuilab presets lists"),
        ("", "tuilab presets lists"),
        ("none.yaml", "no such file"),
        ("folder/none", "no such file"),
        ("x" * 5000, "there is no preset or file"),
        ("~nobody-here/p.yaml", "no such file"),
    ],
)
def test_a_preset_that_is_not_there_says_what_is(text, advice):
    with pytest.raises(LabError, match=advice):
        find_preset(text)
