"""BADGE: batch active learning by diverse gradient embeddings."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from salutary.engine import product
from salutary.models import Predictor, has_intercept
from salutary.strategies import PoolView, Proposal, Strategy

PATIENCE = 20  # rejected draws before the distances of all points are brought up to date


class Badge(Strategy[Predictor]):
    """k-means++ seeding on gradient embeddings: large and diverse gradients.

    The embedding of x is the gradient of its loss with the predicted label, g = q (x) x~ with
    q = p - onehot(y^) and x~ = x, with a 1 appended if the model has an intercept. First comes the
    point of largest ||g||, then draws proportional to the squared distance to the nearest *chosen*
    point; where all those vanish, a uniform draw. No point is drawn twice.

    The (n, C d) embeddings are never built, since

        ||g_i - g_j||^2 = ||q_i||^2 ||x_i||^2 + ||q_j||^2 ||x_j||^2 - 2 (q_i . q_j) (x_i . x_j),

    nor is every point measured against every chosen one: distances only fall as points are chosen,
    so older ones are an upper bound to draw by, and a draw i is kept with probability exact_i /
    bound_i. This rejection sampling draws from exactly the same distribution, for one pass over
    the pool in all, as long as few draws are rejected. The true labels are bought.

    Ash et al., "Deep batch active learning by diverse, uncertain gradient lower bounds", ICLR 2020.
    """

    def propose(self, model: Predictor, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        P = model.predict_proba(view.pool)
        Q = P.clone()
        Q[torch.arange(len(P), device=P.device), P.argmax(1)] -= 1
        seeding = Seeding(GradientEmbeddings(Q, view.pool, float(has_intercept(model))), rng)
        while len(seeding.chosen) < budget:
            seeding.draw()
        return Proposal(torch.tensor(seeding.chosen, device=P.device))


class GradientEmbeddings:
    """Squared norms and distances of q (x) x~, from Q (n, C) and X (n, d).

    ``extra`` is the square of what is appended to x. Distances below rounding error are zero.
    """

    def __init__(self, Q: Tensor, X: Tensor, extra: float):
        self.Q = Q
        self.X = X
        self.extra = extra
        norm = torch.linalg.vector_norm
        self.norms = norm(Q, dim=1) ** 2 * (norm(X, dim=1) ** 2 + extra)

    def distances(self, rows: Tensor | slice, centres: list[int]) -> Tensor:
        """(number of rows, number of centres)."""
        scale = self.norms[rows, None] + self.norms[centres]
        dots = product(self.X[rows], self.X[centres].T) + self.extra
        squares = scale - 2 * product(self.Q[rows], self.Q[centres].T) * dots
        return torch.where(squares > 64 * torch.finfo(self.X.dtype).eps * scale, squares, 0.0)


class Seeding:
    """k-means++ by rejection: ``chosen`` holds the positions drawn so far, the first one being given."""

    def __init__(self, embeddings: GradientEmbeddings, rng: np.random.Generator):
        self.embeddings = embeddings
        self.rng = rng
        self.chosen = [int(embeddings.norms.argmax())]
        self._bound = torch.full_like(embeddings.norms, torch.inf)
        self._pending = list(self.chosen)  # chosen points that the bounds do not know of yet
        self._update()

    def draw(self) -> None:
        """Choose one more point."""
        for _ in range(PATIENCE):
            j = self._propose()
            if j is not None and self._accept(j):
                break
        else:
            self._update()
            j = self._propose()
            j = self._uniform() if j is None else j
        self.chosen.append(j)
        self._pending.append(j)

    def _propose(self) -> int | None:
        """A position with probability proportional to its bound; None where all bounds vanish."""
        total = self._cumulative[-1]
        if not total:
            return None
        # The first position whose cumulative bound exceeds the draw always has a positive bound.
        return int(np.searchsorted(self._cumulative, self.rng.random() * total, side="right"))

    def _accept(self, j: int) -> bool:
        bound = self._bound[j]
        exact = self.embeddings.distances(torch.tensor([j]), self._pending).amin() if self._pending else bound
        return self.rng.random() * float(bound) < float(torch.minimum(exact, bound))

    def _uniform(self) -> int:
        return int(self.rng.choice(np.setdiff1d(np.arange(len(self._bound)), self.chosen)))

    def _update(self) -> None:
        """Bring all bounds up to date, in one pass over the pool."""
        if self._pending:
            distances = self.embeddings.distances(slice(None), self._pending)
            self._bound = torch.minimum(self._bound, distances.amin(1))
        self._bound[self.chosen] = 0
        self._pending = []
        self._cumulative = np.cumsum(self._bound.numpy(force=True), dtype=np.float64)
