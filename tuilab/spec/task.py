"""Tasks: data plus loss plus metric, as values. The engine makes the arrays."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from tuilab.spec.errors import LabError
from tuilab.spec.fields import PositiveInt, Value, from_name
from tuilab.spec.shapes import Shape
from tuilab.spec.table import read_table
from tuilab.spec.training import Loss

Size = Annotated[int, Field(ge=4, le=10_000_000)]
Noise = Annotated[float, Field(ge=0, le=100)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class TaskKind(Enum):
    """Whether the target is one of some classes or numbers."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class _Generated(Value):
    """Tasks whose examples are drawn anew for every seed."""

    num_train: Size = 2048
    num_val: Size = 1024
    num_test: Size = 4096


class Spirals(_Generated):
    """Interleaved spirals in the plane.

    r = sqrt(U), angle = 2 pi (turns r + class / classes), x = 1.7 (r (cos angle, sin angle) + noise N).
    """

    kind: Literal["spirals"] = "spirals"
    turns: Annotated[float, Field(gt=0, le=20)] = 2.0
    noise: Noise = 0.02
    classes: Annotated[int, Field(ge=2, le=20)] = 2


class Circles(_Generated):
    """Two concentric rings in the plane, the inner one with ``factor`` of the outer's radius."""

    kind: Literal["circles"] = "circles"
    noise: Noise = 0.1
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5


class Xor(_Generated):
    """Points of the square [-1, 1]^2; the class is whether the coordinates' signs differ."""

    kind: Literal["xor"] = "xor"
    noise: Noise = 0.1


class Blobs(_Generated):
    """One Gaussian cloud a class, centres drawn once for the experiment from a cube of half-width ``spread``."""

    kind: Literal["blobs"] = "blobs"
    classes: Annotated[int, Field(ge=2, le=100)] = 3
    dim: Annotated[int, Field(ge=1, le=1000)] = 2
    spread: Annotated[float, Field(gt=0, le=100)] = 3.0
    noise: Noise = 1.0


class Parity(_Generated):
    """Signs in {-1, 1}^dim; the class is the parity of the first ``bits``."""

    kind: Literal["parity"] = "parity"
    bits: Annotated[int, Field(ge=1, le=30)] = 3
    dim: Annotated[int, Field(ge=1, le=1000)] = 10


class Radial(_Generated):
    """y = sin(2 sqrt(dim) (|x|^2 / dim - 1)) with x normal in ``dim`` dimensions, plus noise."""

    kind: Literal["radial"] = "radial"
    dim: Annotated[int, Field(ge=1, le=1000)] = 5
    noise: Noise = 0.0


class Sawtooth(_Generated):
    """The k-fold composition of the triangle map of [0, 1] (Telgarsky 2016)."""

    kind: Literal["sawtooth"] = "sawtooth"
    folds: Annotated[int, Field(ge=1, le=20)] = 3
    noise: Noise = 0.0


class Wave(_Generated):
    """y = sin(2 pi periods x) with x uniform in [0, 1], plus noise: a smooth function of one number."""

    kind: Literal["wave"] = "wave"
    periods: Annotated[float, Field(gt=0, le=100)] = 2.0
    noise: Noise = 0.0


class Additive(_Generated):
    """y = sum_i sin(3 x_i + 0.7 i) with x normal in ``dim`` dimensions, plus noise."""

    kind: Literal["additive"] = "additive"
    dim: Annotated[int, Field(ge=1, le=1000)] = 8
    noise: Noise = 0.0


class Teacher(_Generated):
    """y from one fixed random ReLU network with hidden layers ``widths``, scaled to variance 1, plus noise."""

    kind: Literal["teacher"] = "teacher"
    dim: Annotated[int, Field(ge=1, le=1000)] = 8
    widths: tuple[PositiveInt, ...] = (8, 8, 8)
    noise: Noise = 0.0


class Plane(_Generated):
    """y = w . x with a fixed random w of length sqrt(1 - noise variance share), so that the best nMSE is ``noise``."""

    kind: Literal["plane"] = "plane"
    dim: Annotated[int, Field(ge=1, le=1000)] = 10
    noise: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the target's variance that is noise: the Bayes nMSE."""


class Mnist1d(_Generated):
    """Ten short signals, each stretched, shifted, sheared and drowned in noise, seen as 40 numbers.

    In the manner of MNIST-1D (Greydanus and Kobak 2024), with signals of our own: where the class stands in the input
    differs from example to example, so that sharing weights along it pays.
    """

    kind: Literal["mnist1d"] = "mnist1d"
    noise: Noise = 0.02
    """Standard deviation of what is added to every number; the background is noise of its own."""


class _Split(Value):
    """Tasks with one fixed table, split anew for every seed."""

    val_fraction: Fraction = 0.2
    test_fraction: Fraction = 0.2
    num_train: Size | None = None
    """Use only this many of the training examples."""
    label_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Part of the training labels replaced by a class drawn at random; for regression it must stay 0."""


class Digits(_Split):
    """1,797 handwritten digits of 8x8 pixels in 10 classes, from scikit-learn."""

    kind: Literal["digits"] = "digits"
    image: bool = False
    """Inputs as images 1x8x8 instead of 64 numbers."""
    shift: Annotated[int, Field(ge=0, le=24)] = 0
    """Place each digit at random on a canvas that is this many pixels larger (with ``image``)."""
    reconstruct: bool = False
    """Predict the pixels themselves instead of the class: the task of an autoencoder."""

    @model_validator(mode="after")
    def _fields_fit(self) -> Self:
        if self.shift and not self.image:
            raise ValueError("shift moves images; set image: true too (and start dense stacks with flatten)")
        if self.reconstruct and self.label_noise:
            raise ValueError(_NOISE_ON_NUMBERS)
        return self


class Bundled(_Split):
    """A small table that scikit-learn brings along."""

    kind: Literal["wine", "breast_cancer", "iris", "diabetes"]

    @model_validator(mode="after")
    def _noise_needs_classes(self) -> Self:
        if self.kind == "diabetes" and self.label_noise:
            raise ValueError(_NOISE_ON_NUMBERS)
        return self


_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"


class Csv(_Split):
    """A CSV file of the user's."""

    kind: Literal["csv"] = "csv"
    path: Annotated[str, Field(pattern=_PRINTABLE)]
    """Path of the file; relative paths start at the preset file's folder."""
    target: Annotated[str, Field(coerce_numbers_to_str=True, pattern=_PRINTABLE)]
    """Name of the target column, or its number (from 1) in a file without a header."""
    predict: Literal["auto", "classification", "regression"] = "auto"
    """Auto: text or at most 20 different whole numbers are classes, everything else is a number."""

    @model_validator(mode="after")
    def _noise_needs_classes(self) -> Self:
        if self.predict == "regression" and self.label_noise:
            raise ValueError(_NOISE_ON_NUMBERS)
        return self


_NOISE_ON_NUMBERS = "label_noise replaces classes and this task predicts numbers; leave it 0"

_AnyTask: TypeAlias = Annotated[
    Spirals
    | Circles
    | Xor
    | Blobs
    | Parity
    | Radial
    | Sawtooth
    | Wave
    | Additive
    | Teacher
    | Plane
    | Mnist1d
    | Digits
    | Bundled
    | Csv,
    Field(discriminator="kind"),
]
_TaskName: TypeAlias = Literal[
    "spirals",
    "circles",
    "xor",
    "blobs",
    "parity",
    "radial",
    "sawtooth",
    "wave",
    "additive",
    "teacher",
    "plane",
    "mnist1d",
    "digits",
    "wine",
    "breast_cancer",
    "iris",
    "diabetes",
]
Task = Annotated[_AnyTask, BeforeValidator(from_name, json_schema_input_type=_TaskName | _AnyTask)]


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a task asks of a network.

    Attributes:
        in_shape: shape of one input.
        classes: number of classes; None for regression.
        num_targets: numbers to predict in regression; 1 for classification.
        num_train: training examples of one seed.

    """

    in_shape: Shape
    classes: int | None
    num_targets: int
    num_train: int

    @property
    def kind(self) -> TaskKind:
        return TaskKind.REGRESSION if self.classes is None else TaskKind.CLASSIFICATION

    @property
    def metric(self) -> str:
        """``error`` (share of wrong answers) or ``nmse`` (mean squared error over the target's variance)."""
        return "nmse" if self.classes is None else "error"

    @property
    def default_loss(self) -> Loss:
        return Loss.MSE if self.classes is None else Loss.CROSS_ENTROPY

    def out_features(self, loss: Loss | None) -> int:
        """Size of a network's output under ``loss`` (None: the default).

        Raises:
            LabError: when the loss does not fit the task.

        """
        match loss or self.default_loss:
            case Loss.CROSS_ENTROPY if self.classes is not None:
                return self.classes
            case Loss.BCE if self.classes == 2:
                return 1
            case Loss.MSE | Loss.L4 if self.classes is None:
                return self.num_targets
            case Loss.BCE if self.classes is not None:
                raise LabError(f"loss bce is for two classes and this task has {self.classes}; use cross_entropy")
            case unfit:
                fit = "mse or l4" if self.classes is None else "cross_entropy or, for two classes, bce"
                raise LabError(f"loss {unfit.value} does not fit a {self.kind.value} task; use {fit}")


def facts(task: Task) -> TaskFacts:
    """What ``task`` asks of a network; reads the file of a CSV task.

    Raises:
        LabError: when a CSV file cannot be used, with file and line.

    """
    match task:
        case Spirals(classes=classes):
            return TaskFacts((2,), classes, 1, task.num_train)
        case Circles() | Xor():
            return TaskFacts((2,), 2, 1, task.num_train)
        case Blobs(classes=classes, dim=dim):
            return TaskFacts((dim,), classes, 1, task.num_train)
        case Parity(dim=dim):
            return TaskFacts((dim,), 2, 1, task.num_train)
        case Mnist1d():
            return TaskFacts((40,), 10, 1, task.num_train)
        case Sawtooth() | Wave():
            return TaskFacts((1,), None, 1, task.num_train)
        case Radial(dim=dim) | Additive(dim=dim) | Teacher(dim=dim) | Plane(dim=dim):
            return TaskFacts((dim,), None, 1, task.num_train)
        case Digits(image=image, shift=shift, reconstruct=reconstruct):
            side = 8 + shift
            in_shape = (1, side, side) if image else (side * side,)
            rows = _training_rows(task, 1797)
            return TaskFacts(in_shape, None, side * side, rows) if reconstruct else TaskFacts(in_shape, 10, 1, rows)
        case Bundled(kind=name):
            rows, columns, bundled_classes = _BUNDLED[name]
            return TaskFacts((columns,), bundled_classes, 1, _training_rows(task, rows))
        case Csv():
            table = read_table(task.path, task.target, task.predict)
            if task.label_noise and table.classes is None:
                raise LabError(_NOISE_ON_NUMBERS)
            return TaskFacts((table.num_inputs,), table.classes, 1, _training_rows(task, table.num_rows))


_BUNDLED: dict[str, tuple[int, int, int | None]] = {
    "wine": (178, 13, 3),
    "breast_cancer": (569, 30, 2),
    "iris": (150, 4, 3),
    "diabetes": (442, 10, None),
}


def split_sizes(task: _Split, rows: int) -> tuple[int, int, int]:
    """Training, validation and test examples of a table with ``rows`` rows.

    Raises:
        LabError: when a part would be empty.

    """
    val, test = max(1, round(rows * task.val_fraction)), max(1, round(rows * task.test_fraction))
    train = rows - val - test
    if train < 1:
        raise LabError(f"{rows} rows leave none for training after validation ({val}) and test ({test})")
    return min(train, task.num_train or train), val, test


def _training_rows(task: _Split, rows: int) -> int:
    return split_sizes(task, rows)[0]
