"""The alternative, the kept round, and what is said of their differences."""

import numpy as np
import pytest
import torch

from salutary.labeling.comparison import ALTERNATIVE, INITIAL, LABELED, Difference, ModelComparison
from salutary.labeling.kept import alternative, held_out_when_kept
from salutary.labeling.measured import row_losses
from salutary.labeling.stopping import Stopping
from salutary.models.logistic import LogisticRegression
from salutary.strategies.salutary import Salutary

from .labelings import make, parts, rows


def test_the_alternative_is_trained_on_labelled_and_validation_rows():
    found = make(l2=2.0)
    model, (losses, _) = alternative(found)
    (X, y), (X_val, y_val), _ = parts()
    expected = LogisticRegression(2, 2.0).fit(torch.tensor(np.r_[X, X_val]), torch.tensor(np.r_[y, y_val]))
    torch.testing.assert_close(model.coef_, expected.coef_)
    track = found.tracks[2]
    seen = np.setdiff1d(np.arange(len(y_val)), track.held_out)
    fold = LogisticRegression(2, 2.0).fit(
        torch.tensor(np.r_[X, X_val[seen]]), torch.tensor(np.r_[y, y_val[seen]])
    )
    held_out = rows(X_val[track.held_out], y_val[track.held_out])
    np.testing.assert_allclose(losses[track.held_out], row_losses(fold, held_out)[0], rtol=1e-10)


def test_the_kept_round_is_not_measured_by_what_chose_it():
    found = make(strategy=Salutary(), n=20, budget=10, folds=4)
    stopping = Stopping(patience=8)
    rounds = tuple(found.rounds(stopping))
    losses, hits = held_out_when_kept(found, rounds, stopping)
    of_rounds = np.array([record.held_out[0] for record in rounds])
    for track in found.tracks[1:]:
        others = np.setdiff1d(np.arange(len(losses)), track.held_out)
        kept = of_rounds[:, others].mean(1).argmin()
        assert losses[track.held_out].tolist() == of_rounds[kept, track.held_out].tolist()
        assert hits[track.held_out].tolist() == rounds[kept].held_out[1][track.held_out].tolist()
    assert losses.mean() >= of_rounds.mean(1).min()
    fixed = held_out_when_kept(found, rounds, Stopping(rounds=len(rounds) - 1))
    assert fixed[0].tolist() == rounds[-1].held_out[0].tolist()


def test_differences_are_paired():
    first, second = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 4.0])
    gap = Difference.of(first, second)
    assert gap.mean == pytest.approx(-0.5)
    assert gap.error == pytest.approx(np.std([-0.5, 0, -1], ddof=1) / 3**0.5)
    assert not gap.is_sure and Difference.of(first, first + 1).is_sure


def test_verdicts():
    base = np.linspace(0.5, 1.5, 100)
    noise = np.random.default_rng(0).normal(size=100)

    def verdict(**shift):
        losses = {INITIAL: base, LABELED: base, ALTERNATIVE: base} | shift
        return ModelComparison("test rows", losses, dict.fromkeys(losses, base > 1)).verdict()

    assert verdict(salutary=base - 0.4).startswith("Best on test rows: salutary labelling, by more than 2")
    better = verdict(labeled_and_validation=base - 0.4, salutary=base - 0.39 + 0.2 * noise)
    assert better.startswith("Best on test rows: trained on labelled + validation rows; the difference to")
    assert "initial" not in better and "within 2 standard errors" in better
    assert verdict(salutary=base + 1, labeled_and_validation=base + 1).startswith(
        "Best on test rows: initial model, by more"
    )
