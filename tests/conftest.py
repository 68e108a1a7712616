"""Fixtures: real data where it is to be had, composed configurations, the command line in-process."""

import os
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from pretend_device import pretend
from threadpoolctl import threadpool_limits

from salutary.system.commands import build
from salutary.system.conf import config_dir

torch.set_num_threads(1)
threadpool_limits(1)
pretend()  # before anything else: the first backward pass counts the devices, once

ON_DISK = {
    "bank": "bank",
    "wine": "wine",
    "electrical": "electrical",
    "waveform": "waveform",
    "musk_v2": "musk_v2",
    "diabetic": "diabetic",
    "celeba": "celeba",
}


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of raw data files; tests that need it are skipped, visibly, where there is none."""
    folder = os.environ.get("SALUTARY_DATA_DIR")
    if not folder:
        pytest.skip("set SALUTARY_DATA_DIR to a folder with the raw data files")
    return Path(folder).resolve()


def composed(*overrides: str, config_dirs: tuple[str, ...] = ()):
    """The configuration for these overrides, as ``salutary-run`` would compose it."""
    path = [f"hydra.searchpath=[{','.join('file://' + str(d) for d in config_dirs)}]"] if config_dirs else []
    with initialize_config_dir(config_dir(), version_base="1.3"):
        return compose("config", [*path, *overrides])


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
def command(monkeypatch, capsys, tmp_path):
    """A command in this process, from an empty directory: function, name, arguments to (status, out, err)."""
    monkeypatch.chdir(tmp_path)

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
    from salutary.experiments import cli

    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(*arguments: str) -> tuple[int, str, str]:
        cli.shared_table.cache_clear()  # tests change files between runs
        return command(__main__.main, "salutary-run", *arguments)

    return run
