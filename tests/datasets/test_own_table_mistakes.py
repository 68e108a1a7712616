"""``dataset=table`` of tables and settings that are wrong gets one line; of right ones, a run."""

import pytest
from spoilt_tables import both, cells, check_one_line, left, nothing, raw, with_changes, without

from salutary import __main__
from salutary.experiments.job import shared_table

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)

EXPERIMENT = {"dataset": "table", "dataset.path": "rows.csv", "dataset.target": "outcome", "rounds": "1"}
FILES_OF_TABLES = {"dataset.validation": "val.csv", "dataset.test": "test.csv"}
# case: (what is done, settings, what the line says)
TABLES = {
    "no path": (nothing, {"dataset.path": None}, r"dataset\.path"),
    "no target": (nothing, {"dataset.target": None}, r"dataset\.target"),
    "null as target": (nothing, {"dataset.target": "null"}, r"set dataset\.path, a file, and dataset\.targe"),
    "a number as target": (nothing, {"dataset.target": "1"}, r"rows\.csv has no column '1'; its columns"),
    "missing file": (nothing, {"dataset.path": "gone.csv"}, r"dataset=table: there is no gone\.csv"),
    "no such column": (nothing, {"dataset.target": "sex"}, r"rows\.csv has no column 'sex'; its columns are"),
    "no split column": (nothing, {"dataset.split": "part"}, r"rows\.csv has no column 'part'; its columns a"),
    "damaged": (raw("rows.csv", lambda b: b + b'"'), {}, r"rows\.csv, row 81: a quote is opened that is ne"),
    "text in a list": (nothing, {"dataset.numeric": "age"}, r"dataset\.numeric must be a list .*, not 'age'"),
    "target as a number too": (
        nothing,
        {"dataset.numeric": "[outcome]"},
        r"dataset\.target=outcome cannot also be in dataset\.numeric",
    ),
    "target and split": (
        nothing,
        {"dataset.split": "outcome"},
        r"dataset\.target=outcome cannot also be dataset\.split",
    ),
    "separator": (nothing, {"dataset.separator": "ab"}, r"separator must be one character"),
    "only ignored": (nothing, {"dataset.ignore": "[key,age,wage,city]"}, r"rows\.csv has no column to learn"),
    "mistake in numbers": (cells("rows.csv", age={7: "x"}), {}, r"rows\.csv, column age, row 7: 'x' is not"),
    "infinite": (cells("rows.csv", age={70: "inf"}), {}, r"rows\.csv, column age, row 70: inf is not finite"),
    "real numbers": (cells("rows.csv", outcome=[0.5, 1, 2, 3] * 20), {}, r"column outcome, row 1: '0\.5' is"),
    "one class": (cells("rows.csv", outcome="yes"), {}, r"rows\.csv, column outcome: the single class yes"),
    "unknown role": (
        cells("rows.csv", part=["train", "pool", "validation", "Test"] * 20),
        {"dataset.split": "part"},
        r"rows\.csv, column part, row 4: 'Test' is none of train, pool, validation, test",
    ),
    "no role": (
        cells("rows.csv", part=["train", "", "validation", "test"] * 20),
        {"dataset.split": "part"},
        r"rows\.csv, column part, row 2: '' is none of train",
    ),
    "role without rows": (
        cells("rows.csv", part=["train", "test", "test", "test"] * 15 + ["pool"] * 20),
        {"dataset.split": "part"},
        r"rows\.csv, column part: no row is given to the validation part",
    ),
    "validation row without a label": (
        cells("rows.csv", part=["train", "pool", "validation", "test"] * 20),
        {"dataset.split": "part"},
        r"rows\.csv, column part, row 63: a row to measure on needs a label",
    ),
    "validation without test": (
        nothing,
        {"dataset.validation": "val.csv"},
        r"set dataset\.validation and dataset\.test, two files, or dataset\.split",
    ),
    "split and files": (
        nothing,
        {**FILES_OF_TABLES, "dataset.split": "city"},
        r"set dataset\.validation and dataset\.test, two files, or dataset\.split",
    ),
    "validation lacks a column": (without("val.csv", "city"), FILES_OF_TABLES, r"val\.csv has no column 'ci"),
    "no label in validation": (
        cells("val.csv", outcome={3: ""}),
        FILES_OF_TABLES,
        r"val\.csv, column outcome, row 3: there is no label",
    ),
    "new class in test": (
        cells("test.csv", outcome={3: "maybe"}),
        FILES_OF_TABLES,
        r"test\.csv, column outcome, row 3: 'maybe' is none of the known classes, no, yes",
    ),
    "text in test": (cells("test.csv", age={3: "x"}), FILES_OF_TABLES, r"test\.csv, column age, row 3: 'x'"),
    "too large in test": (
        both(cells("rows.csv", age=[1e-9, 0] * 40), cells("test.csv", age={3: 1e38})),
        {**FILES_OF_TABLES, "dataset.ignore": "[key]"},
        r"test\.csv, column age, row 3: the value is too large",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_tables_of_experiments(case, salutary, tmp_path):
    spoil, settings, message = TABLES[case]
    spoil(tmp_path)
    before = left(tmp_path)
    shared_table.cache_clear()
    answer = salutary(__main__.main, "salutary-run", *with_changes(EXPERIMENT, settings))
    check_one_line(answer, "salutary-run", message, tmp_path, before)


@pytest.mark.parametrize("parts", ["split", "files", "neither"])
def test_experiments_on_a_table(parts, salutary, tmp_path):
    settings = {"budget": "2", "strategy": "salutary"}
    if parts == "files":
        settings |= FILES_OF_TABLES
    if parts == "split":
        part = ["train", "pool", "validation", "test"] * 15 + ["pool"] * 20
        cells("rows.csv", part=part, self=["a", "b"] * 40, city_Ulm=range(80, 0, -1))(tmp_path)
        settings["dataset.split"] = "part"
    shared_table.cache_clear()
    status, out, err = salutary(__main__.main, "salutary-run", *with_changes(EXPERIMENT, settings))
    assert status == 0, err
    assert "2 points added" in out
