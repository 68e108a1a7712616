"""``dataset.group``: of prepared tables and of one's own."""

import numpy as np
import pandas as pd
import pytest

from salutary.datasets.bank import Bank
from salutary.datasets.celeba import CelebA
from salutary.datasets.grouped import Grouping
from salutary.datasets.kept import packed, unpacked
from salutary.datasets.own_table import OwnTable
from salutary.datasets.uci import Electrical, Wine
from salutary.errors import SalutaryError


def test_bank_by_age_and_contact(data_dir):
    plain = Bank(data_dir).load()
    by_age = Bank(data_dir, "age", [30, 55], group_is_feature=False).load()
    assert by_age.groups.names == ("below 30", "30 to 55", "55 and above")
    kept = [place for place, name in enumerate(plain.feature_names) if name != "age<37"]
    np.testing.assert_array_equal(by_age.X, plain.X[:, kept])
    young = plain.X[:, plain.feature_names.index("age<37")] == 1
    assert young[by_age.groups.numbers == 0].all() and not young[by_age.groups.numbers == 2].any()
    by_contact = Bank(data_dir, "contact").load()
    cellular = plain.X[:, plain.feature_names.index("contact=cellular")] == 1
    assert by_contact.groups.names == ("cellular", "telephone")
    np.testing.assert_array_equal(by_contact.groups.numbers == 0, cellular)
    np.testing.assert_array_equal(by_contact.X, plain.X)
    without = Bank(data_dir, "job", group_is_feature=False).load()
    assert not any(name.startswith("job") for name in without.feature_names)


def test_celeba_by_sex(data_dir, tmp_path):
    plain = CelebA(data_dir, tmp_path).load()
    assert plain.groups is None and plain.X.shape[1] == 39
    for _ in range(2):  # parsed, then kept
        grouped = CelebA(data_dir, tmp_path, "Male", group_is_feature=False).load()
        assert grouped.groups.names == ("Male", "not Male") and "Male" not in grouped.feature_names
        np.testing.assert_array_equal(grouped.groups.numbers == 0, plain.X[:, -1] == -1)
        np.testing.assert_array_equal(grouped.X, plain.X[:, :-1])


def test_wine_by_colour(data_dir):
    grouped = Wine(data_dir, "color", group_is_feature=False).load()
    assert grouped.X.shape == (6497, 11) and grouped.groups.names == ("red", "white")
    assert (grouped.groups.numbers == 0).sum() == 1599
    cut = Wine(data_dir, "alcohol", [10]).load()
    np.testing.assert_array_equal(cut.groups.numbers, cut.X[:, -1] >= 10)
    with pytest.raises(SalutaryError, match=r"dataset.group=stab is no column of this table: tau1, tau2"):
        Electrical(data_dir, "stab").load()


def test_settings_that_make_no_sense():
    with pytest.raises(SalutaryError, match=r"dataset\.group_edges needs dataset.group"):
        Grouping(None, [3])
    with pytest.raises(SalutaryError, match=r"dataset\.group_is_feature must be"):
        Grouping("a", (), "no")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)

    def table(n):
        sex = np.where(rng.random(n) < 0.5, "m", "f")
        return pd.DataFrame({"a": rng.normal(size=n), "sex": sex, "y": rng.choice(["no", "yes"], n)})

    for name, n in {"train": 40, "val": 30, "test": 20}.items():
        table(n).to_csv(f"{name}.csv", index=False)
    return {"path": "train.csv", "validation": "val.csv", "test": "test.csv", "target": "y"}


def test_own_files_by_a_column(files):
    every = pd.concat([pd.read_csv(f"{name}.csv") for name in ("train", "val", "test")])
    table = OwnTable(**files, group="sex").load()
    np.testing.assert_array_equal(table.groups.numbers, every["sex"] == "m")
    assert table.columns.schema.used == ["a", "sex"]
    for settings in ({"group_is_feature": False}, {"ignore": ["sex"]}):
        without = OwnTable(**files, group="sex", **settings).load()
        assert without.columns.schema.used == ["a"]
        np.testing.assert_array_equal(without.groups.numbers, table.groups.numbers)
    again = unpacked(*packed(table))
    assert again.groups.names == ("f", "m")
    np.testing.assert_array_equal(again.groups.numbers, table.groups.numbers)


def test_training_rows_need_not_have_the_column(files):
    pd.read_csv("train.csv").drop(columns="sex").to_csv("train.csv", index=False)
    table = OwnTable(**files, group="sex").load()
    assert (table.groups.numbers[:40] == -1).all() and (table.groups.numbers[40:] >= 0).all()
    assert table.columns.schema.used == ["a"]
    pd.read_csv("test.csv").drop(columns="sex").to_csv("test.csv", index=False)
    with pytest.raises(SalutaryError, match=r"test.csv has no column 'sex'"):
        OwnTable(**files, group="sex").load()
