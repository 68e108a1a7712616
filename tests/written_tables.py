"""Tables of mixed columns, and files of every form that hold them."""

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError


def some_rows(n, seed, n_cities=4):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 9, n).round(1),
            "wage": rng.lognormal(0, 2, n),
            "flat": 3.0,
            "city": rng.choice([f"c{number:02}" for number in range(n_cities)], n).astype(object),
            "zip": rng.choice(["00501", "10115"], n).astype(object),
        }
    )
    frame.loc[rng.random(n) < 0.2, ["age", "zip"]] = None
    return frame


def written(frame, path):
    """The frame as a file; the form is the suffix's. A folder gets three files, one of them empty."""
    if path.suffix == ".npz":
        arrays = {name: frame[name].to_numpy() for name in frame}
        np.savez(path, **{name: as_array(values) for name, values in arrays.items()})
    elif path.suffix == ".feather":
        frame.to_feather(path)
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False, row_group_size=7)
    elif path.suffix:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    else:
        path.mkdir()
        for number, rows in enumerate((slice(0, 5), slice(5, 5), slice(5, None))):
            written(frame[rows], path / f"{number}.parquet")
    return path


def as_array(values):
    if values.dtype != object:
        return values
    return np.array(["" if value is None or value != value else str(value) for value in values])


FORMS = ["rows.csv", "rows.tsv", "rows.csv.gz", "rows.parquet", "rows.feather", "rows.npz", "rows"]


def mixed_rows(n, seed):
    frame = some_rows(n, seed)
    rng = np.random.default_rng(seed)
    frame["flag"] = rng.random(n) < 0.5
    frame["count"] = rng.integers(0, 5, n)
    frame["day"] = pd.Timestamp("2024-01-31") + pd.to_timedelta(rng.integers(0, 9, n), "D")
    frame["key"] = [f"k{seed}-{row}" for row in range(n)]
    frame["y"] = np.where(frame["wage"] + rng.random(n) > 1, 1.0, 0.0)
    return frame.drop(columns="flat")


def one_line(function, *arguments):
    """What comes, or None where it is refused with one line; anything else escapes."""
    try:
        return function(*arguments) or True
    except SalutaryError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        return None
