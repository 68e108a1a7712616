"""A model that was saved takes rows as people hold them: the same probabilities as from the file."""

import re
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from salutary import load_model, read_rows
from salutary.errors import SalutaryError
from salutary.labeling import cli
from salutary.tables.features import preprocessor
from salutary.tables.schema import Schema

CODES = [9007199254740993, 9007199254740995, 9007199254740997]
# Columns as a program holds them, with gaps; what a CSV file has of them is their text.
KINDS = {
    "age": "Float64",
    "n": "Int64",
    "code": "Int64",
    "flag": "boolean",
    "dose": "Float32",
    "city": "string",
}


def rows(n, seed):
    """Rows with some signal in every column, and a gap in each."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    high = (y + rng.normal(0, 0.7, n) > 0.5).astype(int)
    frame = pd.DataFrame(
        {
            "age": (y + rng.normal(0, 1, n)).round(3),
            "n": rng.integers(0, 9, n) + 3 * y,
            "code": [CODES[place] for place in (high + rng.integers(0, 2, n))],
            "flag": high == 1,
            "dose": np.where(high, 0.1, 0.7),
            "city": np.array(["NA", "Graz", "None", "007"], dtype=object)[(y + rng.integers(0, 3, n)) % 4],
        }
    ).astype(KINDS)
    for name in frame:
        frame.loc[rng.integers(0, n, n // 10), name] = pd.NA
    frame["grade"] = np.where(y, "good", "None")
    return frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for seed, name in enumerate(("train", "val", "pool")):
        rows(150, seed).to_csv(folder / f"{name}.csv", index=False)
    files = {"labeled": "train", "validation": "val", "pool": "pool", "test": "val2"}
    rows(150, 7).to_csv(folder / "val2.csv", index=False)
    arguments = [f"{name}={folder / file}.csv" for name, file in files.items()]
    arguments += [
        "target=grade",
        "categorical=[code,dose]",
        f"output={folder / 'out.csv'}",
        "rounds=2",
        "folds=0",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("salutary.labeling.page.small_png", lambda figure: b"")
        cli.label_or_audit(arguments)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder / "out" / "model.skops")


@pytest.fixture(scope="module")
def expected(folder, model):
    return model.predict_proba(folder / "val2.csv")


def as_objects(frame, none):
    return frame.astype(object).where(frame.notna(), none)


def as_numpy(frame):
    """What pandas makes of gaps by itself: floats of whole numbers that it can hold, objects else."""
    loose = as_objects(frame, None)
    return loose.assign(age=frame["age"].astype(float), n=frame["n"].astype("float64"))


def numpy_strings(frame):
    city = [np.str_(value) if isinstance(value, str) else None for value in frame["city"]]
    return frame.assign(city=pd.Series(city, dtype=object))


def arrow(values, kind):
    held = pa.array(as_objects(values, None).tolist()).cast(pa.string()).cast(kind)
    return pd.Series(pd.arrays.ArrowExtensionArray(held), values.index)


def dictionary(values):
    held = pa.array(as_objects(values, None).tolist()).dictionary_encode()
    return pd.Series(pd.arrays.ArrowExtensionArray(held), values.index)


FORMS = {
    "nullable": lambda frame: frame,
    "None": lambda frame: as_objects(frame, None),
    "NaN": lambda frame: as_objects(frame, np.nan),
    "pd.NA": lambda frame: as_objects(frame, pd.NA),
    "numpy": as_numpy,
    "numpy strings": numpy_strings,
    "categorical": lambda frame: frame.astype("category"),
    "Arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "float64 of a float32": lambda frame: frame.astype({"dose": "Float64"}),
    "texts": lambda frame: as_objects(frame, "").astype(str),
    "Arrow dictionaries": lambda frame: frame.assign(**{n: dictionary(frame[n]) for n in ("city", "code")}),
    "Arrow decimals": lambda frame: frame.assign(
        code=arrow(frame["code"], pa.decimal128(20, 0)), age=arrow(frame["age"], pa.decimal128(9, 3))
    ),
    "an Arrow table": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "another order": lambda frame: frame[frame.columns[::-1]],
    "another index": lambda frame: frame.set_index(np.arange(len(frame))[::-1] % 7),
    "a column too many": lambda frame: frame.assign(more=[[1, 2]] * len(frame), **{"0": 1}),
    "with the target": lambda frame: frame.assign(grade="good"),
    "a dictionary": lambda frame: {name: as_objects(frame, None)[name].tolist() for name in frame},
    "records": lambda frame: as_objects(frame, None).to_dict("records"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_rows_as_people_hold_them(form, model, expected):
    held = FORMS[form](rows(150, 7).drop(columns="grade"))
    np.testing.assert_array_equal(model.predict_proba(held), expected)


@pytest.mark.parametrize("form", ["parquet", "feather", "csv.gz", "tsv"])
def test_rows_in_other_files(form, model, expected, tmp_path):
    frame, path = rows(150, 7).drop(columns="grade"), tmp_path / f"rows.{form}"
    if form in ("parquet", "feather"):
        getattr(frame, f"to_{form}")(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if form == "tsv" else ",")
    np.testing.assert_array_equal(model.predict_proba(path), expected)


def test_classes_are_those_that_are_likeliest(model, expected, folder):
    assert model.classes_.tolist() == ["None", "good"]
    assert sorted(model.columns) == sorted(KINDS)
    predicted = model.predict(rows(150, 7))
    assert predicted.tolist() == model.classes_[expected.argmax(1)].tolist()
    assert (predicted == rows(150, 7)["grade"]).mean() > 0.6
    np.testing.assert_array_equal(
        load_model(folder / "out").predict_proba(str(folder / "val2.csv")), expected
    )


def test_the_plain_pipeline_of_the_card(folder, expected):
    card = (folder / "out" / "MODEL_CARD.md").read_text()
    trusted = re.search(r"skops\.io\.load\(\"model\.skops\", trusted=(\[.*?\])\)", card)[1]
    path = folder / "out" / "model.skops"
    assert trusted == '["numpy.dtype"]' and skops.io.get_untrusted_types(file=path) == ["numpy.dtype"]
    pipeline = skops.io.load(path, trusted=["numpy.dtype"])
    np.testing.assert_allclose(
        pipeline.predict_proba(read_rows(folder / "val2.csv", pipeline)), expected, rtol=1e-12
    )
    assert not any(name.endswith((".pkl", ".pickle")) for name in zipfile.ZipFile(path).namelist())


def test_what_is_missing_or_wrong_is_one_line(model, folder, tmp_path):
    frame = rows(30, 3)
    for held, line in [
        (frame.drop(columns="dose"), r"DataFrame has no column 'dose'; its columns are age, n, code"),
        (pd.concat([frame, frame[["n"]]], axis=1), r"DataFrame has more than one column 'n'"),
        (
            frame.astype(object).assign(age=["x", *frame["age"][1:]]),
            r"DataFrame, column age, row 1: 'x' is not a",
        ),
        (frame.assign(age=np.inf), r"DataFrame, column age, row 1: inf is not finite"),
        (frame.assign(n=pd.Timestamp("2024-01-01")), r"DataFrame, column n: it holds dates, not numbers"),
        (frame.assign(n=1j), r"DataFrame, column n: it holds complex128, not numbers"),
        (folder / "gone.csv", r"there is no .*gone\.csv"),
    ]:
        with pytest.raises(SalutaryError, match=line):
            model.predict_proba(held)
    assert model.predict_proba(frame[:0]).shape == (0, 2)
    with pytest.raises(SalutaryError, match=r"there is no .*nowhere"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "a.skops").write_bytes(b"PK")
    with pytest.raises(SalutaryError, match=r"a\.skops is no model of salutary-label"):
        load_model(tmp_path / "a.skops")
    skops.io.dump(model.pipeline[0], tmp_path / "b.skops")
    with pytest.raises(SalutaryError, match=r"b\.skops: it is a preprocessor, and no model"):
        load_model(tmp_path / "b.skops")
    skops.io.dump(model.pipeline[1], tmp_path / "c.skops")
    with pytest.raises(SalutaryError, match=r"c\.skops: model must be one that salutary-label"):
        load_model(tmp_path / "c.skops")


def test_categories_that_nobody_knows_are_told(model):
    with pytest.warns(UserWarning, match=r"DataFrame, column city: 30 of 30 rows have a category that"):
        model.predict_proba(rows(30, 3).assign(city="Oslo"))


def test_a_model_of_0_3_0_reads_its_own_spellings(tmp_path):
    frame = pd.DataFrame({"x": [0.5, 1, 2, 3] * 5, "flag": ["TRUE", "FALSE"] * 10, "b": [np.nan, "b"] * 10})
    frame["rate"] = ["1.50", "1.50", "2.25", "2.25"] * 5
    # Categories as they stood in the file, and nothing noted.
    steps = [preprocessor(Schema(("x",), ("flag", "rate", "b"), {})), LogisticRegression()]
    old = Pipeline(list(zip(("features", "model"), steps, strict=True))).fit(frame, [0, 1, 1, 1] * 5)
    path = tmp_path / "rows.csv"
    skops.io.dump(old, tmp_path / "old.skops")
    frame.fillna("NA").to_csv(path, index=False)
    expected = old.predict_proba(frame)
    np.testing.assert_allclose(load_model(tmp_path / "old.skops").predict_proba(path), expected)
    np.testing.assert_allclose(old.predict_proba(read_rows(path, old)), expected)


def test_rows_that_are_none_are_one_line(model):
    for held, line in [
        ({"age": 1.0}, "rows must be a DataFrame, "),
        (3, "rows must be"),
        (["age"], "no column"),
    ]:
        with pytest.raises(SalutaryError, match=line):
            model.predict_proba(held)


def test_files_are_read_as_those_of_training(tmp_path):
    def write(seed, name):
        frame = rows(150, seed)[["age", "city", "grade"]].fillna({"city": "-"})
        frame["age"] = [("?" if value is pd.NA else f"{value} %".replace(".", ",")) for value in frame["age"]]
        frame.to_csv(tmp_path / name, index=False, sep=";")
        return rows(150, seed)[["age", "city"]]

    for seed, name in enumerate(("train.csv", "val.csv", "pool.csv")):
        write(seed, name)
    cli.label_or_audit(
        [f"{role}={tmp_path / name}" for role, name in
         {"labeled": "train.csv", "validation": "val.csv", "pool": "pool.csv", "output": "out.csv"}.items()]
        + ["target=grade", "separator=;", "decimal=,", "units=['%']", "missing=['-']", "folds=0", "rounds=1"]
    )  # fmt: skip
    held = write(5, "new.csv")
    model = load_model(tmp_path / "out")
    from_file = model.predict_proba(tmp_path / "new.csv")
    np.testing.assert_array_equal(model.predict_proba(held), from_file)
    plain = skops.io.load(tmp_path / "out" / "model.skops", trusted=["numpy.dtype"])
    np.testing.assert_allclose(
        plain.predict_proba(read_rows(tmp_path / "new.csv", plain)), from_file, rtol=1e-12
    )
