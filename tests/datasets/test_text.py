"""Texts in files of one's own, and every way in which such a file can be wrong."""

import csv
import sys

import numpy as np
import pytest
from text_files import write_csv, write_parquet

from salutary.datasets import load
from salutary.datasets.text import TextFile
from salutary.errors import SalutaryError
from salutary.tables import UNLABELED


@pytest.mark.parametrize("write, name", [(write_csv, "reviews.csv"), (write_parquet, "reviews.parquet")])
def test_texts_without_a_label_are_labelled(write, name, tiny, reviews, salutary_run, tmp_path):
    path = write(tmp_path / name, reviews)
    settings = ["dataset=text", f"dataset.path={path}", "dataset.text=review", "dataset.label=rating"]
    settings += [f"dataset.encoder={tiny}", "dataset.max_length=32", f"cache_dir={tmp_path / 'cache'}"]
    settings += ["rounds=2", "budget=5"]
    status, out, err = salutary_run(*settings, "strategy=salutary")
    assert status == 0, err
    assert "10 points added, 0 human labels bought" in out and "equal the truth" not in out
    (queries,) = tmp_path.glob("outputs/*salutary*/queries.csv")
    rows = list(csv.DictReader(queries.read_text().splitlines()))
    assert len(rows) == 10
    assert all(100 <= int(row["sample_id"]) < 120 for row in rows)
    assert {row["assigned_label"] for row in rows} <= {"good", "bad"}
    assert {row["true_label"] for row in rows} == {""}
    status, _, err = salutary_run(*settings, "strategy=margin")
    assert status == 1 and "buys true labels, but the pool has rows without one" in err
    assert len(err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("outputs/*margin*"))


def test_csv_and_parquet_hold_the_same_texts(reviews, tmp_path):
    reviews[2] = ('a "fine" film,\nwith songs', "good")
    from_csv, from_parquet = (
        TextFile(str(path), "review", "rating").read()
        for path in (write_csv(tmp_path / "a.csv", reviews), write_parquet(tmp_path / "a.parquet", reviews))
    )
    assert from_csv.pairs == from_parquet.pairs == [(text, None) for text, _ in reviews]
    assert np.array_equal(from_csv.y, from_parquet.y) and from_csv.class_names == ("bad", "good")
    assert np.bincount(from_csv.y + 1).tolist() == [20, 50, 50]
    assert (from_csv.y[100:] == UNLABELED).all() and from_csv.y[0] == 1


def test_pairs_gaps_and_numbers_as_labels(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("\ufeffa,b,stars,other\none,NA,5, \n\nnull,two,,\nthree,four, 10 ,x\n", encoding="utf-8")
    found = TextFile(str(path), "a", "stars", second="b").read()
    assert found.pairs == [("one", "NA"), ("null", "two"), ("three", "four")]
    assert found.class_names == ("10", "5") and found.y.tolist() == [1, UNLABELED, 0]
    rows = [("one", 5.0), ("two", None), ("three", 4.0), ("four", float("nan"))]
    pytest.importorskip("pyarrow")
    found = TextFile(str(write_parquet(tmp_path / "stars.parquet", rows)), "review", "rating").read()
    assert found.class_names == ("4", "5") and found.y.tolist() == [1, UNLABELED, 0, UNLABELED]


MISTAKES = {
    "rating,text\ngood,x\n": r"file\.csv has no column 'review'; its columns are rating, text",
    "review,review,rating\nx,y,good\n": r"file\.csv has more than one column 'review'",
    "review,rating\nfine,good\n  ,bad\n": r"file\.csv, column review, row 2: the text is empty",
    "review,rating\nfine,good\nsuperb,good\n": r"file\.csv, column rating: the single class good, but",
    "review,rating\nfine,\n": r"file\.csv, column rating: 0 classes, but at least two",
    "review,rating\n": r"file\.csv has no rows",
    "review,rating\nfine,good\npoor\n": r"file\.csv, row 2: it has 1 values for 2 columns",
    "review,rating\nfine,good\npoor,bad,x\n": r"file\.csv, row 2: it has 3 values for 2 columns",
    'review,rating\nfine,good\n"poor,bad\nend,ba': r"file\.csv, row 2: a quote is opened that is ne",
    "": r"file\.csv is empty",
}  # fmt: skip


@pytest.mark.parametrize("content", MISTAKES)
def test_mistakes_in_csv_files(content, tmp_path):
    (tmp_path / "file.csv").write_text(content)
    with pytest.raises(SalutaryError, match=MISTAKES[content]) as error:
        TextFile(str(tmp_path / "file.csv"), "review", "rating").read()
    assert "\n" not in str(error.value)


def test_empty_second_texts_are_named(tmp_path):
    (tmp_path / "file.csv").write_text("a,b,rating\nx,y,good\nx,,bad\n")
    with pytest.raises(SalutaryError, match=r"file\.csv, column b, row 2: the text is empty"):
        TextFile(str(tmp_path / "file.csv"), "a", "rating", second="b").read()


def test_other_encodings_are_refused(tmp_path):
    (tmp_path / "file.csv").write_bytes("review,rating\nfine,good\ncafé,bad\n".encode("latin-1"))
    with pytest.raises(SalutaryError, match=r"file\.csv is not UTF-8: see line 3"):
        TextFile(str(tmp_path / "file.csv"), "review", "rating").read()


def test_damaged_parquet_files_are_refused(reviews, tmp_path):
    path = write_parquet(tmp_path / "file.parquet", reviews)
    whole = path.read_bytes()
    for content in (
        b"review,rating\n",
        whole[: len(whole) // 2],
        b"\xff" * 900 + whole[900:],
    ):
        path.write_bytes(content)
        with pytest.raises(SalutaryError, match=r"file\.parquet is not a whole Parquet file"):
            TextFile(str(path), "review", "rating").read()
    path.write_bytes(b"")
    with pytest.raises(SalutaryError, match=r"file\.parquet is empty"):
        TextFile(str(path), "review", "rating").read()
    path.write_bytes(whole)
    with pytest.raises(SalutaryError, match="has no column 'stars'; its columns are review, rating"):
        TextFile(str(path), "review", "stars").read()


def test_parquet_without_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "file.parquet").write_bytes(b"PAR1")
    with pytest.raises(SalutaryError, match=r"pip install 'salutary\[parquet\]'"):
        TextFile(str(tmp_path / "file.parquet"), "review", "rating").read()


@pytest.mark.parametrize("name", ["file.csv", "file.parquet"])
def test_files_that_cannot_be_read(name, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / name
    dataset = TextFile(str(path), "review", "rating", encoder="minilm")
    with pytest.raises(SalutaryError, match=f"dataset=text: there is no .*{name}"):
        load(dataset, "text")
    path.mkdir()
    with pytest.raises(SalutaryError, match=rf"{name} holds no \.parquet file"):
        dataset.read()


@pytest.mark.parametrize("name", ["path", "text", "label"])
def test_settings_that_are_missing(name):
    settings = {"path": "reviews.csv", "text": "review", "label": "rating", name: None}
    with pytest.raises(SalutaryError, match=r"set dataset\.path, a file, dataset\.text and"):
        TextFile(**settings).read()


def test_settings_that_are_missing_on_the_command_line(salutary_run):
    status, _, err = salutary_run("dataset=text", "dataset.path=reviews.csv")
    assert status == 1 and "dataset.text" in err and len(err.strip().splitlines()) == 1
