"""Every block of Python on a page runs: here, or in the test that is named."""

import functools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from modAL.models import ActiveLearner
from pages import ROOT, fenced, named, pages
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler, scale

import salutary
from salutary.labeling import cli
from salutary.strategies import ScoreStrategy

# Blocks that other tests run, by page: their numbers, and the file of the test.
ELSEWHERE = {
    "README.md": ([0], "tests/labeling/test_label_command.py"),
    "docs/own_code.md": ([0, 1, 2, 3], "tests/test_own_code.py"),
    "docs/pictures.md": ([0, 1], "tests/labeling/test_pictures_page.py"),
    "docs/python.md": ([0], "tests/test_own_code.py"),
    "docs/report_options.md": ([0], "tests/test_docs.py"),
    "docs/strategies.md": ([0, 1], "tests/test_docs.py"),
    "docs/texts.md": ([0, 1], "tests/labeling/test_texts_page.py"),
    "docs/tutorial/index.md": ([0, 1, 2, 3], "tests/test_tutorial.py"),
}
BLOCKS = {named(page): fenced(page, "python") for page in pages()}
SMALL = ("rounds=1", "budget=2", "n_init=20", "protocol=standard")
HERE = [
    (page, number)
    for page, blocks in BLOCKS.items()
    for number in range(len(blocks))
    if number not in ELSEWHERE.get(page, ([], ""))[0]
]


class LeastConfident(ScoreStrategy):
    """What README calls a strategy of the reader's own."""

    def scores(self, model, view, rng):
        return 1 - model.predict_proba(view.pool).max(dim=1).values


@pytest.fixture
def given(monkeypatch, tmp_path):
    """Names that the pages take for granted: arrays of two classes, and what they import elsewhere."""
    monkeypatch.chdir(tmp_path)
    small = {"rounds": 1, "rerank": 0, "folds": 2, "candidates": ("logistic",)}
    classifier, run = functools.partial(salutary.SalutaryClassifier, **small), salutary.run
    monkeypatch.setattr(salutary, "SalutaryClassifier", classifier)
    monkeypatch.setattr(salutary, "run", lambda **k: run(*SMALL, **(k | {"seed": range(2)}), progress=False))
    X, y = load_breast_cancer(return_X_y=True)
    X, y = scale(X), np.array(["no", "yes"])[y]
    parts = {"X": X[:60], "y": y[:60], "X_val": X[60:160], "y_val": y[60:160], "X_pool": X[160:300]}
    fitted = LogisticRegression(C=0.1, tol=1e-10).fit(parts["X"], parts["y"])
    sex, source = np.resize(["f", "m"], 100), np.resize(["ann", "bob"], 60)
    return {
        **parts,
        **{"SalutaryClassifier": classifier, "influence": salutary.influence, "Uncut": salutary.Uncut},
        **{"fitted": fitted, "sex": sex, "annotator": source, "MyStrategy": LeastConfident},
        **{"sklearn": sklearn, "Pipeline": Pipeline, "StandardScaler": StandardScaler},
        **{"LogisticRegression": LogisticRegression, "ActiveLearner": ActiveLearner},
        **{"cross_val_score": cross_val_score, "GridSearchCV": GridSearchCV},
    }


def run(page: str, number: int, names: dict) -> dict:
    exec(compile(BLOCKS[page][number], page, "exec"), names)
    return names


def test_each_block_is_run_by_a_test():
    """The tests below name those that run here; what is said to be run elsewhere is there."""
    for page, (numbers, test) in ELSEWHERE.items():
        assert max(numbers) < len(BLOCKS[page]), page
        assert Path(page).name in (ROOT / test).read_text(), test
    source = Path(__file__).read_text()
    tested = {(page, int(n)) for page, n in re.findall(r'run\("([\w/.]+)", (\d+)', source)}
    assert tested == set(HERE)


def test_readme(given):
    found = run("README.md", 1, given)
    assert found["model"].remedies_["weight"].sum() == pytest.approx(1)
    assert len(run("README.md", 2, given)["result"].final) == 6


def test_objectives(given):
    """With an objective in place of the dots."""
    found = []

    def influence(*rows, objective, **others):
        assert objective is ...
        found.append(salutary.influence(*rows, objective=names["model"].objective, **others))

    names = given | {"influence": influence}
    run("docs/objectives.md", 0, names)
    assert found[0].shape == (len(given["X_pool"]), 2)


def test_remedies(given, capsys):
    found = run("docs/remedies.md", 0, given)
    assert found["model"].diagnosis_.sentence in capsys.readouterr().out


def test_influence(given):
    X = torch.tensor(given["X"])
    model = salutary_model(X, given["y"])
    names = {"model": model, "X_labeled": X, "X_pool": torch.tensor(given["X_pool"])}
    names |= {"X_val": torch.tensor(given["X_val"]), "y_val": torch.tensor(given["y_val"] == "yes").long()}
    found = run("docs/influence.md", 0, names)
    np.save("pool.npy", given["X_pool"])
    best = run("docs/influence.md", 1, found)["best"]
    assert len(best.rows) == 100


def salutary_model(X, y):
    from salutary.models.logistic import LogisticRegression as Ours

    return Ours(2, l2=1.0, fit_intercept=False).fit(X, torch.tensor(y == "yes").long())


def test_records(salutary_run):
    status, _, err = salutary_run("dataset=breast_cancer", "strategy=random", "rounds=0", "output_dir=.")
    assert status == 0, err
    (file,) = Path().glob("*/split.npz")
    file.rename("split.npz")
    assert len(run("docs/records.md", 0, {})["rows"]) > 50


def test_a_saved_model(given, command):
    frame = pd.DataFrame(given["X"], columns=[f"x{i}" for i in range(30)]).assign(outcome=given["y"])
    frame[:30].to_csv("train.csv", index=False), frame[30:].to_csv("val.csv", index=False)
    frame.to_csv("new.csv", index=False)
    words = ("labeled=train.csv", "validation=val.csv", "target=outcome", "output=labels.csv")
    fast = ("remedies=[labeled,labeled_and_validation]", "model.candidates=[logistic]", "folds=2")
    status, _, err = command(cli.main, "salutary-label", *words, *fast)
    assert status == 0, err
    model = run("docs/your_data.md", 0, {"frame": frame})["model"]
    assert np.array_equal(model.predict_proba("new.csv"), model.predict_proba(frame))


def test_searches(given):
    run("docs/your_data.md", 1, {})
    with sklearn.config_context():
        found = run("docs/your_data.md", 2, given)
        assert found["pipeline"]["model"].labels_.size
    found = run("docs/your_data.md", 3, given)
    assert found["params"]["X_val"].shape == given["X_val"].shape


def test_a_pool_in_blocks(given):
    frames = {name: pd.DataFrame(given[name]).add_prefix("x") for name in ("X", "X_val", "X_pool")}
    pool = frames.pop("X_pool").assign(key=[f"row {i}" for i in range(140)])
    Path("pool").mkdir()
    for start in (0, 100):
        pool[start : start + 100].to_parquet(f"pool/{start}.parquet", index=False)
    names = given | frames | {"model": given["SalutaryClassifier"](confidence=0)}
    found = run("docs/your_data.md", 4, names)["model"]
    assert found.ids_.tolist() == [f"row {i}" for i in found.indices_.tolist()] and len(found.ids_)


def test_modal(given):
    found = run("docs/your_data.md", 5, given)
    assert len(found["rows"]) == len(found["strategy"].labels_)


def test_skactiveml(given):
    classifiers = pytest.importorskip("skactiveml.classifier")
    X, y = np.concatenate([given["X"], given["X_pool"]]), np.full(200, np.nan)
    y[:60] = given["y"] == "yes"
    clf = classifiers.SklearnClassifier(LogisticRegression(), classes=[0, 1])
    names = {"X": X, "y": y, "clf": clf, "X_val": given["X_val"], "y_val": given["y_val"] == "yes"}
    found = run("docs/your_data.md", 6, names)
    assert not np.isnan(y[found["rows"]]).any()


def test_a_data_set(given, salutary_run):
    """With rows in place of the dots."""
    run("docs/your_data.md", 7, {})
    rows = "np.random.default_rng(0).normal(size=(300, 4)), np.arange(300) % 2"
    code = BLOCKS["docs/your_data.md"][7].replace("= ...", f"= {rows}")
    Path("my_code.py").write_text(f"import numpy as np\n{code}")
    page = ROOT / "docs" / "your_data.md"
    (yaml,) = fenced(page, "yaml")
    Path("my_conf/dataset").mkdir(parents=True)
    Path("my_conf/dataset/churn.yaml").write_text(yaml)
    (words,) = re.findall(r"`salutary-run (--config-dir my_conf dataset=churn .*?)`", page.read_text())
    status, out, err = salutary_run(*words.split(), "rounds=1", "strategy=random")
    assert status == 0, err
    assert "churn" in out


def test_photographs(data_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("docs/pictures.md", 2, {})
    assert {each.name for each in Path("test").iterdir()} == {"airplane", "cat", "ship"}
