"""What is said of L: nothing of a clean one, and what was planted of others."""

import re
from dataclasses import replace

import numpy as np
import pytest
from planted import noisy, planted, symmetric
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import StandardScaler

from salutary.remedies import LabelledData, Part
from salutary.remedies.diagnosis import (
    CLEAN,
    SURE,
    Noise,
    Source,
    diagnose,
    noise_of,
    noise_sentence,
    sources_of,
    sources_sentence,
)

pytestmark = pytest.mark.whole
COLUMNS = {f"x{k}": [k] for k in range(4)}


def real(loader, n_labeled, n_validation, seed=0):
    """Clean L and V of a table of scikit-learn's."""
    X, y = loader(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(y))
    X, y = StandardScaler().fit_transform(X)[rows], y[rows]
    V = slice(n_labeled, n_labeled + n_validation)
    return LabelledData(Part(X[:n_labeled], y[:n_labeled]), Part(X[V], y[V]), int(y.max()) + 1)


def diagnosed(data, names=(), columns=COLUMNS, sample=None):
    return diagnose(data, list(names), [f"c{k}" for k in range(data.n_classes)], columns, sample)


@pytest.mark.parametrize(("n_classes", "d"), [(2, 4), (3, 12)])
def test_nothing_is_found_wrong_with_clean_rows(n_classes, d):
    """(Of three classes that overlap much, as with d = 4, one source in ten is called bad.)"""
    for seed in range(2):
        sources = np.arange(200) % 3
        data, _ = planted(n_classes, 200, 100, d, seed=seed, sources=sources)
        found = diagnosed(data, "abc")
        assert found.problems == [] and not any(source.is_bad for source in found.sources)
        assert found.sentence.startswith("Nothing is found wrong with the labelled rows: their labels agree")


@pytest.mark.parametrize(("loader", "n_labeled"), [(load_breast_cancer, 250), (load_wine, 80)])
def test_nothing_is_found_wrong_with_clean_tables(loader, n_labeled):
    data = real(loader, n_labeled, n_labeled)
    found = diagnosed(data, columns={f"x{k}": [k] for k in range(data.labeled.X.shape[1])})
    assert found.problems == []
    y = np.where(np.random.default_rng(0).random(n_labeled) < 0.4, 0, data.labeled.y)
    assert noise_of(replace(data, labeled=Part(data.labeled.X, y))).is_found


def test_planted_noise_is_named_with_its_direction():
    data, _ = planted(n_labeled=400, n_validation=150)
    one_way = diagnosed(noisy(data, [[1.0, 0.0], [0.5, 0.5]]))
    assert "What is wrong with the labelled rows: about 2" in one_way.sentence
    assert "above all 'c1' labelled 'c0' (" in one_way.sentence
    both_ways = diagnosed(noisy(data, symmetric(2, 0.3))).sentence
    assert "of the labels are wrong" in both_ways and "above all" not in both_ways


def test_planted_sources_are_named_the_worst_first():
    data, _ = planted(n_labeled=300, n_validation=100, sources=np.arange(300) % 3)
    data = noisy(data, [symmetric(2, 0.3), symmetric(2, 0.0), symmetric(2, 0.9)])
    found = diagnosed(data, ["ann", "bob", "cid"])
    assert [source.name for source in found.sources] == ["cid", "ann", "bob"]
    assert re.match(r"labels are wrong, about 9\d% of source cid's, 3\d% of source ann's$", found.problems[0])
    assert "bob" not in found.sentence


def test_a_planted_shift_is_named_with_its_column():
    data, test = planted(n_labeled=200, n_validation=100)
    L = data.labeled
    X = L.X + np.array([0, 0, 1.0, 0])
    shifted = replace(data, labeled=Part(X, L.y))
    found = diagnosed(shifted, sample=lambda n, rng: test.X[rng.permutation(len(test))[:n]])
    assert "validation rows differ from labelled rows in: x2 " in found.sentence
    assert [pair.names for pair in found.shifts] == [
        ("labelled rows", "validation rows"),
        ("labelled rows", "pool rows"),
        ("validation rows", "pool rows"),
    ]
    assert [pair.is_sure for pair in found.shifts] == [True, True, False]


def test_what_is_sure():
    matrix = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert Noise(0.2, (0.2 - CLEAN) / SURE - 0.001, matrix, matrix).is_found
    assert not Noise(0.2, (0.2 - CLEAN) / SURE + 0.001, matrix, matrix).is_found
    assert not Noise(0.04, 0.001, matrix, matrix).is_found
    assert Source("a", 5, 0.3, 0.1).is_bad and not Source("a", 4, 0.3, 0.1).is_bad
    assert not Source("a", 10, 0.3, 0.13).is_bad


def test_sentences():
    matrix = np.array([[0.9, 0.1], [0.4, 0.6]])
    expected = "about 25% of the labels are wrong (± 3 points), above all 'no' labelled 'yes' (40% of them)"
    assert noise_sentence(Noise(0.25, 0.03, matrix, matrix), ["yes", "no"]) == expected
    even = np.array([[0.75, 0.25], [0.25, 0.75]])
    assert (
        noise_sentence(Noise(0.25, 0.03, even, even), "ab")
        == "about 25% of the labels are wrong (± 3 points)"
    )
    assert noise_sentence(Noise(0.01, 0.03, even, even), "ab") == ""
    sources = [Source(name, 9, 0.5, 0.01) for name in "abcdefg"]
    assert sources_sentence(sources[:1]) == "labels are wrong, about 50% of source a's"
    many = ", ".join(f"50% of source {name}'s" for name in "abcde")
    assert sources_sentence(sources) == f"labels are wrong, about {many} and of 2 more"
    assert sources_sentence([Source("a", 9, 0.01, 0.01)]) == ""


def test_a_source_without_rows_is_not_spoken_of():
    data, _ = planted(n_labeled=60, n_validation=40)
    sources = np.where(np.arange(60) % 2, 2, 0)
    sources[5] = 3  # of one row
    found = sources_of(replace(data, sources=sources), ["a", "b", "c", "d", "e"])
    assert {source.name: source.n for source in found} == {"a": 30, "c": 29, "d": 1}
    assert all(np.isfinite([source.wrong, source.error]).all() for source in found)


def test_errors_are_about_those_of_repeated_draws():
    found = []
    for seed in range(6):
        data, _ = planted(n_labeled=200, n_validation=200, seed=seed)
        found.append(noise_of(noisy(data, symmetric(2, 0.3), seed)))
    spread = np.std([each.wrong for each in found], ddof=1)
    assert 0.4 < np.mean([each.wrong_error for each in found]) / spread < 2.5


def test_it_is_the_same_each_time():
    data, _ = planted(n_labeled=30, n_validation=20, sources=np.arange(30) % 2)
    first, again = diagnosed(data, "ab"), diagnosed(data, "ab")
    assert first.sentence == again.sentence and first.sources == again.sources


def test_a_class_that_validation_rows_lack_leaves_labels_untold():
    """Those of that class look wrong; what is found of the rows is said all the same."""
    data, _ = planted(3, 150, 120, 12)
    V = data.validation
    lacking = replace(data, validation=V[V.y != 2])
    found = diagnosed(lacking)
    assert found.unseen == ("c2",) and diagnosed(data).unseen == () and diagnosed(data).untold == ""
    assert found.untold == "Whether labels are wrong is not told: no validation row is of class 'c2'."
    assert found.sentence.endswith(found.untold) and "of the labels" not in found.sentence
    bad, told = Source("a", 9, 0.5, 0.01), "labels are wrong, about 50% of source a's"
    assert replace(found, sources=(bad,)).problems == [s for s in [found.shifts[0].sentence()] if s]
    assert replace(found, sources=(bad,), unseen=()).problems[0] == told


def test_how_unsure_it_is_that_labels_agree():
    data, _ = planted(2, 100, 60)
    found, matrix = diagnosed(data), np.eye(2)
    few = replace(found, noise=Noise(0.2, 0.15, matrix, matrix))
    assert "but for about 20% (± 15 points), and no test" in few.sentence
    assert "(±" not in found.sentence
