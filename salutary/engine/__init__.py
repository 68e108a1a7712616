"""Influence of adding a labelled point to (regularised) logistic regression, in closed form.

**Sign.** Every influence here is the *predicted fall of the objective*, mostly of the mean validation loss,
when the point is added to the labelled set with that label. Positive helps. (Eq. 1 of the paper prints the
opposite sign; its selection rule means this one.)

Notation: n points of d features, C classes. The parameters W have shape (K, D): K = C rows for
softmax regression, K = 1 for two classes (one weight vector, as logistic regression is usually
fitted); D = d, or d + 1 when the last column holds an intercept. The objective over the labelled
set L is a **sum**,

    J(W) = sum over L of loss(x, y; W) + 1/2 sum(penalty * W**2),        penalty (K, D),

so that scikit-learn's C is 1 / l2. With S = H^-1 g_V (g_V the gradient of the objective over the validation
set V, H the Hessian of J), p = softmax(W x) and u = S x, the influence of adding (x, c) is

    I(x, c) = g_V . H^-1 . grad loss(x, c) = p.u - u_c                   (softmax)
    I(x, c) = (p_1 - c) u                                                (two classes)

hence *all labels of all points cost one matrix product*, and sum over c of p_c I(x, c) = 0.

**Precision and memory.** Whatever has the shape of the parameters is float64. Rows may be float32, on any
device; they are read in blocks, and nothing larger than (n, C) is built of them.

- ``softmax``: predictions, loss, gradient. ``hessian``: the Hessian as an operator and a matrix,
  which for more than two classes is ``curvature``'s. ``solvers``: H^-1 g, ``block``: of many g at once.
  ``summed_loss`` and ``newton``: the optimum of J. ``scores``: the influences. How a device solves:
  ``refined`` by a factor, ``iteration`` by conjugate gradients, ``kept_system`` with few rows, ``costs``.
- ``objective``: what is to fall; ``objectives``: others than the mean loss. ``optimum``: a model, the rows of
  its Hessian and the objective, in one object, which the following take. ``added_point``: estimates that see
  the added point's own curvature. ``confidence``: standard errors. ``refit``: what the estimates estimate.
  ``selection``: the best points.

References: Koh & Liang, "Understanding black-box predictions via influence functions", ICML 2017;
"Salutary labeling with zero human annotation", sections 4.1 and 4.2.
"""

from salutary.engine.hessian import Hessian
from salutary.engine.objective import AtLogits, MeanLoss, Objective, OfLogits
from salutary.engine.optimum import Optimum, label_influence, validation_direction
from salutary.engine.scores import (
    best_influence,
    best_influences,
    best_labels,
    influence_of_logits,
    score_labels,
)
from salutary.engine.softmax import (
    gradient,
    linear,
    linear_adjoint,
    loss,
    loss_of_logits,
    probabilities,
    product,
    residuals,
    to_probabilities,
)
from salutary.engine.solvers import SOLVERS, conjugate_gradients, lissa, solve

__all__ = [
    "SOLVERS",
    "AtLogits",
    "Hessian",
    "MeanLoss",
    "Objective",
    "OfLogits",
    "Optimum",
    "best_influence",
    "best_influences",
    "best_labels",
    "conjugate_gradients",
    "gradient",
    "influence_of_logits",
    "label_influence",
    "linear",
    "linear_adjoint",
    "lissa",
    "loss",
    "loss_of_logits",
    "probabilities",
    "product",
    "residuals",
    "score_labels",
    "solve",
    "to_probabilities",
    "validation_direction",
]
