"""BatchBALD: the batch whose labels tell most about the parameters."""

from __future__ import annotations

import copy
import logging
import math
from typing import cast

import numpy as np
import torch
from torch import Tensor

from salutary.engine import (
    Hessian,
    linear,
    linear_adjoint,
    product,
    to_probabilities,
)
from salutary.engine.block import BlockSolver
from salutary.engine.solvers import cholesky, is_dense
from salutary.models import ConvexModel, Model
from salutary.strategies import PoolView, Proposal, Strategy
from salutary.system.rules import Choice, Whole

log = logging.getLogger(__name__)

BLOCK = 1_024  # pool rows predicted together
LARGEST_KEPT = 50_000_000  # predictions kept instead of computed again (400 MB)
FIRST_CANDIDATES = 32  # rows whose gains are computed first; each further time twice as many,
LARGEST_STEP = 256  # ... up to this many
TINY = 1e-300  # keeps p log p finite at p = 0


class BatchBald(Strategy[ConvexModel]):
    """Greedy maximum of the mutual information between the batch's labels and the parameters,

        I(y_1..y_b; W) = H(y_1..y_b) - sum over i of E_k H(y_i | W_k),

    over K draws W_k that all points share. The draws come from the Laplace approximation
    N(W^, H^-1), with the factor of the labelled set's Hessian, or from refits to bootstrap resamples.

    Joint entropies are exact while the C^m configurations of the labels chosen so far number at
    most ``max_configurations``, then estimated from that many sampled configurations, as the log
    says at the start. Mutual information is submodular: a gain can only fall as the batch grows, so
    earlier gains bound later ones, and only candidates whose bound reaches the best gain are looked at
    ("lazy greedy"; with exact entropies the choice is the same). I is at most log K, where it no
    longer tells points apart: with small K the last points of a batch are arbitrary.
    The true labels are bought.

    Kirsch, van Amersfoort & Gal, "BatchBALD: efficient and diverse batch acquisition for deep
    Bayesian active learning", NeurIPS 2019.

    ``draws``: K; ``posterior``: ``laplace`` or ``bootstrap``.
    """

    needs_convex = True
    RULES = {"posterior": Choice("laplace", "bootstrap"), "draws": Whole(2), "max_configurations": Whole(2)}

    def __init__(self, draws: int = 100, posterior: str = "laplace", max_configurations: int = 512):
        self.draws = draws
        self.posterior = posterior
        self.max_configurations = max_configurations

    def check(self, model: Model) -> None:
        super().check(model)
        n_classes = cast(ConvexModel, model).n_classes  # a network has it, too
        log.info(
            "batchbald: joint entropies are exact for up to %d points of a batch, then estimated from %d"
            " sampled label configurations",
            math.log(self.max_configurations) / math.log(n_classes) + 1e-9,
            self.max_configurations,
        )

    def propose(self, model: ConvexModel, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        W_K = self.sample_posterior(model, view, rng)
        predictions = Predictions(view.pool, W_K)
        bound = predictions.gains.clone()
        joint = JointLabels(len(W_K), self.max_configurations, rng, view.pool.device)
        chosen: list[int] = []
        for _ in range(budget):
            j = _best_candidate(predictions, joint, bound)
            chosen.append(j)
            bound[j] = -torch.inf
            joint.add(predictions.rows(torch.tensor([j]))[0])
        return Proposal(torch.tensor(chosen, device=view.pool.device))

    def sample_posterior(self, model: ConvexModel, view: PoolView, rng: np.random.Generator) -> Tensor:
        """``draws`` parameter matrices, (draws, *coef_.shape)."""
        if self.posterior == "laplace":
            return _laplace(model, view, self.draws, rng)
        return torch.stack([_bootstrap(model, view, rng) for _ in range(self.draws)])


def _laplace(model: ConvexModel, view: PoolView, draws: int, rng: np.random.Generator) -> Tensor:
    """Draws of N(W^, H^-1), H being the Hessian over the labelled set."""
    W, X = model.coef_.double(), view.labeled.double()
    hessian = Hessian.at(W, X, model.penalty_.double())
    if not is_dense("posterior", W.numel()):
        noise = torch.stack([_noise(hessian, rng) for _ in range(draws)])
        return W + BlockSolver(hessian).solve(noise, rtol=1e-6)
    factor = cholesky(hessian)
    z = torch.as_tensor(rng.standard_normal((W.numel(), draws)), dtype=W.dtype, device=W.device)
    offsets = torch.linalg.solve_triangular(factor.T, z, upper=True)
    return W + offsets.T.reshape(draws, *W.shape)


def _noise(hessian: Hessian, rng: np.random.Generator) -> Tensor:
    """b ~ N(0, H), (K, D): H^-1 b is a draw of N(0, H^-1).

    b is a sum over the rows, and the penalty, of normal draws with the covariance of each: a row's block of
    the Hessian is F F^T with F = diag(sqrt p) - p sqrt(p)^T or, of two classes, sqrt(p (1 - p)).
    """
    P, penalty = hessian.P, hessian.penalty
    noise = P.sqrt() * torch.as_tensor(rng.standard_normal(P.shape), device=P.device)
    noise -= P * noise.sum(1, keepdim=True)
    if len(penalty) == 1:
        noise = noise[:, 1:]
    z = torch.as_tensor(rng.standard_normal(penalty.shape), device=P.device)
    return linear_adjoint(hessian.X, noise, penalty.shape[1]) + penalty.sqrt() * z


def _bootstrap(model: ConvexModel, view: PoolView, rng: np.random.Generator) -> Tensor:
    rows = torch.as_tensor(rng.integers(len(view.labels), size=len(view.labels)))
    return copy.copy(model).fit(view.labeled[rows], view.labels[rows]).coef_


class Predictions:
    """Class probabilities of the pool under every draw, kept where they fit into memory.

    ``gains`` (n,): mutual information of each point alone; ``conditional`` (n,): E_k H(y | W_k).
    """

    def __init__(self, X: Tensor, W_K: Tensor):
        self.X = X
        self.W_K = W_K.double()
        shape = (len(X), len(W_K), max(2, W_K.shape[1]))
        self._kept = self.W_K.new_empty(shape) if math.prod(shape) <= LARGEST_KEPT else None
        summaries = [self._summary(slice(i, i + BLOCK)) for i in range(0, len(X), BLOCK)]
        self.gains, self.conditional = (torch.cat(part) for part in zip(*summaries, strict=True))

    def rows(self, rows: Tensor) -> Tensor:
        """Probabilities of some points, (n, K, C)."""
        return self._predict(self.X[rows]) if self._kept is None else self._kept[rows]

    def _predict(self, X: Tensor) -> Tensor:
        """(n, K, C) from one matrix product, in float64: information is a small difference."""
        K, rows, _ = self.W_K.shape
        return to_probabilities(linear(X.double(), self.W_K.flatten(0, 1)).reshape(len(X), K, rows))

    def _summary(self, block: slice) -> tuple[Tensor, Tensor]:
        probs_N_K_C = self._predict(self.X[block])
        if self._kept is not None:
            self._kept[block] = probs_N_K_C
        conditional = _entropy(probs_N_K_C).mean(1)
        return _entropy(probs_N_K_C.mean(1)) - conditional, conditional


def _entropy(P: Tensor) -> Tensor:
    """- sum of p log p over the last axis, with 0 log 0 = 0."""
    return -(P * P.clamp(min=TINY).log()).sum(-1)  # three times as fast as torch.special.entr


def _best_candidate(predictions: Predictions, joint: JointLabels, bound: Tensor) -> int:
    """Position of the largest gain, lower position of equals; tightens ``bound`` on the way."""
    fresh = bound == -torch.inf  # what is chosen already
    size, entropy = FIRST_CANDIDATES, joint.entropy
    while not fresh[j := int(bound.argmax())]:
        candidates = torch.topk(bound, min(size, len(bound))).indices
        # Among many equal bounds topk alone could leave j out for ever.
        stale = torch.cat([candidates[~fresh[candidates]], candidates.new_tensor([j])]).unique()
        gain = joint.entropy_with(predictions.rows(stale)) - entropy
        bound[stale] = gain - predictions.conditional[stale]
        fresh[stale] = True
        size = min(2 * size, LARGEST_STEP)
    return j


class JointLabels:
    """The joint distribution of the labels of the points chosen so far, under K draws.

    ``weights_K_M`` holds p(configuration | W_k) of all M = C^m configurations or, beyond
    ``max_configurations``, of that many sampled ones, divided by exp(``log_scale_M``) so that long
    batches do not underflow. A sampled configuration belongs to one draw k, each k having an equal
    number of them up to one, and grows by one label of that draw with every point.
    """

    def __init__(
        self,
        n_draws: int,
        max_configurations: int,
        rng: np.random.Generator,
        device: torch.device | str = "cpu",
    ):
        self.weights_K_M = torch.ones(n_draws, 1, dtype=torch.float64, device=device)
        self.log_scale_M = self.weights_K_M.new_zeros(1)
        self.max_configurations = max_configurations
        self.rng = rng
        self.sampled = False
        self._chosen: list[Tensor] = []

    @property
    def entropy(self) -> Tensor:
        """Joint entropy H(y_1..y_m) of the chosen labels."""
        p_M = self.weights_K_M.mean(0)
        return -(p_M.log() + self.log_scale_M).mean() if self.sampled else _entropy(p_M)

    def add(self, probs_K_C: Tensor) -> None:
        """Take one more point into the batch."""
        self._chosen.append(probs_K_C)
        K, M = self.weights_K_M.shape
        if self.sampled:
            self._extend(probs_K_C)
        elif M * probs_K_C.shape[1] > self.max_configurations:
            self._begin_sampling()
        else:
            self.weights_K_M = (self.weights_K_M[:, :, None] * probs_K_C[:, None, :]).reshape(K, -1)

    def entropy_with(self, probs_N_K_C: Tensor) -> Tensor:
        """Joint entropy of the chosen labels and that of each of n candidates, (n,).

        - sum of p(configuration, c) log p(configuration, c) over both, where sampled configurations
        each stand for 1 / (M p(configuration)) of them.
        """
        n, K, C = probs_N_K_C.shape
        p_M = self.weights_K_M.mean(0)
        weight_M = 1 / (len(p_M) * p_M) if self.sampled else torch.ones_like(p_M)
        p_M_NC = product(self.weights_K_M.T, probs_N_K_C.transpose(0, 1).reshape(K, n * C)) / K
        log_p = p_M_NC.clamp(min=TINY).log_()
        scale = self.log_scale_M.mean() if self.sampled else 0.0
        return -(weight_M @ p_M_NC.mul_(log_p)).reshape(n, C).sum(1) - scale

    def _begin_sampling(self) -> None:
        K, M = len(self.weights_K_M), self.max_configurations
        self.sampled = True
        self._source_M = np.resize(self.rng.permutation(K), M)
        self.weights_K_M = self.weights_K_M.new_ones(K, M)
        self.log_scale_M = self.weights_K_M.new_zeros(M)
        for probs_K_C in self._chosen:
            self._extend(probs_K_C)

    def _extend(self, probs_K_C: Tensor) -> None:
        """Give every sampled configuration a label of this point, drawn by its own draw k."""
        cumulative = probs_K_C.cumsum(1).numpy(force=True)[self._source_M]
        threshold = self.rng.random((len(cumulative), 1)) * cumulative[:, -1:]
        labels = (threshold >= cumulative).sum(1).clip(max=probs_K_C.shape[1] - 1)
        weights = self.weights_K_M * probs_K_C[:, torch.as_tensor(labels, device=probs_K_C.device)]
        largest = weights.amax(0)
        self.weights_K_M = weights / largest
        self.log_scale_M = self.log_scale_M + largest.log()
