"""Learning-rate schedules as a factor on the learning rate, a pure function of the step."""

from math import cos, pi
from typing import assert_never

from tuilab.spec.training import Constant, Cosine, Schedule, StepDecay, Warmup


def factor(schedule: Schedule, step: int, steps: int) -> float:
    """What the learning rate is multiplied by in optimiser update number ``step`` (from 0) of ``steps``.

    A warm-up of w updates multiplies update t by (t + 1) / w, so that no update is wasted on a rate of zero. The cosine
    is that of ``torch.optim.lr_scheduler.CosineAnnealingLR`` over the updates after the warm-up.
    """
    match schedule:
        case Constant():
            return 1.0
        case Warmup(warmup=share):
            return min(1.0, (step + 1) / max(1, round(share * steps)))
        case StepDecay(every=every, gamma=gamma):
            return gamma ** (step // every)
        case Cosine(warmup=share, final=final):
            warm = round(share * steps)
            if step < warm:
                return (step + 1) / warm
            progress = (step - warm) / max(1, steps - warm)
            return final + (1 - final) * (1 + cos(pi * progress)) / 2
        case _:
            assert_never(schedule)
