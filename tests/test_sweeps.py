"""Sweeps: killed, interrupted, out of disk, with failing jobs, in several processes; the records are "
"the same."""

import contextlib
import csv
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

# What a run imports late is imported here, so that forked processes need not.
from salutary import __main__  # noqa: F401
from salutary.experiments import cli, collect, loop, problem, records, references, terminal  # noqa: F401
from salutary.experiments.records import RunDirectory
from salutary.experiments.resume import read_back

TIMINGS = {"select_seconds", "fit_seconds"}
SWEEP = (
    *("-m", "dataset=breast_cancer", "strategy=salutary,badge,random", "seed=range(2)"),
    *("rounds=8", "budget=5"),
)
RUN = ("dataset=breast_cancer", "strategy=badge", "rounds=3", "budget=5")


def forked(folder: Path, *arguments: str, prepare=None) -> int:
    """Start ``salutary-run`` from ``folder`` in a copy of this process; its process id.

    Everything is imported already, so that what is killed is the work and not the imports.
    """
    folder.mkdir(exist_ok=True)
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.chdir(folder)
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1), os.dup2(output, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["salutary-run", *arguments]
        GlobalHydra.instance().clear()
        logged_appends(folder / "appended.txt")
        if prepare:
            prepare()
        __main__.main()
        status = 0
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code)
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def logged_appends(log: Path) -> None:
    """Note every round that was computed and wholly written."""
    append = RunDirectory.append

    def append_and_note(self, record):
        append(self, record)
        with log.open("a") as file:
            file.write(f"{self.path.name} {record.round}\n")

    RunDirectory.append = append_and_note


def run_to_the_end(folder: Path, *arguments: str, prepare=None) -> int:
    _, status = os.waitpid(forked(folder, *arguments, prepare=prepare), 0)
    return os.waitstatus_to_exitcode(status)


def contents(folder: Path) -> dict[str, object]:
    """Every file of every run, but for what tells the time."""
    found = {}
    for path in sorted((folder / "outputs").glob("*-*/*")):
        name = f"{path.parent.name}/{path.name}"
        if path.name == "rounds.csv":
            with path.open(newline="") as file:
                found[name] = [{k: v for k, v in r.items() if k not in TIMINGS} for r in csv.DictReader(file)]
        elif path.name == "run.json":
            facts = json.loads(path.read_text())
            found[name] = {k: v for k, v in facts.items() if k not in ("seconds", "finished")}
        else:
            found[name] = path.read_bytes()
    return found


def no_round_twice(folder: Path) -> bool:
    return max(Counter((folder / "appended.txt").read_text().split("\n")[:-1]).values()) == 1


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[dict, float]:
    """Records of the sweep, and the seconds it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    started = time.perf_counter()
    assert run_to_the_end(folder, *SWEEP) == 0
    return contents(folder), time.perf_counter() - started


@pytest.fixture(scope="module")
def undisturbed_run(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("undisturbed_run")
    assert run_to_the_end(folder, *RUN) == 0
    return contents(folder)


# -- killed ----------------------------------------------------------------------------------------


def test_killed_at_random_moments(undisturbed, tmp_path):
    """At least twenty SIGKILLs over a sweep's whole life; relaunched until it is done."""
    expected, seconds = undisturbed
    chance, kills, sweep = random.Random(0), 0, 0
    while kills < 20:
        sweep, folder, status = sweep + 1, tmp_path / str(sweep), None
        while status != 0:
            pid = forked(folder, *SWEEP)
            time.sleep(chance.uniform(0, seconds))
            os.kill(pid, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert status in (0, -signal.SIGKILL), (folder / "output.txt").read_text()
            kills += status != 0
        assert contents(folder) == expected
        assert no_round_twice(folder)


WRITES = ["write_atomic", "append", "rename"]


def kill_at(number: int, how: str):
    """A preparation: die at the ``number``-th write, before it, half-way or right after."""

    def prepare():
        count = [0]

        def dying(function, half=None):
            def wrapped(*arguments, **keywords):
                count[0] += 1
                if count[0] == number:
                    if how == "after":
                        function(*arguments, **keywords)
                    elif how == "half" and half:
                        half(*arguments)
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **keywords)

            return wrapped

        def half_appended(self, name, text):
            with (self.partial / name).open("a") as file:
                file.write(text[: len(text) // 2])

        records.write_atomic = dying(records.write_atomic, lambda path, _: path.parent.mkdir(exist_ok=True))
        RunDirectory._append = dying(RunDirectory._append, half_appended)
        Path.rename = dying(Path.rename)

    return prepare


@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_killed_at_every_write(how, undisturbed_run, tmp_path):
    for number in range(1, 100):
        folder = tmp_path / str(number)
        status = run_to_the_end(folder, *RUN, prepare=kill_at(number, how))
        if status == 0:
            break
        assert status == -signal.SIGKILL
        assert run_to_the_end(folder, *RUN) == 0
        assert contents(folder) == undisturbed_run
        assert no_round_twice(folder)
    assert number > 12  # headers, rounds and queries of four rounds, run.json, the directory's name


def test_killed_while_running_again_by_force(undisturbed_run, tmp_path):
    """At any moment the old record is there, or the whole new one, or the next start brings it."""
    for number in range(1, 100):
        folder = tmp_path / str(number)
        run_to_the_end(folder, *RUN)
        status = run_to_the_end(folder, *RUN, "force=true", prepare=kill_at(number, "after"))
        if status == 0:
            break
        assert run_to_the_end(folder, *RUN) == 0
        found = {name: each for name, each in contents(folder).items() if ".partial" not in name}
        assert found == undisturbed_run
    assert number > 12


def test_power_lost_between_two_files(undisturbed_run, tmp_path):
    """What a file lacks of a round, the other has to give up too."""
    for lost in ("queries.csv", "rounds.csv"):
        folder = tmp_path / lost
        run_to_the_end(folder, *RUN, prepare=kill_at(11, "after"))
        (partial,) = (folder / "outputs").glob("*.partial")
        lines = (partial / lost).read_text().splitlines(keepends=True)
        (partial / lost).write_text("".join(lines[:-2]) + "\0" * 40)
        assert len(read_back(partial)) >= 1
        assert run_to_the_end(folder, *RUN) == 0
        assert contents(folder) == undisturbed_run


def test_other_data_is_not_gone_on_with(tmp_path):
    run_to_the_end(tmp_path, *RUN, prepare=kill_at(11, "after"))
    (partial,) = (tmp_path / "outputs").glob("*.partial")
    file = partial / "queries.csv"
    file.write_text(file.read_text().replace("benign", "unsure"))
    for _ in range(2):  # and what was finished is not thrown away
        assert run_to_the_end(tmp_path, *RUN) == 1
    assert "had other data: force=true starts it afresh" in (tmp_path / "output.txt").read_text()
    assert run_to_the_end(tmp_path, *RUN, "force=true") == 0


# -- full disk -------------------------------------------------------------------------------------


def test_full_disk_in_the_middle_of_a_line(tmp_path):
    """Files may not grow beyond 7,000 bytes: the quota ends in the middle of a round's line."""
    long = ("-m", "dataset=breast_cancer", "strategy=random", "rounds=40", "budget=2", "seed=range(2)")
    assert run_to_the_end(tmp_path / "undisturbed", *long) == 0

    def prepare():
        resource.setrlimit(resource.RLIMIT_FSIZE, (7000, resource.RLIM_INFINITY))

    folder = tmp_path / "full"
    assert run_to_the_end(folder, *long, prepare=prepare) == 1
    output = (folder / "output.txt").read_text()
    assert "rounds.csv cannot be written: File too large; set output_dir" in output
    torn = [path.read_text() for path in (folder / "outputs").glob("*.partial/rounds.csv")]
    assert len(torn) == 2 and not any(text.endswith("\n") for text in torn)
    assert run_to_the_end(folder, *long) == 0
    assert contents(folder) == contents(tmp_path / "undisturbed")
    assert no_round_twice(folder)


def test_full_disk(undisturbed, tmp_path):
    """A real one, of 64 kB: the jobs that do not fit fail, and are done when there is room."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a file system")
    try:
        assert run_to_the_end(folder, *SWEEP) == 1
        subprocess.run(["mount", "-o", "remount,size=4m", str(folder)], check=True)
        assert run_to_the_end(folder, *SWEEP) == 0
        assert contents(folder) == undisturbed[0]
        assert no_round_twice(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# -- Ctrl-C ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_interrupted_by_hand(launcher, tmp_path):
    command = [
        "-m",
        "dataset=digits",
        "strategy=salutary_greedy",
        "seed=range(50)",
        f"hydra/launcher={launcher}",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "salutary", *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
        start_new_session=True,
    )
    assert any("finished digits-salutary_greedy" in line for line in process.stdout)
    started = time.perf_counter()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=60)
    assert time.perf_counter() - started < 2
    assert process.returncode == 130, out + err
    assert "interrupted: 50 jobs: " in out
    again = "salutary-run -m dataset=digits strategy=salutary_greedy 'seed=range(50)'"
    assert f"The same command goes on:\n  {again}" in out
    finished = list((tmp_path / "outputs").glob("*/run.json"))
    assert 1 <= len(finished) < 50


# -- failing jobs ----------------------------------------------------------------------------------

FRAGILE = """
from salutary.strategies import ScoreStrategy


class Fragile(ScoreStrategy):
    def __init__(self, fails):
        self.fails = fails

    def scores(self, model, view, rng):
        if self.fails:
            raise RuntimeError("out of luck")
        return view.pool[:, 0]
"""


def test_one_failing_job_does_not_stop_the_others(salutary_run, tmp_path):
    (tmp_path / "fragile.py").write_text(FRAGILE)
    (tmp_path / "conf" / "strategy").mkdir(parents=True)
    (tmp_path / "conf" / "strategy" / "fragile.yaml").write_text("_target_: fragile.Fragile\nfails: false\n")
    command = (
        *("-m", "--config-dir", "conf", "dataset=breast_cancer", "strategy=fragile", "rounds=1"),
        "strategy.fails=true,false",
    )
    status, out, err = salutary_run(*command)
    assert (status, err) == (1, "salutary-run: 1 jobs failed; the same command tries them again")
    assert "2 jobs: 1 run, 0 finished before, 1 failed" in out
    (failed,) = (tmp_path / "outputs").glob("*.partial")
    assert f"  {failed.name.removesuffix('.partial')}: out of luck" in out
    error = (failed / "error.txt").read_text()
    assert error.startswith("Traceback") and 'raise RuntimeError("out of luck")' in error
    assert OmegaConf.load(failed / "config.yaml").strategy.fails is True
    assert len(list((tmp_path / "outputs").glob("*/run.json"))) == 1
    (tmp_path / "fragile.py").write_text(FRAGILE.replace("if self.fails", "if False"))
    sys.modules.pop("fragile")
    assert salutary_run(*command)[0] == 0
    assert not list((tmp_path / "outputs").glob("*.partial"))


DIES = """
import os

from salutary.strategies import ScoreStrategy


class Dies(ScoreStrategy):
    def scores(self, model, view, rng):
        os._exit(1)
"""


def test_a_worker_that_dies_is_one_line(salutary_run, tmp_path):
    (tmp_path / "dies.py").write_text(DIES)
    (tmp_path / "conf" / "strategy").mkdir(parents=True)
    (tmp_path / "conf" / "strategy" / "dies.yaml").write_text("_target_: dies.Dies\n")
    assert salutary_run("-m", "dataset=breast_cancer", "strategy=random", "rounds=1", "seed=0,1")[0] == 0
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "salutary", "-m", "--config-dir", "conf", "dataset=breast_cancer"),
            *("strategy=random,dies", "rounds=1", "seed=0,1"),
            *("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("salutary-run: the launcher broke down (TerminatedWorker")
    assert "running: breast_cancer-dies-" in ended.stderr and "Traceback" not in ended.stderr
    assert "4 jobs: 0 run, 2 finished before" in ended.stdout
    assert "2 runs in outputs/all_rounds.csv" in ended.stdout


def test_what_cannot_be_swept_is_refused(salutary_run, tmp_path):
    for sweep in ("output_dir=a,b", "experiment=table4,figure5"):
        status, _, err = salutary_run("-m", "dataset=breast_cancer", "rounds=0", sweep)
        assert (status, "cannot be swept: give one at a time" in err) == (1, True)
    assert not list(tmp_path.rglob("run.json"))


def test_a_home_folder_is_found_behind_the_equals_sign(salutary_run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert salutary_run("-m", "dataset=breast_cancer", "rounds=0", "output_dir=~/runs")[0] == 0
    assert len(list((tmp_path / "home" / "runs").glob("*/run.json"))) == 1
    assert not (tmp_path / "~").exists()


def test_settings_out_of_range_fail_by_themselves(salutary_run, tmp_path):
    status, out, _ = salutary_run("-m", "dataset=breast_cancer", "rounds=0", "n_init=40,0")
    assert status == 1
    assert "2 jobs: 1 run, 0 finished before, 1 failed" in out
    assert "n_init must be a whole number >= 1, not 0" in out


def test_mistakes_in_the_command_stop_it_before_anything_is_run(salutary_run, tmp_path):
    for mistake in ("strategy.hesian=pool,labeled", "dataset=breast_cancer,bnk"):
        status, _, err = salutary_run("-m", "dataset=breast_cancer", "rounds=0", mistake)
        assert status == 1 and "did you mean" in err
    assert not list(tmp_path.rglob("run.json"))


def test_a_damaged_finished_record_is_told_and_left_alone(salutary_run, tmp_path):
    command = ("dataset=breast_cancer", "rounds=2")
    salutary_run(*command)
    (facts,) = tmp_path.rglob("run.json")
    rounds = facts.parent / "rounds.csv"
    for file, damage in {rounds: "half a", facts: "{}"}.items():
        file.write_text(damage)
        status, _, err = salutary_run(*command)
        assert (status, err.endswith("is damaged; force=true runs it again")) == (1, True)
        assert file.read_text() == damage
    assert salutary_run(*command, "force=true")[0] == 0
    assert salutary_run(*command)[0] == 0


# -- names -----------------------------------------------------------------------------------------


def test_finished_jobs_are_known_by_every_kind_of_override(salutary_run, tmp_path):
    """The sweeper composes quickly what Hydra composes for the job: the same names, so nothing is run "
    "twice."""
    sweep = (
        *("-m", "dataset=breast_cancer", "rounds=1", "budget=5,1%", "strategy=salutary,margin"),
        *("n_validation=null,50", "device.threads=1", "+recipe.note='a b'", "model.l2=1e1,cv"),
    )
    status, out, _ = salutary_run(*sweep)
    assert (status, "16 jobs: 16 run, 0 finished before" in out) == (0, True)
    status, out, _ = salutary_run(*sweep)
    assert (status, "16 jobs: 0 run, 16 finished before" in out) == (0, True)
    status, out, _ = salutary_run(*sweep, "device.threads=2", "force=true")
    assert (status, "16 jobs: 16 run, 0 finished before" in out) == (0, True)


def test_grids_are_swept_one_after_the_other(salutary_run, tmp_path):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "two.yaml").write_text("""# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    params: {seed: "range(2)", rounds: 0}
    grids:
      - {strategy: "salutary,random"}
      - {strategy: random, n_init: 50}
""")
    status, out, _ = salutary_run("--config-dir", "conf", "experiment=two", "dataset=breast_cancer")
    assert (status, "6 jobs: 6 run" in out) == (0, True)
    status, out, _ = salutary_run(
        "--config-dir", "conf", "experiment=two", "dataset=breast_cancer", "n_init=50"
    )
    assert "4 jobs: 2 run, 2 finished before" in out  # the command line wins; what is the same is run once


# -- several processes -----------------------------------------------------------------------------


def test_two_processes_with_one_run(undisturbed_run, tmp_path):
    """The second waits, and finds it finished."""
    pids = [forked(tmp_path, *RUN) for _ in range(4)]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 4
    assert contents(tmp_path) == undisturbed_run
    assert no_round_twice(tmp_path)
    assert not list((tmp_path / "outputs").glob("*.lock"))


def test_two_sweeps_at_once(undisturbed, tmp_path):
    pids = [forked(tmp_path, *SWEEP) for _ in range(2)]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    assert contents(tmp_path) == undisturbed[0]
    assert no_round_twice(tmp_path)


LAUNCHERS = {
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": [],
    "ray": ["+hydra.launcher.ray.init.num_cpus=2"],
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_launchers_write_the_same_records(launcher, undisturbed, tmp_path):
    pytest.importorskip(launcher.removesuffix("_local"))
    finished = subprocess.run(
        [sys.executable, "-m", "salutary", *SWEEP, f"hydra/launcher={launcher}", *LAUNCHERS[launcher]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
    )
    assert finished.returncode == 0, finished.stderr
    assert contents(tmp_path) == undisturbed[0]


def test_workers_share_the_cores(monkeypatch):
    from salutary.system import commands as config

    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    cfg = OmegaConf.create({"device": {"threads": None}})
    launchers = {"none": {}, "two": {"n_jobs": 2}, "all": {"n_jobs": -1}, "many": {"n_jobs": 100}}
    found = {}
    for name, launcher in launchers.items():
        fake = OmegaConf.create({"launcher": launcher})
        monkeypatch.setattr(config.HydraConfig, "get", staticmethod(lambda fake=fake: fake))
        found[name] = config.threads_per_worker(cfg)
    assert found == {"none": {}, "two": {"threads": 4}, "all": {"threads": 1}, "many": {"threads": 1}}
    cfg.device.threads = 1
    fake.launcher.n_jobs = 2
    assert config.threads_per_worker(cfg) == {"threads": 1}


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
    assert said.startswith("1 runs in ") and "left out: 1 unfinished, 2 damaged (" in said
    assert set(pd.read_csv(tmp_path / "outputs" / "all_rounds.csv")["run"]) == {d.parent.name}


# -- extras ----------------------------------------------------------------------------------------


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
    rows = list(csv.DictReader((tmp_path / "outputs" / run.info.run_name / "rounds.csv").open()))
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
