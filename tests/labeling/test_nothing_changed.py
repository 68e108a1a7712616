"""No value of a file is taken for another in silence, whatever the file's form."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from pyarrow import parquet

from salutary.errors import SalutaryError
from salutary.labeling import cli

PARTS = {"labeled": (40, 0), "validation": (60, 1), "pool": (80, 2)}
CITIES = np.array(["Bern", "Graz", "Linz", "Ulm"], dtype=object)


def rows(part, classes=("no", "yes")):
    """Two numbers, a category and a label with some signal."""
    n, seed = PARTS[part]
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(classes), n)
    columns = {"x1": (y + rng.normal(0, 1, n)).round(3), "x2": rng.normal(0, 1, n).round(3)}
    columns["city"] = CITIES[(y + rng.integers(0, 3, n)) % 4]
    frame = pd.DataFrame(columns | {"y": np.array(classes, dtype=object)[y]})
    return frame.drop(columns="y") if part == "pool" else frame


@pytest.fixture
def label(tmp_path, monkeypatch, capsys):
    """Frames or names of files, by part, and settings to: facts, what the terminal shows, and the page."""
    monkeypatch.chdir(tmp_path)

    def run(files, **settings):
        arguments = []
        for part, file in files.items():
            if isinstance(file, pd.DataFrame):
                file.to_csv(f"{part}.csv", index=False)
                file = f"{part}.csv"
            arguments.append(f"{part}={file}")
        settings = {"target": "y", "output": "out.csv", "folds": 2, "rounds": 1, "budget": 5} | settings
        arguments += [f"{name}={value}" for name, value in settings.items()]
        arguments += ["force=true", "strategy.rerank=0", "strategy.confidence=0", "remedies=false"]
        arguments += ["model.l2=1"]
        cli.label_or_audit(arguments)
        facts = json.loads((tmp_path / "out/facts.json").read_text())
        return facts, capsys.readouterr().out, (tmp_path / "out/audit.html").read_text()

    return run


def changed(change):
    return {part: change(rows(part)) for part in PARTS}


def categories(column=0):
    pipeline = skops.io.load("out/model.skops", trusted=["numpy.dtype"])
    return pipeline[0].named_transformers_["categories"][-1].categories_[column].tolist()


def as_parquet(files):
    for part, frame in files.items():
        frame.to_parquet(f"{part}.parquet", index=False)
    return {part: f"{part}.parquet" for part in files}


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["None", "NA", "null", "nan", "-", "N/A", "?"])
def test_a_class_may_have_any_name(name, form, label):
    files = {part: rows(part, (name, "Mild", "Severe")) for part in PARTS}
    facts, out, _ = label(as_parquet(files) if form == "parquet" else files)
    assert sorted(facts["classes"]) == sorted([name, "Mild", "Severe"])
    counts = files["labeled"]["y"].value_counts().to_dict()
    assert facts["counts"]["labeled"] == counts
    assert (f"labeled.csv: {name!r} is a class: y ({counts[name]}, row" in out) == (form == "csv")
    written = pd.read_csv("out.csv", keep_default_na=False)
    assert set(written["label"]) <= set(facts["classes"])


def test_a_label_is_missing_where_it_is_empty_or_null(label):
    for files in (changed(lambda frame: frame), as_parquet(changed(lambda frame: frame))):
        if isinstance(files["labeled"], pd.DataFrame):
            files["labeled"].loc[4, "y"] = None
        else:
            pd.read_parquet("labeled.parquet").assign(y=lambda t: t["y"].where(t.index != 4)).to_parquet(
                "labeled.parquet"
            )
        with pytest.raises(SalutaryError, match="column y, row 5: there is no label"):
            label(files)


def country(frame):
    """NA is a country; every fifth row has none."""
    named = pd.Series(np.where(frame["x1"] > 0.5, "NA", "DE"), dtype=object)
    return frame.assign(country=named.where(frame.index % 5 != 0, None))


def test_markers_are_categories_unless_they_are_named(label):
    _, out, page = label(changed(country))
    assert categories(1) == ["(missing)", "DE", "NA"]
    assert "labeled.csv: 'NA' is a category of its own: country (" in out
    assert "&#39;NA&#39; is a category of its own" in page
    _, out, _ = label(as_parquet(changed(country)))
    assert categories(1) == ["(missing)", "DE", "NA"] and "'NA'" not in out
    label(changed(country), missing="[NA]")
    assert categories(1) == ["(missing)", "DE"]
    label(as_parquet(changed(country)), missing="[NA]")
    assert categories(1) == ["(missing)", "DE"]


CODES = np.array([9007199254740993, 9007199254740995, 9007199254740997])


def coded(frame, gap):
    places = np.where(frame["x1"] > 0.5, 0, np.random.default_rng(len(frame)).integers(1, 3, len(frame)))
    codes = pd.array(CODES[places], dtype="Int64")
    if gap:
        codes[3] = pd.NA
    return frame.assign(code=codes, key=CODES[0] + np.arange(len(frame)) + 1000 * len(frame))


@pytest.mark.parametrize("gaps", [(), ("pool",), ("labeled",), tuple(PARTS)])
def test_large_numbers_keep_their_digits_beside_a_gap(gaps, label):
    files = {part: coded(rows(part), part in gaps) for part in PARTS}
    facts, _, page = label(as_parquet(files), categorical="[code]", id="key")
    known = sorted(map(str, files["labeled"]["code"].dropna().unique()))
    assert [each for each in categories() if each != "(missing)"] == known
    assert facts["columns"]["unseen_categories"] == {"validation and test": {}, "pool": {}}
    labels = pd.read_csv("out.csv")
    assert (labels["key"] == files["pool"]["key"].to_numpy()[labels["row"]]).all() and len(labels)
    assert all(f"<td>{code}</td>" in page or f">{code}<" in page for code in known[:1])


def test_large_numbers_keep_their_digits_in_parts_of_a_folder(label, tmp_path):
    (tmp_path / "pool").mkdir()
    whole = coded(rows("pool"), False)
    types = ["int64", "Int64", pd.ArrowDtype(pa.uint64()), pd.ArrowDtype(pa.decimal128(20, 0)), "str"]
    for number, kind in enumerate(types[:4]):
        part = whole[20 * number : 20 * number + 20].astype({"code": kind})
        part.to_parquet(f"pool/{number}.parquet")
    files = {part: coded(rows(part), False) for part in ("labeled", "validation")}
    facts, _, _ = label({**as_parquet(files), "pool": "pool"}, categorical="[code]")
    assert facts["pool_rows"] == 80 and not facts["columns"]["unseen_categories"]["pool"]


def flag(frame):
    return frame.assign(flag=np.where(frame["x1"] > 0.5, "TRUE", "FALSE"))


def dose(frame):
    return frame.assign(dose=np.where(frame["x1"] > 0.5, 0.1, 0.7))


def rate(frame):
    return frame.assign(rate=np.where(frame["x1"] > 0.5, "1.50", "2.25"))


def whole(frame):
    return frame.assign(whole=np.where(frame["x1"] > 0.5, "1.0", "2.0"))


FORMS = {
    "a boolean": (flag, "flag", lambda values: pa.array((values == "TRUE").tolist())),
    "a small letter": (flag, "flag", lambda values: pa.array(values.str.lower().tolist())),
    "float32": (dose, "dose", lambda values: pa.array(values.tolist(), pa.float32())),
    "float16": (dose, "dose", lambda values: pa.array(values.to_numpy(np.float16))),
    "a decimal": (rate, "rate", lambda values: pa.array(values.tolist()).cast(pa.decimal128(10, 2))),
    "a wide decimal": (rate, "rate", lambda values: pa.array(values.tolist()).cast(pa.decimal128(30, 9))),
    "a double": (rate, "rate", lambda values: pa.array(values.astype(float).tolist())),
    "an integer": (whole, "whole", lambda values: pa.array(values.astype(float).astype(int).tolist())),
    "a dictionary": (whole, "whole", lambda values: pa.array(values.astype(float)).dictionary_encode()),
    "a text": (whole, "whole", lambda values: pa.array(values.str[:1].tolist(), pa.large_string())),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_category_is_the_same_in_every_form(form, label):
    change, column, held = FORMS[form]
    files = changed(change)
    table = pa.Table.from_pandas(files["pool"], preserve_index=False)
    place = table.schema.get_field_index(column)
    parquet.write_table(table.set_column(place, column, held(files["pool"][column])), "pool.parquet")
    same, _, _ = label(files, categorical=f"[{column}]")
    expected = pd.read_csv("out.csv")
    found, out, _ = label({**files, "pool": "pool.parquet"}, categorical=f"[{column}]")
    assert found["columns"]["unseen_categories"] == same["columns"]["unseen_categories"]
    assert "lack" not in out and found["labels"] > 0
    pd.testing.assert_frame_equal(pd.read_csv("out.csv"), expected)


def test_a_column_that_nobody_knows_is_an_error(label):
    files = changed(flag)
    odd = files["pool"].assign(flag=np.where(files["pool"]["x1"] > 0.5, "yes", "no"))
    line = (
        r"pool\.csv, column flag: not one of its 80 values, such as '(yes|no)', is known .*; ignore=\[flag\]"
    )
    with pytest.raises(SalutaryError, match=line):
        label({**files, "pool": odd})
    assert label({**files, "pool": odd}, ignore="[flag]")[0]["pool_rows"] == 80
    _, out, _ = label({**files, "pool": odd[:19]})
    assert "pool.csv, column flag: 19 of 19 rows have a category that the rows with labels lack" in out
    few = files["pool"].assign(flag=np.where(np.arange(80) < 8, "yes", files["pool"]["flag"]))
    assert "lack" not in label({**files, "pool": few})[1]
    many = files["pool"].assign(flag=np.where(np.arange(80) < 9, "yes", files["pool"]["flag"]))
    assert "pool.csv, column flag: 9 of 80 rows" in label({**files, "pool": many})[1]
    gaps = files["pool"].assign(x2=np.nan)
    assert "pool.csv, column x2: 80 of 80 rows have no value, as no" in label({**files, "pool": gaps})[1]


def spoilt(mark):
    def change(frame):
        keep = np.random.default_rng(len(frame)).random(len(frame)) > 0.15
        return frame.assign(x1=frame["x1"].astype(str).where(keep, mark))

    return change


@pytest.mark.parametrize("mark", ["NA", "?", "#NA", "-1.#IND", "#N/A", "-", "null", "#DIV/0!", "."])
def test_markers_in_numbers_are_gaps_and_told(mark, label):
    files = changed(spoilt(mark))
    facts, out, _ = label(files)
    assert facts["columns"]["numeric"] == ["x1", "x2"]
    for part, frame in files.items():
        rows_of_it = np.flatnonzero(frame["x1"] == mark)
        met = f"x1 ({len(rows_of_it)}, row {rows_of_it[0] + 1})"
        assert f"{part}.csv: {mark!r} means no value in columns of numbers: {met}" in out


def thousands(value, mark=","):
    return f"{1000 + int(1000 * abs(value)):,}".replace(",", mark)


def comma(value, digits=3):
    return f"{value:.{digits}f}".replace(".", ",")


def both_marks(value):
    return f"{1000 + 100 * abs(value):,.2f}".translate({44: ".", 46: ","})


WRITTEN = {
    "thousands": (thousands, 'thousands=","', {"thousands": ","}),
    "decimals": (comma, 'decimal=","', {"decimal": ","}),
    "few decimals": (lambda v: comma(min(max(v, -0.8), 0.9), 1), 'decimal=","', {"decimal": ","}),
    "per cent": (lambda v: f"{v:.2f}%", "units=[%]", {"units": "[%]"}),
    "Euros": (lambda v: f"€ {v:.2f}", "'units=[\"€\"]'", {"units": '["€"]'}),
    "kilograms": (lambda v: f"{v:.2f} kg", "units=[kg]", {"units": "[kg]"}),
    "both marks": (both_marks, 'decimal="," thousands="."', {"decimal": ",", "thousands": "."}),
    "apostrophes": (lambda v: thousands(v, "'"), 'thousands="\'"', {"thousands": "'"}),
    "spaces": (lambda v: thousands(v, "\u202f"), 'thousands=" "', {"thousands": " "}),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_numbers_written_otherwise_are_told_and_can_be_read(how, label):
    write, advice, settings = WRITTEN[how]
    files = changed(lambda frame: frame.assign(x1=frame["x1"].map(write), x2=range(7, 7 + 3 * len(frame), 3)))
    facts, out, _ = label(files)
    assert facts["columns"]["numeric"] == ["x2"]
    line = next(line for line in out.splitlines() if line.startswith("labeled.csv, column x1, row 1: it is"))
    assert line.endswith(f"40 of 40 are numbers with {advice}"), line
    facts, out, _ = label(files, **settings)
    assert facts["columns"]["numeric"] == ["x1", "x2"] and "column x1" not in out


def test_what_most_values_are_not_is_told_with_the_setting(label):
    _, out, _ = label(changed(spoilt("oops")))
    line = next(line for line in out.splitlines() if line.startswith("labeled.csv, column x1, row"))
    assert line.endswith(
        "left out as free text for values such as 'oops', but 33 of 40 are numbers with missing=[oops]"
    )
    facts, out, _ = label(changed(spoilt("oops")), missing="[oops]")
    assert facts["columns"]["numeric"] == ["x1", "x2"] and "oops" not in out
    codes = changed(lambda frame: frame.assign(code=np.where(frame["x1"] > 0.5, "401", "V45")))
    assert "column code" not in label(codes)[1]


def test_every_column_left_out_is_told(label):
    def more(frame):
        n = range(len(frame))
        return frame.assign(
            key=[f"k{row}" for row in n], name=[f"n {row}" for row in n], flat=1, day="2024-01-02"
        )

    _, out, _ = label(changed(more), ignore="[day]")
    assert "labeled.csv: left out key, name (ids or free text (40 different values in 40 rows))" in out
    assert "labeled.csv: left out flat (constant)" in out and "day" not in out


def test_two_spellings_of_one_category_are_told(label):
    files = changed(lambda frame: frame.assign(version=np.where(frame["x1"] > 0.5, "1.1", "1.10")))
    _, out, _ = label(files, categorical="[version]")
    assert "labeled.csv, column version: '1.1' and '1.10' are one category, 1.1" in out
