"""Small tables for the commands, what can be done to their files, and what has to come of it: one line."""

import gzip
import re

import numpy as np
import pandas as pd

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
    "remedies": "false",
}
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


def text(name, change):
    """A file of other text."""
    return raw(name, lambda content: change(content.decode()).encode())


def everywhere(make):
    """The same to the labelled, the validation and the pool rows."""
    return both(*(make(name) for name in ("train.csv", "val.csv", "pool.csv")))


def written_as(column, write):
    """Other texts of the values of a column, in all files."""
    return everywhere(
        lambda name: frame(name, lambda table: table.assign(**{column: table[column].map(write)}))
    )


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


def left(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def check_one_line(answer, command, message, folder, before):
    status, out, err = answer
    assert status == 1 and out == "", out
    assert err.startswith(f"{command}: ") and len(err.strip().splitlines()) == 1, err
    assert re.search(message, err), err
    assert left(folder) == before
