"""The loops that scikit-activeml and modAL document, on the problem of our tests."""

from dataclasses import replace

import numpy as np
from modAL.models import ActiveLearner, Committee
from situations import problem
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression as ScikitLearn

from salutary.experiments import loop
from salutary.experiments.split import Split
from salutary.models.logistic import LogisticRegression
from salutary.system.seeding import stream

ROUNDS, BUDGET = 4, 10
# The same optimum as ours, up to 1e-10.
EXACT = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1000}


def mixed(n_pool=100):
    """The problem with the initial rows anywhere among those of the pool."""
    data = problem()
    order = np.random.default_rng(7).permutation(40 + n_pool)
    rows = data.split
    return replace(data, split=Split(order[:40], order[40:], rows.validation, rows.test, order, order[:0]))


def picks(strategy, data, rounds=ROUNDS, budget=BUDGET, done=(), l2=1.0):
    """Row numbers of each round of ours."""
    records = loop.run(data, LogisticRegression(3, l2), strategy, rounds, budget, 0, tuple(done))
    return [[query.sample_id for query in record.queries] for record in records if record.round]


def skactiveml_loop(make, data, needs=(), rounds=ROUNDS, budget=BUDGET, **changed):
    """``qs.query(X, y, clf=clf, batch_size=...)``, label, repeat, as its documentation has it."""
    from skactiveml.classifier import SklearnClassifier

    known = np.sort(np.concatenate([data.split.initial, data.split.pool]))
    X, y_true = data.X[known].numpy(), data.y[known].numpy()
    y = np.where(np.isin(known, data.split.initial), y_true, np.nan)
    clf = SklearnClassifier(ScikitLearn(C=1.0, **EXACT), classes=[0, 1, 2])
    ensemble = SklearnClassifier(
        BaggingClassifier(ScikitLearn(C=1.0, **EXACT), n_estimators=10, random_state=7), classes=[0, 1, 2]
    )
    given = {"clf": clf, "ensemble": ensemble, **changed}
    strategy, chosen = make(), []
    for _ in range(rounds):
        rows = strategy.query(X=X, y=y, **{name: given[name] for name in needs}, batch_size=budget)
        y[rows] = y_true[rows]
        chosen.append(known[rows].tolist())
    return chosen


def modal_loop(function, data, committee=False, rounds=ROUNDS, budget=BUDGET, **arguments):
    """``learner.query(X_pool)``, label, fit again; its ``teach`` fails with today's scikit-learn."""
    rows, pool = data.split.initial, data.split.pool
    chosen = []
    for number in range(1, rounds + 1):
        seed = int(stream(0, "strategy", number).integers(2**31 - 1))
        X, y = data.X[rows].numpy(), data.y[rows].numpy()
        model = ScikitLearn(C=1.0, **EXACT).fit(X, y)
        learner = ActiveLearner(model, function, X_training=X, y_training=y)
        if committee:
            bags = BaggingClassifier(ScikitLearn(C=1.0, **EXACT), n_estimators=10, random_state=seed).fit(
                X, y
            )
            learner = Committee([ActiveLearner(each, function) for each in bags.estimators_], function)
        before = np.random.get_state()  # noqa: NPY002
        np.random.seed(seed)  # noqa: NPY002
        found, _ = learner.query(data.X[pool].numpy(), n_instances=budget, **arguments)
        np.random.set_state(before)  # noqa: NPY002
        chosen.append(pool[found].tolist())
        rows, pool = np.concatenate([rows, pool[found]]), np.delete(pool, found)
    return chosen
