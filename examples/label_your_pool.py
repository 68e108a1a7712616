"""Label a pool without asking anybody, and compare with what is plain: scikit-learn's breast cancer.

40 rows have labels, 80 more are for validation, 249 have none, 200 are held out until the end; three splits.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from salutary import SalutaryClassifier

X, y = load_breast_cancer(return_X_y=True)
SIZES = {"labelled": 40, "validation": 80, "pool": 249, "held out": 200}


def split(seed):
    """(X, y) of each part; features on the scale of the labelled rows."""
    order = np.random.default_rng(seed).permutation(len(y))
    rows = dict(zip(SIZES, np.split(order, np.cumsum([*SIZES.values()])[:-1]), strict=True))
    scaler = StandardScaler().fit(X[rows["labelled"]])
    return {part: (scaler.transform(X[each]), y[each]) for part, each in rows.items()}


def plain(X, y):
    """Logistic regression, its penalty by cross-validation on the same rows."""
    model = LogisticRegressionCV(
        Cs=10, scoring="neg_log_loss", l1_ratios=(0,), use_legacy_attributes=False, max_iter=1000
    )
    return make_pipeline(StandardScaler(), model).fit(X, y)


losses, accuracies, right, given = {}, {}, 0, 0
for seed in range(3):
    parts = split(seed)
    (X_l, y_l), (X_v, y_v), (X_p, truth), (X_t, y_t) = parts.values()
    salutary = SalutaryClassifier(C="validation", random_state=seed)
    salutary.fit(X_l, y_l, X_pool=X_p, X_val=X_v, y_val=y_v)
    right += (salutary.labels_ == truth[salutary.indices_]).sum()
    given += len(salutary.labels_)
    models = {
        "labelled rows": plain(X_l, y_l),
        "labelled + pool, salutary labels": salutary,
        "labelled + validation rows": plain(np.r_[X_l, X_v], np.r_[y_l, y_v]),
    }
    for name, model in models.items():
        losses.setdefault(name, []).append(log_loss(y_t, model.predict_proba(X_t)))
        accuracies.setdefault(name, []).append(accuracy_score(y_t, model.predict(X_t)))

print(f"{given} labels in 3 splits, no human asked; {right} of them are the truth\n")
print(f"{'trained on':34}{'loss held out':>16}{'accuracy':>10}")
for name, each in losses.items():
    error = np.std(each, ddof=1) / len(each) ** 0.5
    print(f"{name:34}{np.mean(each):9.4f} ± {error:.3f}{np.mean(accuracies[name]):10.1%}")
best = min(losses, key=lambda name: np.mean(losses[name]))
print(f"\nLowest mean loss: {best}")
