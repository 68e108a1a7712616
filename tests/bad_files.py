"""Files that are wrong, and the one line that each gets: forms, CSV, Parquet, NPZ.

A case is what the file is, as docs/bad_files.md says it, what is done to the files of the command, its
settings, and the line; what other packages say is not in it ("...").
"""

import gzip

import numpy as np
from spoilt_tables import (
    N,
    arrow,
    both,
    folder_of,
    no_city,
    nothing,
    npz,
    packed,
    raw,
    text,
    truncated,
)

FILES = {
    "no such file": (nothing, {"labeled": "gone.csv"}, "there is no gone.csv"),
    "no such pool": (nothing, {"pool": "gone.parquet"}, "there is no gone.parquet"),
    "the home of nobody": (nothing, {"labeled": "~nobody-here/a.csv"}, "there is no ~nobody-here/a.csv"),
    "a folder without Parquet files": (
        lambda f: (f / "d").mkdir(),
        {"labeled": "d"},
        "d holds no .parquet file",
    ),
    "a folder called .csv": (
        lambda f: (f / "d.csv").mkdir(),
        {"labeled": "d.csv"},
        "d.csv holds no .parquet file",
    ),
    "a name without a suffix": (
        raw("table", "x"),
        {"validation": "table"},
        "table is none of .csv, .tsv, .xlsx, .jsonl, .parquet, .feather, .npz, nor a folder of .parquet",
    ),
    "an empty .csv": (raw("val.csv", ""), {}, "val.csv is empty"),
    "nothing but blank lines": (raw("val.csv", "\n\n\r\n"), {}, "val.csv is empty"),
    "a .gz of nothing": (raw("a.csv.gz", gzip.compress(b"")), {"labeled": "a.csv.gz"}, "a.csv.gz is empty"),
    "an empty .parquet": (raw("a.parquet", ""), {"labeled": "a.parquet"}, "a.parquet is empty"),
    "an empty .feather": (raw("a.feather", ""), {"validation": "a.feather"}, "a.feather is empty"),
    "an empty .npz": (raw("a.npz", ""), {"pool": "a.npz"}, "a.npz is empty"),
    "a header without rows": (raw("train.csv", "age,outcome\n"), {}, "train.csv has no rows"),
    "a header without rows, of validation": (
        raw("val.csv", "age,wage,city,outcome,key\n"),
        {},
        "val.csv has no rows",
    ),
    "a .parquet cut off": (
        truncated(arrow("a.parquet"), "a.parquet"),
        {"labeled": "a.parquet"},
        "a.parquet is not a whole Parquet file: ...",
    ),
    "a .feather cut off": (
        truncated(arrow("a.feather"), "a.feather"),
        {"labeled": "a.feather"},
        "a.feather is not a whole Feather file: ...",
    ),
    "an .npz cut off": (
        truncated(npz("a.npz"), "a.npz"),
        {"labeled": "a.npz"},
        "a.npz is not a whole .npz file of plain arrays: ...",
    ),
    "a .gz cut off": (
        truncated(packed, "train.csv.gz", 0.8),
        {"labeled": "train.csv.gz"},
        "train.csv.gz is truncated or corrupt: ...",
    ),
    "text called .gz": (
        raw("a.csv.gz", "age,outcome\n"),
        {"labeled": "a.csv.gz"},
        "a.csv.gz is truncated or corrupt: ...",
    ),
    "text called .parquet": (
        raw("a.parquet", "a,b\n"),
        {"pool": "a.parquet"},
        "a.parquet is not a whole Parquet file: ...",
    ),
    "text called .npz": (
        raw("a.npz", "a,b\n"),
        {"labeled": "a.npz"},
        "a.npz is not a whole .npz file of plain arrays: it is no archive",
    ),
    "a .feather with damaged text": (
        both(
            arrow("a.feather", compression="uncompressed"),
            raw("a.feather", lambda b: b.replace("Köln".encode(), b"K\xff\xffln")),
        ),
        {"labeled": "a.feather"},
        "a.feather is not a whole Feather file: ...",
    ),
    "a zip": (
        raw("a.csv.zip", "x"),
        {"pool": "a.csv.zip"},
        "a.csv.zip is none of .csv, .tsv, .xlsx, .jsonl, .parquet, .feather, .npz, nor a folder of .parquet: unpack it",
    ),
    "one file for two tasks": (
        nothing,
        {"validation": "train.csv"},
        "validation=train.csv is labeled, too: no row may serve twice",
    ),
    "a .parquet with a damaged page": (
        both(arrow("a.parquet"), raw("a.parquet", lambda b: b[:60] + 80 * b"\xff" + b[140:])),
        {"labeled": "a.parquet"},
        "a.parquet is not a whole Parquet file: ...",
    ),
}

CSV = {
    "a quote in the last row is never closed": (
        raw("train.csv", lambda b: b + b'"k,1,1,Ulm,no\n'),
        {},
        "train.csv, row 25: a quote is opened that is never closed",
    ),
    "a quote in the header is never closed": (
        raw("train.csv", '"age,outcome'),
        {},
        "train.csv, header: a quote is opened that is never closed",
    ),
    "a row with too few values": (
        raw("val.csv", lambda b: b + b"k,1,1\n"),
        {},
        "val.csv, row 25: it has 3 values for 5 columns",
    ),
    "a row with too many values": (
        raw("pool.csv", lambda b: b.replace(b"\n", b"\n1,2,3,4,5\n", 1)),
        {},
        "pool.csv, row 1: it has 5 values for 4 columns",
    ),
    "Latin-1, as old Excel writes": (
        raw("train.csv", lambda b: b.decode().encode("latin-1")),
        {},
        "train.csv is not UTF-8: see line 4",
    ),
    'UTF-16, as Excel\'s "Unicode text"': (
        raw("train.csv", lambda b: b.decode().encode("utf-16")),
        {},
        "train.csv is UTF-16: save it as UTF-8",
    ),
    "UTF-16 without a byte order mark": (
        raw("train.csv", lambda b: b.decode().replace("Köln", "Trier").encode("utf-16-le")),
        {},
        "train.csv, header: it holds a NUL, as UTF-16 and binary files do",
    ),
    "semicolons, as Excel writes in much of Europe": (
        raw("train.csv", lambda b: b.replace(b",", b";")),
        {},
        "train.csv has the single column 'key;age;wage;city;outcome': is it separated by ';'? Set separator=\";\"",
    ),
    "tabs in a .csv": (
        text("train.csv", lambda t: t.replace(",", "\t")),
        {},
        "train.csv has the single column 'key\\tage\\twage\\tcity\\toutcome': is it separated by tabs? Name it .tsv",
    ),
    "a title above the header": (
        text("train.csv", lambda t: "Sales 2024,,,,\n" + t),
        {},
        "train.csv has no column 'outcome'; its columns are Sales 2024, (unnamed), (unnamed 2), (unnamed 3), (unnamed 4)",
    ),
    "no header": (
        text("train.csv", lambda t: t.split("\n", 1)[1]),
        {},
        "train.csv has no column 'outcome'; its columns are k0-0, 41.1, 3.9, Bonn, no",
    ),
    "a comment above the header": (
        text("train.csv", lambda t: "# exported 2024\n" + t),
        {},
        "train.csv has no column 'outcome'; its columns are # exported 2024",
    ),
    "a comma more in the header only": (
        text("train.csv", lambda t: t.replace("\n", ",\n", 1)),
        {},
        "train.csv, row 1: it has 5 values for 6 columns",
    ),
    "row names without a header, as R writes": (
        text("train.csv", lambda t: t.replace("key,", "", 1)),
        {},
        "train.csv, row 1: it has 5 values for 4 columns",
    ),
    "a total below the rows": (
        text("train.csv", lambda t: t + "Total,960,72,,\n"),
        {},
        "train.csv, column outcome, row 25: there is no label (rows without one are the pool's)",
    ),
    "the header again, of files put together": (
        text("train.csv", lambda t: 2 * t),
        {},
        "train.csv, column age, row 25: 'age' is not a number; mend it, or set missing=[age] or categorical=[age] (1 of 49 values are none)",
    ),
    "a quote within quotes, with a backslash": (
        text("train.csv", lambda t: t.replace("Ulm", '"U\\"lm"', 1)),
        {},
        "train.csv, row 4: text follows a closing quote, and a quote within quotes is written twice",
    ),
    "a quote that is never closed": (
        text("train.csv", lambda t: t.replace("Ulm", '"Ulm', 1)),
        {},
        "train.csv, row 4: a quote is opened that is never closed",
    ),
    "a NUL in a text": (
        raw("train.csv", lambda b: b.replace(b"Ulm", b"U\0lm", 1)),
        {},
        "train.csv, row 4: it holds a NUL, as UTF-16 and binary files do",
    ),
    "a workbook called .csv": (
        raw("train.csv", b"PK\3\4\x14\0\6\0\x08\0"),
        {},
        "train.csv, header: it holds a NUL, as UTF-16 and binary files do",
    ),
    "a page of the web called .csv": (
        raw("train.csv", "<!DOCTYPE html>\n<html></html>\n"),
        {},
        "train.csv has no column 'outcome'; its columns are <!DOCTYPE html>",
    ),
    "a pointer of Git LFS": (
        raw("train.csv", "version https://git-lfs.github.com/spec/v1\n"),
        {},
        "train.csv has no column 'outcome'; its columns are version https://git-lfs.github.com/spec/v1",
    ),
}


def moments(zone):
    import pyarrow

    return pyarrow.array(range(N), pyarrow.timestamp("s", zone))


PARQUET = {
    "lists, asked for": (
        arrow("a.parquet", lambda c: c | {"city": [[1, 2]] * N}),
        {"labeled": "a.parquet", "categorical": "[city]"},
        "a.parquet, column city: it holds list<element: int64>, not numbers or text",
    ),
    "binary, as the target": (
        arrow("a.parquet", lambda c: c | {"outcome": [b"x"] * N}),
        {"labeled": "a.parquet"},
        "a.parquet, column outcome: it holds binary, not numbers or text",
    ),
    "a part lacks a used column": (
        folder_of("d", arrow("d/a.parquet", rows=3), arrow("d/b.parquet", no_city, rows=5)),
        {"pool": "d"},
        "d, column city: d/b.parquet has none",
    ),
    "a part has text where another has numbers": (
        folder_of("d", arrow("d/a.parquet"), arrow("d/b.parquet", lambda c: c | {"age": ["x"] * N})),
        {"pool": "d"},
        "d, column age: it holds string in d/b.parquet, but double in d/a.parquet",
    ),
    "a damaged part": (
        folder_of("d", arrow("d/a.parquet", rows=3), raw("d/a.csv", "x"), raw("d/b.parquet", "PAR1")),
        {"pool": "d"},
        "d/b.parquet is not a whole Parquet file: ...",
    ),
    "an empty part": (
        folder_of("d", arrow("d/a.parquet", rows=3), raw("d/b.parquet", "")),
        {"pool": "d"},
        "d/b.parquet is empty",
    ),
    "nothing but _SUCCESS": (
        folder_of("d", raw("d/_SUCCESS", "")),
        {"pool": "d"},
        "d holds no .parquet file",
    ),
    "parts of CSV": (
        folder_of("d", raw("d/part-0.csv", "age\n1\n")),
        {"pool": "d"},
        "d holds no .parquet file",
    ),
    "truth values where another part has text": (
        folder_of("d", arrow("d/a.parquet"), arrow("d/b.parquet", lambda c: c | {"city": [True] * N})),
        {"pool": "d"},
        "d, column city: it holds bool in d/b.parquet, but string in d/a.parquet",
    ),
    "a time zone that nobody knows, asked for": (
        arrow("a.parquet", lambda c: c | {"at": moments("Mars/Olympus")}),
        {"labeled": "a.parquet", "categorical": "[at]"},
        "a.parquet, column at: it holds timestamp[ms, tz=Mars/Olympus], not numbers or text",
    ),
}

NPZ = {
    "an .npy called .npz": (
        lambda f: np.save(f / "a.npy", np.arange(9)) or (f / "a.npy").rename(f / "a.npz"),
        {"labeled": "a.npz"},
        "a.npz holds a single array, as a .npy file does, and no columns",
    ),
    "NPZ: an array of objects, asked for": (
        npz("a.npz", lambda c: c | {"city": np.array(["Bonn", None] * 12, dtype=object)}),
        {"labeled": "a.npz", "categorical": "[city]"},
        "a.npz, column city: it holds objects, which are not read: save texts as np.array(values, str)",
    ),
    "NPZ: an array of another length": (
        npz("a.npz", lambda c: c | {"age": np.arange(3.0)}),
        {"labeled": "a.npz"},
        "a.npz, column age: it has 3 values, but key 24; ignore=[age] does without",
    ),
    "NPZ: three dimensions, asked for": (
        npz("a.npz", lambda c: c | {"X": np.zeros((24, 2, 2))}),
        {"labeled": "a.npz", "numeric": "[X]"},
        "a.npz, column X: it holds float64 (24, 2, 2), no columns of numbers or text",
    ),
    "NPZ: complex numbers in a used column": (
        npz("a.npz", lambda c: c | {"age": np.full(24, 1j)}),
        {"validation": "a.npz"},
        "a.npz, column age: it holds complex128 (24,), no columns of numbers or text",
    ),
    "NPZ: X1 is an array and a column of X": (
        npz("a.npz", lambda c: c | {"X": np.zeros((24, 2)), "X1": np.zeros(24)}),
        {"labeled": "a.npz"},
        "a.npz has more than one column 'X1'",
    ),
    "NPZ: half a surrogate pair in a text": (
        npz("a.npz", lambda c: c | {"city": np.array(["a", "\ud800"] * 12)}),
        {"validation": "a.npz"},
        "a.npz, column city: its row 2 is no Unicode text",
    ),
}
