"""A strategy of one's own beside margin and random: scikit-learn's digits, five splits."""

import torch

import salutary
from salutary.strategies import ScoreStrategy


class TypicalMargin(ScoreStrategy):
    """Points of a small margin, weighted by how near the rest of the pool is (Settles & Craven 2008)."""

    def __init__(self, beta: float = 1.0):
        self.beta = beta  # how much being typical counts

    def scores(self, model, view, rng):
        """(u,), highest first; ties go to the earlier point."""
        first, second = model.predict_proba(view.pool).topk(2, dim=1).values.T
        pool = torch.nn.functional.normalize(view.pool, dim=1)
        typical = (pool @ pool.mean(0)).clamp(min=0)  # mean cosine to the pool
        return (1 - first + second) * typical**self.beta


def main():
    result = salutary.run(
        "dataset=digits",
        strategy=["margin", "random", TypicalMargin()],
        seed=range(5),  # splits of the rows, the same for every strategy
        rounds=5,
        progress=False,
    )
    print(result)
    for metric in ("accuracy", "loss"):
        paired = result.compare("random", metric=metric).paired
        print(f"\n{metric} held out, minus that of random on the same splits, with its 95% interval:")
        print(paired[["strategy", "n", "mean", "low", "high", "win", "tie", "loss"]].to_string(index=False))


if __name__ == "__main__":
    main()
