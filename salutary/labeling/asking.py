"""Which pool points a human should label after all, by what their labels would do to the model.

What a person will say is not known; the model that is handed over says how likely each label is. (By the
linear model's own probabilities every point's expected influence is 0; by those of another model, and by
refits, it is not.) What (x, c) does is measured by refits, on validation rows that these do not see: a
model for each fold, of L, as the handed model uses it, and of the validation rows of the other folds.

    score(x) = sum over c of p_c(x) (F - F(x, c)),       F: the objective of all held-out validation rows

Points are picked one after another. Each joins the rows with its probabilities for a label, so that what
a near-copy would tell is known already. Expected error reduction: Roy & McCallum, "Toward optimal active
learning through sampling estimation of error reduction", ICML 2001.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from salutary.engine import MeanLoss, OfLogits, Optimum, linear, linear_adjoint, score_labels
from salutary.engine.objectives import objective_on
from salutary.engine.refit import Refits
from salutary.engine.soft_regression import SoftRegression
from salutary.engine.softmax import linear_of_each
from salutary.remedies import LabelledData, Part
from salutary.remedies.judgement import Judgement

# Rows of the pool that are looked at, drawn from it where it has more.
LOOKED_AT = 10_000
# Rows with which models are refitted: a third of them with the smallest margins, a third of the highest
# expected influence, the others at random. Fewer, by the square root, where rows times parameters times
# classes are above WORK, but not below LEAST.
REFITTED, LEAST, WORK = 300, 40, 1e5
# After a pick the highest scores so far are taken anew, for one in so many of these, and one of them is next.
AGAIN = 10
# A label that is less likely is not tried.
UNLIKELY = 0.05
# A share of the objective that a refit may be off by: scores are larger by far.
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Questions:
    """``rows`` (b,) in the order they were picked; ``falls`` (b,): the expected fall of the objective,
    given those before, and their standard ``errors`` (b,) over the validation rows; ``probabilities`` (b, C):
    of the model that is handed over.
    """

    rows: np.ndarray
    falls: np.ndarray
    errors: np.ndarray
    probabilities: np.ndarray


def questions(
    data: LabelledData,
    judgement: Judgement,
    X: np.ndarray,
    n: int,
    rng: np.random.Generator,
    advance: Callable[[int], None] = lambda n: None,
) -> Questions:
    """The ``n`` rows of X (m, d), or all if they are fewer, that a human should label, best first.

    ``rng``: draws some of those that are looked at closely. ``advance``: called after each pick. Raises
    SalutaryError where a refit does not reach its optimum.
    """
    P = judgement.handed.probabilities(X)
    asker = Asker.of(data, judgement)
    near = shortlist(P, asker.expected_influence(X, P), max(asker.n_refitted, n), rng)
    chosen, falls, errors = asker.ask(X[near], P[near], min(n, len(X)), advance)
    return Questions(near[chosen], falls, errors, P[near[chosen]])


def shortlist(P: np.ndarray, influence: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of ``n`` of the rows, or of all, ascending: see ``REFITTED``."""
    if n >= len(P):
        return np.arange(len(P))
    third = n // 3
    found = np.zeros(len(P), bool)
    found[np.argsort(margins(P), kind="stable")[:third]] = True
    found[np.argsort(-influence, kind="stable")[:third]] = True
    others = rng.permutation(np.flatnonzero(~found))
    found[others[: n - found.sum()]] = True
    return np.flatnonzero(found)


def margins(P: np.ndarray) -> np.ndarray:
    """The likeliest class's probability less the second's, (m,) of P (m, C)."""
    ascending = np.sort(P, 1)
    return ascending[:, -1] - ascending[:, -2]


@dataclass(frozen=True)
class Refittable:
    """The optimum W of rows X (n, d) with distributions q (n, C) and weights (n,), which hold none of
    ``held_out``, and the numbers ``place`` of these among the validation rows. ``refits``: of it, with
    all that they share, for the points that it was made for.
    """

    X: np.ndarray
    q: np.ndarray
    weights: np.ndarray
    held_out: Part
    place: np.ndarray
    l2: float
    intercept: bool
    W: np.ndarray | None = None
    refits: Refits | None = None

    def fitted(self) -> Refittable:
        W = self._regression.fit(self._penalty, self.W, last=1e-9)
        return replace(self, W=W)

    def near(self, X: np.ndarray) -> Refittable:
        """To be refitted with rows among X (m, d), many times."""
        return replace(self, refits=Refits.of(self.optimum, torch.from_numpy(X), TOLERANCE))

    def joined(self, x: np.ndarray, q: np.ndarray) -> Refittable:
        """With one more row x (d,), q (C,)."""
        refits = self.refits or self.near(x[None]).refits
        assert refits is not None
        refits = refits.joined(torch.from_numpy(x), torch.from_numpy(q))
        X, labels, weights = np.vstack([self.X, x]), np.vstack([self.q, q]), np.append(self.weights, 1.0)
        W, kept = refits.W[0].numpy(), refits if self.refits else None
        return replace(self, X=X, q=labels, weights=weights, W=W, refits=kept)

    @property
    def optimum(self) -> Optimum:
        """With the weight of each class that a row may be of."""
        W, penalty, X, shares, weights = map(
            torch.from_numpy,
            (self.W, self._penalty, self.X, self.q * self.weights[:, None], self.weights),
        )
        objective = MeanLoss(self.held, torch.from_numpy(self.held_out.y))
        return Optimum(W, penalty, X, objective, shares, weights)

    @property
    def held(self) -> Tensor:
        """Features of the rows held out."""
        return torch.from_numpy(self.held_out.X)

    @property
    def _regression(self) -> SoftRegression:
        return SoftRegression(self.X, self.q, self.weights, self.intercept)

    @property
    def _penalty(self) -> np.ndarray:
        return self._regression.penalty(self.l2)


@dataclass(frozen=True)
class Asker:
    """``models``: one for each fold. ``validation``: all validation rows, which ``data`` judge by."""

    data: LabelledData
    models: Sequence[Refittable]

    @classmethod
    def of(cls, data: LabelledData, judgement: Judgement) -> Asker:
        """Where nothing was held out, the model is of L alone, and V measures it."""
        V, L = data.validation, data.labeled
        use, labels = judgement.of_labeled()
        if not judgement.folds:
            use = np.ones(len(L))
        everyone = np.arange(len(V))
        l2 = _penalty(data, judgement, use, labels)
        used = np.flatnonzero(use)

        def model(seen: np.ndarray, held_out: np.ndarray) -> Refittable:
            X = np.concatenate([L.X[used], V.X[seen]])
            q = np.concatenate([labels[used], data.one_hot(V.y[seen])])
            weights = np.concatenate([use[used], np.ones(len(seen))])
            rest = V[held_out], held_out, l2, data.intercept
            return Refittable(X, q, weights, *rest).fitted()

        folds = judgement.folds or ((everyone[:0], everyone),)
        return cls(data, [model(seen, held_out) for seen, held_out in folds])

    def ask(
        self, X: np.ndarray, P: np.ndarray, n: int, advance: Callable[[int], None] = lambda n: None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers (n,) of rows X (m, d), with probabilities P (m, C), their scores, and the standard errors
        of these, one after another."""
        asker = replace(self, models=[model.near(X) for model in self.models])
        (scores, deviations), near = asker.scores_and_errors(X, P), np.arange(len(X))
        again = self.n_refitted // AGAIN
        picked: list[int] = []
        falls: list[float] = []
        errors: list[float] = []
        while True:
            best = int(near[scores[near].argmax()])
            picked.append(best)
            falls.append(float(scores[best]))
            errors.append(float(deviations[best]))
            advance(1)
            if len(picked) == n:
                return np.array(picked), np.array(falls), np.array(errors)
            scores[best] = -np.inf
            asker = replace(asker, models=[each.joined(X[best], P[best]) for each in asker.models])
            near = np.argsort(-scores, kind="stable")[: min(again, len(X) - len(picked))]
            scores[near], deviations[near] = asker.scores_and_errors(X[near], P[near])

    @property
    def n_refitted(self) -> int:
        """With how many rows models are refitted."""
        model = self.models[0]
        n_labels = np.count_nonzero(model.q * model.weights[:, None])
        assert model.W is not None
        work = n_labels * model.W.size * self.data.n_classes
        return max(LEAST, int(REFITTED * min(1.0, (WORK / work) ** 0.5)))

    def scores(self, X: np.ndarray, P: np.ndarray) -> np.ndarray:
        """The expected fall (m,) with each of the rows X (m, d), by probabilities P (m, C) of its
        labels."""
        return self.scores_and_errors(X, P)[0]

    def scores_and_errors(self, X: np.ndarray, P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """:meth:`scores`, and their standard errors: another set of validation rows would give other scores,
        off by the deviation of what each row contributes to them, over sqrt(n_V)."""
        row, y = np.nonzero(P > UNLIKELY)
        p = P[row, y]
        totals = np.bincount(row, p, len(X))
        before, after = self._logits(X[row], y)
        falls = (self._objective.value_at(before) - self._objective.value_at(after)).numpy()
        values = self._objective.row_values_at
        of_each = (values(before[0]) - torch.stack([values(Z) for Z in after])).numpy()
        expected = np.zeros((len(X), of_each.shape[1]))
        np.add.at(expected, row, (p / totals[row])[:, None] * of_each)
        errors = expected.std(1, ddof=1) / expected.shape[1] ** 0.5
        return np.bincount(row, p * falls, len(X)) / totals, errors

    def falls(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Real fall (m,) of the objective by refits with each of X (m, d), y (m,), alone."""
        before, after = (self._objective.value_at(Z) for Z in self._logits(X, y))
        return (before - after).numpy()

    def _logits(self, X: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
        """Of the validation rows, each by the model that has not seen it: without a point (1, n_V, K), and
        with each of X (m, d), y (m,), alone, (m, n_V, K)."""
        before, after = [], []
        for model in self.models:
            refits = model.refits or model.near(X).refits
            assert refits is not None
            before.append(linear_of_each(model.held, refits.W))
            refitted = list(refits.each(torch.from_numpy(X), torch.from_numpy(y)))
            after.append(linear_of_each(model.held, torch.cat(refitted)))
        return torch.cat(before, 1)[:, self._order], torch.cat(after, 1)[:, self._order]

    def expected_influence(self, X: np.ndarray, P: np.ndarray) -> np.ndarray:
        """What :meth:`scores` are to first order, (m,)."""
        optima = [model.optimum for model in self.models]
        Z = torch.cat([linear(model.held, o.W) for model, o in zip(self.models, optima, strict=True)])
        R = self._objective.residuals_at(Z[self._order]) / len(self.data.validation)
        total = np.zeros(P.shape)
        for model, optimum in zip(self.models, optima, strict=True):
            G = linear_adjoint(model.held, R[torch.from_numpy(model.place)], optimum.W.shape[1])
            total += score_labels(optimum.W, optimum.solve(G), torch.from_numpy(X)).numpy()
        return (P * total).sum(1)

    @property
    def _order(self) -> np.ndarray:
        """Of the rows that the models hold out, one after the other, those of V in order."""
        return np.concatenate([model.place for model in self.models]).argsort()

    @property
    def _objective(self) -> OfLogits:
        V, criterion = self.data.validation, self.data.criterion
        groups = None if V.groups is None else torch.from_numpy(V.groups)
        return objective_on(
            criterion, torch.from_numpy(V.X), torch.from_numpy(V.y), groups, self.data.n_classes
        )


def _penalty(data: LabelledData, judgement: Judgement, use: np.ndarray, labels: np.ndarray) -> float:
    """That of the handed model as far as it is linear, else the one that is chosen for these rows and
    V."""
    if judgement.handed.linear is not None:
        return judgement.handed.linear.l2
    if data.l2 is not None:
        return data.l2
    V = data.validation
    X = np.concatenate([data.labeled.X, V.X])
    q = np.concatenate([labels, data.one_hot(V.y)])
    rows = SoftRegression(X, q, np.concatenate([use, np.ones(len(V))]), data.intercept)
    return rows.tune(len(use) + np.arange(len(V)))[0]
