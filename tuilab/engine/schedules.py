"""Learning-rate schedules as a factor on the learning rate, a pure function of the step."""

from math import cos, pi
from typing import assert_never

from tuilab.spec.training import Constant, Cosine, MomentumSchedule, Schedule, StepDecay, Warmup

_SUTSKEVER_EVERY = 250
"""Updates between two rises of momentum (Sutskever et al. 2013, equation 5)."""


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


def momentum_at(schedule: MomentumSchedule, momentum: float, step: int) -> float:
    """The momentum of optimiser update number ``step`` (from 0)."""
    if schedule == "constant":
        return momentum
    return min(1 - 1 / (2 * (step // _SUTSKEVER_EVERY + 1)), momentum)
