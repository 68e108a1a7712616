"""Tables and settings that are wrong get one line, that names file, column and row, and leave nothing behind;
odd ones that are right are read.
"""

import csv
import gzip
import json
import re
import sys
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from markupsafe import escape

from salutary import __main__
from salutary.experiments.cli import shared_table
from salutary.labeling import cli
from salutary.labeling import page as label_page

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)

LABEL = {
    "labeled": "train.csv",
    "validation": "val.csv",
    "pool": "pool.csv",
    "target": "outcome",
    "rounds": "1",
    "folds": "2",
    "budget": "2",
    "strategy.rerank": "0",
    "model.l2": "1",
}
EXPERIMENT = {"dataset": "table", "dataset.path": "rows.csv", "dataset.target": "outcome", "rounds": "1"}
N = 24


def part(seed, n=N):
    """Rows of two numbers, a category, a key and an outcome that depends on the first number."""
    rng = np.random.default_rng(seed)
    age, wage = rng.normal(40, 9, n).round(1), rng.normal(3, 1, n).round(2)
    return pd.DataFrame(
        {
            "key": [f"k{seed}-{row}" for row in range(n)],
            "age": age,
            "wage": wage,
            "city": rng.choice(["Bonn", "Köln", "Ulm"], n),
            "outcome": np.where(age + rng.normal(0, 6, n) > 40, "yes", "no"),
        }
    )


PARTS = {"train.csv": part(0), "val.csv": part(1), "test.csv": part(2), "pool.csv": part(3, 30).iloc[:, :-1]}


@pytest.fixture
def salutary(command, monkeypatch, tmp_path):
    """The fixture ``command``, from a folder with files of PARTS and rows.csv."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, frame in PARTS.items():
        frame.to_csv(tmp_path / name, index=False)
    pd.concat([part(4, 60), part(5, 20).assign(outcome="")]).to_csv(tmp_path / "rows.csv", index=False)
    return command


def with_changes(settings, changes):
    return [f"{name}={value}" for name, value in (settings | changes).items() if value is not None]


# What can be done to a file -----------------------------------------------------------------------


def frame(name, change):
    """``change`` a table of PARTS, or rows.csv, and write it again."""

    def spoil(folder):
        path = folder / name
        table = change(pd.read_csv(path))
        (folder / name).unlink()
        table.to_csv(path, index=False)

    return spoil


def cells(name, **changes):
    """Other values in a column, by number of the row from 1; of all rows if it is no dict."""

    def change(table):
        for column, values in changes.items():
            if isinstance(values, dict):
                table[column] = table[column].astype(object)
                for row, value in values.items():
                    table.loc[row - 1, column] = value
            else:
                table[column] = values
        return table

    return frame(name, change)


def without(name, column):
    return frame(name, lambda table: table.drop(columns=column))


def raw(name, content):
    """A file of other bytes; or of those that are there, changed."""

    def spoil(folder):
        path = folder / name
        made = content(path.read_bytes()) if callable(content) else content
        path.write_bytes(made.encode() if isinstance(made, str) else made)

    return spoil


def arrow(name, change=lambda columns: columns, rows=0, compression="zstd"):
    """A table as Parquet or Feather; ``rows`` is its seed, and ``change`` gets a dictionary of columns."""

    def spoil(folder):
        import pyarrow
        from pyarrow import feather, parquet

        columns = change(part(rows).to_dict("list"))
        table = pyarrow.table(columns)
        (folder / name).parent.mkdir(exist_ok=True)
        if name.endswith(".parquet"):
            parquet.write_table(table, folder / name)
        else:
            feather.write_feather(table, folder / name, compression=compression)

    return spoil


def npz(name, change=lambda columns: columns, rows=0):
    def spoil(folder):
        columns = {column: np.array(values) for column, values in part(rows).to_dict("list").items()}
        np.savez(folder / name, **change(columns))

    return spoil


def truncated(write, name, share=0.5):
    def spoil(folder):
        write(folder)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return spoil


def both(*spoilers):
    def spoil(folder):
        for each in spoilers:
            each(folder)

    return spoil


def nothing(folder):
    pass


def packed(folder):
    (folder / "train.csv.gz").write_bytes(gzip.compress((folder / "train.csv").read_bytes()))


def folder_of(name, *writers):
    def spoil(folder):
        (folder / name).mkdir()
        for write in writers:
            write(folder)

    return spoil


def no_city(columns):
    return {name: values for name, values in columns.items() if name != "city"}


# case: (what is done, settings, what the line says)
FILES = {
    "missing file": (nothing, {"labeled": "gone.csv"}, r"there is no gone\.csv"),
    "missing pool": (nothing, {"pool": "gone.parquet"}, r"there is no gone\.parquet"),
    "home of nobody": (nothing, {"labeled": "~nobody-here/a.csv"}, r"there is no ~nobody-here/a\.csv"),
    "folder": (lambda f: (f / "d").mkdir(), {"labeled": "d"}, r"d holds no \.parquet file"),
    "folder named csv": (lambda f: (f / "d.csv").mkdir(), {"labeled": "d.csv"}, r"d\.csv holds no \.parquet"),
    "unknown suffix": (raw("a.xlsx", "x"), {"labeled": "a.xlsx"}, r"a\.xlsx is none of \.csv, \.tsv, \.parq"),
    "no suffix": (raw("table", "x"), {"validation": "table"}, r"table is none of \.csv"),
    "empty CSV": (raw("val.csv", ""), {}, r"val\.csv is empty"),
    "blank lines only": (raw("val.csv", "\n\n\r\n"), {}, r"val\.csv is empty"),
    "empty gz": (raw("a.csv.gz", gzip.compress(b"")), {"labeled": "a.csv.gz"}, r"a\.csv\.gz is empty"),
    "empty Parquet": (raw("a.parquet", ""), {"labeled": "a.parquet"}, r"a\.parquet is empty"),
    "empty Feather": (raw("a.feather", ""), {"validation": "a.feather"}, r"a\.feather is empty"),
    "empty NPZ": (raw("a.npz", ""), {"pool": "a.npz"}, r"a\.npz is not a whole \.npz file"),
    "header only": (raw("train.csv", "age,outcome\n"), {}, r"train\.csv has no rows"),
    "validation header only": (raw("val.csv", "age,wage,city,outcome,key\n"), {}, r"val\.csv has no rows"),
    "truncated Parquet": (
        truncated(arrow("a.parquet"), "a.parquet"),
        {"labeled": "a.parquet"},
        r"a\.parquet is not a whole Parquet file: \S+",
    ),
    "truncated Feather": (
        truncated(arrow("a.feather"), "a.feather"),
        {"labeled": "a.feather"},
        r"a\.feather is not a whole Feather file: \S+",
    ),
    "truncated NPZ": (
        truncated(npz("a.npz"), "a.npz"),
        {"labeled": "a.npz"},
        r"a\.npz is not a whole \.npz file of plain arrays: \S+",
    ),
    "truncated gz": (
        truncated(packed, "train.csv.gz", 0.8),
        {"labeled": "train.csv.gz"},
        r"train\.csv\.gz is truncated or corrupt: \S+",
    ),
    "no gz": (raw("a.csv.gz", "age,outcome\n"), {"labeled": "a.csv.gz"}, r"a\.csv\.gz is truncated or corr"),
    "CSV named Parquet": (raw("a.parquet", "a,b\n"), {"pool": "a.parquet"}, r"a\.parquet is not a whole Par"),
    "text named NPZ": (raw("a.npz", "a,b\n"), {"labeled": "a.npz"}, r"a\.npz is not a whole \.npz file"),
    "damaged text in Feather": (
        both(arrow("a.feather", compression="uncompressed"),
             raw("a.feather", lambda b: b.replace("Köln".encode(), b"K\xff\xffln"))),
        {"labeled": "a.feather"},
        r"a\.feather is not a whole Feather file: .*Invalid UTF8",
    ),
    "NPY named NPZ": (
        lambda f: np.save(f / "a.npy", np.arange(9)) or (f / "a.npy").rename(f / "a.npz"),
        {"labeled": "a.npz"},
        r"a\.npz holds a single array",
    ),
    "ends in quotes": (
        raw("train.csv", lambda b: b + b'"k,1,1,Ulm,no\n'),
        {},
        r"train\.csv, row 25: unexpected end of data",
    ),
    "header ends in quotes": (raw("train.csv", '"age,outcome'), {}, r"train\.csv, header: unexpected end of"),
    "short row": (
        raw("val.csv", lambda b: b + b"k,1,1\n"),
        {},
        r"val\.csv, row 25: it has 3 values for 5 columns",
    ),
    "long row": (
        raw("pool.csv", lambda b: b.replace(b"\n", b"\n1,2,3,4,5\n", 1)),
        {},
        r"pool\.csv, row 1: it has 5 values for 4 columns",
    ),
    "not UTF-8": (
        raw("train.csv", lambda b: b.decode().encode("latin-1")),
        {},
        r"train\.csv is not UTF-8: see line \d+",
    ),
    "UTF-16": (
        raw("train.csv", lambda b: b.decode().encode("utf-16")),
        {},
        r"train\.csv is not UTF-8: see line 1",
    ),
    "UTF-16 without a mark": (
        raw("train.csv", lambda b: b.decode().replace("Köln", "Trier").encode("utf-16-le")),
        {},
        r"train\.csv, header: it holds a NUL, as UTF-16 and binary files do",
    ),
    "semicolons": (
        raw("train.csv", lambda b: b.replace(b",", b";")),
        {},
        r"train\.csv has the single column .*separated by ';'\? Set separator",
    ),
    "objects": (
        npz("a.npz", lambda c: c | {"city": np.array(["Bonn", None] * 12, dtype=object)}),
        {"labeled": "a.npz"},
        r"a\.npz is not a whole \.npz file of plain arrays: objects are not read",
    ),
    "lengths": (
        npz("a.npz", lambda c: c | {"age": np.arange(3.0)}),
        {"labeled": "a.npz"},
        r"a\.npz holds arrays of different lengths: key 24, age 3",
    ),
    "three dimensions": (
        npz("a.npz", lambda c: c | {"X": np.zeros((24, 2, 2))}),
        {"labeled": "a.npz"},
        r"a\.npz, array X: it holds float64 \(24, 2, 2\), no columns",
    ),
    "complex numbers": (
        npz("a.npz", lambda c: c | {"age": np.full(24, 1j)}),
        {"labeled": "a.npz"},
        r"a\.npz, array age: it holds complex128",
    ),
    "one name for two arrays": (
        npz("a.npz", lambda c: c | {"X": np.zeros((24, 2)), "X1": np.zeros(24)}),
        {"labeled": "a.npz"},
        r"a\.npz has more than one column 'X1'",
    ),
    "no Unicode": (
        npz("a.npz", lambda c: c | {"city": np.array(["a", "\ud800"] * 12)}),
        {"labeled": "a.npz"},
        r"a\.npz, column city, row 2: it is no Unicode text",
    ),
    "nested": (
        arrow("a.parquet", lambda c: c | {"city": [[1, 2]] * N}),
        {"labeled": "a.parquet"},
        r"a\.parquet, column city: it holds list<.*>, not numbers or text",
    ),
    "bytes": (
        arrow("a.parquet", lambda c: c | {"city": [b"x"] * N}),
        {"labeled": "a.parquet"},
        r"a\.parquet, column city: it holds binary, not numbers or text",
    ),
    "folder of two tables": (
        folder_of("d", arrow("d/a.parquet", rows=3), arrow("d/b.parquet", no_city, rows=5)),
        {"pool": "d"},
        r"d/b\.parquet has other columns than d/a\.parquet",
    ),
    "folder of two kinds": (
        folder_of("d", arrow("d/a.parquet"), arrow("d/b.parquet", lambda c: c | {"age": ["x"] * N})),
        {"pool": "d"},
        r"d/b\.parquet, column age: it holds string, but double in d/a\.parquet",
    ),
    "folder with a damaged file": (
        folder_of("d", arrow("d/a.parquet", rows=3), raw("d/a.csv", "x"), raw("d/b.parquet", "PAR1")),
        {"pool": "d"},
        r"d/b\.parquet is not a whole Parquet file",
    ),
}  # fmt: skip

COLUMNS = {
    "no target": (nothing, {"target": "result"}, r"train\.csv has no column 'result'; its columns are key,"),
    "no target in validation": (without("val.csv", "outcome"), {}, r"val\.csv has no column 'outcome'; its"),
    "no target in test": (without("test.csv", "outcome"), {"test": "test.csv"}, r"test\.csv has no column '"),
    "no id": (nothing, {"id": "name"}, r"train\.csv has no column 'name'; its columns are key"),
    "no id in validation": (without("val.csv", "key"), {"id": "key"}, r"val\.csv has no column 'key'"),
    "no id in pool": (without("pool.csv", "key"), {"id": "key"}, r"pool\.csv has no column 'key'"),
    "validation lacks one": (without("val.csv", "city"), {}, r"val\.csv has no column 'city'; its columns a"),
    "test lacks one": (without("test.csv", "age"), {"test": "test.csv"}, r"test\.csv has no column 'age'"),
    "pool lacks one": (without("pool.csv", "wage"), {}, r"pool\.csv has no column 'wage'; its columns are k"),
    "one name twice": (
        raw("train.csv", lambda b: b.replace(b"wage", b"age", 1)),
        {},
        r"train\.csv has more than one column 'age'",
    ),
    "one name twice in pool": (
        raw("pool.csv", lambda b: b.replace(b"wage", b"age", 1)),
        {},
        r"pool\.csv has (no column 'wage'|more than one column 'age')",
    ),
    "target twice in pool": (
        raw("pool.csv", b"age,wage,city,outcome,outcome\n1,2,Ulm,yes,no\n"),
        {},
        r"pool\.csv has more than one column 'outcome'",
    ),
    "a name with a NUL": (
        arrow("a.parquet", lambda c: c | {"x\0": c["age"]}),
        {"labeled": "a.parquet"},
        r"a\.parquet has the column 'x\\x00': a name cannot hold a NUL",
    ),
    "names that are no line": (
        raw("val.csv", b'"a\nb",age\n1,2\n'),
        {},
        r"val\.csv has no column 'wage'; its columns are 'a\\nb', age",
    ),
    "all constant": (
        cells("train.csv", age=1, wage=2, city="Ulm", key="k"),
        {},
        r"train\.csv has no column to learn from \(.*age: constant",
    ),
    "dates and ids only": (
        frame("train.csv", lambda t: t[["key", "outcome"]].assign(day="2024-01-02", n=range(N))),
        {},
        r"no column to learn from \(key: ids or free text .*; day: dates: .*; n: row numbers\)",
    ),
    "target only": (frame("train.csv", lambda t: t[["outcome"]]), {}, r"there is only the target"),
    "no values": (
        frame("train.csv", lambda t: t[["outcome"]].assign(age="", wage="NA")),
        {},
        r"train\.csv has no column to learn from \(age: no values; wage: no values\)",
    ),
    "text as numbers": (nothing, {"numeric": "[city]"}, r"train\.csv, column city, row 1: '\w+' is not a nu"),
    "dates as numbers": (
        arrow("a.parquet", lambda c: c | {"day": [datetime(2024, 1, 2)] * N}),
        {"labeled": "a.parquet", "numeric": "[day]"},
        r"a\.parquet, column day: it holds dates, not numbers",
    ),
    "numeric that is not there": (nothing, {"numeric": "[sex]"}, r"train\.csv has no column 'sex' to use as"),
    "ignore that is not there": (nothing, {"ignore": "[sex]"}, r"train\.csv has no column 'sex'; its column"),
    "in two lists": (nothing, {"numeric": "[age]", "ignore": "[age]"}, r"column 'age' is named twice in num"),
    "target as a number": (nothing, {"numeric": "[outcome]"}, r"target=outcome cannot also be in numeric"),
    "target ignored": (nothing, {"ignore": "[outcome]"}, r"target=outcome cannot also be in ignore"),
    "id as a category": (nothing, {"categorical": "[key]", "id": "key"}, r"id=key cannot also be in categor"),
    "id and target": (nothing, {"id": "outcome"}, r"target=outcome cannot also be id"),
    "id of a written name": (
        frame("train.csv", lambda t: t.rename(columns={"key": "row"})),
        {"id": "row"},
        r"id=row: a column of the labels that are written has this name",
    ),
    "all ignored": (
        nothing,
        {"ignore": "[key,age,wage,city]"},
        r"train\.csv has no column to learn from \(key: as asked; age: as asked",
    ),
}  # fmt: skip

VALUES = {
    "nine in ten are numbers": (
        cells("train.csv", age={7: "unknown"}),
        {},
        r"train\.csv, column age, row 7: 'unknown' is not a number; mend it, or name it in categorical=\[age",
    ),
    "text in validation": (cells("val.csv", age={3: "?"}), {}, r"val\.csv, column age, row 3: '\?' is not a"),
    "text in test": (
        cells("test.csv", wage={24: "?"}),
        {"test": "test.csv"},
        r"test\.csv, column wage, row 24: '\?' is not a number",
    ),
    "text in pool": (cells("pool.csv", age={30: "4O"}), {}, r"pool\.csv, column age, row 30: '4O' is not a"),
    "text that is no line": (
        cells("pool.csv", age={2: "4\n1" + 99 * "x"}),
        {},
        r"pool\.csv, column age, row 2: '4\\n1x+\.\.\.' is not a number",
    ),
    "dates in pool": (
        arrow("a.parquet", lambda c: c | {"age": [datetime(2024, 1, 2)] * N}, rows=3),
        {"pool": "a.parquet"},
        r"a\.parquet, column age: it holds dates, not numbers",
    ),
    "infinite": (cells("train.csv", age={5: "inf"}), {}, r"train\.csv, column age, row 5: inf is not finite"),
    "infinite in validation": (cells("val.csv", age={5: "-Infinity"}), {}, r"val\.csv, column age, row 5: -"),
    "infinite in pool": (
        npz("a.npz", lambda c: c | {"age": np.where(np.arange(N) == 8, -np.inf, c["age"])}, rows=3),
        {"pool": "a.npz"},
        r"a\.npz, column age, row 9: -inf is not finite",
    ),
    "1e400": (cells("pool.csv", wage={1: "1e400"}), {}, r"pool\.csv, column wage, row 1: 1e400 is not finit"),
    "1e300": (cells("train.csv", wage={4: 1e300}), {}, r"train\.csv, column wage, row 4: 1e\+300 is too lar"),
    "too large once scaled": (
        both(cells("train.csv", age=[1e-9, 0] * 12), cells("pool.csv", age={2: 1e38})),
        {},
        r"pool\.csv, column age, row 2: the value is too large",
    ),
    "no label": (cells("train.csv", outcome={4: ""}), {}, r"train\.csv, column outcome, row 4: there is no"),
    "no label in validation": (cells("val.csv", outcome={6: "NA"}), {}, r"val\.csv, column outcome, row 6:"),
    "no labels": (cells("train.csv", outcome=""), {}, r"train\.csv, column outcome: no labels, but at least"),
    "real numbers": (
        cells("train.csv", outcome=[3.7, 1, 2] * 8),
        {},
        r"train\.csv, column outcome, row 1: '3\.7' is no class, the target must be classes",
    ),
    "one class": (cells("train.csv", outcome="yes"), {}, r"train\.csv, column outcome: the single class yes"),
    "one class in validation": (
        cells("val.csv", outcome="yes"),
        {},
        r"val\.csv, column outcome: all rows are of the single class yes",
    ),
    "new class in validation": (
        cells("val.csv", outcome={2: "maybe"}),
        {},
        r"val\.csv, column outcome, row 2: 'maybe' is none of the known classes, no, yes",
    ),
    "new class in test": (
        cells("test.csv", outcome={2: "Yes"}),
        {"test": "test.csv"},
        r"test\.csv, column outcome, row 2: 'Yes' is none of the known classes, no, yes",
    ),
    "target is an id": (nothing, {"target": "key"}, r"train\.csv, column key: 24 different labels in 24 row"),
    "id twice": (cells("train.csv", key={5: "k0-0"}), {"id": "key"}, r"train\.csv, column key, row 5: .*'k0"),
    "id twice in pool": (
        cells("pool.csv", key={9: "k3-0"}),
        {"id": "key"},
        r"pool\.csv, column key, row 9: the id 'k3-0' is there twice",
    ),
    "id in two files": (
        cells("val.csv", key={9: "k0-0"}),
        {"id": "key"},
        r"val\.csv, column key, row 9: the id 'k0-0' is also in train\.csv",
    ),
    "id in test too": (
        cells("test.csv", key={9: "k1-0"}),
        {"id": "key", "test": "test.csv"},
        r"test\.csv, column key, row 9: the id 'k1-0' is also in val\.csv",
    ),
    "id in pool too": (
        cells("pool.csv", key={9: " k1-0 "}),
        {"id": "key"},
        r"pool\.csv, column key, row 9: the id 'k1-0' is also in val\.csv",
    ),
    "no id in a row": (cells("val.csv", key={9: ""}), {"id": "key"}, r"val\.csv, column key, row 9: there i"),
    "no id in a pool row": (cells("pool.csv", key={9: ""}), {"id": "key"}, r"pool\.csv, column key, row 9:"),
    "empty pool": (frame("pool.csv", lambda t: t[:0]), {}, r"pool\.csv: the pool is empty"),
    "empty Parquet pool": (
        arrow("a.parquet", lambda c: {name: values[:0] for name, values in c.items()}),
        {"pool": "a.parquet"},
        r"a\.parquet: the pool is empty",
    ),
}  # fmt: skip

SETTINGS = {
    "no budget": ({"budget": "0"}, r"budget must be a whole number >= 1, not 0"),
    "half a label": ({"budget": "1.5"}, r"budget must be a whole number >= 1, not 1\.5"),
    "no rounds": ({"rounds": "0"}, r"rounds must be a whole number >= 1, not 0"),
    "many rounds": ({"rounds": "many"}, r"rounds must be auto or a whole number >= 1, not 'many'"),
    "one fold": ({"folds": "1"}, r"folds must be 0, for no cross-fitting, or at least 2"),
    "negative folds": ({"folds": "-1"}, r"folds must be a whole number >= 0, not -1"),
    "no patience": ({"patience": "0"}, r"patience must be a whole number >= 1, not 0"),
    "no labels": ({"max_labels": "0"}, r"max_labels must be a whole number >= 1, not 0"),
    "negative influence": ({"min_influence": "-1"}, r"min_influence must be a number in \[0, inf\], not -1"),
    "one file twice": ({"validation": "train.csv"}, r"validation=\S+ is labeled, too: no row may serve"),
    "no shortlist": ({"shortlist": "0"}, r"shortlist must be a whole number >= 1, not 0"),
    "negative seed": ({"seed": "-1"}, r"seed must be a whole number >= 0, not -1"),
    "time": ({"max_seconds": "soon"}, r"max_seconds must be a number in \[0, inf\], not 'soon'"),
    "text as output": ({"output": "labels.txt"}, r"output must end in \.parquet or \.csv, not 'labels\.txt'"),
    "a folder that nothing is written to": (
        {"labeled": "gone.csv", "output": "new/folder/labels.csv"},
        r"there is no gone\.csv",
    ),
    "a file in the way": ({"output": "train.csv/labels.csv"}, r"train\.csv.* (cannot be made|exists)"),
    "long separator": ({"separator": "::"}, r"separator must be one character, not '::'"),
    "a quote as separator": ({"separator": '"'}, r"separator must be one character.* and no quote, not '\"'"),
    "maybe": ({"audit": "maybe"}, r"audit must be true or false, not 'maybe'"),
    "misspelt": ({"budgett": "3"}, r"there is no setting 'budgett', did you mean budget\?; see --help"),
    "no such strategy": ({"strategy": "salutery"}, r"there is no strategy 'salutery', did you mean salutary"),
    "a human is asked": (
        {"strategy": "margin", "strategy.rerank": None},
        r"only salutary_greedy and salutary label without a human",
    ),
    "true labels": ({"strategy": "salutary_gt"}, r"only salutary_greedy and salutary label without a human"),
    "other Hessian": ({"strategy": "salutary", "strategy.hessian": "pool"}, r"strategy\.hessian=labeled"),
    "negative confidence": ({"strategy.confidence": "-1"}, r"strategy\.confidence must be a number in \[0,"),
    "negative penalty": ({"model.l2": "-1"}, r"model\.l2 must be a positive number, cv or validation, not -"),
    "model": ({"model.l2": "much"}, r"model\.l2 must be a positive number, cv or validation, not 'much'"),
    "lists": ({"numeric": "age"}, r"numeric must be a list of columns such as \[age,city\], not 'age'"),
    "numbers as columns": ({"ignore": "[1,2]"}, r"ignore must be a list of columns such as \[age,city\], no"),
    "no labelled rows": ({"labeled": "null"}, r"set labeled: a file of labelled rows"),
    "no validation rows": ({"validation": "null"}, r"set validation: a file of validation rows"),
    "no pool": ({"pool": "null"}, r"set pool: a file of rows to label"),
    "no target": ({"target": "null"}, r"set target: the column of labels"),
    "empty name": ({"labeled": ""}, r"labeled must be a file of labelled rows, not ''"),
}  # fmt: skip


# as above, of ``salutary-run dataset=table``
FILES_OF_TABLES = {"dataset.validation": "val.csv", "dataset.test": "test.csv"}
TABLES = {
    "no path": (nothing, {"dataset.path": None}, r"dataset\.path"),
    "no target": (nothing, {"dataset.target": None}, r"dataset\.target"),
    "null as target": (nothing, {"dataset.target": "null"}, r"set dataset\.path, a file, and dataset\.targe"),
    "a number as target": (nothing, {"dataset.target": "1"}, r"dataset\.target must be text, not 1"),
    "missing file": (nothing, {"dataset.path": "gone.csv"}, r"dataset=table: there is no gone\.csv"),
    "no such column": (nothing, {"dataset.target": "sex"}, r"rows\.csv has no column 'sex'; its columns are"),
    "no split column": (nothing, {"dataset.split": "part"}, r"rows\.csv has no column 'part'; its columns a"),
    "damaged": (raw("rows.csv", lambda b: b + b'"'), {}, r"rows\.csv, row 81: unexpected end of data"),
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
    "mistake in numbers": (cells("rows.csv", age={7: "?"}), {}, r"rows\.csv, column age, row 7: '\?' is not"),
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
    "text in test": (cells("test.csv", age={3: "?"}), FILES_OF_TABLES, r"test\.csv, column age, row 3: '\?'"),
    "too large in test": (
        both(cells("rows.csv", age=[1e-9, 0] * 40), cells("test.csv", age={3: 1e38})),
        {**FILES_OF_TABLES, "dataset.ignore": "[key]"},
        r"test\.csv, column age, row 3: the value is too large",
    ),
}  # fmt: skip


def left(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def check_one_line(answer, command, message, folder, before):
    status, out, err = answer
    assert status == 1 and out == "", out
    assert err.startswith(f"{command}: ") and len(err.strip().splitlines()) == 1, err
    assert re.search(message, err), err
    assert left(folder) == before


@pytest.mark.parametrize("case", {**FILES, **COLUMNS, **VALUES})
def test_files(case, salutary, tmp_path):
    spoil, settings, message = {**FILES, **COLUMNS, **VALUES}[case]
    spoil(tmp_path)
    before = left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, settings))
    check_one_line(answer, "salutary-label", message, tmp_path, before)


@pytest.mark.parametrize("case", ["truncated Parquet", "text in validation", "no target", "id in two files"])
def test_files_to_audit(case, salutary, tmp_path):
    spoil, settings, message = {**FILES, **COLUMNS, **VALUES}[case]
    spoil(tmp_path)
    before = left(tmp_path)
    arguments = with_changes(LABEL | {"pool": None}, settings | {"audit": "true"})
    check_one_line(
        salutary(cli.main, "salutary-label", *arguments), "salutary-label", message, tmp_path, before
    )


@pytest.mark.parametrize("case", SETTINGS)
def test_settings(case, salutary, tmp_path):
    settings, message = SETTINGS[case]
    before = left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, settings))
    check_one_line(answer, "salutary-label", message, tmp_path, before)


@pytest.mark.parametrize(
    "argument, message",
    [
        ("-m", r"-m is no setting: they are written name=value; see --help"),
        ("--force", r"--force is no setting"),
        ("audit", r"audit"),
        ("budget=[", r"\["),
    ],
)
def test_arguments_that_are_no_settings(argument, message, salutary, tmp_path):
    before = left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, {}), argument)
    check_one_line(answer, "salutary-label", message, tmp_path, before)


def test_what_is_there_is_kept(salutary, tmp_path):
    for name in ("labels.parquet", "labels"):
        (tmp_path / name).write_text("mine")
        before = left(tmp_path)
        answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, {}))
        check_one_line(answer, "salutary-label", f"{name} is there already: force=true", tmp_path, before)
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    "settings",
    [
        {"labeled": "labels/train.csv"},  # in the folder that is written
        {"output": "train.csv"},
        {"pool": "labels.partial/pool.csv"},
    ],
)
def test_inputs_are_never_replaced(settings, salutary, tmp_path):
    for place in ("labels", "labels.partial"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "train.csv").write_bytes((tmp_path / "train.csv").read_bytes())
        (tmp_path / place / "pool.csv").write_bytes((tmp_path / "pool.csv").read_bytes())
    inputs = {path: path.read_bytes() for path in tmp_path.rglob("*.csv")}
    salutary(cli.main, "salutary-label", *with_changes(LABEL, settings | {"force": "true"}))
    assert {path: path.read_bytes() for path in inputs if path.exists()} == inputs


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_no_cuda_device(salutary, tmp_path):
    before = left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, {"device": "cuda"}))
    message = r"device=cuda, but PyTorch finds no CUDA device here; use device=cpu"
    check_one_line(answer, "salutary-label", message, tmp_path, before)


@pytest.mark.parametrize("case", TABLES)
def test_tables_of_experiments(case, salutary, tmp_path):
    spoil, settings, message = TABLES[case]
    spoil(tmp_path)
    before = left(tmp_path)
    shared_table.cache_clear()
    answer = salutary(__main__.main, "salutary-run", *with_changes(EXPERIMENT, settings))
    check_one_line(answer, "salutary-run", message, tmp_path, before)


# Odd tables that are right ------------------------------------------------------------------------


@pytest.fixture
def label(salutary, monkeypatch, tmp_path):
    """Changed settings to what is written: (labels, facts, the page's text)."""
    monkeypatch.setattr(label_page, "small_png", lambda figure: b"")  # drawing takes longest

    def run(**settings):
        arguments = with_changes(LABEL | {"strategy.confidence": "0"}, settings)
        status, _, err = salutary(cli.main, "salutary-label", *arguments)
        assert status == 0, err
        output = tmp_path / settings.get("output", "labels.parquet")
        labels = pd.read_parquet(output) if output.suffix == ".parquet" else pd.read_csv(output)
        assert np.isfinite(labels["influence"].astype(float)).all()
        folder = output.with_suffix("")
        facts = json.loads((folder / "facts.json").read_text())
        assert not list(tmp_path.glob(".*")) and not list(tmp_path.glob("*.partial"))
        return labels, facts, (folder / "audit.html").read_text()

    return run


def test_unseen_categories_are_counted(label, tmp_path):
    cells("val.csv", city={3: "Paris", 5: "Rome"})(tmp_path)
    cells("test.csv", city={1: "Paris"})(tmp_path)
    cells("pool.csv", city=dict.fromkeys(range(1, 31), "Oslo"))(tmp_path)
    _, facts, page = label(test="test.csv")
    unseen = facts["columns"]["unseen_categories"]
    assert unseen == {"validation and test": {"city": 3}, "pool": {"city": 30}}
    assert "<code>city</code> 30" in page


def test_values_may_be_missing_everywhere(label, tmp_path):
    for name in PARTS:
        gaps = {"age": {1: "", 2: "NA", 3: "null"}, "wage": {2: "nan"}, "city": {2: "", 4: "None"}}
        cells(name, **gaps)(tmp_path)
    cells("pool.csv", wage="", city="")(tmp_path)
    _, facts, _ = label()
    assert facts["columns"]["features"] == 2 + 2 + 4  # an indicator a number; a category for none
    assert facts["columns"]["unseen_categories"] == {"validation and test": {}, "pool": {}}


def as_tsv(path):
    PARTS[path.name].to_csv(path.with_suffix(".tsv"), index=False, sep="\t")
    return path.with_suffix(".tsv")


def as_semicolons(path):
    PARTS[path.name].to_csv(path, index=False, sep=";")
    return path


def as_windows_would(path):
    text = "\ufeff" + PARTS[path.name].to_csv(index=False, lineterminator="\r\n") + "\r\n\r\n"
    path.write_bytes(text.encode())
    return path


def as_quoted(path):
    PARTS[path.name].to_csv(path, index=False, quoting=csv.QUOTE_ALL)
    return path


def as_gz(path):
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def as_parquet(path):
    PARTS[path.name].to_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def as_feather(path):
    PARTS[path.name].to_feather(path.with_suffix(".feather"))
    return path.with_suffix(".feather")


def as_npz(path):
    columns = {name: values.to_numpy() for name, values in PARTS[path.name].items()}
    columns = {n: values.astype(str) if values.dtype == object else values for n, values in columns.items()}
    np.savez_compressed(path.with_suffix(".npz"), **columns)
    return path.with_suffix(".npz")


def as_folder(path):
    folder = path.with_suffix("")
    folder.mkdir()
    for number, rows in enumerate((slice(0, 1), slice(1, 1), slice(1, 17), slice(17, None))):
        PARTS[path.name][rows].to_parquet(folder / f"part-{number}.parquet", index=False)
    (folder / "README.txt").write_text("not a table")
    return folder


FORMS = [as_tsv, as_semicolons, as_windows_would, as_quoted, as_gz, as_parquet, as_feather, as_npz, as_folder]


@pytest.fixture(scope="module")
def from_csv():
    return {}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_labels(form, label, from_csv, tmp_path):
    if not from_csv:
        from_csv["labels"] = label(output="plain.csv", id="key")[0]
    expected = from_csv["labels"]
    files = {name: form(tmp_path / f"{file}.csv").name for name, file in
             {"labeled": "train", "validation": "val", "pool": "pool"}.items()}  # fmt: skip
    separator = {"separator": ";"} if form is as_semicolons else {}
    found, _, _ = label(output="again.csv", id="key", **files, **separator)
    assert len(found) == 2
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)


NAMES = [
    "a name",
    'it\'s "so"',
    "x=y",
    "größe ✓",
    "<script>alert(1)</script>",
    "{{ 1 }}",
    "[x]",
    "a.1",
    "50%",
]


@pytest.mark.parametrize("odd", NAMES)
def test_any_name_will_do(odd, label, tmp_path):
    new = {"city": odd, "age": f"{odd} 2", "outcome": f"{odd} 3", "key": f"{odd} 4"}
    for name in PARTS:
        change = frame(name, lambda table: table.rename(columns=new).replace("Ulm", odd).replace("yes", odd))
        change(tmp_path)
    labels, facts, page = label(target=f"{odd} 3", id=f"{odd} 4", output="out.parquet")
    assert f"{odd} 4" in labels and facts["columns"]["categorical"] == [odd]
    assert set(facts["classes"]) == {"no", odd}
    assert "<script>alert" not in page and "<td>2</td>" not in page.split("<h2>Columns")[1][:900]
    assert str(escape(odd)) in page


def test_a_dot_in_a_name_of_a_parquet_column(label, tmp_path):
    for name in ("train", "val", "pool"):
        table = PARTS[f"{name}.csv"].rename(columns={"wage": "age.1"})
        table.to_parquet(tmp_path / f"{name}.parquet", index=False)
    settings = {"labeled": "train.parquet", "validation": "val.parquet", "pool": "pool.parquet"}
    _, facts, _ = label(**settings, ignore="[age.1,key]")
    assert facts["columns"]["numeric"] == ["age"]


PLACES = ["a folder", 'it\'s "so"', "(1),2", "x=y", "größe", "[b]", "a;b&c", "back\\slash"]


@pytest.mark.parametrize("place", PLACES)
def test_any_place_will_do(place, label, tmp_path):
    (tmp_path / place).mkdir()
    files = {"labeled": "train.csv", "validation": "val.csv", "pool": "pool.csv"}
    moved = {name: f"./{place}/{file}" for name, file in files.items()}
    for file in files.values():
        (tmp_path / file).rename(tmp_path / place / file)
    _, facts, page = label(**moved, output=f"./{place}/out.csv")
    assert facts["command"]["pool"] == moved["pool"] and str(escape(moved["pool"])) in page


def test_a_place_that_looks_like_markup(label, tmp_path):
    (tmp_path / "[").mkdir()
    label(output="[/x].csv")


def test_kinds_of_arrow(label, tmp_path):
    import pyarrow as pa
    from pyarrow import feather, parquet

    def table(name):
        found = PARTS[name]
        rows = np.arange(len(found))
        columns = {column: pa.array(found[column]) for column in found if column in ("age", "outcome")}
        columns |= {
            "city": pa.array(found["city"]).dictionary_encode(),
            "codes": pa.array(rows % 3, pa.int8()).dictionary_encode(),
            "flag": pa.array([None if row % 7 == 0 else bool(row % 2) for row in rows]),
            "price": pa.array([Decimal(int(row)) / 4 for row in rows], pa.decimal128(9, 2)),
            "exact": pa.array(
                [Decimal(10**20 + int(row) ** 2 * 10**9) for row in rows], pa.decimal128(38, 0)
            ),
            "half": pa.array(rows.astype(np.float16) % 5),
            "small": pa.array(rows % 5, pa.uint8()),
            "gaps": pa.array([None if row % 5 == 0 else int(row) % 4 for row in rows]),
            "nothing": pa.nulls(len(rows)),
            "at": pa.array([datetime(2024, 1, 1 + row % 9) for row in rows]),
            "zone": pa.array(rows, pa.timestamp("s", "Europe/Berlin")),
            "day": pa.array([date(2024, 1, 1 + row % 9) for row in rows]),
            "far": pa.array(10**7 + rows, pa.int32()).view(pa.date32()),
            "clock": pa.array(rows, pa.int32()).view(pa.time32("s")),
            "span": pa.array(rows, pa.int64()).view(pa.duration("s")),
            "text": pa.array(found["city"], pa.large_string()),
            "list": pa.array([[1]] * len(rows)),
        }
        return pa.table(columns)

    parquet.write_table(table("train.csv"), tmp_path / "train.parquet")
    parquet.write_table(table("pool.csv").drop_columns(["nothing", "at"]), tmp_path / "pool.parquet")
    feather.write_feather(table("val.csv"), tmp_path / "val.feather")
    _, facts, _ = label(
        labeled="train.parquet", validation="val.feather", pool="pool.parquet", ignore="[list]"
    )
    columns = facts["columns"]
    assert set(columns["numeric"]) == {"age", "price", "exact", "half", "small", "gaps", "codes"}
    assert set(columns["categorical"]) == {"city", "flag", "text"}
    left_out = {"nothing", "at", "zone", "day", "far", "clock", "span", "list"}
    assert set(columns["left_out"]) == left_out and columns["left_out"]["list"] == "as asked"
    assert all(
        columns["left_out"][name].startswith("dates") for name in left_out - {"nothing", "list", "far"}
    )


def test_codes_are_categories(label, tmp_path):
    for name in PARTS:
        cells(name, city=["00501", "00544", "06390"] * (len(PARTS[name]) // 3))(tmp_path)
        text = (tmp_path / name).read_text().replace(",501", ",00501").replace(",544", ",00544")
        (tmp_path / name).write_text(text)
    _, facts, _ = label()
    assert facts["columns"]["categorical"] == ["city"] and facts["columns"]["features"] == 2 + 3


def test_texts_with_commas_quotes_and_line_ends(label, tmp_path):
    for name in PARTS:
        odd = frame(name, lambda t: t.replace({"city": {"Ulm": 'a "b",\nc', "Bonn": "x,y"}}))
        odd(tmp_path)
    _, facts, _ = label()
    assert facts["columns"]["features"] == 2 + 3


def test_few_rows(label, tmp_path):
    for name in ("train.csv", "val.csv"):
        frame(name, lambda t: pd.concat([t[t["outcome"] == each][:2] for each in ("yes", "no")]))(tmp_path)
    frame("pool.csv", lambda t: t[:1])(tmp_path)
    _, facts, _ = label(folds="5", budget="10", rounds="auto")
    assert facts["pool_rows"] == 1 and sum(facts["counts"]["labeled"].values()) == 4


def test_labels_may_be_truth_values_and_numbers_with_a_point(label, tmp_path):
    for spelling in (["True", "False"], ["1.0", "0.0"]):
        for name in ("train.csv", "val.csv"):
            PARTS[name].replace({"outcome": dict(zip(["yes", "no"], spelling, strict=True))}).to_csv(
                tmp_path / name, index=False
            )
        labels, facts, _ = label(output="out.csv", force="true")
        assert facts["classes"] == (["False", "True"] if "True" in spelling else ["0", "1"])
        assert set(labels["label"].astype(str)) <= set(facts["classes"])
    values = PARTS["train.csv"]["outcome"] == "yes"
    for name, kind in (("a.parquet", bool), ("b.parquet", float)):
        PARTS["train.csv"].assign(outcome=values.astype(kind)).to_parquet(tmp_path / name, index=False)
    PARTS["val.csv"].replace({"outcome": {"yes": "1", "no": "0"}}).to_csv(tmp_path / "val.csv", index=False)
    assert label(labeled="b.parquet", output="b.csv")[1]["classes"] == ["0", "1"]
    PARTS["val.csv"].replace({"outcome": {"yes": "True", "no": "False"}}).to_csv(
        tmp_path / "val.csv", index=False
    )
    assert label(labeled="a.parquet", output="a.csv")[1]["classes"] == ["False", "True"]


def test_row_numbers_that_pandas_wrote_are_no_feature(label, tmp_path):
    for name in PARTS:
        shuffled = PARTS[name].sample(frac=1, random_state=0)
        shuffled.to_csv(tmp_path / name)
        shuffled.to_parquet(tmp_path / f"{name}.parquet")
    left_out = label()[1]["columns"]["left_out"]
    assert left_out["(unnamed)"] == "ids"
    columns = label(labeled="train.csv.parquet", output="b.csv", validation="val.csv")[1]["columns"]
    assert columns["left_out"]["__index_level_0__"] == "ids" and columns["numeric"] == ["age", "wage"]


def test_names_of_features_may_coincide(label, tmp_path):
    for name in PARTS:
        table = PARTS[name].assign(
            city_Ulm=PARTS[name]["wage"] ** 2, missingindicator_age=PARTS[name]["wage"]
        )
        table.loc[::5, "age"] = None
        table.to_csv(tmp_path / name, index=False)
    assert label()[1]["columns"]["features"] == 4 + 1 + 3


def test_the_audit_page_shows_names_as_text(salutary, tmp_path):
    new = {"city": "<b>", "key": "<i>", "outcome": "<u>"}
    for name in PARTS:
        frame(name, lambda table: table.rename(columns=new).replace({"yes": "<s>", "k0-3": "<em>"}))(tmp_path)
    arguments = with_changes(LABEL, {"pool": None, "target": "<u>", "id": "<i>", "audit": "true"})
    status, _, err = salutary(cli.main, "salutary-label", *arguments)
    assert status == 0, err
    page = (tmp_path / "audit" / "audit.html").read_text()
    assert "&lt;i&gt;" in page and "&lt;s&gt;" in page
    assert not {"<i>", "<u>", "<s>", "<em>"} & set(re.findall(r"<\w+>", page))


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
