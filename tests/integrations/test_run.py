"""Runs from Python: the same records as the command's, with names or objects."""

import logging
import subprocess
import sys
import threading

import hydra
import numpy as np
import pandas as pd
import pytest
import torch
from hydra import version
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from sklearn.datasets import load_wine
from sklearn.tree import DecisionTreeClassifier

import salutary
from salutary.datasets import Table
from salutary.engine.objectives.balanced import Balanced
from salutary.errors import SalutaryError
from salutary.integrations.run import RunsFailed
from salutary.models.logistic import LogisticRegression
from salutary.strategies import ScoreStrategy

QUICK = {"dataset": "breast_cancer", "rounds": 2, "budget": 3, "progress": False}
TIMES = ["select_seconds", "fit_seconds"]


class Far(ScoreStrategy):
    """Points that are far out in some direction."""

    def __init__(self, column: int = 0):
        self.column = column

    def scores(self, model, view, rng):
        return view.pool[:, self.column]


class Tree:
    """A model that is no regression."""

    def __init__(self, n_classes: int):
        self.n_classes = n_classes

    def tune(self, X, y, rng, validation=None):
        return self

    def fit(self, X, y, unlabeled=None):
        self.tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
        return self

    def predict_proba(self, X):
        P = np.full((len(X), self.n_classes), 1e-6)
        P[:, self.tree.classes_] += self.tree.predict_proba(X)
        return torch.from_numpy(P / P.sum(1, keepdims=True))


# -- as the command ----------------------------------------------------------------------------------


def test_records_are_those_of_the_command(salutary_run, tmp_path):
    words = ("dataset=breast_cancer", "rounds=2", "strategy=margin,random", "seed=range(2)")
    status, _, _ = salutary_run("-m", *words, "output_dir=typed")
    assert status == 0
    result = salutary.run(*words, output_dir=tmp_path / "python", progress=False)
    typed, python = ({p.name for p in (tmp_path / n).glob("*-*")} for n in ("typed", "python"))
    assert typed == python == {*result.facts.index}
    for name in typed:
        for file in ("queries.csv", "config.yaml"):
            one, other = ((tmp_path / n / name / file).read_text() for n in ("typed", "python"))
            assert one == other.replace(str(tmp_path / "python"), "typed")
        one, other = (pd.read_csv(tmp_path / n / name / "rounds.csv") for n in ("typed", "python"))
        pd.testing.assert_frame_equal(one.drop(columns=TIMES), other.drop(columns=TIMES))


def test_settings_by_name_and_as_typed_are_one():
    typed = salutary.run("dataset=breast_cancer", "rounds=2", "budget=3", "seed=range(2)", progress=False)
    named = salutary.run(**QUICK, seed=range(2))
    pd.testing.assert_frame_equal(typed.queries, named.queries)
    assert typed.facts.index.equals(named.facts.index)


def test_an_experiment_is_a_sweep():
    words = ("experiment=figure1", "dataset=breast_cancer", "seed=0,1", "rounds=0", "study.bins=5")
    result = salutary.run(*words, progress=False)
    assert result.facts["seed"].tolist() == [0, 1]
    assert set(result.tables["relabelled_bins"].groupby(["seed", "part"]).size()) == {5}


def test_files_are_kept_only_if_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = salutary.run(**QUICK)
    assert result.folder is None
    assert list(tmp_path.iterdir()) == []
    kept = salutary.run(**QUICK, output_dir="records")
    assert [p.name for p in (tmp_path / "records").glob("*/run.json")] == ["run.json"]
    assert str(kept.folder) == "records"


def test_what_is_finished_is_not_run_again(tmp_path, monkeypatch):
    first = salutary.run(**QUICK, output_dir=tmp_path, strategy="random")
    monkeypatch.setattr("salutary.experiments.loop.run", None)
    again = salutary.run(**QUICK, output_dir=tmp_path, strategy="random")
    pd.testing.assert_frame_equal(first.rounds, again.rounds)


# -- tables ------------------------------------------------------------------------------------------


def test_tables_of_a_result():
    result = salutary.run(**QUICK, strategy=["margin", "random"], seed=range(2))
    assert len(result.facts) == 4
    assert result.rounds.groupby("run", sort=False)["round"].apply(list).tolist() == [[0, 1, 2]] * 4
    assert result.facts[["strategy", "seed"]].to_numpy().tolist() == [
        *(["margin", 0], ["margin", 1], ["random", 0], ["random", 1])
    ]
    assert len(result.queries) == 4 * 6
    assert set(result.references["line"]) == {
        *("majority", "initial", "labeled_and_validation", "fully_supervised")
    }
    assert result.final["round"].tolist() == [2] * 4
    mean = result.final.query("strategy == 'margin'")["test_accuracy"].mean()
    assert result.summary().loc[("breast_cancer", "margin"), "mean"] == mean
    assert f"{mean:.6f}" in repr(result)
    assert "<table" in result._repr_html_()


def test_a_figure_has_a_line_for_each_strategy_and_level():
    (axis,) = salutary.run(**QUICK, strategy=["margin", "random"]).plot().axes
    assert len(axis.lines) == 3  # two curves, and labelled + validation


def test_any_metric_along_any_axis():
    result = salutary.run(**QUICK, strategy=["margin", "random"], seed=range(2))
    (axis,) = result.plot("auroc", x="human_labels").axes
    curves = {tuple(each.get_ydata()) for each in axis.lines if len(each.get_xdata()) == 3}
    assert all([*each.get_xdata()] == [0, 3, 6] for each in axis.lines if len(each.get_xdata()) == 3)
    means = result.rounds.groupby(["strategy", "n_human_labels"])["test_auroc"].mean().unstack()
    assert sorted(curves) == [pytest.approx(each) for each in sorted(map(tuple, means.to_numpy()))]
    mean = result.summary("loss").loc[("breast_cancer", "margin"), "mean"]
    assert mean == pytest.approx(result.final.query("strategy == 'margin'")["test_loss"].mean())
    for mistake in ({"metric": "acuracy"}, {"x": "time"}):
        with pytest.raises(SalutaryError, match="there are"):
            result.plot(**mistake)


def test_strategies_are_compared_pair_by_pair():
    result = salutary.run(**QUICK, strategy=["margin", "random"], seed=range(3))
    row = result.compare(metric="loss").paired.iloc[0]
    wide = result.final.pivot(index="seed", columns="strategy", values="test_loss")
    assert (row["strategy"], row["baseline"], row["n"]) == ("margin", "random", 3)
    assert row["mean"] == pytest.approx((wide["margin"] - wide["random"]).mean())
    both = result.references.query("line == 'labeled_and_validation'").set_index("seed")["test_loss"]
    level = result.compare("labeled_and_validation", metric="loss").paired.set_index("strategy")["mean"]
    assert level["margin"] == pytest.approx((wide["margin"] - both.groupby("seed").first()).mean())
    with pytest.raises(SalutaryError, match="baseline=badge: there are margin, random"):
        result.compare("badge")


def test_settings_that_differ_are_columns():
    result = salutary.run(**QUICK, **{"model.l2": [1, 10]})
    assert result.final["model.l2"].tolist() == [1, 10]


# -- objects -----------------------------------------------------------------------------------------


def wine() -> tuple[np.ndarray, np.ndarray]:
    data = load_wine()
    return data.data, data.target_names[data.target]


def test_arrays_parts_strategies_and_models():
    X, y = wine()
    rows = np.random.default_rng(0).permutation(len(y))
    ends = np.split(rows, [20, 100, 140])
    parts = dict(zip(("train", "pool", "validation", "test"), ends, strict=True))
    result = salutary.run(
        *("rounds=2", "budget=5"),
        **{"X": X, "y": y, "parts": parts, "model": {"tree": Tree}, "progress": False},
        strategy={"first": Far(), "last": Far(-1), "margin": "margin"}["first"],
    )
    X_std = (X - X[np.r_[ends[0], ends[1]]].mean(0)) / X[np.r_[ends[0], ends[1]]].std(0)
    furthest = ends[1][np.argsort(-X_std[ends[1], 0], kind="stable")]
    assert result.queries["sample_id"].tolist() == furthest[:10].tolist()
    assert result.queries["assigned_label"].tolist() == y[furthest[:10]].tolist()
    assert result.facts[["dataset", "strategy", "model"]].to_numpy().tolist() == [["data", "Far", "tree"]]
    labelled = np.r_[ends[0], furthest[:10]]
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X_std[labelled], y[labelled])
    assert result.final["test_accuracy"].item() == tree.score(X_std[ends[3]], y[ends[3]])


def test_objects_and_names_side_by_side(tmp_path):
    strategies = [Far(), "random", Far(2), "margin"]
    result = salutary.run(**QUICK, strategy=strategies, seed=range(2), output_dir=tmp_path)
    assert len(result.facts) == 8
    counts = result.facts["strategy"].value_counts()
    assert counts.to_dict() == {"Far": 4, "random": 2, "margin": 2}
    named = salutary.run(**QUICK, strategy={"a": Far(), "b": Far(2)}, output_dir=tmp_path)
    assert named.facts["strategy"].tolist() == ["a", "b"]
    about = named.facts["settings"].iloc[1]["strategy"]
    assert about["object"] == f"{__name__}.Far"
    assert about["parameters"] == {"column": 2}


def test_an_object_is_the_same_run_as_its_name():
    X, y = wine()
    one = salutary.run("rounds=2", X=X, y=y, n_init=20, strategy="margin", progress=False)
    table = Table(X, np.unique(y, return_inverse=True)[1], tuple(np.unique(y)))
    other = salutary.run("rounds=2", dataset=table, n_init=20, strategy="margin", progress=False)
    assert one.queries["sample_id"].equals(other.queries["sample_id"])
    own = salutary.run(
        "rounds=2", dataset=table, n_init=20, strategy="margin", model=_logistic, progress=False
    )
    assert own.queries["sample_id"].equals(other.queries["sample_id"])


def _logistic(n_classes: int) -> LogisticRegression:
    return LogisticRegression(n_classes, l2=50, fit_intercept=False)


def test_an_objective_of_ones_own():
    loss = salutary.run(**QUICK, strategy="salutary_greedy")
    balanced = salutary.run(**QUICK, strategy="salutary_greedy", objective=Balanced())
    by_name = salutary.run(**QUICK, strategy="salutary_greedy", objective="balanced")
    assert balanced.rounds["val_objective"].equals(by_name.rounds["val_objective"])
    assert loss.rounds["val_objective"].isna().all()


def test_runs_work_with_copies():
    class Counts(Far):
        n = 0

        def scores(self, model, view, rng):
            self.n += 1
            return super().scores(model, view, rng)

    mine = Counts()
    salutary.run(**QUICK, strategy=mine, seed=range(2))
    assert mine.n == 0


def test_arrays_are_told_apart_by_their_values(tmp_path):
    X, y = wine()
    of = {"n_init": 20, "rounds": 1, "output_dir": tmp_path, "progress": False}
    names = [salutary.run(X=each, y=y, **of).facts.index.item() for each in (X, X.copy(), X + 1)]
    assert names[0] == names[1] != names[2]


def test_findings_of_a_frame_are_handed_over():
    frame = load_wine(as_frame=True).frame.drop(columns="target").assign(constant=1)
    result = salutary.run(X=frame, y=wine()[1], n_init=20, rounds=1, progress=False)
    assert any("constant" in each for each in result.findings)


def test_processes_find_the_same():
    one = salutary.run(**QUICK, strategy=["salutary", "random"], seed=range(2))
    two = salutary.run(**QUICK, strategy=["salutary", "random"], seed=range(2), n_jobs=2)
    pd.testing.assert_frame_equal(one.queries, two.queries)


# -- Hydra's state -----------------------------------------------------------------------------------


def state() -> tuple:
    return GlobalHydra.instance().is_initialized(), HydraConfig.initialized(), version.getbase()


def test_nothing_of_hydra_is_left_behind():
    version.setbase("1.2")
    GlobalHydra.instance().clear()
    before, instances, level = state(), dict(Singleton._instances), logging.getLogger().level
    salutary.run(**QUICK)
    assert state() == before
    assert all(Singleton._instances[kind] is one for kind, one in instances.items())
    assert logging.getLogger().level == level


def test_a_program_that_uses_hydra_goes_on_with_its_own(tmp_path):
    (tmp_path / "own.yaml").write_text("a: 1\n")
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert hydra.compose("own").a == 1
        salutary.run(**QUICK)
        assert hydra.compose("own", ["a=2"]).a == 2
    assert not GlobalHydra.instance().is_initialized()


def test_threads_compose_one_after_the_other():
    found, words = {}, {**QUICK, "rounds": 1}

    def work(seed: int) -> None:
        found[seed] = salutary.run(**words, seed=seed, strategy="random").queries["sample_id"].tolist()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    alone = [salutary.run(**words, seed=s, strategy="random").queries["sample_id"].tolist() for s in range(3)]
    assert [found[seed] for seed in range(3)] == alone


@pytest.mark.slow
def test_a_class_of_main_goes_through_processes(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import salutary\nfrom salutary.strategies import ScoreStrategy\n\n\n"
        "class Mine(ScoreStrategy):\n"
        "    def scores(self, model, view, rng):\n        return view.pool[:, 0]\n\n\n"
        "if __name__ == '__main__':\n"
        "    for n_jobs in (1, 2):\n"
        "        found = salutary.run('dataset=breast_cancer', rounds=1, seed=range(2), strategy=Mine(),\n"
        "                             output_dir=f'out{n_jobs}', n_jobs=n_jobs)\n"
        "        print(found.queries['sample_id'].tolist())\n"
    )
    command = [sys.executable, "mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    one, two = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert one == two
    assert {p.name for p in (tmp_path / "out1").glob("*-*")} == {
        p.name for p in (tmp_path / "out2").glob("*-*")
    }


# -- mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"dataset": "bnk"}, "there is no dataset 'bnk', did you mean bank?"),
        ({"rouns": 3}, "there is no setting 'rouns', did you mean rounds?"),
        ({"rounds": -1}, "rounds must be"),
        ({"seed": []}, "seed: there is no value to choose from"),
        ({"X": [[1]]}, "X and y belong together"),
        ({"X": [[1]], "y": [1]}, "dataset is X and y, or something else, not both"),
        ({"parts": ["train"]}, "parts and class_names are of X and y"),
        ({"n_jobs": 0}, "n_jobs must be a whole number >= 1, or -1, not 0"),
        ({"n_jobs": "2"}, "n_jobs must be a whole number >= 1, or -1, not '2'"),
        ({"n_jobs": 1.5}, "n_jobs must be a whole number >= 1, or -1, not 1.5"),
        ({"strategy": 3}, "strategy must be a name or an object with propose, check, not 3"),
        ({"strategy": Far}, r"strategy must be an object: Far\(...\)"),
        ({"strategy": []}, "strategy: there is no value to choose from"),
        ({"strategy": {"a": "margin"}}, "a mapping is of objects, and 'margin' is a name: use a list"),
        ({"strategy": lambda *a: [0]}, "the name '<lambda>' must be of letters"),
        ({"model": DecisionTreeClassifier()}, "with tune, fit, predict_proba, not a DecisionTreeClassifier"),
        ({"model": DecisionTreeClassifier}, "with tune, fit, predict_proba, not a DecisionTreeClassifier"),
        ({"seed": {0, 1}}, "seed must be a value, a list, a tuple or a range, not a set"),
        ({"strategy": {"a/b": Far()}}, "strategy: the name 'a/b' must be of letters"),
        ({"strategy": Far(), "strategy.column": 3}, "strategy is an object, which has its settings itself"),
        ({"strategy": Far(100)}, "index 100 is out of bounds"),
        ({"objective": Far()}, "objective must be a name or an object with on, figure, not a Far"),
        ({"hydra.launcher": "joblib"}, "hydra.launcher=joblib is for the command line"),
    ],
)
def test_mistakes_are_one_line(arguments, line, tmp_path):
    with pytest.raises((SalutaryError, IndexError), match=line.replace("?", r"\?")):
        salutary.run(**{**QUICK, "output_dir": tmp_path, **arguments})
    assert not list(tmp_path.glob("*/run.json"))


def test_output_dir_is_an_argument():
    with pytest.raises(SalutaryError, match="output_dir is an argument of its own"):
        salutary.run("output_dir=kept", **QUICK)


def test_of_several_runs_the_others_go_on(tmp_path):
    class Fails(Far):
        def scores(self, model, view, rng):
            if rng.integers(2):
                raise RuntimeError("out of luck")
            return super().scores(model, view, rng)

    with pytest.raises(
        RunsFailed, match=r"\d of 6 runs failed; .*Fails.*: RuntimeError: out of luck"
    ) as caught:
        salutary.run(**QUICK, strategy=Fails(), seed=range(6), output_dir=tmp_path)
    done = caught.value.result.facts
    assert 0 < len(done) < 6
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert len(list(tmp_path.glob("*.partial/error.txt"))) == 6 - len(done)
    with pytest.raises(RuntimeError, match="out of luck"):
        salutary.run(**QUICK, strategy=Fails(), seed=_failing(done))


def _failing(done: pd.DataFrame) -> int:
    return min({*range(6)} - {*done["seed"]})


def test_a_function_is_a_strategy():
    def first(model, view, budget, rng):
        return np.arange(budget)

    result = salutary.run(**QUICK, strategy=[first, "random"])
    assert result.facts["strategy"].tolist() == ["random", "first"]


@pytest.mark.parametrize("name", ["a b,c'd", "x ${seed}", 'q"uote', "null"])
def test_texts_are_taken_as_they_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = wine()
    frame = pd.DataFrame(X).set_axis([f"c{n}" for n in range(13)], axis=1)
    frame[name] = y
    frame.to_csv(f"{name}.csv", index=False)
    path = {"dataset": "table", "dataset.path": f"{name}.csv", "dataset.target": name}
    result = salutary.run("rounds=1", "n_init=20", **path, output_dir=name, progress=False)
    assert str(result.folder) == name
    assert [p.name for p in (tmp_path / name).glob("*/run.json")] == ["run.json"]
    assert result.facts["settings"].iloc[0]["dataset"]["target"] == name


def test_rows_are_the_same_however_they_are_held(tmp_path):
    X, y = wine()
    of = {"y": y, "n_init": 20, "rounds": 1, "output_dir": tmp_path, "progress": False}
    names = {salutary.run(X=each, **of).facts.index.item() for each in (X, X.tolist(), torch.tensor(X))}
    assert len(names) == 1
    assert len((tmp_path / names.pop() / "config.yaml").read_text()) < 5000


def test_a_folder_of_ones_own_yaml(tmp_path):
    (tmp_path / "conf" / "strategy").mkdir(parents=True)
    (tmp_path / "conf" / "strategy" / "mine.yaml").write_text("_target_: salutary.strategies.random.Random\n")
    mine = salutary.run(**QUICK, strategy="mine", config_dir=tmp_path / "conf")
    random = salutary.run(**QUICK, strategy="random")
    assert mine.queries["sample_id"].equals(random.queries["sample_id"])
    with pytest.raises(SalutaryError, match="there is no strategy 'mine'"):
        salutary.run(**QUICK, strategy="mine")
