"""The list of remedies."""

from dataclasses import replace

import numpy as np
import pytest
from planted import planted

from salutary.engine.objectives import Balanced
from salutary.errors import SalutaryError
from salutary.remedies import Assigned
from salutary.remedies.catalogue import all_remedies, named
from salutary.remedies.soft import soft_remedies


def test_names_are_unique_and_one_remedy_is_plain():
    remedies = all_remedies()
    assert (
        len({remedy.name for remedy in remedies})
        == len({remedy.about for remedy in remedies})
        == len(remedies)
    )
    assert [remedy.name for remedy in remedies if remedy.is_plain] == ["labeled_and_validation"]


def test_named():
    assert [one.name for one in named(["weighted_4", "labeled"])] == ["labeled", "weighted_4"]
    with pytest.raises(SalutaryError, match=r"reference: 'wieghted' is none of labeled, .*weighted_4"):
        named(["labeled", "wieghted"], "reference")


def test_what_applies():
    data, _ = planted(n_labeled=20)
    of = {"sources": {"noise_per_source", "chosen_sources"}, "pool": {"salutary", "salutary_and_validation"}}
    soft = {each.name for each in soft_remedies()}
    every = {one.name for one in all_remedies()}
    found = lambda data: {one.name for one in all_remedies() if one.applies(data)}  # noqa: E731
    assert found(data) == every - of["sources"] - of["pool"] - soft
    data = replace(data, sources=np.arange(20) % 2)
    assert found(data) == every - of["pool"] - soft
    pool = Assigned(data.labeled.X[:2], data.labeled.y[:2], 1.0)
    assert found(replace(data, assigned=pool)) == every - soft
    data = replace(data, assigned=pool, pool=pool.X)
    assert found(data) == every - soft  # of the mean loss L + V makes more
    assert found(replace(data, criterion=Balanced())) == every
