"""Exports, read by the projects that they are for."""

import json
import re
import tracemalloc
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from salutary.errors import SalutaryError
from salutary.labeling.exports import blocks, cleanlab
from salutary.labeling.exports import rows as exported
from salutary.labeling.exports.blocks import About
from salutary.labeling.exports.rows import PoolRows
from salutary.labeling.pool import NpyPool
from salutary.labeling.remaining import RemainingRows
from salutary.tables import table_file
from salutary.tables.files import open_table
from salutary.tables.schema import Schema

N = 50
CLASSES = ("a", 'say "<x>"', "ü")
ABOUT = About("kind", CLASSES, "key", "salutary-0-abc")


def frame(n=N):
    rng = np.random.default_rng(0)
    numbers, texts = rng.normal(size=n), rng.choice(["Rom", "Köln", None], n)
    numbers[3], numbers[4] = np.nan, np.inf
    about = {"key": [f"k{i}" for i in range(n)], "size": numbers, "city": texts, "kind": "secret"}
    return pd.DataFrame(about | {"note": [f"note {i}" for i in range(n)]})


def probabilities(X):
    P = np.exp(X.astype(float))
    return P / P.sum(1, keepdims=True)


@pytest.fixture(params=["csv", "parquet"])
def pool(tmp_path, monkeypatch, request):
    """Blocks of 7 rows, files of 20 entries; rows 2 and 49 have answers."""
    monkeypatch.setattr(table_file, "BLOCK_ROWS", 7)
    monkeypatch.setattr(blocks, "PER_FILE", 20)
    monkeypatch.setattr(exported, "AT_ONCE", 5)
    return written(tmp_path, request.param)


def written(folder, form="csv", n=N):
    path = folder / f"pool.{form}"
    frame(n).to_csv(path, index=False) if form == "csv" else frame(n).to_parquet(path, index=False)
    np.save(folder / "pool.npy", np.random.default_rng(1).normal(size=(n, 3)).astype(np.float32))
    matrix = RemainingRows(NpyPool(folder / "pool.npy"), np.array([2, n - 1]))
    schema = Schema(("size",), ("city",), {"note": "ids or free text"})
    return PoolRows(open_table(path), schema, matrix, probabilities)


def expected(pool):
    """The frame of the rows that are left, their probabilities and their classes."""
    kept = np.delete(np.arange(N), [2, N - 1])
    P = probabilities(pool.matrix.whole.take(kept))
    return frame().iloc[kept].reset_index(drop=True), P, [CLASSES[c] for c in P.argmax(1)]


def entries(folder, pattern):
    lists = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob(pattern))]
    assert [len(each) for each in lists] == [20, 20, 8]
    return [entry for each in lists for entry in each]


def test_label_studio(pool, tmp_path):
    pool.export(["label-studio"], tmp_path, ABOUT)
    rows, P, labels = expected(pool)
    tasks = entries(tmp_path, "label-studio/tasks-*.json")
    predictions = [task["predictions"][0] for task in tasks]
    assert [task["data"]["id"] for task in tasks] == rows.key.tolist()
    assert [each["result"][0]["value"]["choices"] for each in predictions] == [[label] for label in labels]
    np.testing.assert_allclose([each["score"] for each in predictions], P.max(1))
    assert {each["model_version"] for each in predictions} == {"salutary-0-abc"}
    shown = [task["data"]["row"] for task in tasks]
    assert {*shown[0]} == {"size", "city", "note"}
    assert shown[2]["size"] is None and shown[3]["size"] == "inf"
    assert [row["city"] for row in shown] == [None if pd.isna(city) else city for city in rows.city]
    config = ElementTree.parse(tmp_path / "label-studio" / "config.xml")
    assert [choice.get("value") for choice in config.iter("Choice")] == [*CLASSES]


def test_label_studio_takes_it(pool, tmp_path):
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    pool.export(["label-studio"], tmp_path, ABOUT)
    config = interface.LabelInterface((tmp_path / "label-studio" / "config.xml").read_text("utf-8"))
    config.validate()
    for task in entries(tmp_path, "label-studio/tasks-*.json"):
        assert config.validate_task({"data": task["data"]})
        assert config.validate_prediction(task["predictions"][0], return_errors=True) == []
    wrong = json.loads(json.dumps(task["predictions"][0]).replace('"choices": [', '"choices": ["other", '))
    assert config.validate_prediction(wrong, return_errors=True)


def test_argilla(pool, tmp_path):
    pool.export(["argilla"], tmp_path, ABOUT)
    rows, P, labels = expected(pool)
    records = entries(tmp_path, "argilla/records-*.json")
    assert [record["id"] for record in records] == rows.key.tolist()
    suggestions = [record["suggestions"]["label"] for record in records]
    assert [each["value"] for each in suggestions] == labels
    np.testing.assert_allclose([each["score"] for each in suggestions], P.max(1))
    assert "**note**: note 0" in records[0]["fields"]["row"] and "secret" not in str(records)


def test_argilla_takes_it(pool, tmp_path, monkeypatch):
    rg = pytest.importorskip("argilla")
    from types import SimpleNamespace

    class Anything:
        def __getattr__(self, name):
            return Anything()

    monkeypatch.setattr(rg.Argilla, "_default_client", SimpleNamespace(api=Anything()))
    pool.export(["argilla"], tmp_path, ABOUT)
    settings = rg.Settings.from_json(tmp_path / "argilla" / "settings.json")
    settings.validate()
    assert settings.questions["label"].labels == [*CLASSES]
    assert [field.name for field in settings.fields] == ["row"]
    _, _, labels = expected(pool)
    records = [rg.Record.from_dict(each) for each in entries(tmp_path, "argilla/records-*.json")]
    suggestions = [next(iter(record.suggestions)) for record in records]
    assert [each.value for each in suggestions] == labels
    assert {each.agent for each in suggestions} == {"salutary-0-abc"}
    assert all({*record.fields.to_dict()} == {"row"} for record in records)


def test_hugging_face(pool, tmp_path):
    pool.export(["datasets"], tmp_path, ABOUT)
    rows, P, labels = expected(pool)
    found = pd.read_parquet(tmp_path / "datasets" / "data" / "pool-00000-of-00001.parquet")
    assert [*found] == ["key", "size", "city", "note", "prediction", *(f"probability_{c}" for c in CLASSES)]
    assert found.key.tolist() == rows.key.tolist()
    assert [CLASSES[c] for c in found.prediction] == labels
    np.testing.assert_allclose(found.iloc[:, -3:], P)
    np.testing.assert_array_equal(found["size"], rows["size"])
    assert re.match(r"---\n.*\n---\n", (tmp_path / "datasets" / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.filterwarnings("ignore")
def test_hugging_face_takes_it(pool, tmp_path, monkeypatch):
    pytest.importorskip("datasets.arrow_dataset")
    import datasets

    pool.export(["datasets"], tmp_path, ABOUT)
    rows, _, labels = expected(pool)
    read = datasets.load_dataset(str(tmp_path / "datasets"), cache_dir=str(tmp_path / "cache"), split="pool")
    kind = read.features["prediction"]
    assert kind == datasets.ClassLabel(names=[*CLASSES])
    assert [kind.int2str(each) for each in read["prediction"]] == labels
    assert read.features["size"] == datasets.Value("float64")
    assert read["key"][:] == rows.key.tolist()
    alone = datasets.Dataset.from_parquet(
        str(tmp_path / "datasets" / "data" / "pool-00000-of-00001.parquet"), cache_dir=str(tmp_path / "c")
    )
    assert alone.features == read.features


@pytest.mark.parametrize("changed", [-1, 1])
def test_a_table_that_has_other_rows_now(tmp_path, changed):
    pool = written(tmp_path)
    frame(N + changed).to_csv(tmp_path / "pool.csv", index=False)
    with pytest.raises(SalutaryError, match="has other rows than when it was first read"):
        pool.export(["label-studio"], tmp_path, ABOUT)


def test_memory_does_not_grow_with_the_pool(tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "BLOCK_ROWS", 500)
    monkeypatch.setattr(blocks, "PER_FILE", 500)
    peaks = []
    for n in (2_000, 16_000):
        folder = tmp_path / str(n)
        folder.mkdir()
        pool = written(folder, n=n)
        tracemalloc.start()
        pool.export(["label-studio", "argilla", "datasets"], folder, ABOUT)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def doubtful():
    """Class numbers of 60 rows, and how likely they are wrong."""
    return np.arange(60) % 2, np.linspace(0, 1, 60)


def test_clean_learning_takes_it():
    from cleanlab.classification import CleanLearning
    from sklearn.linear_model import LogisticRegression

    y, wrong = doubtful()
    X = np.random.default_rng(0).normal(size=(60, 2)) + 3 * y[:, None]
    fitted = CleanLearning(LogisticRegression()).fit(X, y, label_issues=cleanlab.issues(wrong, y, 1 - y))
    assert fitted.get_label_issues().is_label_issue.tolist() == (wrong > 0.5).tolist()


@pytest.mark.filterwarnings("ignore")
def test_it_is_as_datalab_has_it():
    pytest.importorskip("datasets.arrow_dataset")  # which Datalab needs
    from cleanlab.datalab.datalab import Datalab

    y, wrong = doubtful()
    found = cleanlab.issues(wrong, y, 1 - y)
    lab = Datalab({"y": y}, label_name="y", task="classification", verbosity=0)
    lab.find_issues(pred_probs=np.column_stack([1 - y, y]) * 0.8 + 0.1, issue_types={"label": {}})
    theirs = lab.get_issues("label")
    assert [*found] == [*theirs]
    assert [found[name].dtype for name in found] == [theirs[name].dtype for name in theirs]


FILES = ("labeled=train.csv", "validation=val.csv", "target=kind", "id=patient")
QUICK = ("remedies=[labeled]", "rounds=1", "folds=2", "budget=3", "model.candidates=[logistic]")


def test_the_command(salutary_label, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, error = salutary_label(
        *FILES,
        *QUICK,
        "pool=pool.parquet",
        "export=[label-studio,argilla,cleanlab,datasets]",
        "predictions=all.csv",
    )
    assert status == 0, error
    told = pd.read_csv("all.csv").set_index("patient")
    tasks = json.loads((tmp_path / "labels/label-studio/tasks-00000.json").read_text())
    labels = [task["predictions"][0]["result"][0]["value"]["choices"][0] for task in tasks]
    assert labels == told.prediction.tolist()
    assert [task["data"]["id"] for task in tasks] == told.index.tolist()
    issues = pd.read_csv("labels/cleanlab.csv")
    train = pd.read_csv("train.csv")
    assert issues.patient.tolist() == train.patient.tolist()
    assert issues.given_label.tolist() == train.kind.tolist()


def test_of_an_audit(salutary_label, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, error = salutary_label(*FILES, "audit=true", "export=cleanlab")
    assert status == 0, error
    found = pd.read_csv("audit/cleanlab.csv").set_index("patient")
    audit = pd.read_csv("audit.csv").set_index("patient").loc[found.index]
    assert found.label_score.to_numpy() == pytest.approx(1 - audit.wrong_probability.to_numpy())
    assert found.predicted_label.tolist() == audit.likely_label.tolist()
    assert found.index.tolist() == pd.read_csv("train.csv").patient.tolist()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["export=excel", "pool=pool.parquet"], "export must be label-studio, argilla"),
        (["export=[argilla,excel]", "pool=pool.parquet"], "export must be"),
        (["export=[argilla,argilla]", "pool=pool.parquet"], "export=argilla is there twice"),
        (["export=argilla"], "export=argilla is of the rows of a pool: set pool"),
        (
            ["export=datasets", "audit=true"],
            "export=datasets is of the rows of a pool: there is none with audit",
        ),
    ],
)
def test_exports_of_nothing(salutary_label, files, tmp_path, monkeypatch, arguments, problem):
    monkeypatch.chdir(tmp_path)
    status, _, error = salutary_label(*FILES, *QUICK, *arguments)
    assert status == 1 and problem in error
