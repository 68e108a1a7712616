"""salutary-run as its users see it: records, repeatability, mistakes, additions from outside."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from salutary.experiments.metrics import Metrics
from salutary.experiments.records import QUERY_COLUMNS, ROUND_COLUMNS, Identity, RunDirectory, run_name
from salutary.experiments.rounds import Query, Round
from salutary.system.conf import config_dir

TIMINGS = {"select_seconds", "fit_seconds"}


def run_directory(root: Path) -> Path:
    (path,) = (p.parent for p in root.rglob("run.json"))
    return path


def rows(path: Path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_records_of_a_run(salutary_run, tmp_path):
    status, out, err = salutary_run("dataset=breast_cancer", "rounds=3", "budget=5", "seed=2")
    assert (status, err) == (0, "")
    path = run_directory(tmp_path / "outputs")
    assert path.name.startswith("breast_cancer-salutary-logistic-paper-seed2-")
    files = {"config.yaml", "rounds.csv", "queries.csv", "run.json", "run.log", "split.npz"}
    assert {p.name for p in path.iterdir()} == files

    rounds = rows(path / "rounds.csv")
    assert tuple(rounds[0]) == ROUND_COLUMNS
    assert [int(r["round"]) for r in rounds] == [0, 1, 2, 3]
    assert [int(r["n_labeled"]) for r in rounds] == [40, 45, 50, 55]
    assert {r["n_human_labels"] for r in rounds} == {"0"}
    assert rounds[0]["label_agreement"] == ""
    queries = rows(path / "queries.csv")
    assert tuple(queries[0]) == QUERY_COLUMNS
    assert [(int(q["round"]), int(q["rank"])) for q in queries] == [
        (r, k) for r in (1, 2, 3) for k in range(5)
    ]
    assert len({q["sample_id"] for q in queries}) == 15
    assert {q["assigned_label"] for q in queries} <= {"malignant", "benign"}
    for r in rounds[1:]:
        these = [q for q in queries if q["round"] == r["round"]]
        agreed = sum(q["assigned_label"] == q["true_label"] for q in these) / 5
        assert float(r["label_agreement"]) == agreed

    facts = json.loads((path / "run.json").read_text())
    assert set(facts["references"]) == {"majority", "initial", "labeled_and_validation", "fully_supervised"}
    assert facts["class_names"] == ["malignant", "benign"]
    assert facts["data_shape"] == [569, 30]
    assert {"python", "numpy", "torch", "scikit-learn", "salutary"} <= set(facts["versions"])
    assert len(facts["data_sha256"]) == 64
    config = yaml.safe_load((path / "config.yaml").read_text())
    assert (config["seed"], config["model"]["l2"], config["strategy"]["hessian"]) == (2, 50, "pool")

    assert "round 3" in out and "majority class" in out and "0 human labels bought" in out
    assert str(path.relative_to(tmp_path)) in out


def test_records_are_told_apart_and_complete(tmp_path):
    """Seconds in their own columns, an agreement of zero, and settings that change the run's name."""
    metrics = Metrics(0.1, 0.2, 0.3, 0.4)
    query = Query(1, 0, 7, "a", "b", "a", None)
    config = {"dataset": {}, "device": {"name": "cpu", "dtype": "float64", "threads": 1}, "seed": 0}
    identity = Identity("d", "s", "m", "p", 0)
    with RunDirectory(str(tmp_path), identity, config, "") as directory:
        directory.append(Round(1, 2, 3, metrics, metrics, 0.0, 0.5, 0.25, (query,)))
    (row,) = rows(directory.partial / "rounds.csv")
    assert (row["label_agreement"], row["select_seconds"], row["fit_seconds"]) == ("0.0", "0.5", "0.25")
    (row,) = rows(directory.partial / "queries.csv")
    assert (row["sample_id"], row["assigned_label"], row["true_label"], row["influence"]) == (
        "7",
        "a",
        "b",
        "",
    )
    single = {**config, "device": {**config["device"], "dtype": "float32"}}
    elsewhere = {**config, "device": {**config["device"], "name": "cuda", "threads": 4}, "output_dir": "x"}
    auto = {**config, "device": {**config["device"], "threads": "auto"}}
    assert run_name(identity, auto) == run_name(identity, config)
    assert run_name(identity, single) != run_name(identity, config) == run_name(identity, elsewhere)
    own = [{**config, "dataset": {"data_dir": folder}, "data_dir": "x"} for folder in ("A", "B", "x")]
    assert len({run_name(identity, c) for c in own}) == 3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_precision_of_a_networks_device_is_part_of_its_name(dtype, monkeypatch):
    """``precision: auto`` is bfloat16 on a GPU: those are other numbers, and another run."""
    import torch

    identity = Identity("d", "s", "m", "p", 0)

    def name(device: str, precision: str) -> str:
        config = {
            "dataset": {},
            "device": {"name": device, "dtype": dtype},
            "model": {"precision": precision},
        }
        return run_name(identity, config)

    assert name("cpu", "auto") == name("cpu", "float32") == name("cuda:1", "float32")
    assert name("cuda", "auto") == name("cpu", "bfloat16") == name("cuda:1", "auto") != name("cpu", "auto")
    for there in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert name("auto", "auto") == name("cuda" if there else "cpu", "auto")


@pytest.mark.parametrize("strategy", ["salutary", "random"])
def test_same_seed_twice_gives_the_same_bytes(strategy, salutary_run, tmp_path):
    contents = []
    for where in ("a", "b"):
        salutary_run("dataset=breast_cancer", f"strategy={strategy}", "rounds=3", f"output_dir={where}")
        path = run_directory(tmp_path / where)
        timeless = [[v for k, v in r.items() if k not in TIMINGS] for r in rows(path / "rounds.csv")]
        contents.append((path.name, timeless, (path / "queries.csv").read_bytes()))
    assert contents[0] == contents[1]


def test_running_again_shows_what_is_there_unless_forced(salutary_run, tmp_path):
    command = ("dataset=breast_cancer", "rounds=1")
    _, first, _ = salutary_run(*command)
    facts = run_directory(tmp_path) / "run.json"
    written = facts.stat().st_mtime_ns
    status, again, _ = salutary_run(*command)
    assert (status, facts.stat().st_mtime_ns) == (0, written)
    assert again == "This run was finished before; force=true runs it again.\n" + first
    assert salutary_run(*command, "force=true")[0] == 0
    assert facts.stat().st_mtime_ns > written
    assert len(rows(run_directory(tmp_path) / "rounds.csv")) == 2


def test_settings_that_change_the_result_change_the_directory(salutary_run, tmp_path):
    short = ("dataset=breast_cancer", "rounds=1")
    salutary_run(*short)
    salutary_run(*short, "device=cpu", "device.threads=1")
    salutary_run(*short, "data_dir=elsewhere")
    assert len(list((tmp_path / "outputs").iterdir())) == 1
    salutary_run(*short, "model.l2=49")
    assert len(list((tmp_path / "outputs").iterdir())) == 2


def test_multirun(salutary_run, tmp_path):
    status, _, _ = salutary_run(
        "-m", "dataset=breast_cancer", "rounds=1", "strategy=salutary,margin", "seed=range(2)"
    )
    assert status == 0
    found = {
        (f["strategy"], f["seed"]) for f in (json.loads(p.read_text()) for p in tmp_path.rglob("run.json"))
    }
    assert found == {("salutary", 0), ("salutary", 1), ("margin", 0), ("margin", 1)}


def test_model_below_the_majority_class_is_told(salutary_run, data_dir):
    _, out, _ = salutary_run("dataset=bank", f"data_dir={data_dir}", "rounds=1")
    assert "Always answering the majority class is right more often (87.72%)" in out.replace(
        "\n", " "
    ).replace("  ", " ")
    assert "protocol=standard" in out


# -- mistakes -------------------------------------------------------------------------------------

MISTAKES = {
    "unknown data set": (["dataset=bnk"], "no dataset 'bnk', did you mean bank?"),
    "unknown strategy": (["strategy=salutry"], "no strategy 'salutry', did you mean salutary"),
    "unknown protocol": (["protocol=papper"], "no protocol 'papper', did you mean paper?"),
    "unknown experiment": (["experiment=bank_notbook"], "no experiment 'bank_notbook', did you mean bank_n"),
    "unknown setting of a strategy": (["strategy.hesian=pool"], "no setting 'hesian', did you mean hessian"),
    "no data set": (["dataset=null"], "Config group override must be a string"),
    "setting removed": (["~seed"], "the setting seed is missing"),
    "seed too large": (["seed=4294967296"], "seed must be below 2**32"),
    "no output_dir": (["output_dir=null"], "output_dir must be the name of a folder, not None"),
    "output_dir is empty": (["output_dir="], "output_dir must be the name of a folder, not ''"),
    "data_dir is empty": (["data_dir="], "data_dir must be the name of a folder or null, not ''"),
    "use of validation": (["baselines_use_validation=some"], "baselines_use_validation must be true or"),
    "no such scaler": (["recipe.scale_on=all"], "recipe.scale_on must be training, initial, none or"),
    "no such parts": (["recipe.parts=5"], "recipe.parts must name a class with _target_, not 5"),
    "no such share": (["protocol=standard", "protocol.splitter.test=abc"], "splitter.test must be a share"),
    "n_init too near the whole": (["n_init=1076"], "cannot draw 1076 of 1077 rows with every class in both"),
    "tolerance off": (["model.tol=nan"], "model.tol must be in (0, 1e-4], not nan"),
    "tolerance is text": (["model.tol=abc"], "model.tol must be in (0, 1e-4], not 'abc'"),
    "steps of the fit": (["model.max_iter=1.5"], "model.max_iter must be a whole number >= 1, not 1.5"),
    "intercept": (["model.fit_intercept=maybe"], "model.fit_intercept must be true or false, not 'maybe'"),
    "seed of the tree": (["strategy=ibds", "strategy.tree_seed=a"], "tree_seed must be a whole number"),
    "device of a kind": (["device.name=cudax"], "device.name must be auto, cpu, cuda or cuda:<n>"),
    "threads": (["device.threads=0"], "device.threads must be a whole number >= 1, not 0"),
    "generator": (["dataset=waveform_generated", "dataset.draw=-1"], "generated: ValueError"),
    "rows to generate": (["dataset=waveform_generated", "dataset.n=true"], "must be a positive whole number"),
    "penalty beyond the solver": (["model.l2=1e-7", "strategy.solver=cg"], "set strategy.solver=auto"),
    "Hydra's own folder": (["hydra.run.dir=/proc/none"], "/proc/none: No such file or directory"),
    "sweep into a file": (["-m", "output_dir=file.txt"], "file.txt"),
    "unknown setting": (["buget=3"], "no setting 'buget', did you mean budget?"),
    "setting of the other command": (["min_influenc=1"], "no setting 'min_influenc'; see --help"),
    "unknown group": (["datset=bank"], "no setting 'datset', did you mean dataset"),
    "override that does not parse": (["budget=["], "no viable alternative"),
    "wrong type": (["budget=many"], "budget must be a whole number >= 1, not 'many'"),
    "fraction": (["rounds=1.5"], "rounds must be a whole number >= 0, not 1.5"),
    "zero budget": (["budget=0"], "budget must be a whole number >= 1"),
    "negative seed": (["seed=-1"], "seed must be a whole number >= 0"),
    "budget above pool": (["budget=1078"], "budget=1078 is larger than the pool, 977 rows"),
    "n_init above training part": (["n_init=2000"], "n_init=2000 leaves no pool: the training part has 1077"),
    "n_validation above the part": (["n_validation=361"], "n_validation=361 is more than the"),
    "n_validation of two classes": (["n_validation=5"], "n_validation=5: 5 of 360 rows cannot be drawn"),
    "n_validation no number": (["n_validation=many"], "n_validation must be a whole number"),
    "n_init below classes": (["n_init=9"], "n_init=9 is smaller than the number of classes, 10"),
    "penalty zero": (["model.l2=0"], "model.l2 must be a positive number, cv or validation, not 0"),
    "penalty negative": (["model.l2=-3"], "model.l2 must be a positive number, cv or validation, not -3"),
    "no such Hessian": (["strategy.hessian=both"], "strategy.hessian must be labeled or pool"),
    "no such solver": (["strategy.solver=lu"], "strategy.solver must be auto or cholesky or cg"),
    "no such device": (["device.name=abacus"], "device.name must be auto, cpu, cuda or cuda:<n>"),
    "no such precision": (["device.dtype=float16"], "device.dtype must be float64 or float32"),
    "missing file": (["dataset=celeba", "data_dir=nowhere"], "dataset=celeba: CelebA cannot be downloaded"),
    "output is a file": (["output_dir=file.txt"], "output_dir=file.txt cannot be written"),
    "output below a file": (["output_dir=file.txt/x"], "output_dir=file.txt/x cannot be written"),
    "output in /proc": (["output_dir=/proc/none"], "cannot be written"),
    "missing folder of configs": (["--config-dir", "none"], "none"),
}  # fmt: skip


@pytest.mark.parametrize("arguments, message", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_get_one_line_and_leave_nothing(arguments, message, salutary_run, tmp_path):
    (tmp_path / "file.txt").write_text("a file")
    status, out, err = salutary_run(*arguments)
    assert status == 1
    assert err.startswith("salutary-run: ")
    assert len(err.splitlines()) == 1
    assert message in err
    assert "Traceback" not in out + err
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_cuda_without_a_device(salutary_run, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    status, _, err = salutary_run("device=cuda")
    assert status == 1
    assert err == "salutary-run: device=cuda, but PyTorch finds no CUDA device here; use device=cpu"
    assert not any(tmp_path.iterdir())


def test_damaged_file_is_named(salutary_run, tmp_path):
    path = tmp_path / "data" / "waveform" / "waveform.data"
    path.parent.mkdir(parents=True)
    path.write_text("1,2,3\n")
    status, _, err = salutary_run("dataset=waveform", "data_dir=data")
    assert status == 1
    assert "dataset=waveform: data/waveform/waveform.data is not the published file" in err
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_no_network_is_one_line(salutary_run, monkeypatch, tmp_path):
    """Real download code; the address is one at which nobody listens."""
    monkeypatch.setattr("salutary.datasets.bank.URL", "http://127.0.0.1:9/bank.zip")
    status, out, err = salutary_run("dataset=bank", "data_dir=data")
    assert (status, out) == (1, "")
    assert err.startswith("salutary-run: dataset=bank: cannot download")
    assert len(err.splitlines()) == 1
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["_target_: [", "_target_: \x00", "a: b: c"])
def test_broken_yaml_of_the_user_is_one_line(content, salutary_run, tmp_path):
    path = tmp_path / "my_conf" / "strategy" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    status, _, err = salutary_run("--config-dir", "my_conf", "strategy=mine")
    assert status == 1
    assert err.startswith("salutary-run: a YAML file cannot be read")
    assert len(err.splitlines()) == 1


def test_single_class_validation_set(own_folder, salutary_run, tmp_path):
    status, _, err = salutary_run(*own_folder, "+dataset.flaw=lopsided", "protocol=standard")
    assert status == 1
    assert err == "salutary-run: the validation set holds a single class (left)"
    assert not (tmp_path / "outputs").exists()


def test_failed_run_leaves_an_earlier_record_alone(own_folder, salutary_run, tmp_path):
    """The same directory name, since the fault is in the code and not in the settings."""
    assert salutary_run(*own_folder)[0] == 0
    before = {p.name: p.read_bytes() for p in run_directory(tmp_path).iterdir()}
    code = tmp_path / "own_code.py"
    code.write_text(code.read_text().replace("self.sign * (1", "float('nan') * (1"))
    sys.modules.pop("own_code")
    status, _, err = salutary_run(*own_folder, "force=true")
    assert (status, err) == (1, "salutary-run: a strategy returned a score that is not a number")
    assert {p.name: p.read_bytes() for p in run_directory(tmp_path).iterdir()} == before
    assert len(list((tmp_path / "outputs").iterdir())) == 1


def test_refused_run_leaves_an_empty_output_folder_alone(salutary_run, tmp_path):
    """Refused after round 0, when records were begun already; the folder is the user's."""
    (tmp_path / "mine").mkdir()
    status, _, _ = salutary_run("output_dir=mine", "model.l2=1e-7", "strategy.solver=cg")
    assert status == 1
    assert (tmp_path / "mine").is_dir() and not any((tmp_path / "mine").iterdir())


# -- additions from outside the package --------------------------------------------------------------

OWN_CODE = """
import numpy as np
from salutary.datasets import Table
from salutary.errors import SalutaryError
from salutary.strategies import ScoreStrategy


class Moons:
    def __init__(self, n, flaw=None):
        self.n, self.flaw = n, flaw

    def load(self):
        rng = np.random.default_rng(0)
        y = rng.integers(2, size=self.n)
        X = rng.standard_normal((self.n, 3)) + y[:, None]
        if self.flaw == "hole":
            X[7, 2] = np.nan
        if self.flaw == "single":
            y[:] = 0
        if self.flaw == "lopsided":  # four rows of the second class: too rare for every part
            y[:] = 0
            y[[1, 2]] = 1
        return Table(X, y, ("left", "right"))


class LeastConfident(ScoreStrategy):
    def __init__(self, sign=1):
        self.sign = sign

    def scores(self, model, view, rng):
        return self.sign * (1 - model.predict_proba(view.pool).max(dim=1).values)
"""


@pytest.fixture
def own_folder(tmp_path):
    """A user's folder: own_code.py, and conf/ with a data set and a strategy."""
    (tmp_path / "own_code.py").write_text(OWN_CODE)
    for group, target in (("dataset", "Moons\nn: 500"), ("strategy", "LeastConfident")):
        folder = tmp_path / "my_conf" / group
        folder.mkdir(parents=True)
        (folder / "mine.yaml").write_text(f"_target_: own_code.{target}\n")
    yield ("--config-dir", "my_conf", "dataset=mine", "strategy=mine", "rounds=2", "n_init=20")
    sys.modules.pop("own_code", None)


def test_own_data_set_and_strategy(own_folder, salutary_run, tmp_path):
    status, out, err = salutary_run(*own_folder)
    assert (status, err) == (0, "")
    path = run_directory(tmp_path)
    assert path.name.startswith("mine-mine-logistic-paper-seed0-")
    assert rows(path / "rounds.csv")[-1]["n_human_labels"] == "20"
    assert "20 human labels bought; 100% of the labels equal the truth" in out


@pytest.mark.parametrize(
    "override, message",
    [
        ("+dataset.flaw=hole", "dataset=mine: feature 2 of row 7 is nan"),
        ("+dataset.flaw=single", "dataset=mine: all rows are of one class, left"),
        ("+strategy.size=3", "size"),
        ("dataset._target_=own_code.Mons", "Mons"),
        ("dataset._target_=own_code.LeastConfident", "unexpected keyword argument 'n'"),
        ("~strategy._target_", "strategy must be a choice whose YAML file has a _target_"),
    ],
)
def test_mistakes_in_own_code_are_told_in_one_line(override, message, own_folder, salutary_run, tmp_path):
    status, _, err = salutary_run(*own_folder, override)
    assert status == 1
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "outputs").exists()


def test_a_sweep_loads_a_table_once(salutary_run, tmp_path):
    (tmp_path / "counted.py").write_text(COUNTED)
    (tmp_path / "my_conf/dataset").mkdir(parents=True)
    (tmp_path / "my_conf/dataset/counted.yaml").write_text("_target_: counted.Counted\nextra: 0\n")
    command = ["-m", "--config-dir", "my_conf", "dataset=counted", "n_init=20", "rounds=1"]
    status, *_ = salutary_run(*command, "strategy=random,salutary", "seed=0,1", "dataset.extra=0,1")
    assert status == 0
    assert (tmp_path / "loads").read_text() == "01"
    assert len(list((tmp_path / "outputs").glob("counted-*"))) == 8


COUNTED = """
from pathlib import Path

from salutary.datasets.embedded import Embedded


class Counted:
    def __init__(self, extra):
        self.extra = extra

    def load(self):
        with Path("loads").open("a") as file:
            file.write(str(self.extra))
        return Embedded("breast_cancer").load()
"""


# -- the installed command ---------------------------------------------------------------------------


def test_help_shows_every_choice_at_once(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "salutary", "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    for file in Path(config_dir()).glob("*/*.yaml"):
        assert re.search(rf"^  {file.stem} +\S", done.stdout, re.MULTILINE)
    for setting in ("seed", "rounds", "budget", "n_init", "data_dir"):
        assert re.search(rf"^  {setting}\b", done.stdout, re.MULTILINE)
    assert "digits" in re.findall(r"^  (\w+) .*\[default\]$", done.stdout, re.MULTILINE)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {"hydra", "omegaconf", "numpy", "torch", "sklearn", "pandas", "matplotlib"} & imported
    assert not any(tmp_path.iterdir())


def test_help_lists_choices_of_a_config_dir(salutary_run, tmp_path):
    (tmp_path / "my_conf/strategy").mkdir(parents=True)
    (tmp_path / "my_conf/strategy/mine.yaml").write_text("# The best. Really.\n_target_: nowhere\n")
    (tmp_path / "my_conf/strategy/salutary.yaml").write_text("# Hydra prefers the one it knows.\n")
    for arguments in (["--config-dir", "my_conf"], ["--config-dir=my_conf"], ["-cd", "my_conf"]):
        _, out, _ = salutary_run("-h", *arguments)
        assert re.search(r"^  mine +The best$", out, re.MULTILINE)
        assert len(re.findall(r"^  salutary ", out, re.MULTILINE)) == 1


def test_progress_goes_to_a_terminal_only(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "salutary", "dataset=breast_cancer", "rounds=1"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "strategy, n_labeled", [("margin", 154), ("isal", 154), ("salutary", 40), ("salutary_gt", 40)]
)
def test_baselines_use_validation(strategy, n_labeled, salutary_run, tmp_path):
    """40 initial and 114 validation rows: every strategy but salutary and its twin trains on both."""
    setting = "baselines_use_validation=true"
    salutary_run("dataset=breast_cancer", f"strategy={strategy}", "rounds=0", setting)
    path = run_directory(tmp_path)
    assert rows(path / "rounds.csv")[0]["n_labeled"] == str(n_labeled)
    lines = json.loads((path / "run.json").read_text())["references"]
    initial, both = ([*lines[name].values()] for name in ("initial", "labeled_and_validation"))
    same = np.array_equal(np.round(np.array(initial, float), 12), np.round(np.array(both, float), 12), True)
    assert same == (n_labeled == 154)


@pytest.mark.parametrize("strategy, told", [("entropy", True), ("margin", True), ("badge", False)])
def test_summary_says_that_uncertainty_measures_coincide(strategy, told, salutary_run):
    _, out, _ = salutary_run("dataset=breast_cancer", f"strategy={strategy}", "rounds=1")
    assert ("entropy, margin, uncertainty are one strategy" in " ".join(out.split())) == told
    _, out, _ = salutary_run("dataset=digits", f"strategy={strategy}", "rounds=1")
    assert "one strategy" not in out


@pytest.mark.parametrize(
    "settings, is_advised",
    [("strategy=salutary_greedy rounds=2", True), ("strategy=salutary strategy.rerank=20", False)],
)
def test_where_influences_alone_did_harm_refits_are_advised(settings, is_advised, salutary_run):
    """Digits with a weak penalty: labels by first-order influences are mostly wrong."""
    _, out, _ = salutary_run("dataset=digits", "protocol=standard", "seed=1", *settings.split())
    advice = "; strategy=salutary_greedy strategy.rerank=20 adds only what really lowers the validation loss."
    assert "The model got worse: 87.22% before, " in out
    assert (advice in out) == is_advised
