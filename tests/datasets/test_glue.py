"""The tasks of GLUE, and every way in which their files can be wrong."""

import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from compositions import composed

from salutary.datasets.glue import TASKS, Glue, parse
from salutary.errors import SalutaryError
from salutary.system.commands import build

# class counts of train.tsv and of dev.tsv: facts about the published files
EXPECTED = {
    "wnli": ([323, 312], [40, 31]),
    "rte": ([1249, 1241], [146, 131]),
    "mrpc": ([1194, 2474], [129, 279]),
}


@pytest.mark.parametrize("task", EXPECTED)
def test_rows_and_class_counts(task, data_dir):
    found = Glue(task, data_dir=data_dir).read()
    n_dev = sum(EXPECTED[task][1])
    assert len(found.first) == len(found.second) == len(found.y) == sum(map(sum, EXPECTED[task]))
    assert np.bincount(found.y[:-n_dev]).tolist() == EXPECTED[task][0]
    assert np.bincount(found.y[-n_dev:]).tolist() == EXPECTED[task][1]


def test_first_rows_are_those_of_the_files(data_dir):
    wnli, mrpc, rte = (Glue(task, data_dir=data_dir).read() for task in ("wnli", "mrpc", "rte"))
    assert wnli.pairs[0][1] == "The carrot had a hole." and wnli.class_names[wnli.y[0]] == "entailment"
    assert mrpc.first[0].startswith('Amrozi accused his brother , whom he called " the witness "')
    assert mrpc.class_names[mrpc.y[0]] == "equivalent"
    assert rte.first[0] == "No Weapons of Mass Destruction Found in Iraq Yet."
    assert rte.class_names[rte.y[0]] == "not_entailment"


@pytest.mark.parametrize("task", EXPECTED)
def test_paper_protocol_halves_the_official_validation_part(task, data_dir):
    cfg = composed(f"dataset={task}", f"data_dir={data_dir}")
    y = build(cfg, "dataset").read().y
    splitter = build(cfg, "protocol.splitter")
    a, b = (splitter.split(y, cfg.n_init, seed) for seed in (0, 1))
    n_dev = sum(EXPECTED[task][1])
    dev = np.arange(len(y) - n_dev, len(y))
    assert np.array_equal(np.sort(np.concatenate([a.validation, a.test])), dev)
    assert (len(a.validation), len(a.test)) == (n_dev // 2, n_dev - n_dev // 2)
    assert np.array_equal(a.validation, b.validation) and np.array_equal(a.test, b.test)
    assert len(a.initial) == 100 and not np.array_equal(a.initial, b.initial)
    assert len(a.initial) + len(a.pool) == len(y) - n_dev
    standard = build(composed(f"dataset={task}", "protocol=standard"), "protocol.splitter")
    assert np.array_equal(standard.split(y, 100, 0).test, dev)


@pytest.mark.parametrize("settings", [["seed=1"], ["protocol=standard", "model=head", "model.epochs=2"]])
def test_whole_pipeline_on_wnli(settings, tiny, data_dir, salutary_run, tmp_path):
    weights = (tiny / "model.safetensors").read_bytes()
    settings = ["dataset=wnli", f"dataset.encoder={tiny}", "dataset.max_length=40", "rounds=2", *settings]
    settings += [f"data_dir={data_dir}", f"cache_dir={tmp_path / 'cache'}"]
    status, out, err = salutary_run(*settings)
    assert status == 0, err
    assert "706 items encoded" in out and "20 points added" in out
    (file,) = (tmp_path / "cache").rglob("*.npy")
    assert file.name.startswith("wnli-tiny-")
    status, out, _ = salutary_run(*settings, "strategy=margin")
    assert status == 0 and "encoded" not in out
    assert (tiny / "model.safetensors").read_bytes() == weights


def test_missing_files_say_where_they_go(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SalutaryError, match=r"put glue/RTE/train\.tsv and glue/RTE/dev\.tsv.*datasets") as e:
        Glue("rte", data_dir=tmp_path).read()
    assert str(tmp_path) in str(e.value)


def test_changed_and_truncated_files_are_refused(data_dir, tmp_path):
    shutil.copytree(data_dir / "glue" / "WNLI", tmp_path / "glue" / "WNLI")
    path = tmp_path / "glue" / "WNLI" / "dev.tsv"
    whole = path.read_bytes()
    for content in (whole[:500], b"", whole.replace(b"\t1\n", b"\t2\n", 1)):
        path.chmod(0o644)
        path.write_bytes(content)
        with pytest.raises(SalutaryError, match=r"dev\.tsv is not the published file"):
            Glue("wnli", data_dir=tmp_path).read()


@pytest.mark.parametrize(
    "content, message",
    [
        (
            b"sentence1\tsentence2\tlabel\na\tb\t0\na\tb\t2\n",
            r"dev\.tsv, line 3: the label must be 0 or 1",
        ),
        (b"sentence1\tsentence2\tlabel\na\tb\n", r"dev\.tsv, line 2: .* not None"),
        (b"one\ttwo\nb\tc\n", r"dev\.tsv, line 2: .* not None"),
    ],
)
def test_unknown_labels_are_named(content, message):
    with pytest.raises(SalutaryError, match=message):
        parse(content, TASKS["wnli"], "dev.tsv")


def test_unknown_task():
    with pytest.raises(SalutaryError, match=r"dataset\.task must be mrpc, rte, wnli, not 'cola'"):
        Glue("cola").read()


@pytest.fixture
def hub_datasets(monkeypatch, data_dir):
    """Stands in for Hugging Face's ``datasets``: WNLI as it comes from there."""
    parts = {}
    for part, file in (("train", "train"), ("validation", "dev")):
        content = (data_dir / "glue" / "WNLI" / f"{file}.tsv").read_bytes()
        columns = parse(content, TASKS["wnli"], file)
        parts[part] = dict(zip(("sentence1", "sentence2", "label"), columns, strict=True))

    def load_dataset(name, task):
        assert (name, task) == ("nyu-mll/glue", "wnli")
        return parts

    package = SimpleNamespace(load_dataset=load_dataset)
    monkeypatch.setitem(sys.modules, "datasets", package)
    return package, parts


def test_rows_from_hugging_face_are_those_of_the_files(hub_datasets, data_dir, tmp_path):
    fetched, ours = Glue("wnli", data_dir=tmp_path).read(), Glue("wnli", data_dir=data_dir).read()
    assert fetched.pairs == ours.pairs and np.array_equal(fetched.y, ours.y)


def test_what_hugging_face_does_not_give_is_told(hub_datasets, tmp_path):
    package, parts = hub_datasets
    parts["train"] = {name: values[:-1] for name, values in parts["train"].items()}
    with pytest.raises(SalutaryError, match=r"has \(634, 71\) rows of wnli, expected \(635, 71\)"):
        Glue("wnli", data_dir=tmp_path).read()

    def unreachable(*_):
        raise ConnectionError("no network")

    package.load_dataset = unreachable
    with pytest.raises(SalutaryError, match=r"cannot download nyu-mll/glue .*put glue/WNLI/train\.tsv"):
        Glue("wnli", data_dir=tmp_path).read()
