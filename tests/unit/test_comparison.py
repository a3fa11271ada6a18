"""Comparisons: what tasks ask of networks, profiles, and the JSON schema that editors complete from."""

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from tests.unit.spec_values import comparisons
from tuilab.spec.comparison import Candidate, Comparison, Patch, dump, merge
from tuilab.spec.errors import LabError
from tuilab.spec.notation import parse
from tuilab.spec.task import (
    Additive,
    Blobs,
    Bundled,
    Circles,
    Csv,
    Digits,
    Mnist1d,
    Parity,
    Plane,
    Radial,
    Sawtooth,
    Spirals,
    TaskKind,
    Teacher,
    Wave,
    Xor,
    facts,
    split_sizes,
)
from tuilab.spec.training import Adam, Loss, Sgd, Training


@settings(max_examples=60)
@given(comparisons())
def test_a_dump_reads_back(comparison):
    assert Comparison.model_validate(dump(comparison)) == comparison
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison


@pytest.mark.parametrize(
    ("task", "in_shape", "classes", "num_train"),
    [
        (Spirals(classes=3), (2,), 3, 2048),
        (Circles(num_train=64), (2,), 2, 64),
        (Xor(), (2,), 2, 2048),
        (Blobs(dim=5, classes=4), (5,), 4, 2048),
        (Parity(dim=12), (12,), 2, 2048),
        (Radial(dim=3), (3,), None, 2048),
        (Sawtooth(), (1,), None, 2048),
        (Wave(), (1,), None, 2048),
        (Mnist1d(), (40,), 10, 2048),
        (Additive(dim=6), (6,), None, 2048),
        (Teacher(), (8,), None, 2048),
        (Plane(num_train=256), (10,), None, 256),
        (Digits(), (64,), 10, 1079),
        (Digits(image=True), (1, 8, 8), 10, 1079),
        (Digits(image=True, shift=4, num_train=500), (1, 12, 12), 10, 500),
        (Bundled(kind="wine"), (13,), 3, 106),
        (Bundled(kind="breast_cancer"), (30,), 2, 341),
        (Bundled(kind="iris"), (4,), 3, 90),
        (Bundled(kind="diabetes"), (10,), None, 266),
    ],
)
def test_what_a_task_asks_of_a_network(task, in_shape, classes, num_train):
    known = facts(task)
    assert (known.in_shape, known.classes, known.num_train) == (in_shape, classes, num_train)
    assert known.kind is (TaskKind.REGRESSION if classes is None else TaskKind.CLASSIFICATION)
    assert known.metric == ("nmse" if classes is None else "error")
    assert known.out_features(None) == (classes or 1)


def test_a_csv_task_asks_what_its_table_has(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("a,b,kind\n" + "\n".join(f"{i},{i * i},{'xyz'[i % 3]}" for i in range(20)))
    known = facts(Csv(path=str(file), target="kind"))
    assert (known.in_shape, known.classes, known.num_train) == ((2,), 3, 12)
    assert facts(Csv(path=str(file), target="b", predict="regression")).classes is None


@pytest.mark.parametrize(
    ("task", "loss", "out_features"),
    [
        (Spirals(), Loss.BCE, 1),
        (Spirals(), Loss.CROSS_ENTROPY, 2),
        (Radial(), Loss.MSE, 1),
        (Radial(), Loss.L4, 1),
    ],
)
def test_the_loss_decides_the_size_of_the_output(task, loss, out_features):
    assert facts(task).out_features(loss) == out_features


@pytest.mark.parametrize(
    ("task", "loss", "advice"),
    [
        (Spirals(classes=3), Loss.BCE, "this task has 3; use cross_entropy"),
        (Spirals(), Loss.MSE, "use cross_entropy or, for two classes, bce"),
        (Radial(), Loss.CROSS_ENTROPY, "does not fit a regression task; use mse or l4"),
        (Radial(), Loss.BCE, "use mse or l4"),
    ],
)
def test_a_loss_that_does_not_fit_says_which_do(task, loss, advice):
    with pytest.raises(LabError, match=advice):
        facts(task).out_features(loss)


def test_an_autoencoder_predicts_its_pixels():
    known = facts(Digits(reconstruct=True))
    assert (known.in_shape, known.classes, known.num_targets, known.out_features(None)) == ((64,), None, 64, 64)


def test_splits_leave_nothing_over_and_nothing_empty():
    assert split_sizes(Digits(), 1797) == (1079, 359, 359)
    assert split_sizes(Digits(num_train=100), 1797) == (100, 359, 359)
    assert split_sizes(Digits(val_fraction=0, test_fraction=0), 10) == (8, 1, 1)
    with pytest.raises(LabError, match="leave none for training"):
        split_sizes(Digits(val_fraction=0.6, test_fraction=0.5), 1797)


@pytest.mark.parametrize(
    "task",
    [
        {"kind": "digits", "shift": 4},
        {"kind": "digits", "reconstruct": True, "label_noise": 0.1},
        {"kind": "diabetes", "label_noise": 0.1},
        {"kind": "csv", "path": "x", "target": "y", "predict": "regression", "label_noise": 0.1},
        {"kind": "spirals", "image": True},
        {"kind": "spirals", "num_train": 3},
        "nonesuch",
    ],
)
def test_tasks_that_cannot_be_are_refused(task):
    with pytest.raises(ValidationError):
        Comparison.model_validate({"title": "T", "task": task, "candidates": [{"name": "a"}]})


def _comparison(**changes: object) -> Comparison:
    data = {"title": "T", "task": "spirals", "candidates": [{"name": "a"}, {"name": "b", "stack": "3 relu"}]}
    return Comparison.model_validate({**data, **changes})


def test_a_network_gets_its_sizes_from_task_and_loss():
    comparison = _comparison(candidates=[{"name": "a", "stack": "3 relu", "training": {"loss": "bce"}}])
    network = comparison.network_of(comparison.candidates[0])
    assert (network.stack, network.in_shape, network.out_features) == (parse("3 relu"), (2,), 1)


def test_a_candidate_inherits_the_training_that_it_does_not_write():
    shared = {"steps": 300, "optimizer": {"kind": "sgd", "momentum": 0.9}}
    comparison = _comparison(
        training=shared,
        candidates=[
            {"name": "same"},
            {"name": "less", "training": {"optimizer": {"kind": "sgd", "momentum": 0.1}}},
            {"name": "other", "training": {"optimizer": "adam"}},
        ],
    )
    same, less, other = map(comparison.training_of, comparison.candidates)
    assert same == Training(steps=300, optimizer=Sgd(momentum=0.9))
    assert less == Training(steps=300, optimizer=Sgd(momentum=0.1))
    assert other == Training(steps=300, optimizer=Adam())


def test_merging_replaces_a_mapping_of_another_kind_whole():
    assert merge({"a": {"kind": "x", "b": 1}}, {"a": {"kind": "y"}}) == {"a": {"kind": "y"}}
    assert merge({"a": {"kind": "x", "b": 1}}, {"a": {"c": 2}}) == {"a": {"kind": "x", "b": 1, "c": 2}}
    assert merge({"a": 1}, {"a": [2], "b": None}) == {"a": [2], "b": None}


def test_a_profile_reaches_task_training_and_protocol():
    comparison = _comparison(
        profiles={"quick": {"task": {"num_train": 64}, "training": {"steps": 5}, "protocol": {"final_seeds": 2}}}
    )
    quick = comparison.with_profile("quick")
    assert isinstance(quick.task, Spirals)
    assert (quick.task.num_train, quick.training.steps, quick.protocol.final_seeds) == (64, 5, 2)
    assert comparison.with_profile("full") is comparison
    with pytest.raises(LabError, match="no profile 'gpu'; it has full, quick"):
        comparison.with_profile("gpu")


def test_a_profile_that_does_not_fit_is_refused_when_it_is_used():
    with pytest.raises(ValidationError):
        _comparison(profiles={"quick": Patch(training={"stepz": 5})}).with_profile("quick")


@pytest.mark.parametrize(
    "changes",
    [
        {"candidates": [{"name": "a"}, {"name": " a "}]},
        {"candidates": []},
        {"candidates": [{"name": f"n{i}"} for i in range(27)]},
        {"expect": [{"candidate": "a", "against": "c", "verdict": "better"}]},
        {"protocol": {"budget": {"reference": "c"}}},
        {"protocol": {"lr_grid": []}},
        {"title": "a\x1b[31m"},
        {"colour": "red"},
    ],
)
def test_comparisons_that_cannot_be_are_refused(changes):
    with pytest.raises(ValidationError):
        _comparison(**changes)


def test_the_schema_lets_editors_complete_a_preset():
    schema = Comparison.model_json_schema()
    properties, definitions = schema["properties"], schema["$defs"]
    assert schema["required"] == ["title", "task", "candidates"]
    assert schema["additionalProperties"] is False
    stack = definitions["Candidate"]["properties"]["stack"]
    assert (stack["type"], stack["default"]) == ("string", "")
    for field, names in [
        (properties["task"], {"spirals", "digits", "wine"}),
        (definitions["Training"]["properties"]["optimizer"], {"sgd", "adam"}),
        (definitions["Training"]["properties"]["schedule"], {"cosine", "constant"}),
    ]:
        bare, mapping = field["anyOf"]
        assert names <= set(bare["enum"])
        assert names <= set(mapping["discriminator"]["mapping"])
    for field in ("title", "question", "hypothesis", "about", "task", "candidates", "expect", "profiles"):
        assert properties[field]["description"]
    assert all(definition["description"] for name, definition in definitions.items() if name != "JsonValue")


def test_every_task_that_may_stand_alone_is_in_the_schema():
    bare = Comparison.model_json_schema()["properties"]["task"]["anyOf"][0]["enum"]
    for name in bare:
        assert _comparison(task=name, candidates=[Candidate(name="a")]).task.kind == name
