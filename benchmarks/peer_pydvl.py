"""Influences by pyDVL, run by influence.py --peer in an environment of pyDVL's own (it needs NumPy 1).

    python peer_pydvl.py problem.npz answer.npz

Direct (dense) influence, float64. The mean over the validation points is taken of H^-1 g, before the
pool is scored: pyDVL's cheapest way to an influence on the mean validation loss.
"""

import sys
import time

import numpy as np
import torch
from pydvl.influence.torch import DirectInfluence


def main() -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    problem = {key: torch.as_tensor(value) for key, value in np.load(sys.argv[1]).items()}
    W, X, y = problem["W"], problem["X"], problem["y"]
    n_classes, d = W.shape
    model = torch.nn.Linear(d, n_classes, bias=False)
    model.weight.data = W
    # pyDVL's Hessian is of the mean loss: ours divided by the number of labelled points.
    method = DirectInfluence(model, torch.nn.functional.cross_entropy, float(problem["l2"]) / len(X))
    started = time.perf_counter()
    method = method.fit([(X, y)])
    factors = method.influence_factors(problem["X_validation"], problem["y_validation"])
    factor = factors.mean(0, keepdim=True)
    prepared = time.perf_counter()
    X_pool = problem["X_pool"]
    scores = [
        method.influences_from_factors(factor, X_pool, torch.full((len(X_pool),), label))[0]
        for label in range(n_classes)
    ]
    done = time.perf_counter()
    influence = torch.stack(scores, 1).detach().numpy() / len(X)
    np.savez(sys.argv[2], influence=influence, prepare=prepared - started, score=done - prepared)


main()
