"""``ask=`` and ``answers=``: points to a file, labels back from it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

QUICK = (
    "remedies=[labeled_and_validation]",
    "rounds=1",
    "folds=2",
    "budget=3",
    "model.candidates=[logistic]",
)
FILES = ("labeled=train.csv", "validation=val.csv", "pool=pool.parquet", "target=kind", *QUICK)


@pytest.fixture
def asked(salutary_label, files, tmp_path, monkeypatch):
    """Runs the command on the files, in their folder; gives its result."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return salutary_label(*FILES, "force=true", *arguments)

    return run


def filled(pool, name="patient", n=4, path="answers.csv"):
    """The first ``n`` points of ask.csv, labelled as they should be."""
    frame = pd.read_csv("labels/ask.csv")
    rows = frame[name] if name == "row" else frame[name].map({each: i for i, each in enumerate(pool.patient)})
    frame["kind"] = [pool.kind[row] if place < n else None for place, row in enumerate(rows)]
    frame.to_csv(path, index=False)
    return rows[:n].to_numpy()


def test_the_file(asked, files):
    status, out, _ = asked("id=patient", "ask=6")
    assert status == 0
    frame = pd.read_csv("labels/ask.csv")
    probabilities = ["probability_benign", "probability_malignant"]
    own = [name for name in files if name not in ("patient", "kind")]
    assert [*frame] == ["kind", "patient", *own, *probabilities, "expected_fall", "standard_error"]
    assert frame.kind.isna().all() and frame.patient.is_unique and len(frame) == 6
    places = files.set_index("patient").loc[frame.patient]
    assert frame["worst perimeter"].tolist() == places["worst perimeter"].tolist()
    np.testing.assert_allclose(frame[probabilities].sum(axis=1), 1)
    html = Path("labels/audit.html").read_text().partition("help most</h2>")[2]
    found = [html.find(f'<th scope="row">{name}</th>') for name in frame.patient]
    assert found == sorted(found) and found[0] > 0
    assert "6 points where a label of yours would help most in labels/ask.csv" in " ".join(out.split())
    facts = json.loads(Path("labels/facts.json").read_text())["asked"]
    assert facts["expected_falls"] == frame.expected_fall.tolist()
    assert facts["standard_errors"] == frame.standard_error.tolist() and (frame.standard_error > 0).all()
    assert files.patient[facts["rows"]].tolist() == frame.patient.tolist()


@pytest.mark.parametrize("name", ["patient", pytest.param("row", marks=pytest.mark.slow)])
def test_answers_are_rows_that_moved(asked, files, name):
    """As if they had stood in the labelled file, and not in the pool."""
    ids = ["id=patient"] if name == "patient" else ["ignore=[patient]"]
    asked(*ids, "ask=6")
    rows = filled(files, name)
    status, _, _ = asked(*ids, "answers=answers.csv", "output=fed.csv", "predictions=all.csv", "ask=3")
    assert status == 0
    pool = files.drop(columns="kind")
    pool.drop(index=rows).to_parquet("left.parquet", index=False)
    together = pd.concat([pd.read_csv("train.csv"), files.loc[rows]])
    together.to_csv("more.csv", index=False)
    status, _, _ = asked(*ids, "labeled=more.csv", "pool=left.parquet", "output=moved.csv", "ask=3")
    assert status == 0
    fed, moved = pd.read_csv("fed.csv"), pd.read_csv("moved.csv")
    numbers = np.delete(np.arange(len(files)), rows)
    assert fed.row.tolist() == numbers[moved.row].tolist()
    pd.testing.assert_frame_equal(fed.drop(columns="row"), moved.drop(columns="row"))
    first, second = (pd.read_csv(f"{folder}/ask.csv") for folder in ("fed", "moved"))
    key = "patient" if name == "patient" else "worst perimeter"
    assert first[key].tolist() == second[key].tolist()
    pd.testing.assert_frame_equal(pd.read_csv("fed/cleaned.csv"), pd.read_csv("moved/cleaned.csv"))
    assert json.loads(Path("fed/facts.json").read_text())["answers"] == 4
    assert len(pd.read_csv("all.csv")) == len(files)


def test_with_sources_groups_and_an_objective(asked, files):
    train = pd.read_csv("train.csv")
    train.assign(who=np.where(train.index % 2, "a", "b")).to_csv("train.csv", index=False)
    more = ("id=patient", "source=who", "group=size", "objective=worst_group")
    status, _, error = asked(*more, "ask=4")
    assert status == 0, error
    filled(files)
    status, _, error = asked(*more, "answers=answers.csv", "output=fed.csv")
    assert status == 0, error
    sources = pd.read_csv("fed/cleaned.csv").who
    assert sources.tolist()[-4:] == ["(answers)"] * 4


def test_what_is_wrong_in_answers(asked, files):
    asked("id=patient", "ask=3")
    frame = pd.read_csv("labels/ask.csv", dtype=object)

    def error(**changes):
        frame.assign(kind=["benign", None, "malignant"]).assign(**changes).to_csv("a.csv", index=False)
        status, _, told = asked("id=patient", "answers=a.csv", "output=fed.csv")
        assert status == 1
        return told

    known = "none of the known classes, benign, malignant"
    assert f"a.csv, column kind, row 3: 'bad' is {known}" in error(kind=["benign", None, "bad"])
    assert "a.csv, column kind: no row has a label yet" in error(kind=None)
    patient = frame.patient
    missing = "row 3: 'nobody' is no id of pool.parquet"
    assert missing in error(patient=[patient[0], patient[1], "nobody"])
    assert "row 3: " in (told := error(patient=[patient[0], patient[1], patient[0]])) and "twice" in told


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("x", "'x' is no number of a row"),
        ("-1", "is no number"),
        ("1.5", "is no number"),
        ("9999", "no row of"),
    ],
)
def test_wrong_numbers(asked, row, problem):
    pd.DataFrame({"row": ["0", row], "kind": ["benign", "benign"]}).to_csv("a.csv", index=False)
    status, _, error = asked("answers=a.csv", "ignore=[patient]")
    assert status == 1 and problem in error and "a.csv, column row, row 2" in error


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["ask=0"], "ask must be null or a whole number >= 1, not 0"),
        (["ask=5", "pool=null"], "ask=5 is about rows of a pool: set pool"),
        (["ask=5", "remedies=false"], "ask=5 is for the model that is handed over: set remedies=true"),
        (["answers=val.csv"], "answers=val.csv is validation, too"),
        (["ask=5", "audit=true"], "ask=5 is about rows of a pool: there is none with audit=true"),
        (["answers=labels/ask.csv"], "answers=labels/ask.csv is where output=labels.parquet writes"),
    ],
)
def test_settings_that_make_no_sense(asked, arguments, problem):
    status, _, error = asked(*arguments)
    assert status == 1 and problem in error


def test_every_row_answered(asked, files):
    rows = pd.DataFrame({"row": files.index, "kind": files.kind})
    rows.to_csv("a.csv", index=False)
    status, _, error = asked("answers=a.csv", "ignore=[patient]")
    assert status == 1 and "every row of the pool has a label" in error
