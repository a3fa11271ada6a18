"""scikit-learn: MLPClassifier with float32 examples and nothing that would stop it early; its threads are BLAS's."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.peers.problem import Conv, Linear, Problem
from benchmarks.peers.serving import serve


class Fit:
    """Every network as an estimator that goes on from its weights. Its own init, since it takes no other."""

    def __init__(self, problem: Problem, replicas: int, threads: int) -> None:
        if any(isinstance(layer, Conv) for layers in problem.networks for layer in layers):
            raise ValueError("scikit-learn has no convolutions")
        warnings.simplefilter("ignore", ConvergenceWarning)
        self._problem, self._x = problem, problem.x.reshape(len(problem.x), -1)
        self._models = [
            MLPClassifier(
                [layer.outputs for layer in layers if isinstance(layer, Linear)][:-1],
                solver="adam" if problem.optimizer == "adam" else "sgd",
                alpha=0,
                batch_size=problem.batch,
                learning_rate_init=problem.lr,
                momentum=0.9,
                nesterovs_momentum=False,
                tol=0,
                n_iter_no_change=10**9,
                random_state=0,
                warm_start=True,
            )
            for layers in problem.networks
        ]

    def train(self, epochs: int) -> int:
        for model in self._models:
            model.set_params(max_iter=epochs).fit(self._x, self._problem.y)
        return epochs * len(self._models) * len(self._x) // self._problem.batch

    def loss(self) -> float:
        """Over the last epoch, as scikit-learn keeps it; infinite before the first."""
        return sum(getattr(model, "loss_", float("inf")) for model in self._models) / len(self._models)


if __name__ == "__main__":
    serve(Fit)
