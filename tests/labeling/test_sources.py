"""The column that says who gave a label: read of the labelled rows only, and never a feature."""

import numpy as np
import pandas as pd
import pytest
from spoilt_tables import LABEL, check_one_line, left, with_changes
from written_tables import mixed_rows, written

from salutary.errors import SalutaryError
from salutary.labeling import cli
from salutary.labeling.inputs import read_inputs
from salutary.system.device import Device

from .labelings import FILES, label_settings


def read(folder, given, form="train.csv", **changes):
    """Inputs whose labelled rows have the column ``who``, None for no column."""
    frame = mixed_rows(40, 0)
    if given is not None:
        frame["who"] = np.resize(np.array(given, dtype=object), 40)
    train = written(frame, folder / form)
    written(mixed_rows(40, 1), folder / "val.csv")
    return read_inputs(label_settings(folder, labeled=str(train), **changes), Device("cpu"))


@pytest.mark.parametrize("form", ["train.csv", "train.parquet", "train.feather"])
@pytest.mark.parametrize(
    "given, names, numbers",
    [
        (["b", "a", None, "b"], ("a", "b", "(none)"), [1, 0, 2, 1]),
        (["10", "9", "-1", "9"], ("-1", "9", "10"), [2, 1, 0, 1]),  # by value
        (["10", "9", "x", None], ("10", "9", "x", "(none)"), [0, 1, 2, 3]),  # as text
        (["2", "10", None, None], ("2", "10", "(none)"), [0, 1, 2, 2]),
    ],
)
def test_sources_are_numbered_in_order(form, given, names, numbers, tmp_path):
    sources = read(tmp_path, given, form, source="who").sources
    assert sources.names == names
    assert sources.numbers.tolist() == np.resize(numbers, 40).tolist()
    assert sources.counts.tolist() == np.bincount(np.resize(numbers, 40)).tolist()


def test_a_marker_of_the_users_is_nobody(tmp_path):
    sources = read(tmp_path, ["a", "?", "b", " a "], source="who", missing=["?"]).sources
    assert sources.names == ("a", "b", "(none)") and sources.numbers.tolist()[:4] == [0, 2, 1, 0]


def test_a_source_is_no_feature(tmp_path):
    without, given = read(tmp_path, None), read(tmp_path, ["a", "b"], source="who")
    assert without.sources is None and given.sources.names == ("a", "b")
    assert given.features.schema == without.features.schema and given.findings == without.findings
    assert given.labeled.rows.X.equal(without.labeled.rows.X)
    with pytest.raises(SalutaryError, match=r"val\.csv has no column 'who'"):  # unless it is not said
        read(tmp_path, ["a", "b"])


FOUND = {
    "one": (["a"], "column who: all 40 rows are of the single source 'a': it tells nothing"),
    "many": (range(21), "column who: 21 sources in 40 rows, too few rows of each to tell; is it the source?"),
    "all": (range(40), "column who: 40 sources in 40 rows, too few rows of each to tell; is it the source?"),
    "a single row": ([*"ab"] * 18 + ["c", "a", "b", "d"], "column who: too few to tell, a single row: c, d"),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_tells_nothing_is_told(case, tmp_path):
    given, line = FOUND[case]
    inputs = read(tmp_path, [*map(str, given)], source="who")
    assert inputs.findings == [*read(tmp_path, None).findings, f"{tmp_path / 'train.csv'}, {line}"]
    assert len(inputs.sources.names) == len(set(given))


WRONG = {
    "not there": ({"source": "who"}, r"train\.csv has no column 'who'; its columns are key, age, wage, city"),
    "the target": ({"source": "outcome"}, r"target=outcome cannot also be source"),
    "the id": ({"source": "key", "id": "key"}, r"id=key cannot also be source"),
    "a feature": ({"source": "city", "categorical": "[city]"}, r"source=city cannot also be in categorical"),
    "a number": ({"source": "age", "numeric": "[age]"}, r"source=age cannot also be in numeric"),
    "ignored": ({"source": "city", "ignore": "[city]"}, r"source=city cannot also be in ignore"),
    "empty": ({"source": ""}, r"source must be the column that says who gave a label, not ''"),
}


@pytest.mark.parametrize("audit", ["true", "false"])
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_source_is_one_line(case, audit, salutary, tmp_path):
    settings, message = WRONG[case]
    before = left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, settings | {"audit": audit}))
    check_one_line(answer, "salutary-label", message, tmp_path, before)


def test_only_the_labelled_file_need_have_it(salutary_label, files, tmp_path):
    frame = pd.read_csv(tmp_path / "train.csv")
    frame.assign(annotator="a b, c").to_csv(tmp_path / "train.csv", index=False)
    pool = pd.read_parquet(tmp_path / "pool.parquet")
    pool.assign(annotator=[[1, 2]] * len(pool)).to_parquet(tmp_path / "pool.parquet")  # which nobody reads
    common = "source=annotator", "id=patient", "folds=0", "rounds=1"
    for more in (["output=labels.csv"], ["audit=true", "output=audit.csv"]):
        status, out, err = salutary_label(*FILES, *common, *more)
        assert status == 0, err
        assert "all 60 rows are of the single source 'a b, c': it tells nothing" in out
