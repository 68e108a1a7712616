"""Find wrong labels with influence(): scikit-learn's breast cancer, 30 of 200 labels turned over.

The influence of a row with a label: how far the validation loss is predicted to fall if it is added again.
A row whose other label would help more than the one it has is suspicious.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler

from salutary import influence

N, N_WRONG = 200, 30
X, truth = load_breast_cancer(return_X_y=True)
names, found, losses = ("influence", "cross-validation", "chance"), {}, {}


def fit(X, y):
    return LogisticRegression(C=0.1).fit(X, y)


for seed in range(5):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(truth))
    rows, validation, held_out = np.split(order, [N, N + 100])
    Z = StandardScaler().fit(X[rows]).transform(X)
    y = truth[rows].copy()
    wrong = np.isin(np.arange(N), rng.choice(N, N_WRONG, replace=False))
    y[wrong] = 1 - y[wrong]

    model = fit(Z[rows], y)
    falls = influence(model, X_train=Z[rows], X_pool=Z[rows], X_val=Z[validation], y_val=truth[validation])
    P = cross_val_predict(LogisticRegression(C=0.1), Z[rows], y, cv=5, method="predict_proba")
    own = np.arange(N), y
    suspicion = {
        "influence": falls[np.arange(N), 1 - y] - falls[own],  # uses the validation labels
        "cross-validation": 1 - P[own],  # does not
        "chance": rng.random(N),
    }
    losses.setdefault("labels as they are", []).append(
        log_loss(truth[held_out], model.predict_proba(Z[held_out]))
    )
    for name, score in suspicion.items():
        worst = np.argsort(-score)[:N_WRONG]
        found.setdefault(name, []).append(wrong[worst].sum())
        mended = y.copy()
        mended[worst] = 1 - mended[worst]
        P = fit(Z[rows], mended).predict_proba(Z[held_out])
        losses.setdefault(name, []).append(log_loss(truth[held_out], P))

print(f"{N_WRONG} of {N} labels are wrong. Of the {N_WRONG} most suspicious, in the mean of 5 splits,")
for name in names:
    print(f"  by {name:18}{np.mean(found[name]):5.1f} are")
print("\nloss on the rows held out, those labels turned over:")
for name, each in losses.items():
    print(f"  {name:21}{np.mean(each):.4f} ± {np.std(each, ddof=1) / len(each) ** 0.5:.4f}")
