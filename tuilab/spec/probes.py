"""What is measured on a trained network besides its errors."""

from tuilab.spec.fields import Value


class Probes(Value):
    """Measurements on one run's network at its end; None where the network has no such thing.

    Linear regions are counted by activation patterns (``analysis.region_count``) along the first principal axis of the
    training inputs, from the first of them to the last, and on the rectangle that holds them in the first two axes.
    """

    regions: int | None = None
    """Linear regions on the rectangle; dense ReLU stacks only, and at most 20,000."""
    regions_at_start: int | None = None
    """The same of the network before training."""
    line_regions: int | None = None
    """Linear regions along the axis."""
    line_regions_at_start: int | None = None
    effective_rank: float | None = None
    """Of the last hidden layer's outputs on the validation part, see ``analysis.spectrum.effective_rank``."""
    readouts: tuple[float, ...] = ()
    """The test metric of a linear readout (ridge regression on the training part) of the inputs, then of each hidden
    layer in order (Alain and Bengio 2017)."""
