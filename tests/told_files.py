"""Files that are read, and the line with which the terminal tells what of them may be meant otherwise.

Cases as in :mod:`bad_files`, but that the line is one of those that are told; None where there is nothing to
tell.
"""

import numpy as np
from bad_files import moments
from spoilt_tables import (
    N,
    arrow,
    both,
    cells,
    everywhere,
    folder_of,
    frame,
    no_city,
    nothing,
    npz,
    raw,
    text,
    written_as,
)


def in_turn(name, values):
    """These values of a column, again and again, in all files."""
    return everywhere(
        lambda file: frame(file, lambda table: table.assign(**{name: np.resize(values, len(table))}))
    )


NOTHING_TO_TELL = {
    "a first line sep=; as Excel wants it": (text("train.csv", lambda t: "sep=;\r\n" + t.replace(",", ";")), {}),
    "a byte order mark, Windows' line ends, blank lines below": (
        text("train.csv", lambda t: "\ufeff" + t.replace("\n", "\r\n") + "\r\n\r\n"), {}),
    "line ends of an old Mac": (text("train.csv", lambda t: t.replace("\n", "\r")), {}),
    "empty values beyond the last column": (
        text("train.csv", lambda t: t.replace("\n", ",,\n").replace(",,\n", "\n", 1)), {}),
    "two columns of one name, ignored": (
        raw("train.csv", lambda b: b.replace(b"wage", b"key", 1)), {"ignore": "[key]"}),
    "_SUCCESS, ._part and .crc files beside the parts": (
        folder_of("d", arrow("d/a.parquet", rows=3), raw("d/_SUCCESS", ""), raw("d/._a.parquet", b"\0\5\26"),
                  raw("d/.a.parquet.crc", "crc")),
        {"pool": "d"}),
    "a folder city=Ulm, where the column is none of the parts'": (
        folder_of("d", arrow("d/city=Ulm/a.parquet", no_city, rows=3)), {"pool": "d"}),
    "parts with columns in another order, one without rows": (
        folder_of("d", arrow("d/a.parquet", rows=3), arrow("d/b.parquet", lambda c: dict(reversed(c.items()))),
                  arrow("d/c.parquet", lambda c: {name: each[:0] for name, each in c.items() if name != "x"})),
        {"pool": "d"}),
    "columns in the pool that no other file has": (
        frame("pool.csv", lambda t: t.assign(note="x" * 200_000, more=1)), {}),
}  # fmt: skip

LEFT_OUT = {
    "an unnamed column without values": (text("train.csv", lambda t: t.replace("\n", ",\n")), {}, "train.csv: left out (unnamed) (no values)"),
    "unnamed row numbers, as pandas writes": (frame("train.csv", lambda t: t.reset_index().rename(columns={"index": ""})), {}, "train.csv: left out (unnamed) (row numbers)"),
    "a column id of different numbers": (frame("train.csv", lambda t: t.assign(row_id=np.arange(N)[::-1] * 7)), {}, "train.csv: left out row_id (ids)"),
    "dates": (frame("train.csv", lambda t: t.assign(day="2024-01-02")), {}, "train.csv: left out day (dates: make numbers of them yourself)"),
    "dates with NA among them": (frame("train.csv", lambda t: t.assign(day=["2024-01-02", "NA"] * 12)), {}, "train.csv: left out day (dates: make numbers of them yourself)"),
    "texts that all differ": (frame("train.csv", lambda t: t.assign(note=[f"{row} is {row**3}" for row in range(N)])), {}, "train.csv: left out key, note (ids or free text (24 different values in 24 rows))"),
    "a constant": (frame("train.csv", lambda t: t.assign(flat=3)), {}, "train.csv: left out flat (constant)"),
    "nothing but markers": (frame("train.csv", lambda t: t.assign(flat="NA")), {}, "train.csv: left out flat (no values but 'NA')"),
    "a time zone that nobody knows": (
        arrow("a.parquet", lambda c: c | {"at": moments("Mars/Olympus")}), {"labeled": "a.parquet"}, "a.parquet: left out at (it holds timestamp[ms, tz=Mars/Olympus], not numbers or text)"),
    "lists, structs, binary": (
        arrow("a.parquet", lambda c: c | {"tags": [[1]] * N}), {"labeled": "a.parquet"}, "a.parquet: left out tags (it holds list<element: int64>, not numbers or text)"),
    "a column that a part lacks": (
        folder_of("d", arrow("d/a.parquet"), arrow("d/b.parquet", no_city, rows=5)), {"labeled": "d"}, "d: left out city (d/b.parquet has none)"),
    "NPZ: an array of objects": (
        npz("a.npz", lambda c: c | {"notes": np.array([None] * N)}), {"labeled": "a.npz"}, "a.npz: left out notes (it holds objects, which are not read: save texts as np.array(values, str))"),
    "NPZ: a single number": (npz("a.npz", lambda c: c | {"version": np.array(3)}), {"labeled": "a.npz"}, "a.npz: left out version (it holds int64 (), no columns of numbers or text)"),
}  # fmt: skip

TAKEN = {
    "`#NAME?` among numbers, of Excel": (cells("train.csv", age={2: "#NAME?"}), {}, "train.csv: '#NAME?' means no value in columns of numbers: age (1, row 2)"),
    "`?` among numbers, of UCI": (cells("train.csv", age={2: "?", 5: "?"}), {}, "train.csv: '?' means no value in columns of numbers: age (2, row 2)"),
    "`.` among numbers, of SAS": (cells("train.csv", age={2: "."}), {}, "train.csv: '.' means no value in columns of numbers: age (1, row 2)"),
    "`\\N` among numbers, of Hive": (cells("train.csv", age={2: "\\N"}), {}, "train.csv: '\\\\N' means no value in columns of numbers: age (1, row 2)"),
    "`n.a.` among few numbers": (cells("train.csv", age={2: "n.a.", 5: "n.a.", 8: "n.a."}), {}, "train.csv, column age, row 2: it is left out as free text for values such as 'n.a.', but 21 of 24 are numbers with missing=[n.a.]"),
    "1,234": (written_as("age", lambda age: f"{1000 + 7 * age:,.0f}"), {}, "train.csv, column age, row 1: it is left out as free text for values such as '1,288', but 24 of 24 are numbers with thousands=\",\""),
    "0,5": (written_as("age", lambda age: f"{age:.1f}".replace(".", ",")), {}, "train.csv, column age, row 1: it is left out as free text for values such as '41,1', but 24 of 24 are numbers with decimal=\",\""),
    "1.234,5": (written_as("age", lambda age: f"1.{age:03.0f},5"), {}, "train.csv, column age, row 1: it is taken for categories for values such as '1.041,5', but 24 of 24 are numbers with decimal=\",\" thousands=\".\""),
    "points, with decimal=,": (nothing, {"decimal": ","}, "train.csv, column age, row 1: it is left out as free text for values such as '41.1', but 24 of 24 are numbers with decimal=\".\""),
    "5%": (written_as("age", lambda age: f"{age}%"), {}, "train.csv, column age, row 1: it is left out as free text for values such as '41.1%', but 24 of 24 are numbers with units=[%]"),
    "3.9 kg": (written_as("wage", lambda wage: f"{wage} kg"), {}, "train.csv, column wage, row 1: it is left out as free text for values such as '3.9 kg', but 24 of 24 are numbers with units=[kg]"),
    "$3.9": (written_as("wage", lambda wage: f"${wage}"), {}, "train.csv, column wage, row 1: it is left out as free text for values such as '$3.9', but 24 of 24 are numbers with 'units=[\"$\"]'"),
    "codes such as 00501": (in_turn("city", ["00501", "10115", "20095"]), {}, "train.csv, column city, row 1: it is taken for categories for values such as '00501', but 24 of 24 are numbers with numeric=[city]"),
    "NA among categories": (cells("train.csv", city={2: "NA"}), {}, "train.csv: 'NA' is a category of its own: city (1, row 2); it means no value with missing=[NA]"),
    "`\\N` among categories": (cells("train.csv", city={2: "\\N"}), {}, "train.csv: '\\\\N' is a category of its own: city (1, row 2); it means no value with 'missing=[\"\\N\"]'"),
    "1.1 and 1.10, categories": (in_turn("city", ["1.1", "1.10", "2.0"]), {"categorical": "[city]"}, "train.csv, column city: '1.1' and '1.10' are one category, 1.1"),
    "a class called NA": (both(cells("train.csv", outcome={2: "NA"}), cells("val.csv", outcome={2: "NA"})), {}, "train.csv: 'NA' is a class: outcome (1, row 2); leave the label empty where there is none"),
    "classes Yes and yes": (cells("train.csv", outcome={1: "Yes"}), {}, "train.csv, column outcome: 'Yes' and 'yes' are two classes, which differ in capitals only"),
    "a fifth of the pool has a category that no row with a label has": (
        cells("pool.csv", city=dict.fromkeys(range(1, 7), "Oslo")), {}, "pool.csv, column city: 6 of 30 rows have a category that the rows with labels lack, such as 'Oslo'"),
    "a column that is empty in the pool": (cells("pool.csv", wage=""), {}, "pool.csv, column wage: 30 of 30 rows have no value, as no row with a label has"),
}  # fmt: skip
