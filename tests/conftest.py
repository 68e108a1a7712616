"""Fixtures: real data where it is to be had, composed configurations, the command line in-process."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from compositions import composed
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from picture_files import write_tiny_vit
from pretend_device import pretend
from text_files import BAD, GOOD, write_tiny_roberta
from threadpoolctl import threadpool_limits

from salutary.remedies.shift import TREES
from salutary.system.commands import build

pytest.register_assert_rewrite("browser", "spoilt_tables", "written_tables")

torch.set_num_threads(1)
threadpool_limits(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of processes that tests start: tests run side by side
if not torch.cuda.is_available():
    pretend()  # before anything else: the first backward pass counts the devices, once


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of raw data files; tests that need it are skipped, visibly, where there is none."""
    folder = os.environ.get("SALUTARY_DATA_DIR")
    if not folder:
        pytest.skip("set SALUTARY_DATA_DIR to a folder with the raw data files")
    return Path(folder).resolve()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """No test reads or fills the user's cache: neither by the configuration nor by default."""
    from salutary.datasets import kept
    from salutary.system import remote
    from salutary.system.files import directory

    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALUTARY_CACHE_DIR", str(cache))
        for module in (kept, remote):
            patch.setattr(module, "directory", lambda folder: directory(folder or cache))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_lines_on_the_way():
    """What tests see does not depend on how long something takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("salutary.system.progress.SECONDS_BETWEEN_LINES", float("inf"))
        yield


@pytest.fixture(scope="session", autouse=True)
def few_trees():
    """The test of shift takes half the time of remedies on a small table: five trees in place of 50, but in
    tests marked ``whole``.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("salutary.remedies.shift.TREES", 5)
        yield


@pytest.fixture(autouse=True)
def all_trees(request):
    """Without the fixture ``monkeypatch``, which would then outlive those of a test."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("whole"):
            patch.setattr("salutary.remedies.shift.TREES", TREES)
        yield


@pytest.fixture
def no_new_modules(monkeypatch, tmp_path_factory) -> None:
    """As in a process of its own: modules that other tests wrote and loaded are not there."""
    written = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(written):
            monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def prepared():
    """A function from overrides to (problem, model, strategy, configuration)."""
    from salutary.experiments.problem import Problem
    from salutary.experiments.split import split_table

    def prepare(*overrides: str):
        cfg = composed(*overrides)
        OmegaConf.resolve(cfg)
        table = build(cfg, "dataset").load()
        split = split_table(table, build(cfg, "protocol.splitter"), cfg.n_init, cfg.seed)
        problem = Problem.prepare(table, split, build(cfg, "device"))
        return problem, build(cfg, "model", n_classes=table.n_classes), build(cfg, "strategy"), cfg

    return prepare


@pytest.fixture
def command(monkeypatch, capsys, tmp_path, tmp_path_factory):
    """A command in this process, from an empty directory, with an empty cache: function, name, arguments to
    (status, out, err).
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SALUTARY_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))

    def run(main, name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        GlobalHydra.instance().clear()
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = stop.code
        out, err = capsys.readouterr()
        if isinstance(status, str):  # what Python prints for sys.exit(text)
            status, err = 1, err + status
        return status or 0, out, err

    return run


@pytest.fixture
def salutary_run(monkeypatch, command):
    """``salutary-run`` in this process, from an empty directory: arguments to (status, stdout, stderr)."""
    from salutary import __main__
    from salutary.experiments import job

    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(*arguments: str) -> tuple[int, str, str]:
        job.shared_table.cache_clear()  # tests change files between runs
        return command(__main__.main, "salutary-run", *arguments)

    return run


@pytest.fixture
def salutary(command, monkeypatch, tmp_path):
    """The fixture ``command``, from a folder with files of PARTS and rows.csv."""
    from spoilt_tables import PARTS, part

    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, frame in PARTS.items():
        frame.to_csv(tmp_path / name, index=False)
    pd.concat([part(4, 60), part(5, 20).assign(outcome="")]).to_csv(tmp_path / "rows.csv", index=False)
    return command


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """Folder of a tiny RoBERTa with random weights."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_roberta(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory) -> Path:
    """Folder of a tiny ViT with random weights."""
    folder = tmp_path_factory.mktemp("models") / "tiny_vit"
    write_tiny_vit(folder)
    return folder


@pytest.fixture
def reviews():
    """120 reviews and their labels, the last 20 of which are unknown."""
    rng = np.random.default_rng(0)
    drawn = [(" ".join(rng.choice(words, 8)), name) for words, name in ((GOOD, "good"), (BAD, "bad")) * 60]
    return [(text, name if row < 100 else "") for row, (text, name) in enumerate(drawn)]
