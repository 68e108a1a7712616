"""What is made of a sweep: the collected table, MLflow's runs, Optuna's search."""

import contextlib
import csv

import pandas as pd
import pytest
from omegaconf import OmegaConf

from salutary.experiments import collect

# -- collecting ------------------------------------------------------------------------------------


def test_collected_at_the_end_of_a_sweep(salutary_run, tmp_path):
    salutary_run("-m", "dataset=breast_cancer", "strategy=salutary,margin", "rounds=1", "model.l2=1,2")
    table = pd.read_csv(tmp_path / "outputs" / "all_rounds.csv")
    assert len(table) == 8
    assert set(table["model.l2"]) == {1, 2}
    assert set(table["run"]) == {p.parent.name for p in tmp_path.rglob("run.json")}
    assert "seed" in table and "model.fit_intercept" not in table  # the same in every run
    parquet = pd.read_parquet(tmp_path / "outputs" / "all_rounds.parquet")
    parquet, table = (each.drop(columns="stop") for each in (parquet, table))
    pd.testing.assert_frame_equal(parquet, table, check_dtype=False)


def test_unfinished_and_damaged_runs_are_left_out_and_counted(salutary_run, tmp_path):
    salutary_run("-m", "dataset=breast_cancer", "rounds=1", "seed=range(4)")
    a, b, c, d = sorted((tmp_path / "outputs").glob("*/run.json"))
    a.write_text(a.read_text()[:100])
    (b.parent / "rounds.csv").write_bytes((b.parent / "rounds.csv").read_bytes()[:-30])
    c.parent.rename(c.parent.with_name(c.parent.name + ".partial"))
    said = collect.collect(tmp_path / "outputs")
    assert said.startswith("1 run in ") and "left out: 1 unfinished, 2 damaged (" in said
    assert set(pd.read_csv(tmp_path / "outputs" / "all_rounds.csv")["run"]) == {d.parent.name}


# -- extras ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_mlflow_gets_every_run_once(salutary_run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    sweep = ("-m", "dataset=breast_cancer", "rounds=2", "seed=0,1", "tracking=mlflow")
    for _ in range(2):
        assert salutary_run(*sweep, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")[0] == 0
    experiments = mlflow.MlflowClient(str(tmp_path / "mlruns")).search_experiments()
    assert sorted(each.name for each in experiments) == ["Default", "salutary"]
    client = mlflow.MlflowClient(str(tmp_path / "mlruns"))
    runs = client.search_runs([client.get_experiment_by_name("salutary").experiment_id])
    assert len(runs) == 2 and {run.data.params["seed"] for run in runs} == {"0", "1"}
    run = runs[0]
    assert run.info.status == "FINISHED" and run.data.tags["strategy"] == "salutary"
    rounds = (tmp_path / "outputs" / run.info.run_name / "rounds.csv").read_text()
    rows = list(csv.DictReader(rounds.splitlines()))
    logged = client.get_metric_history(run.info.run_id, "test_accuracy")
    assert [(m.step, m.value) for m in logged] == [(int(r["round"]), float(r["test_accuracy"])) for r in rows]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"rounds.csv", "run.json"}


def test_without_mlflow_one_line_says_so(salutary_run, monkeypatch):
    monkeypatch.setattr("salutary.experiments.mlflow.find_spec", lambda name: None)
    status, _, err = salutary_run("dataset=breast_cancer", "rounds=0", "tracking=mlflow")
    assert status == 1 and "tracking=mlflow needs MLflow: pip install 'salutary[mlflow]'" in err


def test_optuna_maximises_validation_accuracy(salutary_run, tmp_path):
    pytest.importorskip("optuna")
    with contextlib.suppress(ImportError):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
    status, _, err = salutary_run(
        *("-m", "hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", "hydra.sweeper.n_trials=5"),
        *("hydra.sweeper.n_jobs=1", "dataset=breast_cancer", "rounds=1"),
        *("model.l2=tag(log, interval(0.01, 100000))", "budget=choice(5, 10)"),
    )
    assert status == 0, err
    (best,) = tmp_path.rglob("optimization_results.yaml")
    value = OmegaConf.load(best).best_value
    tried = [pd.read_csv(path.parent / "rounds.csv").iloc[-1] for path in tmp_path.rglob("run.json")]
    assert value == max(last["val_accuracy"] for last in tried)
    assert len({last["val_accuracy"] for last in tried}) > 1
