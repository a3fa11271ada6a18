"""How often the verdict is wrong when nothing differs, and right when something does.

A/A: the same distribution as two candidates; a false alarm is any "better" or "worse". Power: the effect of depth on
two-turn spirals (error .0136 ± .0022 against .0053 ± .0048 over 12 seeds, the shallow one Gaussian-like, the deep one
skewed). No network is trained: metrics are drawn, rounded to a test set of 4,096 examples as real errors are, and go
through ``summarise`` like those of a real experiment.

Run with ``python benchmarks/aa_check.py [comparisons]``.
"""

import platform
import random
import sys
import time
from collections.abc import Callable
from math import exp, log, sqrt

from tuilab.analysis.evidence import FinalRun, summarise
from tuilab.spec.comparison import Comparison, VerdictKind

TEST_EXAMPLES = 4096
TESTS = ("welch_log", "welch", "mann_whitney", "paired")
Draw = Callable[[random.Random], float | None]


def rounded(draw: Callable[[random.Random], float]) -> Draw:
    return lambda rng: min(1.0, max(0.0, round(draw(rng) * TEST_EXAMPLES) / TEST_EXAMPLES))


def lognormal(mean: float, spread: float) -> Callable[[random.Random], float]:
    """A log-normal draw with this mean and standard deviation."""
    sigma = sqrt(log(1 + (spread / mean) ** 2))
    return lambda rng: exp(rng.gauss(log(mean) - sigma**2 / 2, sigma))


def failing(draw: Draw, rate: float) -> Draw:
    return lambda rng: None if rng.random() < rate else draw(rng)


def mixture(usual: Callable[[random.Random], float], rare: Callable[[random.Random], float], rate: float) -> Draw:
    return rounded(lambda rng: rare(rng) if rng.random() < rate else usual(rng))


SKEWED: dict[str, Draw] = {
    "log-normal, sd = mean": rounded(lognormal(0.01, 0.01)),
    "log-normal, sd = 2 mean": rounded(lognormal(0.01, 0.02)),
    "1 in 10 seeds stuck at .3": mixture(lognormal(0.005, 0.003), lognormal(0.3, 0.05), 0.1),
    "many perfect, some not": mixture(lambda _: 0.0, lognormal(0.02, 0.02), 0.4),
    "1 in 10 runs fails": failing(rounded(lognormal(0.01, 0.01)), 0.1),
}
SHALLOW: Draw = rounded(lambda rng: rng.gauss(0.0136, 0.0022 * sqrt(12) / 2.201))
DEEP: Draw = rounded(lognormal(0.0053, 0.0048 * sqrt(12) / 2.201))


def comparison(test: str, seeds: int, candidates: int = 2) -> Comparison:
    named = [{"name": f"candidate {index}", "stack": "10 relu"} for index in range(candidates)]
    protocol = {"test": test, "final_seeds": seeds}
    return Comparison.model_validate({"title": "A/A", "task": "spirals", "candidates": named, "protocol": protocol})


def decided(test: str, draws: tuple[Draw, ...], seeds: int, comparisons: int) -> float:
    """Share of comparisons in which some pair was called better or worse."""
    rng = random.Random(0)
    asked = comparison(test, seeds, len(draws))
    hits = 0
    for _ in range(comparisons):
        finals = [
            FinalRun(index, seed, 0.01, draw(rng), None) for index, draw in enumerate(draws) for seed in range(seeds)
        ]
        result = summarise(asked, [(52, 40)] * len(draws), finals)
        hits += any(pair.kind in (VerdictKind.BETTER, VerdictKind.WORSE) for pair in result.pairs)
    return hits / comparisons


def main() -> None:
    comparisons = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    began = time.perf_counter()
    error = 1.96 * sqrt(0.05 * 0.95 / comparisons)
    print(f"{comparisons} comparisons a cell; 95 % sampling error at a true 5 %: ± {100 * error:.1f} points")
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    print(f"{'share of better/worse, %':<44}" + "".join(f"{test:>14}" for test in TESTS))
    rows: list[tuple[str, tuple[Draw, ...], int]] = [
        (f"A/A, 10 seeds, {name}", (draw, draw), 10) for name, draw in SKEWED.items()
    ]
    skewed = SKEWED["log-normal, sd = mean"]
    rows.append(("A/A, 10 seeds, four alike (Holm)", (skewed,) * 4, 10))
    rows += [(f"power, spirals effect, {seeds} seeds", (SHALLOW, DEEP), seeds) for seeds in (6, 10, 12)]
    for name, draws, seeds in rows:
        shares = (decided(test, draws, seeds, comparisons) for test in TESTS)
        print(f"{name:<44}" + "".join(f"{100 * share:>14.1f}" for share in shares), flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
