"""The command ``salutary-label``, and files to label."""

import sys
from functools import partial

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from salutary.labeling import cli, page
from salutary.system.pictures import small_png

from .label_processes import tables
from .ray_tables import write_tables


@pytest.fixture(scope="session", autouse=True)
def no_drawings():
    """Of pages, which half of a small labelling is spent on, but in tests marked ``whole``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "small_png", lambda figure: b"")
        yield


@pytest.fixture(autouse=True)
def drawings(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("whole"):
            patch.setattr(page, "small_png", small_png)
        yield


@pytest.fixture
def salutary_label(command, monkeypatch):
    """``salutary-label`` in this process, from an empty directory: arguments to (status, stdout, stderr)."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    return partial(command, cli.main, "salutary-label")


@pytest.fixture
def files(tmp_path):
    """Breast cancer as its users have it: an id, gaps, a category, a file for each part; the pool's truth."""
    frame = load_breast_cancer(as_frame=True).frame.iloc[:, [0, 1, 5, 7, 22, 30]]
    frame = frame.sample(frac=1, random_state=0, ignore_index=True)
    frame["kind"] = frame.pop("target").map({0: "malignant", 1: "benign"})
    frame.insert(0, "patient", [f"p{i}" for i in range(len(frame))])
    frame["size"] = pd.cut(frame["mean radius"], [0, 12, 15, 18, 99], labels=["S", "M", "L", "XL"]).astype(
        str
    )
    frame.loc[::7, "size"] = None
    frame.loc[::5, "mean texture"] = None
    frame[:60].to_csv(tmp_path / "train.csv", index=False)
    frame[60:160].to_csv(tmp_path / "val.csv", index=False)
    frame[160:260].to_csv(tmp_path / "test.csv", index=False)
    pool = frame[260:].reset_index(drop=True)
    pool.drop(columns="kind").to_parquet(tmp_path / "pool.parquet", index=False)
    return pool


@pytest.fixture
def pool_tables(tmp_path, monkeypatch):
    """The working directory holds a large pool, in several forms, and rows with labels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return write_tables(tmp_path)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A folder of tables for commands in processes of their own, which only read there."""
    return tables(tmp_path_factory.mktemp("tables"))
