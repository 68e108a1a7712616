"""The highest rows of a pool: those of all scores at once, whatever the blocks and their order."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from salutary.engine import MeanLoss, Optimum, best_influence
from salutary.engine.confidence import ConfidentInfluence
from salutary.errors import SalutaryError
from salutary.labeling.on_ray import steps
from salutary.labeling.on_ray.reading import one_row
from salutary.labeling.ranking import ByInfluence, ByLowerBound, best_rows

D, N, BEST = 7, 900, 40


def pool(seed=0):
    """Float32 rows, each of them several times, and some that differ in the last digits only."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 3, (N // 3, D)).astype(np.float32)
    close = np.nextafter(X, np.float32(np.inf))
    return np.concatenate([X, X, close])[rng.permutation(N)]


def parameters(n_classes, n_models=3):
    K = 1 if n_classes == 2 else n_classes
    generator = torch.Generator().manual_seed(n_classes)
    return [
        tuple(torch.randn(2, K, D + 1, generator=generator, dtype=torch.float64)) for _ in range(n_models)
    ]


def scorers(n_classes):
    rng = np.random.default_rng(1)
    X, y = torch.as_tensor(rng.normal(size=(50, D))), torch.as_tensor(rng.integers(0, n_classes, 50))
    found = []
    for W, _ in parameters(n_classes, 2):
        penalty = torch.ones_like(W)
        optimum = Optimum(0.1 * W, penalty, X, MeanLoss(X[:30], y[:30]), y)
        found.append(ConfidentInfluence.at(optimum, rng))
    return found


def highest(scores: Tensor, taken, n=BEST):
    """The first places of a sort by descending float32 score, then row."""
    scores = scores.float().numpy().copy()
    scores[taken] = -np.inf
    rows = np.lexsort((np.arange(len(scores)), -scores))[:n]
    return rows[scores[rows] > -np.inf]


def blocks(X, sizes, start=0):
    for size in sizes:
        yield start, torch.as_tensor(X[start : start + size])
        start += size


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("sizes", [[N], [1] * N, [13] * 70, [500, 400]])
def test_blocks_do_not_matter(n_classes, sizes):
    X, models = pool(), parameters(n_classes)
    taken = [np.array([5, 17]), np.empty(0, np.int64), np.arange(200, 260)]
    best = best_rows(blocks(X, sizes), ByInfluence(models, "pool"), taken, BEST)
    for model, gone, rows in zip(models, taken, best, strict=True):
        expected = highest(best_influence(*model, torch.as_tensor(X).double()), gone)
        assert rows.columns()[0].tolist() == expected.tolist()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_lower_bounds_do_not_depend_on_blocks(n_classes):
    X, of_models = pool(), scorers(n_classes)
    score, taken = ByLowerBound(of_models, 0.5, "pool"), [np.array([3])] * 2
    for scorer, *found in zip(
        of_models,
        best_rows(blocks(X, [N]), score, taken, BEST),
        best_rows(blocks(X, [11] * 82), score, taken, BEST),
        strict=True,
    ):
        influence, error = scorer.score(torch.as_tensor(X).double())
        lower = (influence - 0.5 * error).amax(1)
        expected = highest(lower.where(lower > 0, -torch.inf), [3])
        assert len(expected) > 5
        for rows in found:
            numbers, scores = rows.columns()
            assert numbers[scores > -torch.inf].tolist() == expected.tolist()


class Here:
    """What :class:`Shared` is, in one process."""

    def __init__(self, value):
        self.key, self.value = str(id(value)), value

    def get(self):
        return self.value


@pytest.mark.parametrize("seed", range(3))
def test_chunks_in_any_order_and_merges_of_any_shape(seed):
    X, models, rng = pool(seed), parameters(3), np.random.default_rng(seed)
    taken = [np.arange(10), np.array([890]), np.empty(0, np.int64)]
    rank = steps.Rank(Here(steps.Ranking(ByInfluence(models, "pool"), taken, BEST)), "cpu", with_rows=True)
    ends = [0, *np.sort(rng.choice(np.arange(1, N), 12, replace=False)), N]
    chunks = [
        one_row(numbers=np.arange(first, last).tobytes(), X=X[first:last].tobytes())
        for first, last in itertools.pairwise(ends)
    ]
    found = [next(rank(chunks[place])) for place in rng.permutation(len(chunks))]
    first, rest = found[:4], found[4:]
    merged = steps.ranked(steps.merge_ranked(BEST, *rest, steps.merge_ranked(BEST, *first)))
    for table in found:
        (chunk,) = steps.chunks_of(table)
        np.testing.assert_array_equal(steps.matrix(chunk), X[chunk["numbers"]])
        assert {*chunk["row"]} == {*chunk["numbers"]}
    for place, (model, gone) in enumerate(zip(models, taken, strict=True)):
        expected = highest(best_influence(*model, torch.as_tensor(X).double()), gone)
        assert merged["row"][merged["model"] == place].tolist() == expected.tolist()


def test_a_value_that_is_not_finite_is_named():
    X = pool()
    X[700, 2] = np.inf
    with pytest.raises(SalutaryError, match=r"^pool: feature 2 of row 700 is inf"):
        best_rows(blocks(X, [300] * 3), ByInfluence(parameters(2), "pool"), [np.empty(0, np.int64)] * 3, BEST)
