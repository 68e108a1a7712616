"""Odd tables that are right are read."""

import csv
import gzip
import json
import re
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape
from spoilt_tables import LABEL, PARTS, cells, frame, with_changes

from salutary.labeling import cli

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)


@pytest.fixture
def label(salutary, monkeypatch, tmp_path):
    """Changed settings to what is written: (labels, facts, the page's text)."""
    monkeypatch.setattr("salutary.labeling.page.small_png", lambda figure: b"")  # drawing takes longest

    def run(**settings):
        arguments = with_changes(LABEL | {"strategy.confidence": "0"}, settings)
        status, _, err = salutary(cli.main, "salutary-label", *arguments)
        assert status == 0, err
        output = tmp_path / settings.get("output", "labels.parquet")
        labels = pd.read_parquet(output) if output.suffix == ".parquet" else pd.read_csv(output)
        assert np.isfinite(labels["influence"].astype(float)).all()
        folder = output.with_suffix("")
        facts = json.loads((folder / "facts.json").read_text())
        assert not list(tmp_path.glob(".*")) and not list(tmp_path.glob("*.partial"))
        return labels, facts, (folder / "audit.html").read_text()

    return run


def test_unseen_categories_are_counted(label, tmp_path):
    cells("val.csv", city={3: "Paris", 5: "Rome"})(tmp_path)
    cells("test.csv", city={1: "Paris"})(tmp_path)
    cells("pool.csv", city=dict.fromkeys(range(1, 30), "Oslo"))(tmp_path)
    _, facts, page = label(test="test.csv")
    unseen = facts["columns"]["unseen_categories"]
    assert unseen == {"validation and test": {"city": 3}, "pool": {"city": 29}}
    assert "<code>city</code> 29" in page


def test_values_may_be_missing_everywhere(label, tmp_path):
    for name in PARTS:
        gaps = {"age": {1: "", 2: "NA", 3: "null"}, "wage": {2: "nan"}, "city": {2: "", 4: "None"}}
        cells(name, **gaps)(tmp_path)
    cells("pool.csv", wage="", city="")(tmp_path)
    _, facts, _ = label()
    assert facts["columns"]["features"] == 2 + 2 + 5  # an indicator a number; a category for none, and None
    assert facts["columns"]["unseen_categories"] == {"validation and test": {}, "pool": {}}
    found = facts["columns"]["findings"]
    assert "train.csv: 'NA' means no value in columns of numbers: age (1, row 2)" in found
    assert (
        "pool.csv: 'nan' means no value in columns of numbers: wage (1, row 2)" not in found
    )  # all are empty
    none = "is a category of its own: city (1, row 4); it means no value with missing=[None]"
    assert [line for line in found if none in line] == [
        f"train.csv: 'None' {none}",
        f"val.csv: 'None' {none}",
    ]
    assert label(missing="[None]", output="b.csv")[1]["columns"]["features"] == 2 + 2 + 4


def as_tsv(path):
    PARTS[path.name].to_csv(path.with_suffix(".tsv"), index=False, sep="\t")
    return path.with_suffix(".tsv")


def as_semicolons(path):
    PARTS[path.name].to_csv(path, index=False, sep=";")
    return path


def as_windows_would(path):
    text = "\ufeff" + PARTS[path.name].to_csv(index=False, lineterminator="\r\n") + "\r\n\r\n"
    path.write_bytes(text.encode())
    return path


def as_quoted(path):
    PARTS[path.name].to_csv(path, index=False, quoting=csv.QUOTE_ALL)
    return path


def as_gz(path):
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def as_parquet(path):
    PARTS[path.name].to_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def as_feather(path):
    PARTS[path.name].to_feather(path.with_suffix(".feather"))
    return path.with_suffix(".feather")


def as_npz(path):
    columns = {name: values.to_numpy() for name, values in PARTS[path.name].items()}
    columns = {n: values.astype(str) if values.dtype == object else values for n, values in columns.items()}
    np.savez_compressed(path.with_suffix(".npz"), **columns)
    return path.with_suffix(".npz")


def as_folder(path):
    folder = path.with_suffix("")
    folder.mkdir()
    for number, rows in enumerate((slice(0, 1), slice(1, 1), slice(1, 17), slice(17, None))):
        PARTS[path.name][rows].to_parquet(folder / f"part-{number}.parquet", index=False)
    (folder / "README.txt").write_text("not a table")
    return folder


FORMS = [as_tsv, as_semicolons, as_windows_would, as_quoted, as_gz, as_parquet, as_feather, as_npz, as_folder]


@pytest.fixture(scope="module")
def from_csv():
    return {}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_labels(form, label, from_csv, tmp_path):
    if not from_csv:
        from_csv["labels"] = label(output="plain.csv", id="key")[0]
    expected = from_csv["labels"]
    files = {name: form(tmp_path / f"{file}.csv").name for name, file in
             {"labeled": "train", "validation": "val", "pool": "pool"}.items()}  # fmt: skip
    separator = {"separator": ";"} if form is as_semicolons else {}
    found, _, _ = label(output="again.csv", id="key", **files, **separator)
    assert len(found) == 2
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)


NAMES = [
    "a name",
    'it\'s "so"',
    "x=y",
    "größe ✓",
    "<script>alert(1)</script>",
    "{{ 1 }}",
    "[x]",
    "a.1",
    "50%",
]


@pytest.mark.parametrize("odd", NAMES)
def test_any_name_will_do(odd, label, tmp_path):
    new = {"city": odd, "age": f"{odd} 2", "outcome": f"{odd} 3", "key": f"{odd} 4"}
    for name in PARTS:
        change = frame(name, lambda table: table.rename(columns=new).replace("Ulm", odd).replace("yes", odd))
        change(tmp_path)
    labels, facts, page = label(target=f"{odd} 3", id=f"{odd} 4", output="out.parquet")
    assert f"{odd} 4" in labels and facts["columns"]["categorical"] == [odd]
    assert set(facts["classes"]) == {"no", odd}
    assert "<script>alert" not in page and "<td>2</td>" not in page.split(">Columns</h2>")[1][:900]
    assert str(escape(odd)) in page


def test_a_dot_in_a_name_of_a_parquet_column(label, tmp_path):
    for name in ("train", "val", "pool"):
        table = PARTS[f"{name}.csv"].rename(columns={"wage": "age.1"})
        table.to_parquet(tmp_path / f"{name}.parquet", index=False)
    settings = {"labeled": "train.parquet", "validation": "val.parquet", "pool": "pool.parquet"}
    _, facts, _ = label(**settings, ignore="[age.1,key]")
    assert facts["columns"]["numeric"] == ["age"]


PLACES = ["a folder", 'it\'s "so"', "(1),2", "x=y", "größe", "[b]", "a;b&c", "back\\slash"]


@pytest.mark.parametrize("place", PLACES)
def test_any_place_will_do(place, label, tmp_path):
    (tmp_path / place).mkdir()
    files = {"labeled": "train.csv", "validation": "val.csv", "pool": "pool.csv"}
    moved = {name: f"./{place}/{file}" for name, file in files.items()}
    for file in files.values():
        (tmp_path / file).rename(tmp_path / place / file)
    _, facts, page = label(**moved, output=f"./{place}/out.csv")
    assert facts["command"]["pool"] == moved["pool"] and str(escape(moved["pool"])) in page


def test_a_place_that_looks_like_markup(label, tmp_path):
    (tmp_path / "[").mkdir()
    label(output="[/x].csv")


def test_kinds_of_arrow(label, tmp_path):
    import pyarrow as pa
    from pyarrow import feather, parquet

    def table(name):
        found = PARTS[name]
        rows = np.arange(len(found))
        columns = {column: pa.array(found[column]) for column in found if column in ("age", "outcome")}
        columns |= {
            "city": pa.array(found["city"]).dictionary_encode(),
            "codes": pa.array(rows % 3, pa.int8()).dictionary_encode(),
            "flag": pa.array([None if row % 7 == 0 else bool(row % 2) for row in rows]),
            "price": pa.array([Decimal(int(row)) / 4 for row in rows], pa.decimal128(9, 2)),
            "exact": pa.array(
                [Decimal(10**20 + int(row) ** 2 * 10**9) for row in rows], pa.decimal128(38, 0)
            ),
            "half": pa.array(rows.astype(np.float16) % 5),
            "small": pa.array(rows % 5, pa.uint8()),
            "gaps": pa.array([None if row % 5 == 0 else int(row) % 4 for row in rows]),
            "nothing": pa.nulls(len(rows)),
            "at": pa.array([datetime(2024, 1, 1 + row % 9) for row in rows]),
            "zone": pa.array(rows, pa.timestamp("s", "Europe/Berlin")),
            "day": pa.array([date(2024, 1, 1 + row % 9) for row in rows]),
            "far": pa.array(10**7 + rows, pa.int32()).view(pa.date32()),
            "clock": pa.array(rows, pa.int32()).view(pa.time32("s")),
            "span": pa.array(rows, pa.int64()).view(pa.duration("s")),
            "text": pa.array(found["city"], pa.large_string()),
            "list": pa.array([[1]] * len(rows)),
        }
        return pa.table(columns)

    parquet.write_table(table("train.csv"), tmp_path / "train.parquet")
    parquet.write_table(table("pool.csv").drop_columns(["nothing", "at"]), tmp_path / "pool.parquet")
    feather.write_feather(table("val.csv"), tmp_path / "val.feather")
    _, facts, _ = label(
        labeled="train.parquet", validation="val.feather", pool="pool.parquet", ignore="[list]"
    )
    columns = facts["columns"]
    assert set(columns["numeric"]) == {"age", "price", "exact", "half", "small", "gaps", "codes"}
    assert set(columns["categorical"]) == {"city", "flag", "text"}
    left_out = {"nothing", "at", "zone", "day", "far", "clock", "span", "list"}
    assert set(columns["left_out"]) == left_out and columns["left_out"]["list"] == "as asked"
    assert all(
        columns["left_out"][name].startswith("dates") for name in left_out - {"nothing", "list", "far"}
    )


def test_codes_are_categories(label, tmp_path):
    for name in PARTS:
        cells(name, city=["00501", "00544", "06390"] * (len(PARTS[name]) // 3))(tmp_path)
        text = (tmp_path / name).read_text().replace(",501", ",00501").replace(",544", ",00544")
        (tmp_path / name).write_text(text)
    _, facts, _ = label()
    assert facts["columns"]["categorical"] == ["city"] and facts["columns"]["features"] == 2 + 3


def test_texts_with_commas_quotes_and_line_ends(label, tmp_path):
    for name in PARTS:
        odd = frame(name, lambda t: t.replace({"city": {"Ulm": 'a "b",\nc', "Bonn": "x,y"}}))
        odd(tmp_path)
    _, facts, _ = label()
    assert facts["columns"]["features"] == 2 + 3


def test_few_rows(label, tmp_path):
    for name in ("train.csv", "val.csv"):
        frame(name, lambda t: pd.concat([t[t["outcome"] == each][:2] for each in ("yes", "no")]))(tmp_path)
    frame("pool.csv", lambda t: t[:1])(tmp_path)
    _, facts, _ = label(folds="5", budget="10", rounds="auto")
    assert facts["pool_rows"] == 1 and sum(facts["counts"]["labeled"].values()) == 4


def test_labels_may_be_truth_values_and_numbers_with_a_point(label, tmp_path):
    for spelling in (["True", "False"], ["1.0", "0.0"]):
        for name in ("train.csv", "val.csv"):
            PARTS[name].replace({"outcome": dict(zip(["yes", "no"], spelling, strict=True))}).to_csv(
                tmp_path / name, index=False
            )
        labels, facts, _ = label(output="out.csv", force="true")
        assert facts["classes"] == (["False", "True"] if "True" in spelling else ["0", "1"])
        assert set(labels["label"].astype(str)) <= set(facts["classes"])
    values = PARTS["train.csv"]["outcome"] == "yes"
    for name, kind in (("a.parquet", bool), ("b.parquet", float)):
        PARTS["train.csv"].assign(outcome=values.astype(kind)).to_parquet(tmp_path / name, index=False)
    PARTS["val.csv"].replace({"outcome": {"yes": "1", "no": "0"}}).to_csv(tmp_path / "val.csv", index=False)
    assert label(labeled="b.parquet", output="b.csv")[1]["classes"] == ["0", "1"]
    PARTS["val.csv"].replace({"outcome": {"yes": "True", "no": "False"}}).to_csv(
        tmp_path / "val.csv", index=False
    )
    assert label(labeled="a.parquet", output="a.csv")[1]["classes"] == ["False", "True"]


def test_row_numbers_that_pandas_wrote_are_no_feature(label, tmp_path):
    for name in PARTS:
        shuffled = PARTS[name].sample(frac=1, random_state=0)
        shuffled.to_csv(tmp_path / name)
        shuffled.to_parquet(tmp_path / f"{name}.parquet")
    left_out = label()[1]["columns"]["left_out"]
    assert left_out["(unnamed)"] == "ids"
    columns = label(labeled="train.csv.parquet", output="b.csv", validation="val.csv")[1]["columns"]
    assert columns["left_out"]["__index_level_0__"] == "ids" and columns["numeric"] == ["age", "wage"]


def test_names_of_features_may_coincide(label, tmp_path):
    for name in PARTS:
        table = PARTS[name].assign(
            city_Ulm=PARTS[name]["wage"] ** 2, missingindicator_age=PARTS[name]["wage"]
        )
        table.loc[::5, "age"] = None
        table.to_csv(tmp_path / name, index=False)
    assert label()[1]["columns"]["features"] == 4 + 1 + 3


def test_the_audit_page_shows_names_as_text(salutary, tmp_path):
    new = {"city": "<b>", "key": "<i>", "outcome": "<u>"}
    for name in PARTS:
        frame(name, lambda table: table.rename(columns=new).replace({"yes": "<s>", "k0-3": "<em>"}))(tmp_path)
    arguments = with_changes(LABEL, {"pool": None, "target": "<u>", "id": "<i>", "audit": "true"})
    status, _, err = salutary(cli.main, "salutary-label", *arguments)
    assert status == 0, err
    page = (tmp_path / "audit" / "audit.html").read_text()
    assert "&lt;i&gt;" in page and "&lt;s&gt;" in page
    assert not {"<i>", "<u>", "<s>", "<em>"} & set(re.findall(r"<\w+>", page))
