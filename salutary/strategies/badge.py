"""BADGE: batch active learning by diverse gradient embeddings."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from salutary.split import PoolView
from salutary.strategies import Proposal, Strategy


class Badge(Strategy):
    """k-means++ seeding on gradient embeddings: large and diverse gradients.

    The embedding of x is the gradient of its loss with the predicted label, g = q (x) x~ with
    q = p - onehot(y^) and x~ = x, with a 1 appended if the model has an intercept. First comes the
    point of largest ||g||, then draws proportional to the squared distance to the nearest *chosen*
    point; where all those vanish, a uniform draw. No point is drawn twice.

    The (n, C d) embeddings are never built, since

        ||g_i - g_j||^2 = ||q_i||^2 ||x_i||^2 + ||q_j||^2 ||x_j||^2 - 2 (q_i . q_j) (x_i . x_j),

    so that a draw costs O(n (C + d)). The true labels are bought.
    Ash et al., "Deep batch active learning by diverse, uncertain gradient lower bounds", ICLR 2020.
    """

    def propose(self, model, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        P = model.predict_proba(view.pool)
        Q = P - torch.nn.functional.one_hot(P.argmax(1), P.shape[1])
        extra = float(getattr(model, "fit_intercept", False))  # the square of the appended 1
        norms = (Q**2).sum(1) * ((view.pool**2).sum(1) + extra)
        chosen = [int(norms.argmax())]
        nearest = torch.full_like(norms, torch.inf)
        while len(chosen) < budget:
            nearest = torch.minimum(nearest, _squared(Q, view.pool, extra, norms, chosen[-1]))
            nearest[chosen] = 0
            chosen.append(_draw(nearest, chosen, rng))
        return Proposal(torch.tensor(chosen, device=P.device))


def _squared(Q: Tensor, X: Tensor, extra: float, norms: Tensor, j: int) -> Tensor:
    """Squared distances (n,) of all embeddings to the j-th; below rounding error they are zero."""
    scale = norms + norms[j]
    distances = scale - 2 * (Q @ Q[j]) * (X @ X[j] + extra)
    return torch.where(distances > 64 * torch.finfo(X.dtype).eps * scale, distances, 0.0)


def _draw(weights: Tensor, chosen: list[int], rng: np.random.Generator) -> int:
    """A position with probability proportional to its weight (chosen ones have none)."""
    w = weights.numpy(force=True)
    if not w.any():
        w = np.ones(len(w))
        w[chosen] = 0
    cumulative = np.cumsum(w, dtype=np.float64)
    # The first position whose cumulative weight exceeds the draw always has a positive weight.
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
