"""TF32: whether a CUDA device may round the factors of float32 products."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tuilab.spec.errors import LabError
from tuilab.spec.training import Precision


@contextmanager
def products_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Allow TF32 to matrix products and convolutions inside where it is wanted, and nowhere else.

    Raises:
        LabError: when TF32 is wanted of a processor.

    """
    wanted = precision is Precision.TF32
    if wanted and device.type != "cuda":
        raise LabError("precision tf32 needs a CUDA device, on a processor it would be float32; use float32 or bf16")
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    products.allow_tf32 = convolutions.allow_tf32 = wanted
    try:
        yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before
