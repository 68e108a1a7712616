"""Random tables, of which nothing but one line may come if they are wrong."""

import csv
import gzip
import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from written_tables import as_array, one_line

from salutary.datasets.own_table import OwnTable
from salutary.labeling import cli
from salutary.tables import UNLABELED

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ODD_TEXTS = st.sampled_from(
    ["", " ", "NA", "nan", "None", "inf", "-inf", "1e999", "1e300", "1e38", "0", "-0.0", "007", "1.0", "True",
     "2024-01-01", "1/2/3", "99:99", "10:30 CET", "\ufeff", "\u2028", "a\r\nb", '"', "'", "=1+1", "é",
     "e\u0301", "\x00", "<script>", "{{x}}", "9" * 400, "(missing)", "\U0001f600", "٣"]
)  # fmt: skip
FLOATS = st.one_of(
    st.floats(-100, 100), st.floats(), st.sampled_from([0.0, 1.0, np.nan, np.inf, 1e38, -3e38, 1e308, 5e-324])
)
KINDS = {
    "floats": FLOATS,
    "tame": st.floats(-9, 9).map(lambda x: round(x, 2)),
    "gaps": st.one_of(st.none(), st.floats(-9, 9)),
    "integers": st.integers(-(2**63), 2**63 - 1),
    "digits": st.integers(0, 3),
    "flags": st.booleans(),
    "texts": TEXTS,
    "odd": ODD_TEXTS,
    "few": st.sampled_from(["a", "b", "c ", None]),
    "dates": st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
}
TARGETS = st.one_of(
    st.sampled_from([["yes", "no"], [0, 1, 2], ["1.0", "0.0"], [True, False], ["a\nb", "c"]]),
    *(st.lists(KINDS[kind], min_size=1, max_size=5) for kind in ("tame", "texts", "odd", "few")),
)
WRITERS = [".csv", ".tsv", ".csv.gz", ".parquet", ".feather", ".npz"]


@st.composite
def tables(draw):
    """Columns of labelled, validation and pool rows, alike more often than not, and settings."""
    names = st.one_of(TEXTS.filter(lambda name: name not in ("", "target")), st.sampled_from(["id", "a b"]))
    names = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    kinds = {name: draw(st.sampled_from(sorted(KINDS))) for name in names}
    classes = draw(TARGETS)
    once = st.sampled_from([True] + [False] * 30)
    parts = {}
    for part in ("labeled", "validation", "pool"):
        n = draw(st.sampled_from([4, 5, 6, 9, 14, 60] if not draw(once) else [0, 1]))
        columns = {}
        for name in names:
            kind = draw(st.sampled_from(sorted(KINDS))) if draw(once) else kinds[name]
            columns[name] = draw(st.lists(KINDS[kind], min_size=n, max_size=n))
        columns["target"] = [classes[row % len(classes)] for row in range(n)]
        if draw(once):
            columns["target"] = draw(st.lists(st.sampled_from([*classes, None]), min_size=n, max_size=n))
        parts[part] = columns, draw(st.sampled_from(WRITERS))
    arguments = {
        "rounds": "1", "budget": "2", "folds": draw(st.sampled_from(["0", "2"])),
        "model.l2": draw(st.sampled_from(["1", "0.01", "validation", "cv"])),
        "strategy": draw(st.sampled_from(["salutary", "salutary_greedy"])),
        "strategy.confidence": draw(st.sampled_from(["0", "1"])),
        "strategy.rerank": draw(st.sampled_from(["0", "3"])),
        "audit": draw(st.sampled_from(["false", "false", "true"])),
    }  # fmt: skip
    return parts, arguments


def write_random(path, columns):
    if path.suffix == ".npz":
        np.savez(
            path, **{name.replace("/", "|") or "_": random_array(each) for name, each in columns.items()}
        )
    elif path.suffix in (".parquet", ".feather"):
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import feather, parquet

        write = parquet.write_table if path.suffix == ".parquet" else feather.write_feather
        write(pyarrow.table(columns), path)
    else:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "wt", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))


def random_array(values):
    array = np.array(values)
    return as_array(array) if array.dtype == object else array


def check(parts, arguments):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {}
        for part, (columns, suffix) in parts.items():
            paths[part] = folder / f"{part}{suffix}"
            write_random(paths[part], columns)
        before = set(folder.rglob("*"))
        settings = {"target": "target", "output": folder / "out.csv"} | paths | arguments
        if one_line(cli.label_or_audit, [f"{name}={value}" for name, value in settings.items()]):
            found = pd.read_csv(folder / "out.csv")
            measures = [each for each in ("influence", "harm", "gain", "standard_error") if each in found]
            assert measures and np.isfinite(found[measures].to_numpy(float)).all()
            assert (folder / "out" / "facts.json").exists()
        else:
            assert set(folder.rglob("*")) == before
        for part in ("labeled", "validation"):
            files = {"validation": str(paths["validation"]), "test": str(paths["validation"])}
            table = OwnTable(str(paths[part]), "target", **(files if part == "labeled" else {}))
            if loaded := one_line(table.load):
                known = np.flatnonzero(loaded.y != UNLABELED)
                if X := one_line(loaded.columns.features, known):
                    assert np.isfinite(X[0]).all() and len(X[0]) == len(loaded.y)


SHARED = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.generate),  # add Phase.shrink to look into what is found, for minutes
}


@settings(max_examples=20, **SHARED)
@given(tables())
def test_random_tables(fast_pages, drawn):
    """Trees, which take longest, are in the slow one."""
    parts, arguments = drawn
    check(parts, {**arguments, "model.candidates": "[logistic]"})


@pytest.mark.slow
@settings(max_examples=600, **SHARED)
@given(tables())
def test_more_random_tables(fast_pages, drawn):
    check(*drawn)


@pytest.fixture(scope="module")
def fast_pages():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("salutary.labeling.page.small_png", lambda figure: b"")  # drawing takes longest
        yield
