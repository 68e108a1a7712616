"""The audit against refits, and its command."""

import numpy as np
import pandas as pd
import pytest

from salutary.labeling.audit import audit, out_of_fold
from salutary.labeling.measured import row_losses
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows
from salutary.tables.labels import Classes

from .labelings import FILES, parts, rows


def clean_and_flipped(n_classes, l2):
    (X, y), (X_val, y_val), _ = parts(n_classes, n=60)
    y = y.copy()
    y[:6] = (y[:6] + 1) % n_classes
    return rows(X, y), rows(X_val, y_val), LogisticRegression(n_classes, l2)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_harm_and_gain_are_what_refits_say(n_classes):
    labeled, validation, model = clean_and_flipped(
        n_classes, 2000.0
    )  # where a row moves the model little, but
    model.fit_intercept = False  # for an intercept, which has no penalty
    classes = Classes(tuple(map(str, range(n_classes))))
    found = audit(labeled, validation, model, classes, 0).sort_values("row")
    base = row_losses(model.fit(labeled.X, labeled.y), validation)[0].mean()
    harm, gain = [], []
    for row, suggested in zip(found["row"], found["suggested_label"], strict=True):
        others = np.delete(np.arange(len(labeled)), row)
        refit = model.fit(labeled.X[others], labeled.y[others])
        harm.append(base - row_losses(refit, validation)[0].mean())
        y = labeled.y.clone()
        y[row] = int(suggested)
        gain.append(base - row_losses(model.fit(labeled.X, y), validation)[0].mean())
    for name, real in {"harm": harm, "gain": gain}.items():
        error = np.abs(found[name] - real).mean() / np.abs(real).mean()
        assert error < 0.02, (name, error)
        assert np.corrcoef(found[name], real)[0, 1] > 0.999


def test_probabilities_are_of_models_that_did_not_see_the_row():
    labeled, validation, model = clean_and_flipped(2, 1.0)
    P = out_of_fold(labeled, validation, model, 0)
    y = labeled.y.clone()
    y[7] = 1 - y[7]
    other = out_of_fold(Rows(labeled.X, y), validation, model, 0)
    np.testing.assert_allclose(P[7], other[7], rtol=1e-12)
    assert not np.allclose(P, other)


def test_audit_command(salutary_label, files, tmp_path):
    train = pd.read_csv(tmp_path / "train.csv")
    flipped = [3, 17, 40]
    train.loc[flipped, "kind"] = train.loc[flipped, "kind"].map(
        {"benign": "malignant", "malignant": "benign"}
    )
    train.to_csv(tmp_path / "train.csv", index=False)
    status, out, err = salutary_label(*FILES[:2], FILES[3], "id=patient", "audit=true")
    assert status == 0, err
    found = pd.read_csv(tmp_path / "audit.csv")
    expected = ["patient", "row", "label", "harm", "standard_error", "suggested_label", "gain", "probability"]
    assert list(found) == [*expected, "prediction"]
    assert len(found) == 60 and found["harm"].is_monotonic_decreasing
    assert len(set(found["row"][:10]) & set(flipped)) >= 2
    assert (found["patient"] == [f"p{row}" for row in found["row"]]).all()
    page = (tmp_path / "audit" / "audit.html").read_text()
    assert "Rows that hurt most" in page and "60 labelled rows" in out
