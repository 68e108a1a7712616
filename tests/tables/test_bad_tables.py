"""Tables that are wrong get one line, that names file, column and row, and leave nothing behind."""

import gzip
from datetime import datetime

import numpy as np
import pytest
from spoilt_tables import (
    LABEL,
    N,
    arrow,
    both,
    cells,
    check_one_line,
    folder_of,
    frame,
    left,
    no_city,
    nothing,
    npz,
    packed,
    raw,
    truncated,
    with_changes,
    without,
)

from salutary.labeling import cli

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)


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
        {"labeled": "a.npz", "categorical": "[city]"},
        r"a\.npz, column city: it holds objects, which are not read: save texts as np\.array",
    ),
    "lengths": (
        npz("a.npz", lambda c: c | {"age": np.arange(3.0)}),
        {"labeled": "a.npz"},
        r"a\.npz holds arrays of different lengths: key 24, age 3",
    ),
    "three dimensions": (
        npz("a.npz", lambda c: c | {"X": np.zeros((24, 2, 2))}),
        {"labeled": "a.npz", "numeric": "[X]"},
        r"a\.npz, column X: it holds float64 \(24, 2, 2\), no columns",
    ),
    "complex numbers": (
        npz("a.npz", lambda c: c | {"age": np.full(24, 1j)}),
        {"validation": "a.npz"},
        r"a\.npz, column age: it holds complex128",
    ),
    "one name for two arrays": (
        npz("a.npz", lambda c: c | {"X": np.zeros((24, 2)), "X1": np.zeros(24)}),
        {"labeled": "a.npz"},
        r"a\.npz has more than one column 'X1'",
    ),
    "no Unicode": (
        npz("a.npz", lambda c: c | {"city": np.array(["a", "\ud800"] * 12)}),
        {"validation": "a.npz"},
        r"a\.npz, column city: its row 2 is no Unicode text",
    ),
    "nested": (
        arrow("a.parquet", lambda c: c | {"city": [[1, 2]] * N}),
        {"labeled": "a.parquet", "categorical": "[city]"},
        r"a\.parquet, column city: it holds list<.*>, not numbers or text",
    ),
    "bytes": (
        arrow("a.parquet", lambda c: c | {"outcome": [b"x"] * N}),
        {"labeled": "a.parquet"},
        r"a\.parquet, column outcome: it holds binary, not numbers or text",
    ),
    "folder of two tables": (
        folder_of("d", arrow("d/a.parquet", rows=3), arrow("d/b.parquet", no_city, rows=5)),
        {"pool": "d"},
        r"d, column city: d/b\.parquet has none",
    ),
    "folder of two kinds": (
        folder_of("d", arrow("d/a.parquet"), arrow("d/b.parquet", lambda c: c | {"age": ["x"] * N})),
        {"pool": "d"},
        r"d, column age: it holds string in d/b\.parquet, but double in d/a\.parquet",
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
        r"train\.csv has no column to learn from \(age: no values; wage: no values but 'NA'\)",
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
        r"row 7: 'unknown' is not a number; mend it, or set missing=\[unknown\] or categorical=\[age\] \(1",
    ),
    "text in validation": (cells("val.csv", age={3: "x"}), {}, r"val\.csv, column age, row 3: 'x' is not a"),
    "text in test": (
        cells("test.csv", wage={24: "x"}),
        {"test": "test.csv"},
        r"test\.csv, column wage, row 24: 'x' is not a number",
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
