"""FixMatch: semi-supervised softmax regression on tables and embeddings."""

from __future__ import annotations

import copy
import logging
import math
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from salutary.engine import linear
from salutary.errors import SalutaryError
from salutary.models import require_features
from salutary.models.augmentation import RowAugmentation
from salutary.system import rules
from salutary.system.rules import Number, Whole

log = logging.getLogger(__name__)


class FixMatch:
    """Softmax regression by SGD on

        mean over labelled of loss(weak(x), y)
        + unlabeled_weight * sum over unlabelled of 1[max p >= threshold] loss(strong(x), argmax p)
          / number of *all* unlabelled in the batch
        + l2 / (2 n) ||W||^2,                        p = prediction at weak(x), held constant.

    Nesterov momentum, cosine schedule cos(7 pi k / 16 K), exponential moving average of the weights;
    labelled rows are in the unlabelled set too. Features are standardised on all rows given, without
    which SGD diverges on raw tables; the penalty is on the standardised features' weights.

    Results are the mean over the last ``evaluations`` states of the average, spread over the last fifth
    of the training, not the best one. The share of unlabelled rows above the threshold is logged
    (``mask_rate_``): strongly penalised models rarely reach 0.95, and then FixMatch is plain
    supervised training.

    Sohn et al., "FixMatch: simplifying semi-supervised learning with consistency and confidence",
    NeurIPS 2020.

    Parameters as in the paper, and: ``ratio``: unlabelled rows per labelled one in a batch;
    ``steps``: K; ``l2`` and ``fit_intercept`` as in LogisticRegression, without ``cv``.
    """

    RULES = {
        **dict.fromkeys(("ratio", "batch_size", "steps", "evaluations"), Whole(1)),
        **dict.fromkeys(("l2", "threshold", "unlabeled_weight"), Number(0)),
        **dict.fromkeys(("learning_rate", "momentum", "decay"), Number(0, 1)),
    }

    def __init__(
        self,
        n_classes: int,
        augmentation: RowAugmentation,
        l2: float | str = 1.0,
        fit_intercept: bool = True,
        threshold: float = 0.95,
        unlabeled_weight: float = 1.0,
        ratio: int = 7,
        batch_size: int = 64,
        steps: int = 2000,
        learning_rate: float = 0.03,
        momentum: float = 0.9,
        decay: float = 0.999,
        evaluations: int = 10,
    ):
        self.n_classes = n_classes
        self.augmentation = augmentation
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.threshold = threshold
        self.unlabeled_weight = unlabeled_weight
        self.ratio = ratio
        self.batch_size = batch_size
        self.steps = steps
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.decay = decay
        self.evaluations = evaluations
        self.seed_ = 0

    def tune(
        self,
        X: Tensor,
        y: Tensor,
        rng: np.random.Generator,
        validation: tuple[Tensor, Tensor] | None = None,
    ) -> Self:
        """Check the settings and draw the seed of all fits. Raises SalutaryError for a bad setting."""
        require_features(X, "fixmatch")
        if self.l2 in ("cv", "validation"):
            raise SalutaryError("model=fixmatch cannot tune its penalty: set a number, such as model.l2=1")
        rules.check(self, self.RULES, "model.")
        if not isinstance(self.augmentation, RowAugmentation):
            raise SalutaryError("model.augmentation must name an augmentation with _target_")
        self.augmentation.check()
        self.l2_ = float(self.l2)
        self.seed_ = int(rng.integers(2**31))
        return self

    def fit(self, X: Tensor, y: Tensor, unlabeled: Tensor | None = None) -> Self:
        """Train from W = 0, in float32; without ``unlabeled`` rows, on the labelled ones alone."""
        U = (X if unlabeled is None else torch.cat([X, unlabeled])).float()
        mean, deviation = U.mean(0), U.std(0)
        deviation[deviation == 0] = 1
        U = (U - mean) / deviation
        X = U[: len(X)]
        augmentation = copy.copy(self.augmentation).fit(U)
        generator = torch.Generator(X.device).manual_seed(self.seed_)
        batches = np.random.default_rng(self.seed_)
        W = X.new_zeros(self.n_classes, X.shape[1] + self.fit_intercept)
        penalty = self._penalty(W, len(X))
        descent = _Descent(W, self.momentum, self.decay)
        self.states_, masked = [], 0.0
        for k in range(self.steps):
            rows = torch.as_tensor(batches.integers(len(X), size=self.batch_size), device=X.device)
            W = descent.W
            G = penalty * W + loss_gradient(W, augmentation.weak(X[rows], generator), y[rows])
            if unlabeled is not None:
                rows = torch.as_tensor(batches.integers(len(U), size=self.ratio * self.batch_size))
                consistency, share = self._consistency(W, U[rows.to(X.device)], augmentation, generator)
                G += self.unlabeled_weight * consistency
                masked += share
            descent.step(G, self.learning_rate * math.cos(7 * math.pi * k / (16 * self.steps)))
            if self._is_evaluated(k):
                self.states_.append(LinearSoftmax(descent.average, mean, deviation))
        if not descent.average.isfinite().all():
            raise SalutaryError("model=fixmatch diverged: lower model.learning_rate or model.l2")
        self.mask_rate_, self.n_iter_ = masked / self.steps, self.steps
        if unlabeled is not None:
            log.info("fixmatch: %.0f%% of unlabelled rows above the threshold", 100 * self.mask_rate_)
        return self

    def predict_proba(self, X: Tensor) -> Tensor:
        """Class probabilities (n, C) of the final average."""
        return self.states_[-1].predict_proba(X)

    def _penalty(self, W: Tensor, n: int) -> Tensor:
        """Penalty of each parameter on the mean loss over n rows, (C, D)."""
        # Two opposite rows w/2 and -w/2 stand for the one weight vector w of LogisticRegression.
        l2 = (2 if self.n_classes == 2 else 1) * float(self.l2)
        penalty = torch.full_like(W, l2 / n)
        if self.fit_intercept:
            penalty[:, -1] = 0
        return penalty

    def _consistency(
        self, W: Tensor, X: Tensor, augmentation: RowAugmentation, generator: torch.Generator
    ) -> tuple[Tensor, float]:
        """Gradient of the unlabelled term, and the share of rows above the threshold."""
        weak = augmentation.weak(X, generator)
        confidence, target = torch.softmax(linear(weak, W), 1).max(1)
        mask = confidence >= self.threshold
        strong = augmentation.strong(X, generator)
        return loss_gradient(W, strong, target, mask.to(X.dtype)), float(mask.double().mean())

    def _is_evaluated(self, k: int) -> bool:
        """Evenly over the last fifth of the steps, the last one included."""
        spacing = max(1, self.steps // (5 * self.evaluations))
        left = self.steps - 1 - k
        return left % spacing == 0 and left // spacing < self.evaluations


class _Descent:
    """Gradient descent from W (C, D) with Nesterov momentum; ``average``: the moving average of its path.

    By hand: torch.optim.SGD fuses products and sums, and so rounds otherwise, at twice the time of so small
    a step.
    """

    def __init__(self, W: Tensor, momentum: float, decay: float):
        self.W = W
        self.average = torch.zeros_like(W)
        self._velocity = torch.zeros_like(W)
        self._momentum = momentum
        self._decay = decay
        self._steps = 0

    def step(self, G: Tensor, rate: float) -> None:
        """One step along the gradient G (C, D)."""
        self._velocity = self._momentum * self._velocity + G
        self.W = self.W - rate * (G + self._momentum * self._velocity)
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))  # soon forgets where it began
        self.average = decay * self.average + (1 - decay) * self.W
        self._steps += 1


class LinearSoftmax:
    """A fitted state: softmax(W x~) of standardised features."""

    def __init__(self, coef: Tensor, mean: Tensor, deviation: Tensor):
        self.coef_ = coef
        self.mean = mean
        self.deviation = deviation

    def predict_proba(self, X: Tensor) -> Tensor:
        X = (X - self.mean) / self.deviation
        return torch.softmax(linear(X, self.coef_.to(X.dtype)), 1)


def loss_gradient(W: Tensor, X: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
    """Gradient (C, D) of sum over rows of weight * loss, divided by the number of *all* rows."""
    R = torch.softmax(linear(X, W), 1) - one_hot(y, len(W))
    if weight is not None:
        R = R * weight[:, None]
    if W.shape[1] > X.shape[1]:
        X = torch.cat([X, torch.ones_like(X[:, :1])], 1)
    return R.T @ X / len(X)
