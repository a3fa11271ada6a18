"""Warnings: when they appear, what they say, and that what they offer mends them."""

from random import Random

import pytest

from tests.stacks import random_network
from tuilab.analysis.freedom import degrees_of_freedom
from tuilab.analysis.insight import Insight, InsightKind, power_of_ten
from tuilab.analysis.outline import count_as_written
from tuilab.analysis.warnings import warnings
from tuilab.spec.layers import Init
from tuilab.spec.network import Network
from tuilab.spec.notation import format_stack, parse
from tuilab.spec.training import Loss, Training


def _network(notation: str, in_features: int = 8, out_features: int | None = 4) -> Network:
    return Network(parse(notation), (in_features,), out_features)


def _kinds(found: tuple[Insight, ...]) -> list[str]:
    return [insight.kind.value for insight in found]


def _only(found: tuple[Insight, ...], kind: InsightKind) -> Insight:
    (insight,) = [insight for insight in found if insight.kind is kind]
    return insight


@pytest.mark.parametrize(
    ("notation", "kinds"),
    [
        ("3*(14 relu)", []),
        ("", []),
        ("32 tanh 16 gelu", []),
        ("32 relu dropout(0.2) layernorm residual(16 relu 32)", []),
        ("14", ["serial collapse"]),
        ("2*(14)", ["serial collapse"]),
        ("14 relu 14 14 relu", ["serial collapse"]),
        ("residual(8 relu 8) sum(9 | 9) relu", ["parallel collapse"]),
        ("16 relu 3 tanh", ["bottleneck"]),
        ("16 relu 3 relu", ["bottleneck"]),
        ("5*(4 relu)", ["bottleneck", "dead on arrival"]),
        ("9*(6 relu)", ["dead on arrival"]),
        ("64 4*(residual(3 relu 64))", []),
        ("14 relu relu", ["activation twice"]),
        ("14 tanh identity dropout(0.1) sigmoid", ["activation twice"]),
        ("14 relu out softmax", ["softmax before cross-entropy"]),
        ("14 relu softmax", ["activation twice"]),
        ("14 relu out dropout(0.5)", ["dropout after the output"]),
        ("14 relu out dropout(0)", []),
    ],
)
def test_a_warning_appears_where_it_should(notation, kinds):
    assert _kinds(warnings(_network(notation))) == kinds


@pytest.mark.parametrize(
    ("init", "scale", "kinds"),
    [
        (Init.HE_NORMAL, 1.0, []),
        (Init.TORCH, 1.0, ["vanishing signal"]),
        (Init.HE_NORMAL, 3.0, ["exploding signal"]),
        (Init.HE_NORMAL, 0.2, ["vanishing signal"]),
    ],
)
def test_the_signal_is_that_of_the_training(init, scale, kinds):
    training = Training(init=init, init_scale=scale, bias_std=0)
    assert _kinds(warnings(_network("12*(linear(64, bias=false) relu)"), training)) == kinds


def test_what_depends_on_training_and_task_is_said_only_then():
    one = Training(batch_size=1)
    assert _kinds(warnings(_network("14 batchnorm relu"), one)) == ["batchnorm with batch 1"]
    assert _kinds(warnings(_network("14 batchnorm relu"))) == []
    assert _kinds(warnings(_network("14 relu out softmax"), loss=Loss.MSE)) == []
    assert _kinds(warnings(_network("14 relu out softmax"), Training(loss=Loss.L4))) == []
    assert _kinds(warnings(_network("14 relu"), num_train=42)) == ["more parameters than data"]
    assert _kinds(warnings(_network("14 relu"), num_train=43)) == []
    assert degrees_of_freedom(_network("14 relu")) == 172


def test_sentences_have_place_and_numbers():
    found = warnings(_network("14 relu 14 14 relu 3*(3 relu)", 2, 3), num_train=20)
    assert found[0].sentence == (
        "layers 3 to 4 have no non-linearity between them and act as one affine map: 420 parameters, "
        "210 degrees of freedom"
    )
    assert found[0].where == "layers 3 to 4"
    assert found[0].paths == ((2,), (3,))
    data = _only(found, InsightKind.MORE_PARAMETERS_THAN_DATA)
    assert (data.where, data.paths) == ("the network", ())
    assert "against 60 numbers" in data.sentence


@pytest.mark.parametrize(
    ("notation", "named"),
    [
        ("residual(2 relu 2) 3*(5 5 relu)", ["layers 6 to 7"]),
        ("4*(14) relu", ["layer 1"]),
        ("3 relu 2*(3 relu sum(1 | 1)) relu 7 7", ["layer 3", "layer 6", "layers 10 to output"]),
        ("sum(4 relu | residual(4 4)) relu", ["layer 4", "layers 5 to 6"]),
        ("2*(relu 4)", ["layers 3 to output"]),
        ("4 2*(4 relu)", ["layers 1 to 3"]),
        ("2*(19 relu 8)", ["layer 1", "layers 4 to output"]),
        ("8 4 2*(relu 4)", ["layers 1 to 2", "layers 5 to output"]),
    ],
)
def test_a_warning_numbers_layers_as_the_rows_of_the_bench(notation, named):
    network = _network(notation, 2, 2) if "sum(4" not in notation else _network(notation, 4, 2)
    collapses = (InsightKind.SERIAL_COLLAPSE, InsightKind.PARALLEL_COLLAPSE)
    found = [insight for insight in warnings(network) if insight.kind in collapses]
    assert [insight.where for insight in found] == named
    listed = [row.path for row in count_as_written(network).layers]
    for insight in found:
        assert str(1 + listed.index(insight.paths[0])) == insight.where.split()[1]
        assert insight.where in insight.sentence


def test_a_serial_collapse_can_be_folded_or_bent():
    insight = _only(warnings(_network("14 relu 9 9 relu")), InsightKind.SERIAL_COLLAPSE)
    assert [(fix.label, format_stack(fix.stack)) for fix in insight.fixes] == [
        ("fold into one layer", "14 relu 9 relu"),
        ("put a ReLU between", "14 relu 9 relu 9 relu"),
    ]


@pytest.mark.parametrize(
    ("notation", "in_features", "out_features", "folded", "bent"),
    [
        ("3*(14)", 2, 2, "", "3*(14 relu)"),
        ("3", 10, 10, "", "3 relu"),
        ("4*(14 relu 14)", 2, 2, "14 relu 3*(14 relu) 14", "4*(14 relu 14 relu)"),
        ("2*(5*(9) tanh)", 2, 2, "2*(9 tanh)", "2*(5*(9 relu) tanh)"),
        ("sum(1 | 1)", 1, None, "1", "sum(1 relu | 1 relu)"),
        ("residual(9) tanh", 9, 9, "9 tanh", "residual(9 relu) tanh"),
        ("2*(relu 4)", 2, 2, "relu 4 relu", "2*(relu 4) relu"),
        ("4 2*(4 relu)", 2, 2, "2*(4 relu)", "4 relu 2*(4 relu)"),
        ("8 3*(4 tanh)", 2, 2, "3*(4 tanh)", "8 relu 3*(4 tanh)"),
        ("linear(8, bias=false) 9*(linear(4, bias=false) tanh)", 2, 2, "9*(linear(4, bias=false) tanh)", None),
        ("8 9*(linear(4, bias=false) tanh)", 2, 2, "4 tanh 8*(linear(4, bias=false) tanh)", None),
        ("8 9*(4 4 tanh)", 2, 2, "4 tanh 8*(4 4 tanh)", "8 relu 9*(4 relu 4 tanh)"),
        ("2*(3*(relu 4) relu 5)", 2, 2, "3*(relu 4) relu 5 3*(relu 4) relu", "2*(3*(relu 4) relu 5) relu"),
        ("2*(5 3*(relu 4))", 2, 2, None, "2*(5 3*(relu 4) relu)"),
        ("9 identity 9 tanh", 9, 9, "9 tanh", "9 relu identity 9 tanh"),
    ],
)
def test_what_folds_and_bends(notation, in_features, out_features, folded, bent):
    first = warnings(_network(notation, in_features, out_features))[0]
    offered = [format_stack(fix.stack) for fix in first.fixes]
    assert folded in (offered[0], None)
    assert bent in (offered[1], None)


@pytest.mark.parametrize(
    ("notation", "kind", "mended"),
    [
        ("5*(4 relu)", InsightKind.DEAD_ON_ARRIVAL, "5*(4 leaky_relu)"),
        ("14 relu out softmax", InsightKind.SOFTMAX_BEFORE_CROSS_ENTROPY, "14 relu out"),
        ("14 relu out dropout(0.5)", InsightKind.DROPOUT_AFTER_OUTPUT, "14 relu out"),
        ("14 relu residual(8 tanh relu 14)", InsightKind.ACTIVATION_TWICE, "14 relu residual(8 tanh 14)"),
        ("14 batchnorm relu", InsightKind.BATCHNORM_BATCH_1, "14 layernorm relu"),
    ],
)
def test_other_fixes(notation, kind, mended):
    insight = _only(warnings(_network(notation), Training(batch_size=1)), kind)
    assert [format_stack(fix.stack) for fix in insight.fixes] == [mended]


def test_the_theory_has_the_numbers_of_this_network():
    found = warnings(_network("3*(3 relu) 5 5", 8, 4), num_train=10)
    texts = {insight.kind: insight.why.text for insight in found}
    assert "0.12" in texts[InsightKind.BOTTLENECK]
    assert "33.0%" in texts[InsightKind.DEAD_ON_ARRIVAL]
    assert "10 examples with 4 outputs each are 40 numbers" in texts[InsightKind.MORE_PARAMETERS_THAN_DATA]
    assert "3 x (3 + 4 - 3) = 12, and 4 for the bias: 16 of 74" in texts[InsightKind.SERIAL_COLLAPSE]
    softmax = _only(warnings(_network("14 relu out softmax", 8, 10)), InsightKind.SOFTMAX_BEFORE_CROSS_ENTROPY)
    assert "log(1 + 9 / e) = 1.461" in softmax.why.text


@pytest.mark.parametrize(
    ("notation", "found"),
    [
        ("conv(4, 3) relu conv(4, 3) maxpool(2) conv(2, 2) relu flatten", []),
        (
            "conv(4, 3) conv(5, 2) relu flatten",
            [("layers 1 to 2", ["conv(5, 4) relu flatten", "conv(4, 3) relu conv(5, 2) relu flatten"])],
        ),
        (
            "conv(4, 3, stride=2, padding=1) identity conv(5, 2, stride=2, bias=false) relu flatten",
            [
                (
                    "layers 1 to 3",
                    [
                        "conv(5, 5, stride=4, padding=1) relu flatten",
                        "conv(4, 3, stride=2, padding=1) relu identity conv(5, 2, stride=2, bias=false) relu flatten",
                    ],
                )
            ],
        ),
        (
            "conv(4, 3) conv(5, 3, padding=1) relu flatten",
            [("layers 1 to 2", ["conv(4, 3) relu conv(5, 3, padding=1) relu flatten"])],
        ),
        ("conv(4, 3) avgpool(2) flatten", [("layers 1 to output", ["conv(4, 3) relu avgpool(2) flatten"])]),
        ("conv(4, 3) flatten 8 relu", [("layers 1 to 3", ["conv(4, 3) relu flatten 8 relu"])]),
        ("3*(conv(4, 3)) relu flatten", [("layer 1", ["3*(conv(4, 3) relu) relu flatten"])]),
        (
            "2*(relu conv(4, 3)) flatten 8 relu",
            [("layers 3 to 5", ["2*(relu conv(4, 3)) relu flatten 8 relu"])],
        ),
        (
            "conv(4, 3) 2*(conv(4, 3) relu) flatten",
            [("layers 1 to 3", ["conv(4, 3) relu 2*(conv(4, 3) relu) flatten"])],
        ),
        (
            "3*(conv(4, 1) relu conv(4, 1)) relu flatten",
            [("layer 1", ["3*(conv(4, 1) relu conv(4, 1) relu) relu flatten"])],
        ),
        (
            "residual(conv(4, 1) conv(1, 1)) relu flatten",
            [
                (
                    "layers 2 to 3",
                    ["residual(conv(1, 1)) relu flatten", "residual(conv(4, 1) relu conv(1, 1)) relu flatten"],
                )
            ],
        ),
    ],
)
def test_convolutions_collapse_too(notation, found):
    network = Network(parse(notation), (1, 9, 9), 10)
    insights = [i for i in warnings(network) if i.kind is InsightKind.SERIAL_COLLAPSE]
    assert [(i.where, [format_stack(fix.stack) for fix in i.fixes]) for i in insights] == found
    for insight in insights:
        for fix in insight.fixes:
            assert Network(fix.stack, (1, 9, 9), 10).check() == (10,)


def test_a_narrow_chain_is_said_to_be_cheaper_than_what_it_folds_into():
    assert "more than before" in warnings(_network("3", 10, 10))[0].why.text
    assert "more than before" not in warnings(_network("30", 10, 10))[0].why.text


@pytest.mark.parametrize("seed", range(3))
def test_every_warning_about_any_network_is_whole_and_its_fixes_fit_and_mend(seed):
    rng = Random(seed)
    training = Training(batch_size=1, init=Init.TORCH)
    for _ in range(150):
        network = random_network(rng)
        rows = {row.path for row in count_as_written(network).layers}
        for insight in warnings(network, training, num_train=3):
            assert insight.sentence
            assert insight.sentence[-1] not in ".!"
            assert "\n" not in insight.sentence
            assert insight.why.title
            assert insight.why.text.endswith(".")
            assert insight.why.reference
            assert set(insight.paths) <= rows
            for fix in insight.fixes:
                mended = Network(fix.stack, network.in_shape, network.out_features)
                assert mended.check() == network.check()
                assert fix.stack != network.stack


def test_huge_networks_are_answered_at_once():
    found = warnings(_network("14583333331*(3 relu)", 3, 3), Training(init=Init.TORCH), num_train=2048)
    assert _kinds(found) == ["bottleneck", "dead on arrival", "vanishing signal", "more parameters than data"]
    dead = _only(found, InsightKind.DEAD_ON_ARRIVAL)
    assert "all but 10^(-8.46e+08)" in dead.sentence


@pytest.mark.parametrize(
    ("logarithm", "text"), [(-1.0, "0.1"), (2.3, "2e+02"), (-12.4, "10^-12"), (-8.456e8, "10^(-8.46e+08)")]
)
def test_powers_of_ten_are_short(logarithm, text):
    assert power_of_ten(logarithm) == text


@pytest.mark.parametrize(("notation", "speaks"), [("4 4", False), ("4 tanh", False), ("4 relu", True)])
def test_a_bottlenecks_why_speaks_of_relus_where_there_are_some(notation, speaks):
    why = _only(warnings(_network(notation, 100, 20)), InsightKind.BOTTLENECK).why
    assert ("ReLU" in why.text) is speaks
    assert ("Dying ReLU" in why.reference) is speaks
    assert "rank of the map is at most 4" in why.text


def test_biases_do_not_hide_a_signal_that_vanishes():
    network = Network(parse("32*(10 relu)"), (2,), 2)
    (found,) = [one for one in warnings(network, Training(init=Init.TORCH)) if one.kind is InsightKind.VANISHING_SIGNAL]
    assert "10^-25" in found.sentence
    assert "comes from the biases" in found.why.text
    kinds = {one.kind for one in warnings(network, Training(init=Init.HE_NORMAL, bias_std=0.05))}
    assert InsightKind.VANISHING_SIGNAL not in kinds


def test_of_one_mistake_made_two_hundred_times_the_first_fifty_are_told() -> None:
    assert _kinds(warnings(_network(" ".join(["relu"] * 200)))).count("activation twice") == 50
    assert _kinds(warnings(_network(" ".join(["20 relu"] * 200)))).count("activation twice") == 0
