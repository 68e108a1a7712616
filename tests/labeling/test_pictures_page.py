"""The walk-through of docs/pictures.md, on scikit-learn's digits."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from salutary import load_model

PAGE = (Path(__file__).parents[2] / "docs" / "pictures.md").read_text()
SECTION = PAGE.partition("## A walk-through")[2].partition("\n## ")[0]
ROW = re.compile(r"^\| `?(handed over|\w+)`? \| (\S+)(?: ± \S+)?, (\S+)% \| (\S+), (\S+)% \|$", re.MULTILINE)


@pytest.fixture
def digits(tmp_path, salutary_label):
    """The documented code was run; the documented command, with other settings, to its facts."""
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    (documented,) = re.findall(r"^    salutary-label (.*)$", SECTION, re.MULTILINE)

    def run(*others):
        exec(compile(code, "docs/pictures.md", "exec"), {})
        status, out, err = salutary_label(*documented.split(), *others)
        assert status == 0, err
        return json.loads((tmp_path / "digits" / "facts.json").read_text()), out

    return run


def test_the_documented_commands_run(digits, tiny_vit):
    """With a tiny encoder, which knows little of digits."""
    facts, out = digits(f"image_encoder={tiny_vit}")
    assert "image_encoder=tiny_vit reads path (16 features)" in out
    assert facts["pool_rows"] == 150 and sum(facts["counts"]["labeled"].values()) == 40
    (code, *_) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)  # what is done with the model
    exec(compile(code, "docs/pictures.md", "exec"), found := {})
    assert type(found["model"]).__name__ == "SavedModel"


@pytest.mark.slow
def test_the_walk_through_prints_what_it_says(digits, tmp_path):
    pytest.importorskip("efficientnet_lite_pytorch")
    facts, _ = digits()
    said = {name: rest for name, *rest in ROW.findall(SECTION)}
    found = {each["name"]: each for each in (*facts["remedies"], {"name": "handed over", **facts["handed"]})}
    for name, each in found.items():
        held_out = f"{each['held_out_loss']:.3f}", f"{100 * each['held_out_accuracy']:.1f}"
        assert said[name] == [*held_out, f"{each['test_loss']:.2f}", f"{100 * each['test_accuracy']:.1f}"]
    files = sorted((tmp_path / "test").rglob("*.png"))
    kinds = [int(file.parent.name) for file in files]
    model = load_model(tmp_path / "digits")
    rows = pd.DataFrame({"path": [str(file) for file in files]})
    places = [model.classes_.tolist().index(kind) for kind in kinds]
    loss = -np.log(model.predict_proba(rows)[np.arange(len(files)), places]).mean()
    assert loss == pytest.approx(found["handed over"]["test_loss"], rel=1e-3)
    labels = pd.read_csv(tmp_path / "digits.csv")
    assert len(labels) == 3
