"""CoreSet, BADGE, BatchBALD, ISAL's LiSSA, self-training: each against an exhaustive or library oracle."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import blobs
from scipy.stats import chisquare
from situations import problem, rng, situation
from sklearn.linear_model import LogisticRegression as ScikitLearn
from sklearn.semi_supervised import SelfTrainingClassifier

from salutary import engine
from salutary.engine.solvers import DENSE
from salutary.errors import SalutaryError
from salutary.experiments import loop
from salutary.models.logistic import LogisticRegression
from salutary.strategies.badge import Badge, Seeding
from salutary.strategies.batchbald import BatchBald, JointLabels
from salutary.strategies.coreset import CoreSet
from salutary.strategies.isal import Isal
from salutary.strategies.self_training import SelfTraining

KINDS = pytest.mark.parametrize("kind", ["binary", "multiclass", "missing class", "duplicates"])

# -- CoreSet ---------------------------------------------------------------------------------------


def distances(a, b):
    return np.linalg.norm(np.asarray(a)[:, None] - np.asarray(b), axis=2)


def greedy_centres(pool, labeled, budget):
    centres, chosen = [*labeled], []
    for _ in range(budget):
        d = distances(pool, centres).min(1)
        d[chosen] = -1
        chosen.append(int(d.argmax()))
        centres.append(pool[chosen[-1]])
    return chosen


@KINDS
def test_coreset_is_greedy_from_the_labelled_set(kind):
    model, view = situation(kind)
    chosen = CoreSet().propose(model, view, 20, rng()).indices.tolist()
    assert chosen == greedy_centres(view.pool.numpy(), view.labeled.numpy(), 20)


@pytest.mark.parametrize("seed", range(10))
def test_coreset_covers_within_twice_the_optimum(seed):
    random = rng(seed)
    pool, labeled = random.standard_normal((11, 2)), random.standard_normal((2, 2))
    model, view = situation("binary")
    view = replace(view, pool=torch.as_tensor(pool), labeled=torch.as_tensor(labeled))
    chosen = CoreSet().propose(model, view, 3, rng()).indices.tolist()

    def radius(rows):
        return distances(pool, [*labeled, *pool[list(rows)]]).min(1).max()

    best = min(radius(rows) for rows in itertools.combinations(range(11), 3))
    assert radius(chosen) <= 2 * best + 1e-12


def test_coreset_leaves_copies_for_last():
    """Far from the origin, where distances cancel: a copy of a labelled point is at distance zero."""
    model, view = situation("binary")
    pool = 1e6 + torch.cat([view.labeled[:5], view.pool[:10], view.pool[:5]])
    view = replace(view, pool=pool, labeled=1e6 + view.labeled)
    chosen = CoreSet().propose(model, view, 20, rng()).indices.tolist()
    assert sorted(chosen[:10]) == list(range(5, 15))


def test_coreset_with_one_labelled_outlier():
    """Its large norm must not make ordinary distances count as rounding error."""
    model, view = situation("binary")
    labeled = view.labeled.clone()
    labeled[0] *= 1e8
    view = replace(view, labeled=labeled)
    chosen = CoreSet().propose(model, view, 20, rng()).indices.tolist()
    expected = greedy_centres(view.pool.numpy(), labeled.numpy(), 20)
    assert chosen == expected


# -- BADGE -----------------------------------------------------------------------------------------


class MaterialisedEmbeddings:
    """The same distances from embeddings that are really there, pair by pair."""

    def __init__(self, embeddings):
        self.embeddings = embeddings
        self.norms = torch.as_tensor((embeddings**2).sum(1))

    def distances(self, rows, centres):
        rows = np.arange(len(self.embeddings)) if isinstance(rows, slice) else rows.numpy()
        squares = distances(self.embeddings[rows], self.embeddings[centres]) ** 2
        return torch.as_tensor(np.where(squares > 1e-12, squares, 0.0))


def gradient_embeddings(model, X):
    """d loss(x, y^) / dW by automatic differentiation of the softmax loss, (n, C (d + 1))."""
    X = torch.cat([X, torch.ones_like(X[:, :1])], 1) if model.fit_intercept else X
    W = model.coef_
    W = torch.cat([torch.zeros_like(W), W]) if len(W) == 1 else W

    def loss(W, x):
        z = W @ x
        return torch.logsumexp(z, 0) - z.max()

    return torch.stack([torch.func.grad(loss)(W, x).flatten() for x in X]).numpy()


@KINDS
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_badge_is_seeding_on_the_gradients(kind, fit_intercept):
    _, view = situation(kind)
    model = LogisticRegression(view.n_classes, 1.0, fit_intercept).fit(view.labeled, view.labels)
    expected = Seeding(MaterialisedEmbeddings(gradient_embeddings(model, view.pool)), rng(4))
    for _ in range(14):
        expected.draw()
    assert Badge().propose(model, view, 15, rng(4)).indices.tolist() == expected.chosen


def test_badge_draws_as_the_plain_algorithm_does():
    """Third choices of k-means++ by rejection, against their exact probabilities on five points."""
    embeddings = rng(1).standard_normal((5, 2)) * [[3], [2], [1], [1], [2]]
    d2 = distances(embeddings, embeddings) ** 2
    first = int((embeddings**2).sum(1).argmax())
    exact = np.zeros(5)
    for second in range(5):
        after = np.minimum(d2[first], d2[second])
        if after.any():
            exact += d2[first, second] / d2[first].sum() * after / after.sum()
    drawn = np.zeros(5)
    for seed in range(4000):
        seeding = Seeding(MaterialisedEmbeddings(embeddings), rng(seed))
        seeding.draw()
        seeding.draw()
        drawn[seeding.chosen[2]] += 1
    assert np.abs(drawn / 4000 - exact).max() < 4 * np.sqrt(0.25 / 4000)


@pytest.mark.parametrize("patience", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_badge_law_of_four_draws(patience, monkeypatch):
    """The fourth point of k-means++ on six points, its law listed exactly; patience 1 forces updates."""
    monkeypatch.setattr("salutary.strategies.badge.PATIENCE", patience)
    embeddings = rng(3).standard_normal((6, 2)) * [[3], [2], [1], [1], [2], [0.5]]
    d2 = distances(embeddings, embeddings) ** 2
    first = int((embeddings**2).sum(1).argmax())
    law = np.zeros(6)
    for second, third, fourth in itertools.permutations(range(6), 3):
        nearest, probability = d2[first], 1.0
        for j in (second, third, fourth):
            probability *= nearest[j] / nearest.sum()
            nearest = np.minimum(nearest, d2[j])
        law[fourth] += probability
    drawn = np.zeros(6)
    for seed in range(6000):
        seeding = Seeding(MaterialisedEmbeddings(embeddings), rng(seed))
        for _ in range(3):
            seeding.draw()
        drawn[seeding.chosen[3]] += 1
    possible = law > 0
    assert drawn[~possible].sum() == 0
    assert chisquare(drawn[possible], 6000 * law[possible]).pvalue > 1e-3


@pytest.mark.parametrize("scale", [0.0, 1e6])
def test_badge_never_draws_a_point_twice(scale):
    """With features of zero, or predictions beyond doubt, all gradients vanish."""
    model, view = situation("multiclass")
    if scale:
        model.coef_ = model.coef_ * scale
    else:
        view = replace(view, pool=torch.zeros_like(view.pool))
        model = LogisticRegression(4, 1.0, fit_intercept=False).fit(view.labeled, view.labels)
    assert len(set(Badge().propose(model, view, 80, rng()).indices.tolist())) == 80


def test_badge_draws_in_proportion_to_squared_distance():
    """First the largest; then, among equals in direction, 4 times the distance is drawn 16 times as often."""
    model = LogisticRegression(2, 1.0, fit_intercept=False)
    model.coef_ = torch.zeros(1, 2, dtype=torch.float64)  # p = 1/2 everywhere
    pool = torch.tensor([[9.0, 0.0], [8.0, 0.0], [5.0, 0.0]], dtype=torch.float64)
    _, view = situation("binary")
    view = replace(view, pool=pool)
    draws = [Badge().propose(model, view, 2, rng(seed)).indices.tolist() for seed in range(3000)]
    assert {first for first, _ in draws} == {0}
    share = np.mean([second == 2 for _, second in draws])
    assert abs(share - 16 / 17) < 0.02


# -- BatchBALD -------------------------------------------------------------------------------------


def joint_information(probs_K_N_C, rows):
    """I(y_rows; W) by listing every configuration of the labels."""
    C = probs_K_N_C.shape[2]
    joint = 0.0
    for labels in itertools.product(range(C), repeat=len(rows)):
        p = np.prod([probs_K_N_C[:, row, c] for row, c in zip(rows, labels, strict=True)], axis=0).mean()
        joint -= p * np.log(p)
    p = probs_K_N_C[:, list(rows)]
    return joint + (p * np.log(p)).sum(2).mean(0).sum()


@pytest.mark.parametrize("kind, budget", [("binary", 5), ("multiclass", 3), ("missing class", 3)])
@pytest.mark.parametrize("posterior", ["laplace", "bootstrap"])
def test_batchbald_is_greedy_joint_information(kind, budget, posterior):
    model, view = situation(kind)
    view = replace(view, pool=view.pool[:25])
    strategy = BatchBald(draws=8, posterior=posterior)
    chosen = strategy.propose(model, view, budget, rng(1)).indices.tolist()
    W_K = strategy.sample_posterior(model, view, rng(1))
    probs = np.stack([engine.probabilities(view.pool, W).numpy() for W in W_K])

    expected, total, gains = [], 0.0, []
    for _ in range(budget):
        rest = [row for row in range(25) if row not in expected]
        values = [joint_information(probs, [*expected, row]) for row in rest]
        expected.append(rest[int(np.argmax(values))])
        gains.append(max(values) - total)
        total = max(values)
    assert chosen == expected
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(gains))
    assert total <= np.log(8)

    joint = JointLabels(8, 1024, rng())
    for row in chosen:
        joint.add(torch.as_tensor(probs[:, row]))
    p = probs[:, chosen]
    ours = float(joint.entropy) + (p * np.log(p)).sum(2).mean(0).sum()
    assert ours == pytest.approx(total, abs=1e-9)


def test_batchbald_permutes_with_the_pool():
    """The posterior draws do not depend on the pool, so neither does the choice on its order."""
    model, view = situation("binary")
    order = torch.as_tensor(rng(5).permutation(80))
    a = BatchBald().propose(model, view, 8, rng(2)).indices
    b = BatchBald().propose(model, replace(view, pool=view.pool[order]), 8, rng(2)).indices
    assert torch.equal(order[b], a)


@pytest.mark.parametrize("budget", [1, 30])
def test_batchbald_on_copies_of_one_point(budget):
    """All gains are equal at every step: the lowest positions, and an end."""
    model, view = situation("multiclass")
    view = replace(view, pool=view.pool[:1].repeat(3000, 1))
    chosen = BatchBald(draws=10).propose(model, view, budget, rng()).indices.tolist()
    assert len(set(chosen)) == budget
    assert chosen[0] == 0


def test_sampled_joint_entropies_are_close_to_the_exact_ones():
    random = rng(3)
    probs_K_N_C = torch.as_tensor(random.dirichlet(np.ones(3), size=(20, 9)))
    exact, sampled = (JointLabels(20, n, rng(5)) for n in (3**9, 3**7))
    for i in range(8):
        exact.add(probs_K_N_C[:, i])
        sampled.add(probs_K_N_C[:, i])
    assert sampled.sampled and not exact.sampled
    candidate = probs_K_N_C[:, 8:].transpose(0, 1)
    assert float(sampled.entropy) == pytest.approx(float(exact.entropy), rel=0.01)
    difference = sampled.entropy_with(candidate) - sampled.entropy
    assert float(difference) == pytest.approx(float(exact.entropy_with(candidate) - exact.entropy), rel=0.02)


def test_long_batches_do_not_underflow():
    """The joint probability of hundreds of labels is far below the smallest number."""
    model, view = situation("multiclass")
    joint = JointLabels(10, 64, rng())
    probs = torch.stack(
        [engine.probabilities(view.pool, w * model.coef_) for w in torch.linspace(0.5, 1.5, 10)]
    )
    for _ in range(20):
        for row in range(80):
            joint.add(probs[:, row])
    assert joint.entropy > 745  # - log of the smallest float64
    assert joint.entropy_with(probs[:, :5].transpose(0, 1)).isfinite().all()


def without_shift(covariance, shape):
    """Covariance of parameters whose intercepts have their mean over the classes taken off."""
    project = torch.eye(shape.numel(), dtype=torch.float64).reshape(*shape, *shape)
    if shape[0] > 1:
        project[:, -1, :, -1] -= 1 / shape[0]
    project = project.reshape(covariance.shape)
    return project @ covariance @ project.T


@pytest.mark.parametrize("largest_factor", [6_000, 0])
@pytest.mark.parametrize("name", ["binary", "multiclass"])
def test_laplace_draws_have_the_posterior_covariance(name, largest_factor, monkeypatch):
    """Whether they come from a dense factor or, of many parameters, from solves."""
    monkeypatch.setitem(DENSE, "posterior", largest_factor)
    model, view = situation(name)
    strategy = BatchBald(draws=20_000)
    draws = strategy.sample_posterior(model, view, rng())
    if len(model.coef_) > 1:  # one constant added to all intercepts changes no prediction
        draws[:, :, -1] -= draws[:, :, -1].mean(1, keepdim=True)
    draws = draws.flatten(1)
    P = model.predict_proba(view.labeled)
    covariance = torch.linalg.inv(engine.Hessian(view.labeled, P, model.penalty_).dense())
    covariance = without_shift(covariance, model.coef_.shape)
    assert (torch.cov(draws.T) - covariance).norm() < 0.03 * covariance.norm()
    mean = without_shift(torch.eye(len(covariance)).double(), model.coef_.shape) @ model.coef_.flatten()
    assert (draws.mean(0) - mean).norm() < 0.03 * covariance.norm().sqrt()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"posterior": "dropout"}, "posterior must be laplace or bootstrap"),
        ({"draws": 1}, "draws must be a whole number >= 2"),
        ({"max_configurations": 0.5}, "max_configurations must be"),
    ],
)
def test_batchbald_settings_are_checked(settings, message):
    with pytest.raises(SalutaryError, match=message):
        BatchBald(**settings).check(LogisticRegression(2))


# -- ISAL ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_lissa_reaches_the_solution_when_its_damping_is_the_penalty(kind):
    """damping * scale * n = l2, whole batches, enough steps: then the recursion's fixed point is H^-1 G."""
    _, view = situation(kind)
    model = LogisticRegression(view.n_classes, 2.0, fit_intercept=False).fit(view.labeled, view.labels)
    n, W = len(view.labeled), model.coef_
    hessian = engine.Hessian(view.labeled, model.predict_proba(view.labeled), model.penalty_)
    g = engine.gradient(view.validation, view.validation_labels, W)
    whole = [torch.arange(n)] * 2000
    S = engine.lissa(hessian, g, whole, damping=2.0 / (10 * n), scale=10.0)
    torch.testing.assert_close(S, engine.solve(hessian, g, "cholesky"), rtol=1e-6, atol=1e-9)


def test_isal_with_lissa_near_the_solution_chooses_as_the_exact_solver():
    """The sign and unit of the estimate, through the strategy; batches are the whole labelled set."""
    _, view = situation("multiclass")
    model = LogisticRegression(4, 2.0, fit_intercept=False).fit(view.labeled, view.labels)
    n = len(view.labeled)
    near = {"damping": 2.0 / (10 * n), "scale": 10.0, "steps": 2000, "repeats": 1, "batch_size": n}
    a = Isal(solver="lissa", **near).propose(model, view, 10, rng())
    b = Isal(solver="cholesky").propose(model, view, 10, rng())
    assert torch.equal(a.indices, b.indices)
    torch.testing.assert_close(a.influence, b.influence, rtol=1e-5, atol=1e-12)


def test_isal_with_lissa_is_the_same_for_one_seed_and_checked():
    model, view = situation("multiclass")
    a, b = (Isal(solver="lissa").propose(model, view, 10, rng(3)) for _ in range(2))
    assert torch.equal(a.indices, b.indices)
    with pytest.raises(SalutaryError, match=r"strategy\.scale must be a number"):
        Isal(solver="lissa", scale=0).check(model)


# -- self-training ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"k_best": 10}, {"threshold": 0.6}])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_self_training_equals_scikit_learn(n_classes, options):
    data = problem()
    if n_classes == 2:
        data = replace(data, y=(data.y > 0).long(), class_names=("a", "b"))
    threshold = options.get("threshold")
    budget = 100 if threshold else 10
    ours = list(
        loop.run(data, LogisticRegression(n_classes, 1.0), SelfTraining(threshold), 5, budget, seed=0)
    )
    base = ScikitLearn(C=1.0, tol=1e-10, max_iter=10_000)
    mode = {"criterion": "threshold", **options} if threshold else {"criterion": "k_best", **options}
    theirs = SelfTrainingClassifier(base, max_iter=5, **mode)
    y = np.concatenate([data.part("initial")[1], np.full(100, -1)])
    theirs.fit(np.concatenate([data.part("initial")[0], data.part("pool")[0]]), y)

    assigned = {q.sample_id: (q.round, q.assigned_label) for r in ours for q in r.queries}
    for row in range(100):
        number, label = theirs.labeled_iter_[40 + row], theirs.transduction_[40 + row]
        if number > 0:
            assert assigned[40 + row] == (number, data.class_names[label])
        else:
            assert 40 + row not in assigned
    assert ours[-1].n_human_labels == 0


def test_self_training_stops_when_nothing_is_sure():
    records = list(loop.run(problem(), LogisticRegression(3, 1.0), SelfTraining(0.999999), 5, 10, 0))
    assert len(records) == 2
    assert records[1].stop == "the strategy proposes nothing"
    assert (records[1].n_labeled, records[1].test) == (records[0].n_labeled, records[0].test)


# -- training on the validation set ----------------------------------------------------------------


def test_baselines_can_train_on_the_validation_set():
    data = problem()
    fair = replace(data, split=data.split.with_validation_as_labels())
    (record,) = loop.run(fair, LogisticRegression(3, 1.0), CoreSet(), 0, 10, 0)
    X, y = blobs(300, 5, 3, seed=12, spread=1.5)
    rows = np.r_[0:40, 140:220]
    fitted = LogisticRegression(3, 1.0).fit(X[rows], y[rows])
    X_test, y_test = data.part("test")
    assert record.n_labeled == 120
    assert record.test.accuracy == float((fitted.predict_proba(X_test).argmax(1) == y_test).double().mean())
