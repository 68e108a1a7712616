"""Names of 0.3.0: they work, and one line says the new one."""

import importlib
import subprocess
import sys

import pytest

from salutary.system import moved
from salutary.system.moved import LAST, MOVED, successor

# What 0.3.0 documented, or what a user's YAML may name, and where it is now.
DOCUMENTED = {
    "salutary.pools.best_points": "salutary.labeling.shortlist.best_points",
    "salutary.pools.open_pool": "salutary.labeling.pool.open_pool",
    "salutary.estimator.SalutaryClassifier": "salutary.integrations.classifier.SalutaryClassifier",
    "salutary.fitted.influence": "salutary.integrations.fitted.influence",
    "salutary.split.PaperSplit": "salutary.experiments.split.PaperSplit",
    "salutary.split.StandardSplit": "salutary.experiments.split.StandardSplit",
    "salutary.split.PoolView": "salutary.strategies.PoolView",
    "salutary.split.Oracle": "salutary.experiments.loop.Oracle",
    "salutary.parts.OfficialParts": "salutary.experiments.parts.OfficialParts",
    "salutary.device.Device": "salutary.system.device.Device",
    "salutary.augmentation.ImageAugmentation": "salutary.models.augmentation.ImageAugmentation",
    "salutary.embeddings.texts.MiniLM": "salutary.encoders.texts.MiniLM",
    "salutary.studies.added_points.AddedPoints": "salutary.experiments.studies.added_points.AddedPoints",
    "salutary.tracking.MLflow": "salutary.experiments.mlflow.MLflow",
    "salutary.strategies.InfluenceStrategy": "salutary.strategies.influence.InfluenceStrategy",
    "salutary.strategies.influence_rows": "salutary.strategies.influence.influence_rows",
}


@pytest.mark.parametrize("old, new", DOCUMENTED.items())
def test_an_old_name_is_its_successor(old, new):
    module, _, name = old.rpartition(".")
    with pytest.warns(FutureWarning, match=rf"^{old} is {new} now, and gone in {LAST}$"):
        value = getattr(importlib.import_module(module), name)
    module, _, name = new.rpartition(".")
    assert value is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("old", MOVED)
def test_every_old_module_leads_to_one_that_is_there(old):
    module = importlib.import_module(f"salutary.{old}")
    for home in MOVED[old]:
        assert importlib.import_module(f"salutary.{home}").__doc__
    with pytest.raises(AttributeError, match=f"'salutary.{old}' has no attribute 'nothing'"):
        _ = module.nothing


def test_a_class_in_old_records_has_its_name_of_today():
    assert successor("salutary.split.PaperSplit") == "salutary.experiments.split.PaperSplit"
    assert successor("salutary.strategies.badge.Badge") == "salutary.strategies.badge.Badge"
    assert successor("mine.split.PaperSplit") == "mine.split.PaperSplit"


def test_an_old_target_runs_and_says_so(salutary_run):
    target = "protocol.splitter._target_=salutary.split.PaperSplit"
    with pytest.warns(FutureWarning, match=r"salutary\.split\.PaperSplit is salutary\.experiments\.split"):
        status, _, err = salutary_run("dataset=breast_cancer", "rounds=0", target)
    assert status == 0, err


def test_the_finder_is_installed_once():
    moved.install()
    assert sum(type(finder).__module__ == moved.__name__ for finder in sys.meta_path) == 1


def test_who_asks_for_a_modules_file_imports_nothing():
    """As inspect does of every module there is, PyTorch among its users."""
    code = (
        "import sys, salutary.models.surrogate as old; assert not hasattr(old, '__file__');"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_module_that_never_was_is_not_found():
    code = "import salutary.nothing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'salutary.nothing'\n")
