"""Seconds that judging the remedies takes, beside one plain fit of the same rows.

    python benchmarks/remedies.py

300 labelled and 300 validation rows of 50 drawn columns, 30% of the labels wrong, two classes and ten; five
folds. Wall-clock and processor seconds, linear remedies alone and with boosting and a forest; and what
scikit-learn's LogisticRegressionCV takes for training on both sets.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegressionCV

from salutary.remedies import LabelledData, Part
from salutary.remedies.base_models import candidates
from salutary.remedies.catalogue import all_remedies
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import folds_of
from salutary.system.device import one_thread

ROWS, COLUMNS, WRONG = 300, 50, 0.3
BASES = {"linear": ["logistic"], "with trees": ["logistic", "hist_gradient_boosting", "random_forest"]}


def drawn(n_classes: int) -> LabelledData:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * ROWS, COLUMNS))
    y = (X @ rng.normal(size=(COLUMNS, n_classes)) + 3 * rng.gumbel(size=(len(X), n_classes))).argmax(1)
    wrong = rng.random(ROWS) < WRONG
    given = np.where(wrong, (y[:ROWS] + rng.integers(1, n_classes, ROWS)) % n_classes, y[:ROWS])
    return LabelledData(Part(X[:ROWS], given), Part(X[ROWS:], y[ROWS:]), n_classes, np.arange(ROWS) % 10)


def timed(work: Callable[[], object]) -> str:
    wall, own = time.perf_counter(), time.process_time()
    work()
    return f"{time.perf_counter() - wall:7.2f} s, {time.process_time() - own:7.2f} s of the processor"


def judged(data: LabelledData, names: list[str]) -> None:
    Judge(all_remedies(), candidates(names)).judge(data, folds_of(data.validation.y, 5, 0))


def plain(data: LabelledData) -> None:
    X = np.concatenate([data.labeled.X, data.validation.X])
    y = np.concatenate([data.labeled.y, data.validation.y])
    settings = {"cv": 5, "scoring": "neg_log_loss", "max_iter": 1000, "l1_ratios": (0,)}
    LogisticRegressionCV(use_legacy_attributes=False, **settings).fit(X, y)


def main() -> None:
    for n_classes in (2, 10):
        data = drawn(n_classes)
        for title, names in BASES.items():
            print(f"{n_classes:2} classes, {title:10}: {timed(partial(judged, data, names))}", flush=True)
        print(
            f"{n_classes:2} classes, L + V by LogisticRegressionCV: {timed(partial(plain, data))}", flush=True
        )


if __name__ == "__main__":
    with one_thread():
        main()
