"""What the closer estimates cost, and how close they come to retraining."""

from __future__ import annotations

import functools
import os

import torch
from measure import interleaved
from situations import BUDGET, SHAPES, Situation, bank
from torch import Tensor

from salutary import engine
from salutary.engine.added_point import ESTIMATES, AddedPoint
from salutary.engine.refit import refitted_fall
from salutary.models.logistic import LogisticRegression
from salutary.strategies.influence import optimum_of
from salutary.strategies.salutary import Salutary


def estimates(repeats: int, device: str) -> list[dict]:
    """The closer estimates: their cost, and on the real bank table their error against retraining.

    The error is the mean absolute difference to the real fall, over the mean absolute real fall, of 150
    pool points with both labels.
    """
    rows = []
    for l2 in (50.0, 1.0, 0.01):
        cases = {"B": Situation.make(*SHAPES["B"], l2=l2).to(torch.float64, device)}
        if os.environ.get("SALUTARY_DATA_DIR"):
            cases["bank"] = bank(l2, device)
        for name, s in cases.items():
            rows += _estimate_rows(name, s, repeats, device)
    return rows


def _estimate_rows(name: str, s: Situation, repeats: int, device: str) -> list[dict]:
    optimum, labels = optimum_of(s.model, s.view), torch.arange(300, device=device) % 2
    some = s.X_pool[:150].repeat_interleave(2, 0)

    def fall(estimate: str) -> Tensor:
        if estimate == "gradient":
            return optimum.influence(some)
        return AddedPoint.at(optimum, estimate == "second_order").fall(some)

    calls = {
        e: functools.partial(Salutary(estimate=e).propose, s.model, s.view, BUDGET, None) for e in ESTIMATES
    }
    reranking = Salutary(estimate="second_order", rerank=300)
    calls["second_order, rerank=300"] = functools.partial(reranking.propose, s.model, s.view, BUDGET, None)
    t = interleaved(calls, repeats, device)
    actual, rows = refitted_fall(optimum, some, labels), []
    for estimate, seconds in t.items():
        row = {"case": name, "l2": s.l2, "estimate": estimate, "ms": 1e3 * seconds}
        row["/ gradient"] = seconds / t["gradient"]
        if name == "bank" and estimate in ESTIMATES:
            found = fall(estimate).gather(1, labels[:, None])[:, 0]
            row["error, %"] = float(100 * (found - actual).abs().mean() / actual.abs().mean())
        rows.append(row)
    if name == "bank":
        rows[-1]["error, %"] = 100 * _refit_error(s, some[:40], labels[:40], actual[:40])
    return rows


def _refit_error(s: Situation, X_new: Tensor, y_new: Tensor, found: Tensor) -> float:
    """Error of the batched refits against fits from zero, one after the other."""

    def mean_loss(X: Tensor, y: Tensor) -> float:
        model = LogisticRegression(2, s.l2, fit_intercept=False).fit(X, y)
        return float(engine.loss(s.X_validation, s.y_validation, model.coef_).mean())

    before = mean_loss(s.X, s.y)
    after = [
        mean_loss(torch.cat([s.X, x[None]]), torch.cat([s.y, c[None]]))
        for x, c in zip(X_new, y_new, strict=True)
    ]
    actual = before - torch.tensor(after)
    return float((found.cpu() - actual).abs().mean() / actual.abs().mean())
