"""Hypothesis strategies for stacks and comparisons: everything that the spec can say."""

from hypothesis import strategies as st

from tuilab.spec.comparison import Budget, BudgetRule, Candidate, Comparison, Expectation, Patch, Protocol, VerdictKind
from tuilab.spec.layers import (
    Activation,
    ActivationKind,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    Init,
    LayerNorm,
    Linear,
    MaxPool,
    Out,
    Repeat,
    Residual,
    Sum,
)
from tuilab.spec.task import (
    Additive,
    Blobs,
    Bundled,
    Circles,
    Digits,
    Mnist1d,
    Parity,
    Plane,
    Radial,
    Sawtooth,
    Spirals,
    Teacher,
    Wave,
    Xor,
)
from tuilab.spec.training import (
    Adam,
    AdamW,
    Constant,
    Cosine,
    LeastSquares,
    Momentum,
    Nesterov,
    Precision,
    RmsProp,
    Sgd,
    StepDecay,
    Training,
    Warmup,
)

WIDTHS = st.integers(1, 10**15) | st.integers(1, 64)
SMALL = st.integers(1, 9)
INITS = st.none() | st.sampled_from(Init)
POOLS = {"kernel_size": SMALL, "stride": st.none() | SMALL, "padding": st.integers(0, 4)}

leaves = st.one_of(
    st.builds(Linear, WIDTHS, st.booleans(), INITS, st.booleans(), st.booleans()),
    st.builds(Out, st.booleans(), INITS),
    st.builds(Activation, st.sampled_from(ActivationKind)),
    st.builds(Activation, st.just(ActivationKind.LEAKY_RELU), st.floats(0, 1e6)),
    st.builds(Dropout, st.floats(0, 1)),
    st.builds(LayerNorm),
    st.builds(BatchNorm),
    st.builds(Conv, WIDTHS, SMALL, SMALL, st.integers(0, 4), st.booleans(), INITS, st.booleans()),
    st.builds(MaxPool, **POOLS),
    st.builds(AvgPool, **POOLS),
    st.builds(Flatten),
)


def _containers(layers):
    bodies = st.lists(layers, min_size=1, max_size=4).map(tuple)
    return st.one_of(
        st.builds(Repeat, WIDTHS, bodies),
        st.builds(Residual, bodies),
        st.builds(Sum, st.lists(bodies, min_size=1, max_size=3).map(tuple)),
    )


layers = st.recursive(leaves, _containers, max_leaves=12)
stacks = st.lists(layers, max_size=6).map(tuple)
"""Any stack that notation can say; whether its shapes fit is another matter."""

dense_layers = st.one_of(
    st.builds(Linear, st.integers(1, 40), st.booleans(), INITS, st.booleans(), st.booleans()),
    st.builds(Activation, st.sampled_from(ActivationKind)),
    st.builds(Dropout, st.floats(0, 1)),
    st.builds(LayerNorm),
    st.builds(BatchNorm),
    st.just(Residual((Activation(ActivationKind.TANH),))),
)
dense_stacks = st.lists(dense_layers, max_size=5).map(tuple)
"""Stacks whose shapes fit any flat input."""

_CHARACTERS = st.characters(exclude_categories=("Cs", "Cc"))
_LINE_TEXT = st.text(_CHARACTERS, max_size=120)
_PROSE = st.text(_CHARACTERS | st.sampled_from("\n \t"), max_size=300)
_NAMES = st.text(_CHARACTERS, min_size=1, max_size=40).filter(lambda name: name.strip())
_RATES = st.floats(1e-6, 1)
_FACTORS = st.floats(0, 0.999)
_WEIGHTS = st.floats(0, 10)

_sizes = {"num_train": st.integers(200, 10**6), "num_test": st.integers(4, 10**7)}
_noise = {"noise": st.floats(0, 0.9)}
_parts = {"num_train": st.none() | st.integers(60, 200), "test_fraction": st.floats(0.1, 0.3)}
tasks = st.one_of(
    st.builds(Spirals, turns=st.floats(0.1, 20), classes=st.integers(2, 20), **_sizes, **_noise),
    st.builds(Circles, factor=st.floats(0.01, 0.99), **_sizes),
    st.builds(Xor, **_noise),
    st.builds(Blobs, classes=st.integers(2, 100), dim=st.integers(1, 50), **_sizes),
    st.builds(Parity, bits=st.integers(1, 30), dim=st.integers(1, 50)),
    st.builds(Radial, dim=st.integers(1, 50), **_noise),
    st.builds(Sawtooth, folds=st.integers(1, 20)),
    st.builds(Additive, dim=st.integers(1, 50)),
    st.builds(Teacher, dim=st.integers(1, 50), widths=st.lists(st.integers(1, 9), max_size=4).map(tuple)),
    st.builds(Plane, **_noise),
    st.builds(Wave, periods=st.floats(0.1, 100)),
    st.builds(Mnist1d, **_noise),
    st.builds(Digits, label_noise=st.floats(0, 1), **_parts),
    st.builds(Digits, reconstruct=st.booleans()),
    st.builds(Bundled, kind=st.sampled_from(["wine", "breast_cancer", "iris"]), test_fraction=st.floats(0.1, 0.3)),
    st.just(Bundled(kind="diabetes")),
)

optimizers = st.one_of(
    st.builds(Sgd, momentum=st.floats(0.01, 0.99), nesterov=st.booleans(), weight_decay=_WEIGHTS),
    st.builds(Momentum, momentum=_FACTORS, momentum_schedule=st.sampled_from(["constant", "sutskever"])),
    st.builds(Nesterov, momentum=_FACTORS),
    st.builds(LeastSquares, ridge=_WEIGHTS),
    st.builds(Adam, beta1=_FACTORS, beta2=_FACTORS, eps=_RATES),
    st.builds(AdamW, weight_decay=_WEIGHTS),
    st.builds(RmsProp, alpha=_FACTORS),
)
schedules = st.one_of(
    st.builds(Constant),
    st.builds(Cosine, warmup=_FACTORS, final=st.floats(0, 1)),
    st.builds(StepDecay, every=st.integers(1, 10**9), gamma=st.floats(0.01, 1)),
    st.builds(Warmup, warmup=_FACTORS),
)
trainings = st.builds(
    Training,
    optimizer=optimizers,
    lr=st.none() | _RATES,
    schedule=schedules,
    steps=st.integers(0, 10**9),
    batch_size=st.just("full") | st.integers(1, 50),
    init=st.sampled_from(Init),
    init_scale=st.floats(0.01, 1000),
    bias_std=st.floats(0, 10),
    precision=st.sampled_from(Precision),
)


@st.composite
def comparisons(draw):
    """Comparisons whose networks fit their task, with every optional part present or not."""
    names = draw(st.lists(_NAMES.map(str.strip), min_size=1, max_size=4, unique=True))
    name = st.sampled_from(names)
    candidates = [
        Candidate(name=each, stack=draw(dense_stacks), training=draw(st.none() | trainings)) for each in names
    ]
    expectations = st.builds(
        Expectation,
        candidate=name,
        against=name,
        verdict=st.sampled_from(VerdictKind),
        sign=st.sampled_from(["lower", "higher", "either"]),
    )
    budget = st.builds(Budget, rule=st.sampled_from(BudgetRule), reference=st.none() | name | st.integers(1, 10**9))
    protocol = st.builds(
        Protocol,
        seed=st.integers(0, 2**63 - 1),
        lr_grid=st.lists(_RATES, min_size=1, max_size=5).map(tuple),
        extend_grid=st.booleans(),
        retune_seeds=st.integers(0, 1000),
        final_seeds=st.integers(1, 10_000),
        test=st.sampled_from(["welch_log", "welch", "mann_whitney", "paired", "nadeau_bengio"]),
        margin=st.none() | st.floats(1e-9, 10),
        target=st.none() | st.floats(1e-9, 10),
        probes=st.booleans(),
        budget=budget,
    )
    patch = st.builds(Patch, training=st.just({}) | st.just({"steps": 100, "optimizer": "sgd"}))
    return Comparison(
        title=draw(_LINE_TEXT),
        question=draw(_LINE_TEXT),
        about=draw(_PROSE),
        task=draw(tasks),
        training=draw(trainings | st.just(Training())),
        protocol=draw(protocol | st.just(Protocol())),
        candidates=tuple(candidates),
        expect=tuple(draw(st.lists(expectations, max_size=3))),
        profiles=draw(st.dictionaries(st.sampled_from(["quick", "gpu"]), patch, max_size=2)),
    )
