"""Values that the store's tests share."""

from tuilab.spec.comparison import Comparison
from tuilab.store.records import NewPoint

COMPARISON = Comparison.model_validate(
    {
        "title": "Two against one — «naïve»",
        "question": "Which?",
        "task": {"kind": "spirals", "turns": 1.5},
        "training": {"optimizer": "sgd", "steps": 50},
        "protocol": {"seed": 7, "final_seeds": 2, "lr_grid": [0.01, 0.1]},
        "candidates": [
            {"name": "shallow", "stack": "16 relu"},
            {"name": "deep", "stack": "2*(8 relu) residual(8 tanh)", "training": {"lr": 0.05, "optimizer": "adam"}},
        ],
    }
)


def points_of(run: int, steps: range) -> list[NewPoint]:
    """Points that can be told apart."""
    return [NewPoint(run, step, 1 / (step + 1), None if step % 3 else step / 7, step * 1e-9) for step in steps]
