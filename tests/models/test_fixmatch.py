"""FixMatch and its augmentations."""

import numpy as np
import pytest
import torch
from compositions import composed
from oracles import blobs

from salutary.errors import SalutaryError
from salutary.experiments.metrics import evaluate, score
from salutary.models.augmentation import EmbeddingAugmentation, TableAugmentation, column_groups
from salutary.models.fixmatch import FixMatch, loss_gradient
from salutary.models.logistic import LogisticRegression
from salutary.strategies.salutary import Salutary
from salutary.system.commands import build


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_one_hot_blocks_of_bank_are_groups(data_dir):
    """9 numeric, job (11), married, education (7), 4 yes/no, month (10), day (5), outcome (3), age."""
    X = torch.tensor(build(composed("dataset=bank", f"data_dir={data_dir}"), "dataset").load().X)
    X = (X - X.mean(0)) / X.std(0)
    two_valued = ((X.amax(0) == X) | (X.amin(0) == X)).all(0)
    sizes = column_groups(X, two_valued).bincount().tolist()
    assert sizes == [1] * 9 + [11, 1, 7, 1, 1, 1, 1, 10, 5, 3, 1]


def mixed_table(n=400):
    """One numeric column, a one-hot block of three, one yes/no column."""
    random = np.random.default_rng(0)
    columns = [random.standard_normal((n, 1)), np.eye(3)[random.integers(3, size=n)]]
    return torch.as_tensor(np.hstack([*columns, random.integers(2, size=(n, 1))]))


def test_strong_augmentation_of_a_table_keeps_its_marginals():
    X = mixed_table()
    augmentation = TableAugmentation().fit(X)
    strong = torch.cat([augmentation.strong(X, generator(seed)) for seed in range(50)])
    assert (strong[:, 1:4].sum(1) == 1).all()
    assert set(strong[:, 4].unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(strong.mean(0), X.mean(0), atol=0.03, rtol=0)
    changed = (strong[:, 0] != X[:, 0].repeat(50)).double().mean()
    assert 0.42 < changed < 0.48  # shares are uniform in [0.3, 0.6]


def test_weak_augmentation_leaves_two_valued_columns_alone():
    X = mixed_table()
    weak = TableAugmentation(noise=0.05).fit(X).weak(X, generator())
    assert torch.equal(weak[:, 1:], X[:, 1:])
    assert float((weak - X)[:, 0].std()) == pytest.approx(0.05 * float(X[:, 0].std()), rel=0.15)


def test_strong_augmentation_of_embeddings_drops_features():
    X, _ = blobs(500, 20, 3)
    augmentation = EmbeddingAugmentation(noise=0.0).fit(X)
    dropped = augmentation.strong(X, generator()) == X.mean(0)
    assert 0.43 < dropped.double().mean() < 0.47


def test_gradient_equals_autograd_and_divides_by_all_rows():
    X, y = blobs(40, 4, 3)
    W = torch.randn(3, 5, dtype=torch.float64, generator=generator())
    mask = (torch.arange(40) % 4 == 0).double()

    def objective(W):
        logits = X @ W[:, :4].T + W[:, 4]
        return (mask * torch.nn.functional.cross_entropy(logits, y, reduction="none")).sum() / 40

    torch.testing.assert_close(loss_gradient(W, X, y, mask), torch.func.grad(objective)(W))


def fixmatch(n_classes=3, augmentation=None, **settings):
    return FixMatch(n_classes, augmentation or TableAugmentation(noise=0.0), **settings)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_unlabelled_rows_it_is_logistic_regression(n_classes):
    X, y = blobs(120, 4, n_classes, spread=1.5)
    raw = X * torch.tensor([1e-3, 1.0, 50.0, 1e3]) + 200
    model = fixmatch(n_classes, l2=5.0, steps=6000, batch_size=120).fit(raw, y)
    standardised = (X - X.mean(0)) / X.std(0)
    exact = LogisticRegression(n_classes, 5.0).fit(standardised, y)
    assert (model.predict_proba(raw) - exact.predict_proba(standardised)).abs().max() < 0.02


def test_same_seed_same_fit():
    X, y = blobs(60, 4, 3)
    U, _ = blobs(300, 4, 3, seed=1)
    fits = []
    for seed in (0, 0, 1):
        model = fixmatch(steps=50).tune(X, y, np.random.default_rng(seed)).fit(X, y, U)
        fits.append(model.predict_proba(U))
    assert torch.equal(fits[0], fits[1])
    assert not torch.equal(fits[0], fits[2])


def test_mask_rate_is_the_share_above_the_threshold():
    X, y = blobs(60, 4, 3, spread=0.3)
    U, _ = blobs(300, 4, 3, seed=1, spread=0.3)
    assert fixmatch(steps=200, threshold=1.1).fit(X, y, U).mask_rate_ == 0
    assert fixmatch(steps=200, threshold=0.0).fit(X, y, U).mask_rate_ == 1
    assert 0.2 < fixmatch(steps=400, l2=0.01, threshold=0.7).fit(X, y, U).mask_rate_ < 1


def test_weight_of_the_unlabelled_term():
    X, y = blobs(60, 4, 3)
    U, _ = blobs(300, 4, 3, seed=1)
    fits = [
        fixmatch(steps=100, threshold=0.0, unlabeled_weight=w).fit(X, y, U).states_[-1].coef_
        for w in (0, 1, 5)
    ]
    assert (fits[0] - fits[1]).norm() > 0.01
    assert (fits[0] - fits[2]).norm() > (fits[0] - fits[1]).norm()


def test_unlabelled_rows_help_where_classes_are_clusters():
    """Two labels a class, well separated clusters in many dimensions: consistency finds the clusters."""
    X, y = blobs(3000, 30, 3, spread=2.5, seed=5)
    labeled = torch.cat([torch.nonzero(y == c)[:2, 0] for c in range(3)])
    options = {"l2": 0.01, "steps": 2000, "threshold": 0.8, "batch_size": 32}
    embedding = EmbeddingAugmentation()
    alone = fixmatch(augmentation=embedding, **options).fit(X[labeled], y[labeled])
    both = fixmatch(augmentation=embedding, **options).fit(X[labeled], y[labeled], X[:2000])
    before, after = (evaluate(m, X[2000:], y[2000:]).accuracy for m in (alone, both))
    assert after > before + 0.05


def test_results_are_the_mean_over_the_last_states():
    X, y = blobs(60, 4, 3, spread=2)
    model = fixmatch(steps=100, evaluations=5).fit(X, y)
    assert len(model.states_) == 5
    each = [score(state.predict_proba(X), y) for state in model.states_]
    assert evaluate(model, X, y).loss == pytest.approx(np.mean([m.loss for m in each]))
    assert torch.equal(model.predict_proba(X), model.states_[-1].predict_proba(X))


@pytest.mark.parametrize(
    "setting", [{"steps": 0}, {"steps": 2.5}, {"ratio": -1}, {"l2": -1}, {"decay": "a"}, {"momentum": 2}]
)
def test_settings_are_checked(setting):
    X, y = blobs(60, 4, 3)
    with pytest.raises(SalutaryError, match=f"model.{next(iter(setting))} must be"):
        fixmatch(**setting).tune(X, y, np.random.default_rng(0))


def test_influence_strategies_refuse_it():
    with pytest.raises(SalutaryError, match="Salutary needs the optimum of a convex model"):
        Salutary().check(fixmatch())


def test_from_the_command_line(salutary_run, tmp_path):
    arguments = ("dataset=breast_cancer", "model=fixmatch", "strategy=random", "rounds=1", "model.steps=50")
    status, out, err = salutary_run(*arguments)
    assert (status, err) == (0, "")
    assert "unlabelled rows above the threshold" in out
    status, _, err = salutary_run(*arguments, "strategy=salutary", "output_dir=none")
    assert status == 1
    assert "use model=logistic" in err
    assert not (tmp_path / "none").exists()
