"""Tables with a large pool for ``backend=ray``, and the labels that the command gives them."""

import numpy as np
import pandas as pd

from salutary.labeling import cli

CITIES = np.array(["Bern", "Graz", "Linz", "Ulm"], dtype=object)
WORDS = np.array(["red", "green", "blue", "grey", "round", "flat"], dtype=object)
QUICK = ("target=y", "rounds=2", "budget=4", "folds=2", "shortlist=60", "remedies=false", "force=true")
STARTED = {"address": "local", "include_dashboard": False, "log_to_driver": False}


def rows(n, seed, labels=True):
    """Numbers, some of them missing, a category, a text, ids; many rows of the pool are alike."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    columns = {f"x{i}": (rng.normal(0, 1, n) + 0.4 * y).round(1) for i in range(3)}
    frame = pd.DataFrame(columns | {"city": CITIES[(y + rng.integers(0, 3, n)) % 4]})
    frame.loc[::9, "x1"] = np.nan
    frame["said"] = [" ".join(WORDS[rng.integers(0, 6, 4)]) for _ in range(n)]
    frame["key"] = [f"{seed}-{i}" for i in range(n)]
    return frame.assign(y=np.array(["no", "yes"], dtype=object)[y]) if labels else frame


def write_tables(folder, n=3000):
    """train.csv, val.csv, and one pool as pool.parquet, pool.csv and the folder parts/."""
    rows(60, 0).to_csv(folder / "train.csv", index=False)
    rows(80, 1).to_csv(folder / "val.csv", index=False)
    pool = rows(n, 2, labels=False)
    pool.loc[n - 1, "city"] = "Rome"  # which no labelled row has
    pool.to_csv(folder / "pool.csv", index=False)
    pool.to_parquet(folder / "pool.parquet", index=False, row_group_size=170)
    (folder / "parts").mkdir()
    for place, start in enumerate(range(0, n, n // 3)):
        part = pool[start : start + n // 3]
        part.to_parquet(folder / f"parts/{place}.parquet", index=False, row_group_size=110 + 50 * place)
    return pool


def label(*settings, output="labels.csv"):
    """The table of labels, of tables in the working directory."""
    files = ("labeled=train.csv", "validation=val.csv", "ignore=[said]", f"output={output}")
    cli.label_or_audit([*files, *QUICK, *settings])
    return pd.read_csv(output)


def same(found, expected):
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
