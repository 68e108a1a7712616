"""Splits: sizes of the paper's table 3, what is fixed, what a seed redraws, and bad sizes."""

import numpy as np
import pytest
from compositions import composed

from salutary.errors import SalutaryError
from salutary.experiments.parts import HalvedParts, OfficialHalves
from salutary.experiments.split import PaperSplit, StandardSplit
from salutary.system.commands import build

# training, validation, test rows: paper, table 3 (wine's training part has one row more than printed)
TABLE3 = {
    "bank": (18292, 6098, 6098),
    "celeba": (62497, 20833, 20833),
    "diabetic": (950, 100, 101),
    "musk_v2": (3958, 1320, 1320),
    "electrical": (6000, 2000, 2000),
    "waveform": (3000, 1000, 1000),
    "wine": (3897, 1300, 1300),
}
PARTS = ("initial", "pool", "validation", "test")


def labels(n=400, classes=3, seed=0):
    return np.random.default_rng(seed).integers(classes, size=n)


@pytest.mark.parametrize("name", TABLE3)
def test_paper_sizes(name, data_dir):
    cfg = composed(f"dataset={name}", f"data_dir={data_dir}")
    y = build(cfg, "dataset").load().y
    split = build(cfg, "protocol.splitter").split(y, cfg.n_init, 0)
    training, validation, test = TABLE3[name]
    assert len(split.initial) == cfg.n_init
    assert len(split.initial) + len(split.pool) == training == len(split.training)
    assert (len(split.validation), len(split.test)) == (validation, test)


@pytest.mark.parametrize("splitter", [PaperSplit(), PaperSplit(HalvedParts()), StandardSplit()])
def test_parts_are_disjoint_and_complete(splitter):
    y = labels()
    split = splitter.split(y, 30, seed=1)
    rows = np.concatenate([getattr(split, part) for part in PARTS])
    assert np.array_equal(np.sort(rows), np.arange(len(y)))
    assert len(split.initial) == 30


def same(a, b):
    return {part: np.array_equal(getattr(a, part), getattr(b, part)) for part in PARTS}


def test_paper_protocol_redraws_validation_and_pool_only():
    y = labels()
    a, b = (PaperSplit().split(y, 30, seed) for seed in (0, 1))
    assert same(a, b) == {"initial": True, "pool": False, "validation": False, "test": True}
    assert np.array_equal(a.training, b.training)
    assert all(same(a, PaperSplit().split(y, 30, 0)).values())


def test_standard_protocol_redraws_the_initial_set_only():
    y = labels()
    a, b = (StandardSplit().split(y, 30, seed) for seed in (0, 1))
    assert same(a, b) == {"initial": False, "pool": False, "validation": True, "test": True}
    assert all(same(a, StandardSplit().split(y, 30, 0)).values())


def test_rare_class_is_dealt_to_every_part():
    y = labels()
    y[[5, 60, 200, 300, 350]] = 3
    split = PaperSplit().split(y, 30, seed=0)
    assert 5 in split.test
    assert 60 in split.initial
    assert {200, 300, 350} <= {*split.validation, *split.pool}
    assert len(split.initial) == 30
    standard = StandardSplit().split(y, 30, seed=0)
    assert (5 in standard.test, 60 in standard.initial, 200 in standard.validation) == (True, True, True)


@pytest.mark.parametrize("scale_on, expected", [("none", 0), ("initial", 30), ("training", 240), (0.75, 180)])
def test_scaler_rows(scale_on, expected):
    split = PaperSplit(scale_on=scale_on).split(labels(), 30, 0)
    assert len(split.scaling) == expected
    assert np.isin(split.scaling, split.training).all()


@pytest.mark.parametrize("scale_on", ["all", 0.0, 2.0, None])
def test_unknown_scaler_rows_are_refused(scale_on):
    with pytest.raises(SalutaryError, match=r"recipe\.scale_on must be"):
        PaperSplit(scale_on=scale_on).split(labels(), 30, 0)


@pytest.mark.parametrize("splitter", [PaperSplit(), StandardSplit()])
@pytest.mark.parametrize("n_init, message", [(2, "smaller than the number of classes"), (240, "no pool")])
def test_impossible_initial_sets_are_refused(splitter, n_init, message):
    with pytest.raises(SalutaryError, match=f"n_init={n_init}.*{message}"):
        splitter.split(labels(), n_init, 0)


def test_too_few_rows_are_refused():
    with pytest.raises(SalutaryError, match="cannot draw 20% of 0 rows"):
        PaperSplit().split(np.array([0, 0, 1, 1]), 2, 0)


def test_standard_protocol_scales_on_the_training_part():
    split = StandardSplit().split(labels(), 30, 0)
    assert np.array_equal(split.scaling, split.training)
    assert len(split.training) == len(split.initial) + len(split.pool)


def test_fewer_validation_rows():
    y = labels()
    whole = StandardSplit().split(y, 30, 0)
    few, again, other = (whole.with_fewer_validation_rows(y, 20, seed) for seed in (0, 0, 1))
    assert same(few, whole) == {"initial": True, "pool": True, "validation": False, "test": True}
    assert len(few.validation) == 20
    assert np.isin(few.validation, whole.validation).all()
    assert all(same(few, again).values())
    assert not same(few, other)["validation"]
    assert np.ptp(np.bincount(y[few.validation]) / 20 - np.bincount(y[whole.validation]) / 80) < 0.1
    assert all(same(whole.with_fewer_validation_rows(y, 80, 0), whole).values())


@pytest.mark.parametrize(
    "n, message", [(81, "more than the validation part, 80 rows"), (2, "2 of 80"), (79, "79 of 80")]
)
def test_impossible_validation_sizes_are_refused(n, message):
    y = labels()
    with pytest.raises(SalutaryError, match=f"n_validation={n}.*{message}"):
        StandardSplit().split(y, 30, 0).with_fewer_validation_rows(y, n, 0)


def test_official_halves():
    y = labels()
    a, b = (PaperSplit(OfficialHalves(101), redraw=False).split(y, 30, seed) for seed in (0, 1))
    assert same(a, b) == {"initial": False, "pool": False, "validation": True, "test": True}
    assert np.array_equal(np.sort(np.concatenate([a.validation, a.test])), np.arange(299, 400))
    assert (len(a.validation), len(a.test)) == (50, 51)
    halves = [np.bincount(y[part], minlength=3) for part in (a.validation, a.test)]
    assert np.abs(np.subtract(*halves)).max() <= 1
    assert np.array_equal(np.sort(np.concatenate([a.initial, a.pool])), a.training)


def test_without_a_redraw_only_the_initial_set_differs():
    y = labels()
    a, b = (PaperSplit(redraw=False).split(y, 30, seed) for seed in (0, 1))
    assert same(a, b) == {"initial": False, "pool": False, "validation": True, "test": True}
    drawn, known = PaperSplit().split(y, 30, 0), PaperSplit(redraw=False).split(y, 30, seed=1)
    assert np.array_equal(drawn.initial, known.initial)  # both with random_state=1


@pytest.mark.parametrize(
    "splitter, message",
    [
        (PaperSplit(redraw="no"), "recipe.redraw must be true or false"),
        (PaperSplit(OfficialHalves(0)), "held_out must be a whole number"),
        (PaperSplit(OfficialHalves(None)), "held_out must be a whole number"),
        (PaperSplit(OfficialHalves(400)), "leaves no pool"),
    ],
)
def test_bad_rules_are_refused(splitter, message):
    with pytest.raises(SalutaryError, match=message):
        splitter.split(labels(), 30, 0)
