"""Tables from records."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from salutary.analysis.sections import Records, confidence
from salutary.errors import SalutaryError
from salutary.experiments.records import ROUND_COLUMNS
from salutary.experiments.runs import LATE_COLUMNS, last_rounds, read_facts, read_references, read_rounds


def test_reads_finished_runs_only(salutary_run, tmp_path):
    salutary_run("-m", "dataset=breast_cancer", "rounds=2", "strategy=margin,random")
    unfinished = tmp_path / "outputs" / "other.partial"
    unfinished.mkdir()
    (unfinished / "run.json").write_text("{}")
    table = last_rounds(read_rounds([tmp_path]))
    assert sorted(table["strategy"]) == ["margin", "random"]
    assert set(table["round"]) == {2}
    lines = {"majority", "initial", "labeled_and_validation", "fully_supervised"}
    assert set(read_references([tmp_path])["line"]) == lines


DAMAGE = {
    "column renamed": (lambda text: text.replace("seed", "sed", 1), "line 1: not the columns"),
    "half a line": (lambda text: text[:-20], "line 3: "),
    "no line break": (lambda text: text[:-1], "line 3: cut off"),
    "a word for a number": (lambda text: text.replace(",40,", ",forty,"), "line 2: could not convert string"),
    "a field too many": (
        lambda text: text.replace("breast_cancer,", "breast_cancer,x,", 1),
        f"line 2: {len(ROUND_COLUMNS) + 1} fields",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_records_are_named_by_file_and_line(damage, salutary_run, tmp_path):
    salutary_run("dataset=breast_cancer", "rounds=1")
    (file,) = tmp_path.rglob("rounds.csv")
    change, message = DAMAGE[damage]
    file.write_text(change(file.read_text()))
    with pytest.raises(SalutaryError, match=f"{re.escape(str(file))}, {message}"):
        read_rounds([tmp_path])


def test_records_of_earlier_versions(salutary_run, tmp_path):
    """Those of 0.2 and 0.3 are read, with the names that classes have now; those of 0.1 get one line."""
    salutary_run("dataset=breast_cancer", "rounds=1")
    (facts,), (rounds,) = tmp_path.rglob("run.json"), tmp_path.rglob("rounds.csv")
    today = read_facts([tmp_path])["settings"].iloc[0]
    old = facts.read_text().replace("salutary.experiments.split.", "salutary.split.")
    facts.write_text(old.replace("salutary.system.device.", "salutary.device."))
    assert '"salutary.split.PaperSplit"' in facts.read_text()
    assert read_facts([tmp_path])["settings"].iloc[0] == today
    assert len(read_rounds([tmp_path])) == 2
    lines = [line.rsplit(",", len(LATE_COLUMNS))[0] for line in rounds.read_text().splitlines()]
    rounds.write_text("\n".join(lines) + "\n")
    assert len(read_rounds([tmp_path])) == 2
    lines = [line.rsplit(",", 2)[0] for line in lines]
    rounds.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        SalutaryError, match=r"rounds\.csv is of salutary 0\.1\.0, which is not read any more"
    ):
        read_rounds([tmp_path])


def test_missing_and_damaged_files_are_named(salutary_run, tmp_path):
    salutary_run("dataset=breast_cancer", "rounds=0")
    (facts,) = tmp_path.rglob("run.json")
    whole = facts.read_text()
    facts.write_text(whole.replace('"settings"', '"sittings"'))
    with pytest.raises(SalutaryError, match=r"run\.json: 'settings' is missing"):
        read_references([tmp_path])
    facts.write_text(whole[:30])
    with pytest.raises(SalutaryError, match=r"run\.json, line \d"):
        read_references([tmp_path])
    (tmp_path / "outputs" / facts.parent.name / "rounds.csv").unlink()
    with pytest.raises(SalutaryError, match=r"rounds\.csv cannot be read"):
        read_rounds([tmp_path])


def test_analysis_does_not_import_torch():
    code = (
        "import sys, salutary.analysis.report, salutary.experiments.collect; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- the study of confidence ---------------------------------------------------------------------------


def study():
    """Two tables, two sizes, six seeds: ours is 0.02 below the initial model on bank, 0.01 above on wine."""
    rows = []
    for seed in range(6):
        for dataset, change in {"bank": -0.02, "wine": 0.01}.items():
            for n in (50, np.inf):
                cell = {"protocol": "standard", "dataset": dataset, "n_validation": n, "seed": seed}
                noise = seed * 1e-4
                losses = {"initial": 1.0, "L + V": 0.9, "salutary": 1.0 + 2 * change, "greedy 2": 0.99}
                losses |= {"greedy 0": 0.99, "greedy 0.5": 0.99, "greedy 1": 1.0 + change + noise}
                losses["greedy auto"] = losses["greedy 1"]
                if n == np.inf:
                    losses["margin"] = 0.95
                rows += [
                    {**cell, "method": method, "test_loss": loss, "test_accuracy": 0.5, "added": 10}
                    for method, loss in losses.items()
                ]
    return pd.DataFrame(rows)


def test_cells_of_the_study():
    table = confidence.cells(study())
    assert len(table) == 4
    bank = table.loc["standard", "bank", 50]
    assert bank["greedy 1"] == pytest.approx(-0.02 + 2.5e-4)
    assert bank["margin"] == pytest.approx(-0.05)  # knows no n_validation
    assert bank["standard error"] == pytest.approx(np.std(np.arange(6) * 1e-4, ddof=1) / 6**0.5)
    assert bank["picks"] == 10
    differences = -0.02 + np.arange(6) * 1e-4
    assert bank["p against initial"] == pytest.approx(4 * ttest_1samp(differences, 0).pvalue)  # of four cells
    found = confidence.verdict(table)["standard"]
    assert found["worse than initial by more than one se"] == 2
    assert found["better than salutary"] == "2 (2 sure)"
    assert found["worse than L + V"] == "4 (4 sure)"
    text = confidence.markdown_cells(table, "standard").splitlines()
    assert text[2] == "| bank | 50 | **-100** | -40 | -10 | -10 | -20 | -10 | -50 | 10 |"
    assert len(text) == 6
    higher = confidence.markdown_cells(table, "standard", "{:+.1f}", -1e-2).splitlines()
    assert higher[2].startswith("| bank | 50 | -10.0 | -4.0 | **-1.0** |")


def test_study_of_default_runs(salutary_run, tmp_path):
    command = ["-m", "dataset=breast_cancer", "rounds=1", "seed=0,1"]
    assert salutary_run(*command, "strategy=salutary_greedy")[0] == 0
    with pytest.raises(SalutaryError, match="needs runs of salutary"):
        confidence.study_of(Records([tmp_path / "outputs"]))
    assert salutary_run(*command, "strategy=salutary")[0] == 0
    table = confidence.cells(confidence.study_of(Records([tmp_path / "outputs"])))
    assert {"greedy auto", "salutary", "L + V"} <= set(table)


def test_study_reads_records(salutary_run, tmp_path):
    command = ["-m", "dataset=breast_cancer", "rounds=2", "seed=0,1", "n_validation=40,null"]
    assert salutary_run(*command, "strategy=salutary_greedy", "strategy.confidence=0,1")[0] == 0
    assert salutary_run(*command, "strategy=salutary")[0] == 0
    found = confidence.study_of(Records([tmp_path / "outputs"]))
    assert set(found["method"]) == {"initial", "L + V", "salutary", "greedy 0", "greedy 1", "greedy auto"}
    assert len(found) == 2 * 2 * 5 + 2  # auto is greedy 1 where all validation rows are used
    picks = found[found["method"] == "greedy 0"]
    assert set(picks["n_validation"]) == {40, np.inf} and (picks["added"] == 20).all()
    assert found[found["method"] == "initial"].groupby("seed")["test_loss"].nunique().eq(1).all()
