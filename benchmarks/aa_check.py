"""How often the verdict is wrong when nothing differs, and right when something does.

A/A: the same network as two candidates; a false alarm is any "better" or "worse". Power: how often the effect of depth
on two-turn spirals is found. Every comparison goes through ``summarise`` like those of a real experiment.

*Drawn* metrics cover skewed distributions that are worse than most real ones, by the thousand: no network is trained,
metrics are drawn and rounded to a test set of 4,096 examples as real errors are. The spirals' effect is then that of
another prototype (error .0136 ± .0022 against .0053 ± .0048 over 12 seeds, the shallow one Gaussian-like, the deep one
skewed). *Trained* metrics are those of the preset ``spirals-depth`` as it stands, one experiment with thousands of
final seeds that are cut into comparisons which share no run.

Run with ``python benchmarks/aa_check.py [--comparisons N]`` or ``python benchmarks/aa_check.py --trained SEEDS``:
2,000 seeds make 200 A/A comparisons of 10 seeds and 166 of 12 seeds for the power.
"""

import argparse
import platform
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from math import exp, log, sqrt
from pathlib import Path
from statistics import fmean, pstdev

from tuilab.analysis.evidence import FinalRun, summarise
from tuilab.cli.run import complete
from tuilab.spec.comparison import Comparison, VerdictKind
from tuilab.spec.preset_file import load
from tuilab.spec.presets import find_preset
from tuilab.store.home import make_home
from tuilab.store.reader import Reader
from tuilab.store.records import Phase

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


def is_decided(asked: Comparison, metrics: Sequence[Sequence[float | None]]) -> bool:
    """Whether some pair of candidates with these metrics by seed is called better or worse."""
    finals = [
        FinalRun(index, seed, 0.01, metric, None)
        for index, values in enumerate(metrics)
        for seed, metric in enumerate(values)
    ]
    result = summarise(asked, [(52, 40)] * len(metrics), finals)
    return any(pair.kind in (VerdictKind.BETTER, VerdictKind.WORSE) for pair in result.pairs)


def decided(test: str, draws: tuple[Draw, ...], seeds: int, comparisons: int) -> float:
    """Share of comparisons in which some pair was called better or worse."""
    rng = random.Random(0)
    asked = comparison(test, seeds, len(draws))
    drawn = ([[draw(rng) for _ in range(seeds)] for draw in draws] for _ in range(comparisons))
    return sum(is_decided(asked, metrics) for metrics in drawn) / comparisons


def drawn(comparisons: int) -> None:
    """Metrics that are drawn."""
    error = 1.96 * sqrt(0.05 * 0.95 / comparisons)
    print(f"{comparisons} comparisons a cell; 95 % sampling error at a true 5 %: ± {100 * error:.1f} points\n")
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


def trained(seeds: int) -> None:
    """Metrics of trained networks."""
    preset = load(find_preset("spirals-depth"), "full")
    kept = [one for one in preset.candidates if one.name in ("1 layer", "4 layers")]
    protocol = preset.protocol.model_copy(update={"final_seeds": seeds})
    asked = preset.model_copy(update={"candidates": tuple(kept), "protocol": protocol, "expect": ()})
    with tempfile.TemporaryDirectory() as folder:
        make_home(Path(folder))
        with Reader(Path(folder)) as reader:
            record = complete(reader, asked, "spirals-depth", "cpu", quiet=True)
            runs = [run for run in reader.runs(record.id) if run.phase is Phase.FINAL]
    pools = [[run.test_metric for run in runs if run.candidate == index] for index in range(len(kept))]
    print(f"{record.status.value}: {len(runs)} final runs of spirals-depth, tuned as in the preset\n")
    for candidate, pool in zip(kept, pools, strict=True):
        known = [value for value in pool if value is not None]
        middle, spread = fmean(known), pstdev(known)
        skew = fmean(((value - middle) / spread) ** 3 for value in known)
        print(f"{candidate.name}: error {middle:.5f}, sd {spread:.5f}, skewness {skew:.1f}, {pool.count(None)} failed")
    print(f"\n{'share of better/worse, %':<44}" + "".join(f"{test:>14}" for test in TESTS))
    alike = [(part[:10], part[10:]) for pool in pools for part in _parts(pool, 20)]
    report(f"A/A, 10 seeds, {len(alike)} comparisons", alike)
    for number in (6, 12):
        pairs = list(zip(*(_parts(pool, number) for pool in pools), strict=True))
        report(f"power, {number} seeds, {len(pairs)} comparisons", pairs)


def report(name: str, pairs: Sequence[Sequence[Sequence[float | None]]]) -> None:
    """The share that each test decides of some comparisons."""
    shares = []
    for test in TESTS:
        asked = comparison(test, len(pairs[0][0]))
        shares.append(sum(is_decided(asked, metrics) for metrics in pairs) / len(pairs))
    print(f"{name:<44}" + "".join(f"{100 * share:>14.1f}" for share in shares), flush=True)


def _parts(pool: Sequence[float | None], size: int) -> list[Sequence[float | None]]:
    """The pool cut into parts of this size; what is left over is not used."""
    return [pool[start : start + size] for start in range(0, len(pool) - size + 1, size)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=200, help="drawn comparisons a cell")
    parser.add_argument("--trained", type=int, metavar="SEEDS", help="train so many final seeds instead")
    arguments = parser.parse_args()
    began = time.perf_counter()
    print(f"{platform.machine()}, Python {platform.python_version()}")
    if arguments.trained:
        trained(arguments.trained)
    else:
        drawn(arguments.comparisons)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
