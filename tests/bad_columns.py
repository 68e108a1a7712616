"""Files that are wrong, and the one line that each gets: columns, values, classes, ids.

A case is what the file is, as docs/bad_files.md says it, what is done to the files of the command, its
settings, and the line; what other packages say is not in it ("...").
"""

from datetime import datetime

import numpy as np
from spoilt_tables import (
    N,
    arrow,
    both,
    cells,
    everywhere,
    frame,
    nothing,
    npz,
    raw,
    without,
)

COLUMNS = {
    "no such target": (
        nothing,
        {"target": "result"},
        "train.csv has no column 'result'; its columns are key, age, wage, city, outcome",
    ),
    "no target in validation": (
        without("val.csv", "outcome"),
        {},
        "val.csv has no column 'outcome'; its columns are key, age, wage, city",
    ),
    "no target in test": (
        without("test.csv", "outcome"),
        {"test": "test.csv"},
        "test.csv has no column 'outcome'; its columns are key, age, wage, city",
    ),
    "no such id": (
        nothing,
        {"id": "name"},
        "train.csv has no column 'name'; its columns are key, age, wage, city, outcome",
    ),
    "no id in validation": (
        without("val.csv", "key"),
        {"id": "key"},
        "val.csv has no column 'key'; its columns are age, wage, city, outcome",
    ),
    "no id in pool": (
        without("pool.csv", "key"),
        {"id": "key"},
        "pool.csv has no column 'key'; its columns are age, wage, city",
    ),
    "validation rows lack a column": (
        without("val.csv", "city"),
        {},
        "val.csv has no column 'city'; its columns are key, age, wage, outcome",
    ),
    "test rows lack a column": (
        without("test.csv", "age"),
        {"test": "test.csv"},
        "test.csv has no column 'age'; its columns are key, wage, city, outcome",
    ),
    "pool rows lack a column": (
        without("pool.csv", "wage"),
        {},
        "pool.csv has no column 'wage'; its columns are key, age, city",
    ),
    "two columns of one name": (
        raw("train.csv", lambda b: b.replace(b"wage", b"age", 1)),
        {},
        "train.csv has more than one column 'age'; its columns are key, age, age, city, outcome",
    ),
    "two columns of one name in the pool": (
        raw("pool.csv", lambda b: b.replace(b"wage", b"age", 1)),
        {},
        "pool.csv has more than one column 'age'; its columns are key, age, age, city",
    ),
    "two targets in the pool": (
        raw("pool.csv", b"age,wage,city,outcome,outcome\n1,2,Ulm,yes,no\n"),
        {},
        "pool.csv has more than one column 'outcome'; its columns are age, wage, city, outcome, outcome",
    ),
    "a name with a NUL": (
        arrow("a.parquet", lambda c: c | {"x\0": c["age"]}),
        {"labeled": "a.parquet"},
        "a.parquet has the column 'x\\x00': a name cannot hold a NUL",
    ),
    "a name of two lines": (
        raw("val.csv", b'"a\nb",age\n1,2\n'),
        {},
        "val.csv has no column 'wage'; its columns are 'a\\nb', age",
    ),
    "nothing but constants": (
        cells("train.csv", age=1, wage=2, city="Ulm", key="k"),
        {},
        "train.csv has no column to learn from (age: constant; wage: constant; key: constant; city: constant)",
    ),
    "nothing but ids, dates and row numbers": (
        frame("train.csv", lambda t: t[["key", "outcome"]].assign(day="2024-01-02", n=range(N))),
        {},
        "train.csv has no column to learn from (key: ids or free text (24 different values in 24 rows); day: dates: make numbers of them yourself; n: row numbers)",
    ),
    "nothing but the target": (
        frame("train.csv", lambda t: t[["outcome"]]),
        {},
        "train.csv has no column to learn from (there is only the target)",
    ),
    "columns without values": (
        frame("train.csv", lambda t: t[["outcome"]].assign(age="", wage="NA")),
        {},
        "train.csv has no column to learn from (age: no values; wage: no values but 'NA')",
    ),
    "text, asked to be numbers": (
        nothing,
        {"numeric": "[city]"},
        "train.csv, column city, row 1: 'Bonn' is not a number",
    ),
    "dates, asked to be numbers": (
        arrow("a.parquet", lambda c: c | {"day": [datetime(2024, 1, 2)] * N}),
        {"labeled": "a.parquet", "numeric": "[day]"},
        "a.parquet, column day: it holds dates, not numbers",
    ),
    "a list names no column": (
        nothing,
        {"numeric": "[sex]"},
        "train.csv has no column 'sex' to use as numeric or categorical",
    ),
    "a list of columns to ignore names none": (
        nothing,
        {"ignore": "[sex]"},
        "train.csv has no column 'sex'; its columns are key, age, wage, city, outcome",
    ),
    "a column in two lists": (
        nothing,
        {"numeric": "[age]", "ignore": "[age]"},
        "column 'age' is named twice in numeric, categorical and ignore",
    ),
    "the target in a list": (nothing, {"numeric": "[outcome]"}, "target=outcome cannot also be in numeric"),
    "the target ignored": (nothing, {"ignore": "[outcome]"}, "target=outcome cannot also be in ignore"),
    "the id in a list": (
        nothing,
        {"categorical": "[key]", "id": "key"},
        "id=key cannot also be in categorical",
    ),
    "one column as id and target": (nothing, {"id": "outcome"}, "target=outcome cannot also be id"),
    "the id is called as a column that is written": (
        frame("train.csv", lambda t: t.rename(columns={"key": "row"})),
        {"id": "row"},
        "id=row: a column of the labels that are written has this name, rename it",
    ),
    "everything ignored": (
        nothing,
        {"ignore": "[key,age,wage,city]"},
        "train.csv has no column to learn from (key: as asked; age: as asked; wage: as asked; city: as asked)",
    ),
}

VALUES = {
    "a text among numbers": (
        cells("train.csv", age={7: "unknown"}),
        {},
        "train.csv, column age, row 7: 'unknown' is not a number; mend it, or set missing=[unknown] or categorical=[age] (1 of 24 values are none)",
    ),
    "a text among numbers of validation": (
        cells("val.csv", age={3: "x"}),
        {},
        "val.csv, column age, row 3: 'x' is not a number",
    ),
    "a text among numbers of the test rows": (
        cells("test.csv", wage={24: "x"}),
        {"test": "test.csv"},
        "test.csv, column wage, row 24: 'x' is not a number",
    ),
    "a letter O for a zero, in the pool": (
        cells("pool.csv", age={30: "4O"}),
        {},
        "pool.csv, column age, row 30: '4O' is not a number",
    ),
    "a long text of two lines among numbers": (
        cells("pool.csv", age={2: "4\n1" + 99 * "x"}),
        {},
        "pool.csv, column age, row 2: '4\\n1xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...' is not a number",
    ),
    "dates where numbers were": (
        arrow("a.parquet", lambda c: c | {"age": [datetime(2024, 1, 2)] * N}, rows=3),
        {"pool": "a.parquet"},
        "a.parquet, column age: it holds dates, not numbers",
    ),
    "inf": (cells("train.csv", age={5: "inf"}), {}, "train.csv, column age, row 5: inf is not finite"),
    "-Infinity": (
        cells("val.csv", age={5: "-Infinity"}),
        {},
        "val.csv, column age, row 5: -Infinity is not finite",
    ),
    "NPZ: -inf": (
        npz("a.npz", lambda c: c | {"age": np.where(np.arange(N) == 8, -np.inf, c["age"])}, rows=3),
        {"pool": "a.npz"},
        "a.npz, column age, row 9: -inf is not finite",
    ),
    "1e400": (cells("pool.csv", wage={1: "1e400"}), {}, "pool.csv, column wage, row 1: 1e400 is not finite"),
    "1e300": (cells("train.csv", wage={4: 1e300}), {}, "train.csv, column wage, row 4: 1e+300 is too large"),
    "a value that is huge beside the others": (
        both(cells("train.csv", age=[1e-9, 0] * 12), cells("pool.csv", age={2: 1e38})),
        {},
        "pool.csv, column age, row 2: the value is too large",
    ),
    "missing values of SAS, .A and .B": (
        everywhere(lambda n: cells(n, age={2: ".A", 5: ".B"})),
        {},
        "train.csv, column age, row 2: '.A' is not a number; mend it, or set 'missing=[\".A\",\".B\"]' or categorical=[age] (2 of 24 values are none)",
    ),
    "digits of another script": (
        cells("train.csv", age={2: "\u0663"}),
        {},
        "train.csv, column age, row 2: '٣' is not a number; mend it, or set 'missing=[\"٣\"]' or categorical=[age] (1 of 24 values are none)",
    ),
    "a single decimal comma": (
        cells("train.csv", age={2: "1,5"}),
        {},
        "train.csv, column age, row 2: '1,5' is not a number; mend it, or set 'missing=[\"1,5\"]' or categorical=[age] (1 of 24 values are none)",
    ),
    "a unit in the pool only": (
        cells("pool.csv", wage="3 kg"),
        {},
        "pool.csv, column wage, row 1: '3 kg' is not a number; units=[kg] reads it",
    ),
    "a category that means something else in the pool": (
        cells("pool.csv", city="8"),
        {},
        "pool.csv, column city: not one of its 30 values, such as '8', is known from the rows with labels (Bonn, Köln, Ulm); ignore=[city] does without it",
    ),
    "ids that are one number": (
        cells("train.csv", key={1: "7.0", 2: "7"}),
        {"id": "key"},
        "train.csv, column key, row 2: the id '7' is there twice",
    ),
    "a sentence as decimal": (nothing, {"decimal": "comma"}, "decimal must be one character, not 'comma'"),
    "one mark for two": (
        nothing,
        {"decimal": ",", "thousands": ","},
        "decimal=',' and thousands=',' must differ, and be no digits",
    ),
    "an empty pool": (frame("pool.csv", lambda t: t[:0]), {}, "pool.csv: the pool is empty"),
    "a .parquet without rows as the pool": (
        arrow("a.parquet", lambda c: {name: values[:0] for name, values in c.items()}),
        {"pool": "a.parquet"},
        "a.parquet: the pool is empty",
    ),
}

CLASSES = {
    "a row without a label": (
        cells("train.csv", outcome={4: ""}),
        {},
        "train.csv, column outcome, row 4: there is no label (rows without one are the pool's)",
    ),
    "a label called NA that no labelled row has": (
        cells("val.csv", outcome={6: "NA"}),
        {},
        "val.csv, column outcome, row 6: 'NA' is none of the known classes, no, yes",
    ),
    "no labels": (
        cells("train.csv", outcome=""),
        {},
        "train.csv, column outcome: no labels, but at least two classes are needed",
    ),
    "real numbers as labels": (
        cells("train.csv", outcome=[3.7, 1, 2] * 8),
        {},
        "train.csv, column outcome, row 1: '3.7' is no class, the target must be classes",
    ),
    "a single class": (
        cells("train.csv", outcome="yes"),
        {},
        "train.csv, column outcome: the single class yes, but at least two classes are needed",
    ),
    "a single class in validation": (
        cells("val.csv", outcome="yes"),
        {},
        "val.csv, column outcome: all rows are of the single class yes",
    ),
    "a class that only validation has": (
        cells("val.csv", outcome={2: "maybe"}),
        {},
        "val.csv, column outcome, row 2: 'maybe' is none of the known classes, no, yes",
    ),
    "a class in other capitals": (
        cells("test.csv", outcome={2: "Yes"}),
        {"test": "test.csv"},
        "test.csv, column outcome, row 2: 'Yes' is none of the known classes, no, yes",
    ),
    "ids as the target": (
        nothing,
        {"target": "key"},
        "train.csv, column key: 24 different labels in 24 rows are no classes; is it the target?",
    ),
}

IDS = {
    "an id twice": (
        cells("train.csv", key={5: "k0-0"}),
        {"id": "key"},
        "train.csv, column key, row 5: the id 'k0-0' is there twice",
    ),
    "an id twice in the pool": (
        cells("pool.csv", key={9: "k3-0"}),
        {"id": "key"},
        "pool.csv, column key, row 9: the id 'k3-0' is there twice",
    ),
    "an id in two files": (
        cells("val.csv", key={9: "k0-0"}),
        {"id": "key"},
        "val.csv, column key, row 9: the id 'k0-0' is also in train.csv",
    ),
    "an id of validation in the test rows": (
        cells("test.csv", key={9: "k1-0"}),
        {"id": "key", "test": "test.csv"},
        "test.csv, column key, row 9: the id 'k1-0' is also in val.csv",
    ),
    "an id of validation in the pool, with spaces": (
        cells("pool.csv", key={9: " k1-0 "}),
        {"id": "key"},
        "pool.csv, column key, row 9: the id 'k1-0' is also in val.csv",
    ),
    "a row without an id": (
        cells("val.csv", key={9: ""}),
        {"id": "key"},
        "val.csv, column key, row 9: there is no id",
    ),
    "a pool row without an id": (
        cells("pool.csv", key={9: ""}),
        {"id": "key"},
        "pool.csv, column key, row 9: there is no id",
    ),
}
