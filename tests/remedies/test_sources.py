"""Which sources are taken: planted bad ones go, good ones stay."""

from dataclasses import replace

import numpy as np
import pytest
from planted import loss, noisy, planted, shuffled, symmetric

from salutary.remedies.base_models import Logistic
from salutary.remedies.plain import LabeledAndValidation
from salutary.remedies.sources import ChosenSources

BAD = [symmetric(2, 0.0), symmetric(2, 0.95), symmetric(2, 0.05), symmetric(2, 0.8)]


def of_four(seed):
    data, test = planted(seed=seed, n_labeled=400, n_validation=60, sources=np.arange(400) % 4)
    return noisy(data, BAD, seed), test


@pytest.mark.parametrize("seed", range(3))
def test_bad_sources_are_dropped(seed):
    data, _ = of_four(seed)
    use = ChosenSources().rows(data).use
    kept = {number: set(use[data.sources == number]) for number in range(4)}
    assert kept[1] == kept[3] == {0.0}
    assert kept[0] == kept[2] and min(kept[0]) > 0


def test_good_sources_are_kept():
    for seed in range(3):
        data, _ = planted(seed=seed, n_labeled=120, n_validation=60, sources=np.arange(120) % 3)
        use = ChosenSources().rows(data).use
        assert (use > 0).mean() > 0.5


def test_sources_of_one_row_and_of_none():
    data, _ = planted(n_labeled=60, n_validation=40)
    sources = np.zeros(60, int)
    sources[7], sources[20:40] = 4, 2  # nobody is 1 or 3
    rows = ChosenSources().rows(replace(data, sources=sources))
    assert np.isfinite(rows.use).all() and len(rows.tuned_on) == 40


def test_it_helps_and_v_is_what_tells():
    gains, spoilt = [], []
    for seed in range(3):
        data, test = of_four(seed)
        plain = loss(LabeledAndValidation().fit(data, Logistic()), test)
        gains.append(plain - loss(ChosenSources().fit(data, Logistic()), test))
        spoilt.append(plain - loss(ChosenSources().fit(shuffled(data, seed), Logistic()), test))
    assert min(gains) > 0.05 and np.mean(spoilt) < 0
